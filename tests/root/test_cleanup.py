"""Cleanup by depths: what a death takes with it, and that what it leaves is whole."""

import itertools
from typing import Any

import pytest

from caplab.kernel.abi import Status
from lab import Lab, ok, refused
from spaces import (
    alive,
    ask,
    bury,
    chain,
    connect,
    given,
    gpicl,
    held,
    kinds,
    made,
    parking,
    pd_cap,
    rdes,
    space_names,
    work,
)

CHAIN = ("block", "file", "db", "app")
DEPTHS = (0, 1, 2, 3, "all")
Depth = int | str


def within(distance: int, depth: Depth) -> bool:
    return depth == "all" or distance <= int(depth)


def expected(dead: str, pd_depth: Depth, space_depth: Depth) -> tuple[set[str], set[str]]:
    """PDs alive and spaces left, by the rule: a PD dies when d <= pd_depth; a space goes when its
    manager died or m <= space_depth."""
    first = CHAIN.index(dead)
    far = {name: place - first for place, name in enumerate(CHAIN) if place >= first}
    dies = {name for name, d in far.items() if d == 0 or within(d, pd_depth)}
    goes = {
        name.upper()
        for name in CHAIN[:3]
        if name in dies or (name in far and first < 3 and within(far[name], space_depth))
    }
    return {*CHAIN, "idle"} - dies, {"BLOCK", "FILE", "DB"} - goes


@pytest.mark.parametrize(("pd_depth", "space_depth"), list(itertools.product(DEPTHS, DEPTHS)))
@pytest.mark.parametrize("dead", CHAIN)
@pytest.mark.parametrize("how", ["system", "kill"])
def test_the_chain_under_every_depth(
    dead: str, pd_depth: Depth, space_depth: Depth, how: str
) -> None:
    depths = {"pd_depth": pd_depth, "space_depth": space_depth}
    lab = gpicl(cleanup=depths) if how == "system" else gpicl()
    request = lab.ask("kill", pd=dead, **(depths if how == "kill" else {}))
    bury(lab)
    pds, spaces = expected(dead, pd_depth, space_depth)
    assert (alive(lab), space_names(lab)) == (pds, spaces)
    for below, above in itertools.pairwise(CHAIN):
        if above in pds:
            mine = below.upper() in spaces
            assert len(held(lab[above])) == (2 if mine else 0)
            assert (below.upper() in rdes(lab[above])) == mine
    lab.pass_time(3)
    assert request in lab.answers
    lab.ask("down")


def answer(lab: Lab, request: int) -> dict[str, Any]:
    lab.pass_time(3)
    return lab.answers[request]


def test_a_kill_tells_everything_in_the_order_in_which_it_was_done() -> None:
    lab = gpicl()
    lab["app"].call("db", b"x")
    request = lab.ask("kill", pd="block", pd_depth=1, space_depth=2)
    bury(lab)
    told = answer(lab, request)
    steps = [(one["action"], one["target"]) for one in told["actions"]]
    marks = [step for step in steps if step[0].startswith("mark")]
    assert marks == [
        ("mark_pd", "file"),
        ("mark_space", "BLOCK_SPACE_10"),
        ("mark_space", "DB_SPACE_12"),
    ]
    assert steps.index(("kill", "block")) < steps.index(("mark_pd", "file"))
    assert steps.index(("mark_pd", "file")) < steps.index(("kill", "file"))
    assert ("queue_work", "db") in steps
    assert ("free_caller", "app") in steps
    assert (
        told["pending"]
        == ["destroy at db", "client-gone at db", "free at db", "free at db"][
            : len(told["pending"])
        ]
    )


def test_a_kill_waits_for_those_who_die_of_it() -> None:
    lab = gpicl()
    request = lab.ask("kill", pd="block", pd_depth=1)
    lab.exited("block")
    lab.work()
    lab.pass_time(1)
    assert request not in lab.answers
    lab.exited("file")
    lab.work()
    work(lab["db"])
    assert lab.answers[request]["pending"] == []


def test_who_dies_too_late_is_pending() -> None:
    lab = gpicl()
    request = lab.ask("kill", pd="block", pd_depth=1)
    lab.exited("block")
    lab.work()
    lab.pass_time(3)
    assert lab.answers[request]["pending"] == ["the end of file"]
    lab.exited("file")
    lab.work()
    assert "file" not in alive(lab)


def test_a_manager_that_lives_on_is_told_that_its_space_is_gone() -> None:
    lab = gpicl()
    lab.ask("kill", pd="block", space_depth=1)
    bury(lab)
    assert "file" in alive(lab)
    assert [(one["kind"], one["space"]) for one in work(lab["file"])] == [("destroy", 17)]
    assert refused(Status.DIED_BEFORE_RECV, ask, lab["file"], "create").blames == "block"
    again = ok(connect(lab["file"], 30, type_name="FILE")).map
    assert again["space"] > 18


def test_who_died_of_it_says_why() -> None:
    lab = gpicl()
    lab.ask("kill", pd="block", pd_depth="all")
    bury(lab)
    row = lab.ps("file")
    assert (row["state"], row["reason"]) == ("killed", "cleanup after block/gen0")


@pytest.mark.parametrize("depth", [-1, -2, "many", 1.5, True, [1]])
def test_a_bad_depth_is_refused_and_kills_nobody(depth: object) -> None:
    lab = gpicl()
    for key in ("pd_depth", "space_depth"):
        assert lab.operator("kill", pd="block", **{key: depth})["error"]["code"] == "bad-depth"
    assert "block" in alive(lab)


def test_a_manager_kills_with_depths_of_its_own() -> None:
    lab = gpicl()
    slot = pd_cap(lab, "idle", "block")
    idle = lab["idle"]
    refused(Status.INVALID_ARGUMENT, idle.pd_call, "kill", slot, pd_depth=-1)
    refused(Status.INVALID_ARGUMENT, idle.pd_call, "kill", slot, space_depth="some")
    assert idle.pd_call("kill", slot, pd_depth=1) is None
    bury(lab)
    lab.pass_time(3)
    ok(idle.woken())
    assert alive(lab) == {"db", "app", "idle"}


def test_the_policy_of_a_space_outweighs_its_managers_and_that_the_systems() -> None:
    for own, of_pd, of_system, dies in (
        (1, 0, 0, True),
        (0, 1, 1, False),
        (None, 1, 0, True),
        (None, 0, 1, False),
        (None, None, 1, True),
    ):
        uses = {"rdes": ["resspc"]}
        cleanup = {} if of_pd is None else {"cleanup": {"pd_depth": of_pd}}
        lab = Lab({"lot": {**uses, **cleanup}, "car": {}}, cleanup={"pd_depth": of_system})
        lot = lab["lot"]
        lot.alloc(2, 20)  # type: ignore[arg-type]
        ok(connect(lot, 30, 20, client=lab.pd("car").number, pd_depth=own))
        lab.die("lot")
        bury(lab)
        assert ("car" not in alive(lab)) == dies


def test_whose_faults_it_handled_depends_on_a_handler() -> None:
    pds = {"handler": {"serves": "endpoint"}, "app": {"faults": "handler"}, "idle": {}}
    for depth, left in ((0, {"app", "idle"}), (1, {"idle"})):
        lab = Lab(pds, cleanup={"pd_depth": depth})
        lab.die("handler")
        bury(lab)
        assert alive(lab) == left


def test_a_linked_pd_dies_with_the_other_whatever_the_policy() -> None:
    lab = parking()
    car = lab["car"]
    slot = pd_cap(lab, "car", "idle")
    ok(car.pd_call("link", slot))
    refused(Status.INVALID_ARGUMENT, car.pd_call, "link")
    refused(Status.INVALID_CAPABILITY, car.pd_call, "link", pd_cap(lab, "car", "van", 2))
    of_lot = pd_cap(lab, "lot", "idle")
    lab.die("car", 0)
    bury(lab)
    assert alive(lab) == {"lot", "van"}
    refused(Status.PD_DEAD, lab["lot"].pd_call, "link", of_lot)


def test_a_child_that_was_never_started_dies_of_it_too() -> None:
    lab = parking()
    car = lab["car"]
    car.create("child", 30, start=False)
    ok(car.pd_call("link", 30))
    lab.die("car")
    lab.work()
    assert lab.pd("child").state == "dead"


def test_going_down_spreads_nothing() -> None:
    lab = gpicl(cleanup={"pd_depth": "all", "space_depth": "all"})
    lab.ask("down")
    lab.exited("block", 0)
    lab.work()
    assert all(one.doomed is None for one in lab.root.pds.values())


def test_destroying_a_space_takes_what_is_built_on_it_as_far_as_its_policy_says() -> None:
    for depth, left in ((0, {"FILE", "DB"}), (1, {"DB"}), ("all", set())):
        lab = gpicl(cleanup={"pd_depth": "all", "space_depth": depth})
        ok(ask(lab["block"], "destroy"))
        assert space_names(lab) == left
        assert len(alive(lab)) == 5
        assert ("destroy" in kinds(work(lab["file"]))) == ("FILE" not in left)


def test_two_deaths_at_once_are_two_reports() -> None:
    lab = gpicl(cleanup={"pd_depth": 1})
    requests = [lab.ask("kill", pd=name) for name in ("block", "file")]
    lab.exited("block")
    lab.exited("file")
    lab.work()
    bury(lab)
    lab.pass_time(3)
    for request in requests:
        assert lab.answers[request]["state"] == "killed"
    assert alive(lab) == {"app", "idle"} or alive(lab) == {"db", "app", "idle"}


def test_a_circle_of_servers_dies_once() -> None:
    lab = chain("a", "b", cleanup={"pd_depth": "all", "space_depth": "all"})
    a, b = lab["a"], lab["b"]
    given(b, made(b), a)
    lab.ask("kill", pd="a")
    bury(lab)
    assert alive(lab) == set()


def test_every_caller_is_freed_wherever_it_waits() -> None:
    lab = gpicl(cleanup={"pd_depth": "all"})
    app, db, file = lab["app"], lab["db"], lab["file"]
    ok_blocked = [app.call("db"), db.call("file"), file.call("block")]
    assert ok_blocked == [None, None, None]
    idle = lab["idle"]
    slot = pd_cap(lab, "idle", "app")
    assert idle.pd_call("kill", slot) is None
    bury(lab)
    lab.pass_time(3)
    ok(idle.woken())
    lab.ask("kill", pd="block")
    bury(lab)
    assert alive(lab) == {"idle"}


def test_what_is_pending_at_a_server_is_counted() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    for _ in range(3):
        given(lot, made(lot), car)
    request = lab.ask("kill", pd="car")
    lab.die("car")
    lab.pass_time(2)
    assert lab.answers[request]["pending"] == ["free at lot (3)", "client-gone at lot"]
    freed = [one["object"] for one in lab.answers[request]["actions"] if "object" in one]
    assert sorted(freed) == [1, 2, 3]
