"""The model state: what the root task knows and what servers say, and what becomes of liars."""

from typing import Any

import pytest

from caplab.kernel.abi import LAST_SPACE, ObjectType
from caplab.kernel.root import extract, model
from lab import Lab, Thread, ok
from spaces import connect, given, gpicl, made, parking, work

Rows = list[list[str]]


def serve(lab: Lab, *names: str, rows: dict[str, list[Any]] | None = None) -> None:
    """Servers fetch and answer what they are asked to extract."""
    for name in names:
        for item in work(lab[name]):
            if item["kind"] == "extract":
                said = (rows or {}).get(name, [])
                ok(lab[name].pd_call("finish_work", id=item["id"], rows=said))
    lab.work()


def graph(lab: Lab, *names: str, **more: Any) -> dict[str, Any]:
    request = lab.ask("graph")
    serve(lab, *names, **more)
    return lab.answers[request]


def edges(rows: Rows, kind: str) -> set[tuple[str, str]]:
    return {(row[4], row[5]) for row in rows if row[3] == kind}


def nodes(rows: Rows, kind: str) -> dict[str, str]:
    return {row[1]: row[2] for row in rows if row[0] == kind}


def test_the_chain_as_the_root_task_knows_it() -> None:
    lab = gpicl()
    found = graph(lab, "block", "file", "db")
    rows = found["rows"]
    assert found["marked"] == []
    assert not found["more"]
    assert nodes(rows, "PD") == {
        "PD_0": "root",
        "PD_1": "block",
        "PD_2": "file",
        "PD_3": "db",
        "PD_4": "app",
        "PD_5": "idle",
    }
    spaces = nodes(rows, "RESOURCE_SPACE")
    assert {"BLOCK_SPACE_10", "FILE_SPACE_11", "DB_SPACE_12", "PD_SPACE_2"} <= spaces.keys()
    assert edges(rows, "MAP") >= {
        ("FILE_SPACE_11", "BLOCK_SPACE_10"),
        ("DB_SPACE_12", "FILE_SPACE_11"),
    }
    assert edges(rows, "SUBSET") >= {("BLOCK_10_1", "BLOCK_SPACE_10")}
    holds = edges(rows, "HOLD")
    assert {("PD_1", "BLOCK_10_1"), ("PD_2", "BLOCK_10_1"), ("PD_1", "BLOCK_SPACE_10")} <= holds
    assert ("PD_4", "BLOCK_10_1") not in holds
    requests = {(row[4], row[5], row[2], row[6]) for row in rows if row[3] == "REQUEST"}
    assert {("PD_2", "PD_1", "BLOCK", "10"), ("PD_4", "PD_3", "DB", "12")} <= requests
    assert ("PD_5", "PD_0", "RESSPC", "1") in requests


def test_nodes_come_before_edges_and_nothing_dangles_or_stands_twice() -> None:
    lab = gpicl()
    rows = graph(lab, "block", "file", "db")["rows"]
    kinds = [bool(row[0]) for row in rows]
    assert kinds == sorted(kinds, reverse=True)
    names = [row[1] for row in rows if row[0]]
    assert len(names) == len(set(names))
    for row in rows:
        if not row[0]:
            assert {row[4], row[5]} <= set(names), row
    assert len(rows) == len({tuple(row) for row in rows})


def test_servers_say_what_their_resources_rest_on() -> None:
    lab = gpicl()
    said = {"file": [[1, "name=a", [[16, 1], [16, 2]]], [0, "whole", []]]}
    rows = graph(lab, "block", "file", "db", rows=said)["rows"]
    assert edges(rows, "MAP") >= {("FILE_11_1", "BLOCK_10_1"), ("FILE_11_1", "BLOCK_10_2")}
    extras = {row[1]: row[6] for row in rows if row[0]}
    assert (extras["FILE_11_1"], extras["FILE_SPACE_11"]) == ("name=a", "whole")


LIES: list[Any] = [
    [9, "", []],  # no such object
    [1, "", [[16, 9]]],  # no such object below
    [1, "", [[18, 1]]],  # a space it is not built on
    [1, "", [[99, 1]]],
    [1, "", [[16]]],
    [1, "", [16, 1]],
    [1, "", [["a", 1]]],
    [1, "", [[16, "a"]]],
    [1, 5, []],
    ["a", "", []],
    [1, ""],
    7,
]


@pytest.mark.parametrize("lie", LIES, ids=map(str, LIES))
def test_a_lying_server_is_marked_and_spoils_nothing_else(lie: Any) -> None:
    lab = gpicl()
    said = {"file": [[2, "true", []], lie], "db": [[1, "row", [[17, 2]]]]}
    found = graph(lab, "block", "file", "db", rows=said)
    assert found["marked"] == [{"pd": "file", "why": "lying"}]
    extras = {row[1]: row[6] for row in found["rows"] if row[0]}
    assert extras["FILE_11_2"] == ""
    assert extras["DB_12_1"] == "row"
    assert ("DB_12_1", "FILE_11_2") in edges(found["rows"], "MAP")
    assert ("PD_2", "FILE_11_2") in edges(found["rows"], "HOLD")


def test_a_server_may_not_know_yet_that_the_space_below_is_gone() -> None:
    lab = gpicl()
    lab.exited("block")
    found = graph(lab, "file", "db", rows={"file": [[1, "kept", [[16, 1]]]]})
    assert found["marked"] == []
    assert ("FILE_11_1", "BLOCK_10_1") not in edges(found["rows"], "MAP")
    assert {row[1]: row[6] for row in found["rows"] if row[0]}["FILE_11_1"] == "kept"


def test_that_holds_too_when_the_numbers_of_spaces_have_begun_anew() -> None:
    lab = gpicl()
    lab.root.next_space = LAST_SPACE
    ok(connect(lab["db"], 30, type_name="DB"))
    assert lab.root.next_space < 0x11
    lab.exited("block")
    assert graph(lab, "file", "db", rows={"file": [[1, "kept", [[16, 1]]]]})["marked"] == []


def test_what_a_server_says_of_resources_it_does_not_hold_is_a_lie() -> None:
    lab = gpicl()
    ok(lab["block"].invoke("resspc_create", "space", object=7))
    found = graph(lab, "block", "file", "db", rows={"file": [[1, "", [[16, 7]]]]})
    assert found["marked"] == [{"pd": "file", "why": "lying"}]


def test_who_says_more_than_there_is_to_say_is_a_liar() -> None:
    lab = gpicl()
    request = lab.ask("graph")
    item = work(lab["file"])[0]
    rows = [[1, "", []]] * 2
    ok(lab["file"].pd_call("finish_work", id=item["id"], rows=rows, more=1))
    ok(lab["file"].pd_call("finish_work", id=item["id"], rows=rows, more=1))
    assert not lab["file"].pd.fetched
    serve(lab, "block", "db")
    assert lab.answers[request]["marked"] == [{"pd": "file", "why": "lying"}]


def test_what_a_server_says_takes_no_more_room_than_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab = gpicl()
    said: dict[str, Any] = {"block": [[1, "x" * 50_000, []], [2, "y", []]]}
    found = graph(lab, "block", "file", "db", rows=said)
    extras = {row[1]: row[6] for row in found["rows"] if row[0]}
    assert extras["BLOCK_10_1"] == "x" * extract.EXTRA_MAX
    assert extras["BLOCK_10_2"] == "y"
    monkeypatch.setattr(extract, "MAPS_MAX", 3)
    said = {"file": [[1, "", [[16, 1]] * 2], [2, "", [[16, 2]] * 2]]}
    found = graph(lab, "block", "file", "db", rows=said)
    assert found["marked"] == [{"pd": "file", "why": "lying"}]


def test_an_answer_may_come_in_parts() -> None:
    lab = gpicl()
    request = lab.ask("graph")
    item = work(lab["file"])[0]
    ok(lab["file"].pd_call("finish_work", id=item["id"], rows=[[1, "a", []]], more=1))
    ok(lab["file"].pd_call("finish_work", id=item["id"], rows=[[2, "b", []]]))
    serve(lab, "block", "db")
    extras = {row[1]: row[6] for row in lab.answers[request]["rows"] if row[0]}
    assert (extras["FILE_11_1"], extras["FILE_11_2"]) == ("a", "b")


def test_a_server_that_dies_is_marked_and_the_asker_answered() -> None:
    lab = gpicl()
    request = lab.ask("graph")
    serve(lab, "block", "db")
    assert request not in lab.answers
    lab.die("file")
    lab.work()
    found = lab.answers[request]
    assert found["marked"] == [{"pd": "file", "why": "dead"}]
    assert "PD_2" not in nodes(found["rows"], "PD")
    assert "FILE_SPACE_11" not in nodes(found["rows"], "RESOURCE_SPACE")


def test_a_slow_server_is_marked_when_the_time_is_over_and_its_late_answer_is_lost() -> None:
    lab = gpicl()
    request = lab.ask("graph", timeout=0.5)
    serve(lab, "block", "db")
    item = work(lab["file"])[0]
    lab.pass_time(0.4)
    assert request not in lab.answers
    lab.pass_time(0.2)
    lab.work()
    assert lab.answers[request]["marked"] == [{"pd": "file", "why": "slow"}]
    ok(lab["file"].pd_call("finish_work", id=item["id"], rows=[[1, "late", []]]))
    lab.pass_time(5)
    lab.work()


def test_any_number_of_models_may_be_gathered_at_once() -> None:
    lab = gpicl()
    requests = [lab.ask("graph") for _ in range(20)]
    for _ in range(3):
        serve(lab, "block", "file", "db")
    assert all(lab.answers[request]["marked"] == [] for request in requests)
    rows = [lab.answers[request]["rows"] for request in requests]
    assert all(one == rows[0] for one in rows)


def test_a_server_that_asks_for_more_work_instead_has_nothing_to_say() -> None:
    lab = parking()
    request = lab.ask("graph")
    work(lab["lot"])
    work(lab["lot"])
    lab.work()
    assert lab.answers[request]["marked"] == []


def test_a_system_without_servers_has_a_model() -> None:
    lab = Lab({"app": {}})
    request = lab.ask("graph")
    lab.work()
    assert nodes(lab.answers[request]["rows"], "PD") == {"PD_0": "root", "PD_1": "app"}


def test_memory_is_held_by_each_and_mapped_where_it_may_be_opened() -> None:
    lab = parking()
    car = lab["car"]
    car.alloc(ObjectType.FRAME, 20, pages=2)
    ok(car.copy(20, 21))
    ok(car.invoke("frame_map", 20))
    rows = graph(lab, "lot")["rows"]
    number = car.cap(20).obj.number
    mo, vmr = f"MO_4_{number:x}", f"VMR_2_{number:x}"
    assert {("PD_2", mo), ("PD_2", "ADS_SPACE_2"), ("PD_2", vmr)} <= edges(rows, "HOLD")
    assert (vmr, mo) in edges(rows, "MAP")
    assert (vmr, "ADS_SPACE_2") in edges(rows, "SUBSET")
    extra = next(row[6] for row in rows if row[1] == mo)
    assert extra == f"{car.cap(20).obj.base:#x}_2_12"


def large(count: int) -> tuple[Lab, Thread]:
    lab = parking()
    lot = lab["lot"]
    lab.checked = False
    for _ in range(count):
        given(lot, made(lot), lab["car"]) if count < 400 else made(lot)
    return lab, lot


def test_a_large_model_is_written_in_slices_and_told_in_pages() -> None:
    lab, _ = large(1500)
    request = lab.ask("graph")
    item = work(lab["lot"])[0]
    ok(lab["lot"].pd_call("finish_work", id=item["id"]))
    assert lab.work() > 5
    answer = lab.answers[request]
    rows = answer["rows"]
    assert answer["more"]
    pages = 1
    while answer["more"]:
        answer = lab.operator("graph", model=answer["model"])
        rows += answer["rows"]
        pages += 1
    assert pages > 2
    assert len(nodes(rows, "RESOURCE")) > 1500
    assert lab.operator("graph", model=answer["model"])["error"]["code"] == "no-such-model"
    assert lab.root.models == {}


def test_models_that_nobody_fetches_are_forgotten() -> None:
    lab, lot = large(1000)
    for _ in range(6):
        lab.ask("graph")
        for item in work(lot):
            ok(lot.pd_call("finish_work", id=item["id"]))
        lab.work()
    assert len(lab.root.models) == 4


def test_a_space_that_goes_while_the_model_is_written_spoils_nothing() -> None:
    lab, lot = large(300)
    request = lab.ask("graph")
    said = [[number, "x", []] for number in range(1, 301)]
    [item] = work(lot)
    ok(lot.pd_call("finish_work", id=item["id"], rows=said))
    lab.ask("ps")
    assert lab.k.jobs_pending
    lab.step(type(lab.events[-1])(lab.now, 99, {"op": "ps"}))
    lab.exited("lot")
    lab.work()
    rows = lab.answers[request]["rows"]
    names = {row[1] for row in rows if row[0]}
    assert all({row[4], row[5]} <= names for row in rows if not row[0])


@pytest.mark.parametrize("timeout", [0, -1, 100, "x", True, None])
def test_a_bad_time_limit_is_refused(timeout: object) -> None:
    lab = parking()
    assert lab.operator("graph", timeout=timeout)["error"]["code"] == "bad-timeout"


def test_models_are_numbers() -> None:
    assert parking().operator("graph", model="x")["error"]["code"] == "no-such-model"


def test_as_csv_with_quotes_where_they_are_needed() -> None:
    rows = [
        model.node("PD", model.pd_id(18), "a,b"),
        model.node("RESOURCE", model.resource_id("BLOCK", 16, 255), "BLOCK", 'say "x"'),
        model.edge("HOLD", "PD_12", "BLOCK_10_ff"),
    ]
    assert model.to_csv(rows) == (
        "NODE_TYPE,NODE_ID,DATA,EDGE_TYPE,EDGE_FROM,EDGE_TO,EXTRA\n"
        'PD,PD_12,"a,b",,,,\n'
        'RESOURCE,BLOCK_10_ff,BLOCK,,,,"say ""x"""\n'
        ",,NONE,HOLD,PD_12,BLOCK_10_ff,\n"
    )


def test_as_json() -> None:
    rows = [model.node("PD", "PD_1", "a"), model.edge("REQUEST", "PD_1", "PD_0", "MO", "4")]
    assert model.to_json(rows, [{"pd": "b", "why": "slow"}]) == {
        "schema": 1,
        "nodes": [{"type": "PD", "id": "PD_1", "data": "a", "extra": ""}],
        "edges": [{"type": "REQUEST", "from": "PD_1", "to": "PD_0", "data": "MO", "extra": "4"}],
        "marked": [{"pd": "b", "why": "slow"}],
    }


def test_the_part_of_a_model_that_a_pd_reaches() -> None:
    lab = gpicl()
    rows = graph(lab, "block", "file", "db")["rows"]
    part = model.reachable(rows, "PD_3")
    names = {row[1] for row in part if row[0]}
    assert {"PD_3", "PD_2", "PD_1", "FILE_11_1"} <= names
    assert not {"PD_4", "PD_5"} & names
    assert model.reachable(rows, "PD_99") == []
