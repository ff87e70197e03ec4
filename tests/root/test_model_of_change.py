"""The model while it changes: what comes and goes as it is gathered and written."""

from typing import Any

from caplab.kernel.abi import ObjectType
from caplab.kernel.core.events import Work
from lab import Lab, Thread, ok
from spaces import ask, connect, given, gpicl, made, parking, work

Rows = list[list[str]]
MANY = 1000


def large(count: int = MANY) -> tuple[Lab, Thread]:
    lab = parking()
    lab.checked = False
    for _ in range(count):
        made(lab["lot"])
    return lab, lab["lot"]


def say(server: Thread, rows: list[Any]) -> None:
    for item in work(server):
        if item["kind"] == "extract":
            ok(server.pd_call("finish_work", id=item["id"], rows=rows))


def all_rows(lab: Lab, request: int) -> Rows:
    answer = lab.answers[request]
    rows: Rows = answer["rows"]
    while answer["more"]:
        answer = lab.operator("graph", model=answer["model"])
        rows += answer["rows"]
    return rows


def whole(rows: Rows) -> set[str]:
    """The names of the nodes; every edge joins two of them."""
    names = {row[1] for row in rows if row[0]}
    assert all({row[4], row[5]} <= names for row in rows if not row[0])
    return names


def test_a_space_that_is_being_destroyed_is_asked_nothing() -> None:
    lab, lot = large()
    assert ask(lot, "destroy") is None
    request = lab.ask("graph")
    assert not lot.pd.work
    lab.work()
    whole(all_rows(lab, request))  # what of it is still there is shown


def test_a_dying_server_is_asked_nothing_and_is_not_in_the_model() -> None:
    lab, lot = large()
    ok(connect(lot, 30, type_name="BAY", client=lab.pd("car").number))
    lab.exited("lot")
    assert lab.pd("lot").state == "dying"
    assert len(lab.root.spaces) == 2
    request = lab.ask("graph")
    lab.work()
    rows = all_rows(lab, request)
    assert f"PD_{lab.pd('lot').number:x}" not in whole(rows)
    assert not any(row[3] == "REQUEST" and row[2] in ("LOT", "BAY") for row in rows)


def test_who_comes_while_it_is_written_is_not_in_it() -> None:
    lab, lot = large()
    request = lab.ask("graph")
    say(lot, [])
    lab.step(Work(lab.now))
    child = lab["car"].create("child", 30)
    given(lot, MANY, child)
    given(lot, MANY, lab["van"])
    lab.work()
    rows = all_rows(lab, request)
    assert f"PD_{child.pd.number:x}" not in whole(rows)
    holders = {row[4] for row in rows if row[3] == "HOLD" and row[5] == f"LOT_10_{MANY:x}"}
    assert holders == {f"PD_{lab.pd(name).number:x}" for name in ("lot", "van")}


def test_what_goes_while_it_is_written_leaves_a_model_without_loose_ends() -> None:
    lab, lot = large()
    request = lab.ask("graph")
    say(lot, [[1, "said", []]])
    lab.step(Work(lab.now))
    assert ask(lot, "destroy") is None
    lab.work()
    ok(lot.woken())
    names = whole(all_rows(lab, request))
    assert "LOT_10_1" in names
    assert f"LOT_10_{MANY:x}" not in names


def test_what_a_server_maps_to_may_have_gone_meanwhile() -> None:
    lab = gpicl()
    request = lab.ask("graph")
    say(lab["file"], [[1, "", [[16, 1], [16, 2]]]])
    ok(ask(lab["block"], "delete", object=2))
    for name in ("block", "db"):
        say(lab[name], [])
    lab.work()
    found = lab.answers[request]
    whole(found["rows"])
    maps = {(row[4], row[5]) for row in found["rows"] if row[3] == "MAP" and row[4] == "FILE_11_1"}
    assert maps == {("FILE_11_1", "BLOCK_10_1")}
    assert found["marked"] == []


def test_memory_that_may_not_be_opened_is_held_and_not_mapped() -> None:
    lab = parking()
    car = lab["car"]
    car.alloc(ObjectType.FRAME, 20)
    request = lab.ask("graph")
    say(lab["lot"], [])
    lab.work()
    rows = lab.answers[request]["rows"]
    name = f"MO_4_{car.cap(20).obj.number:x}"
    assert {row[3] for row in rows if name in (row[4], row[5])} == {"HOLD", "SUBSET"}
