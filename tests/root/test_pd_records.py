"""What a PD that another makes costs, and whose failure its end is."""

import pytest

from caplab.kernel.abi import PAGE_SIZE, PRICE_PD, ObjectType, Status
from lab import Answer, Lab, Thread, ok, refused
from spaces import bury

MEMORY = 40


def parent(**more: object) -> tuple[Lab, Thread]:
    lab = Lab({"boss": {"rdes": ["pd"], **more}})
    return lab, lab["boss"]


def create(boss: Thread, receive: int = 30, **arguments: object) -> Answer | None:
    given = {"name": "child", "run": "./child.py", **arguments}
    return boss.invoke("pd_create", "rde:pd", receive=receive, **given)


def test_a_pd_is_paid_by_who_makes_it_until_it_is_dead() -> None:
    lab, boss = parent(untyped=PAGE_SIZE)
    for slot in range(30, 30 + PAGE_SIZE // PRICE_PD):
        ok(create(boss, slot, name=f"child{slot}"))
    refused(Status.NOT_ENOUGH_MEMORY, create, boss, 40)
    assert "child" not in lab.root.latest
    ok(boss.pd_call("start", 30))
    lab.die("child30")
    ok(create(boss, 40))
    ok(boss.delete(31))  # it was never started, and nobody can any more
    lab.work()
    ok(create(boss, 41, name="last"))


def test_what_is_lent_to_a_child_does_not_pay_for_it() -> None:
    _, boss = parent(untyped=4 * PAGE_SIZE)
    ok(boss.retype(ObjectType.UNTYPED, MEMORY, 13))
    ok(boss.retype(ObjectType.FRAME, 41, count=2))
    refused(Status.NOT_ENOUGH_MEMORY, create, boss, untyped=MEMORY)
    ok(boss.copy(MEMORY, 60))  # as untouched as before


@pytest.mark.parametrize("started", [True, False])
def test_a_pd_ends_when_the_memory_that_pays_for_it_is_taken_back(started: bool) -> None:
    lab, boss = parent()
    ok(create(boss))
    child = lab.pd("child")
    if started:
        ok(boss.pd_call("start", 30))
    ok(boss.revoke("untyped"))
    bury(lab)
    assert (child.state, child.ended) == ("dead", "killed")
    assert child.reason == "the memory that pays for it was taken back by boss"


def test_memory_is_taken_back_from_under_a_pd_that_is_being_killed() -> None:
    lab, boss = parent()
    ok(create(boss))
    ok(boss.pd_call("start", 30))
    lab.ask("kill", pd="child")
    ok(boss.revoke("untyped"))
    bury(lab)
    assert lab.pd("child").reason == "SIGKILL by operator"


def test_it_is_no_failure_that_a_pd_ends_what_it_made() -> None:
    lab, boss = parent()
    for slot, name in ((30, "killed"), (31, "linked"), (32, "faulty")):
        ok(create(boss, slot, name=name, serves="endpoint"))
        ok(boss.pd_call("start", slot))
    ok(boss.pd_call("link", 31))
    assert boss.pd_call("kill", 30, signal=9, pd_depth=None, space_depth=None) is None
    bury(lab)
    lab.die("boss", 0)
    bury(lab)
    assert [lab.pd(name).ended for name in ("killed", "linked")] == ["killed", "killed"]
    assert lab.root.failures() == []
    lab.die("faulty")
    assert [row["pd"] for row in lab.root.failures()] == ["faulty"]


def test_who_goes_with_a_pd_that_failed_has_failed_too() -> None:
    lab, boss = parent()
    ok(create(boss))
    ok(boss.pd_call("start", 30))
    ok(boss.pd_call("link", 30))
    lab.die("boss")
    bury(lab)
    assert {row["pd"] for row in lab.root.failures()} == {"boss", "child"}
