"""Domains: whose turn it is, who waits for another turn, and what the schedule refuses."""

from typing import Any

import pytest

from caplab.kernel.abi import (
    DOMAIN_DURATION_MAX,
    DOMAIN_SCHEDULES,
    NUM_DOMAINS,
    SLOT_CNODE,
    SLOT_TCB,
    SLOT_WORK,
    ObjectType,
    Status,
    Sys,
)
from lab import Lab, Thread, ok, refused

HIGHEST = 255


def system(scheduler: str = "strict", **more: Any) -> Lab:
    """`boss` may set domains and outranks `one` and `two`, which it manages."""
    low = {"priority": 10}
    pds: dict[str, dict[str, Any]] = {
        "boss": {"rdes": ["domain", "pd"], "manages": ["one", "two"], "priority": HIGHEST},
        "one": low,
        "two": low,
        **more,
    }
    lab = Lab(pds, scheduler=scheduler)
    ok(lab["boss"].syscall(Sys.YIELD))
    return lab


def set_domain(boss: Thread, domain: int, tcb: int | str = SLOT_TCB) -> Any:
    return boss.invoke("domain_set_set", "rde:domain", domain=domain, caps=[tcb])


def put(lab: Lab, name: str, domain: int) -> None:
    """A PD into a domain, through a capability to its TCB."""
    boss, tcb = lab["boss"], lab[name].tcb
    free = next(slot for slot in range(400, 500) if boss.cap(slot) is None)
    source = tcb.pd.cspace.slot(SLOT_TCB)
    lab.k.put(boss.pd.cspace.slot(free), source.cap, source, "test")
    ok(set_domain(boss, domain, free))


def configure(boss: Thread, index: int, domain: int, duration: int) -> Any:
    words = {"index": index, "domain": domain, "duration": duration}
    return boss.invoke("domain_set_schedule_configure", "rde:domain", **words)


def set_start(boss: Thread, index: int) -> Any:
    return boss.invoke("domain_set_schedule_set_start", "rde:domain", index=index)


def alternate(lab: Lab, first: int = 10, second: int = 10) -> None:
    """Domains 0 and 1 take turns; `one` is in the first, `two` in the second, `boss` asleep."""
    boss = lab["boss"]
    put(lab, "two", 1)
    ok(configure(boss, 0, 0, first))
    ok(configure(boss, 1, 1, second))
    ok(set_start(boss, 0))
    for name in ("one", "two"):
        assert lab[name].syscall(Sys.YIELD) is None
    assert boss.syscall(Sys.PARK) is None


def runs(lab: Lab) -> str:
    assert lab.k.gate is not None
    return lab.k.gate.running.name if lab.k.gate.running is not None else ""


def test_only_the_current_domain_runs() -> None:
    lab = system()
    alternate(lab)
    assert runs(lab) == "one"
    ok(lab["one"].woken())
    assert lab["two"].blocked
    assert lab["one"].syscall(Sys.PARK) is None
    assert runs(lab) == ""
    assert lab.ps("two")["reason"] == "ready: it is not the turn of its domain, 1"
    lab.pass_time(0.010)
    assert runs(lab) == "two"
    ok(lab["two"].woken())


def test_who_computes_past_the_end_of_its_domain_waits_from_its_next_call_on() -> None:
    lab = system()
    alternate(lab)
    one, two = lab["one"], lab["two"]
    ok(one.woken())
    lab.pass_time(0.010)
    assert runs(lab) == "one"
    assert two.blocked
    assert one.poll(SLOT_WORK) is None
    assert runs(lab) == "two"
    ok(two.woken())
    assert one.blocked
    lab.pass_time(0.010)
    assert two.poll(SLOT_WORK) is None
    assert one.woken().nothing


def test_a_call_past_the_end_of_its_domain_is_executed_in_its_next_turn() -> None:
    """Even when nobody of the domain whose turn it is has anything to do."""
    lab = system()
    alternate(lab)
    one, two = lab["one"], lab["two"]
    ok(one.woken())
    lab.pass_time(0.010)
    words = {"size_bits": 0, "node_index": 0, "node_depth": 0, "node_offset": 20, "num_objects": 1}
    kind = int(ObjectType.ENDPOINT)
    assert one.invoke("untyped_retype", "untyped", caps=[SLOT_CNODE], type=kind, **words) is None
    ok(two.woken())
    assert two.syscall(Sys.PARK) is None
    assert one.cap(20) is None
    assert runs(lab) == ""
    lab.pass_time(0.010)
    ok(one.woken())
    assert one.cap(20) is not None


def test_a_higher_priority_of_another_domain_does_not_preempt() -> None:
    lab = system()
    put(lab, "two", 1)
    boss, one = lab["boss"], lab["one"]
    two = lab["two"]
    two.tcb.priority = 200
    assert two.syscall(Sys.YIELD) is None
    assert one.syscall(Sys.YIELD) is None
    assert boss.syscall(Sys.PARK) is None
    ok(one.woken())
    ok(one.syscall(Sys.YIELD))
    assert two.blocked


def test_the_schedule_begins_anew_at_its_start() -> None:
    lab = system()
    boss = lab["boss"]
    for index, domain in enumerate((3, 0, 1, 2)):
        ok(configure(boss, index, domain, 5))
    ok(set_start(boss, 1))
    turns = []
    for _ in range(8):
        turns.append(lab.k.domains.current)
        lab.pass_time(0.005)
    assert turns == [0, 1, 2, 0, 1, 2, 0, 1]


def test_an_entry_counts_from_its_next_turn_on() -> None:
    lab = system()
    boss = lab["boss"]
    ok(configure(boss, 0, 0, 10))
    assert lab.k.next_deadline is None
    ok(set_start(boss, 0))
    ok(configure(boss, 1, 1, 10))
    ok(configure(boss, 0, 2, 20))
    assert lab.k.domains.current == 0
    lab.pass_time(0.010)
    assert lab.k.domains.current == 1
    lab.pass_time(0.010)
    assert lab.k.domains.current == 2
    lab.pass_time(0.019)
    assert lab.k.domains.current == 2


def test_a_ready_thread_that_changes_its_domain_changes_its_queue() -> None:
    lab = system()
    boss, one, two = lab["boss"], lab["one"], lab["two"]
    assert one.syscall(Sys.YIELD) is None
    assert two.syscall(Sys.YIELD) is None
    put(lab, "two", 1)
    ok(configure(boss, 1, 1, 10))
    assert set_start(boss, 1) is None
    ok(two.woken())
    assert (one.blocked, boss.blocked) == (True, True)


def test_a_dead_thread_has_no_domain_to_change() -> None:
    lab = system()
    boss = lab["boss"]
    put(lab, "two", 0)
    lab.die("two")
    refused(Status.ILLEGAL_OPERATION, set_domain, boss, 1, 400)


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ((DOMAIN_SCHEDULES - 1, 0, 1), Status.RANGE_ERROR, (0, DOMAIN_SCHEDULES - 2)),
        ((0, NUM_DOMAINS, 1), Status.RANGE_ERROR, (0, NUM_DOMAINS - 1)),
        ((0, 0, DOMAIN_DURATION_MAX + 1), Status.INVALID_ARGUMENT, (2,)),
        ((1, 1, 0), Status.INVALID_ARGUMENT, (1,)),
        ((0, 0, 0), Status.INVALID_ARGUMENT, (2,)),
    ],
)
def test_an_entry_that_cannot_be_is_refused(words: Any, status: Status, told: Any) -> None:
    boss = system()["boss"]
    assert refused(status, configure, boss, *words).words == told


def test_an_empty_entry_is_no_start() -> None:
    boss = system()["boss"]
    assert refused(Status.INVALID_ARGUMENT, set_start, boss, 1).words == (0,)
    assert refused(Status.INVALID_ARGUMENT, set_start, boss, DOMAIN_SCHEDULES - 1).words == (0,)
    answer = refused(Status.RANGE_ERROR, set_start, boss, DOMAIN_SCHEDULES)
    assert answer.words == (0, DOMAIN_SCHEDULES - 1)


@pytest.mark.parametrize("name", ["set", "schedule_configure", "schedule_set_start"])
def test_a_message_that_is_too_short_is_refused(name: str) -> None:
    boss = system()["boss"]
    labels = {"set": 52, "schedule_configure": 53, "schedule_set_start": 54}
    refused(Status.TRUNCATED_MESSAGE, boss.call, "rde:domain", label=labels[name])


def test_a_domain_is_set_of_a_tcb_and_nothing_else() -> None:
    boss = system()["boss"]
    for slot in (SLOT_CNODE, 300, 2**40):
        assert refused(Status.INVALID_ARGUMENT, set_domain, boss, 1, slot).words == (1,)
    without = boss.invoke("domain_set_set", "rde:domain", domain=1)
    assert without is not None
    assert without.status == Status.TRUNCATED_MESSAGE


def test_the_capability_is_copied_and_deleted_like_any_other() -> None:
    lab = system()
    boss = lab["boss"]
    ok(boss.copy("rde:domain", 300))
    assert lab.k.domains.refs == 2
    ok(boss.delete(300))
    assert lab.k.domains.refs == 1


def test_without_strict_priorities_domains_are_only_remembered() -> None:
    lab = system("host")
    boss = lab["boss"]
    ok(set_domain(boss, 5))
    ok(configure(boss, 0, 0, 1))
    ok(configure(boss, 1, 1, 1))
    ok(set_start(boss, 0))
    assert lab.k.next_deadline is None
    ok(boss.syscall(Sys.YIELD))


def test_what_a_thread_makes_is_in_its_domain() -> None:
    lab = system("host")
    boss = lab["boss"]
    ok(set_domain(boss, 3))
    boss.alloc(ObjectType.TCB, 20)
    assert boss.cap(20).obj.domain == 3
    assert boss.create("child", 21, start=False).tcb.domain == 3


def test_the_schedule_and_the_domains_are_part_of_the_state() -> None:
    lab = system("host")
    boss = lab["boss"]
    hashes = [lab.k.state_hash()]
    for call in (
        lambda: set_domain(boss, 1),
        lambda: configure(boss, 1, 1, 7),
        lambda: set_start(boss, 1),
    ):
        ok(call())
        hashes.append(lab.k.state_hash())
    assert len(set(hashes)) == 4
