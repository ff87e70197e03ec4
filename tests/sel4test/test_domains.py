"""DOMAINS: partitions of time, as far as they need no clock."""

from typing import Any

from caplab.kernel.abi import DOMAIN_DURATION_MAX, NUM_DOMAINS, SLOT_TCB, Status, Sys
from lab import Lab, Thread, ok, refused
from sel4 import Helpers, Program

LAST = NUM_DOMAINS - 1
DURATIONS = (10, 4, 3)
"""Ticks of the first domains; every other one has 2."""


def domains(threads: int = 1) -> Thread:
    """A PD that may set domains, alone under strict priorities."""
    pds = {"test": {"rdes": ["domain"], "threads": threads}}
    lab = Lab(pds, scheduler="strict", semantics="sel4")
    test = lab["test"]
    ok(test.syscall(Sys.YIELD))
    return test


def set_domain(test: Thread, domain: int, tcb: int | str = SLOT_TCB, on: Any = "rde:domain") -> Any:
    return test.invoke("domain_set_set", on, domain=domain, caps=[tcb])


def configure(test: Thread, index: int, domain: int, duration: int) -> Any:
    words = {"index": index, "domain": domain, "duration": duration}
    return test.invoke("domain_set_schedule_configure", "rde:domain", **words)


def set_start(test: Thread, index: int) -> Any:
    return test.invoke("domain_set_schedule_set_start", "rde:domain", index=index)


def set_up(test: Thread) -> None:
    """A schedule in which every domain has a turn, beginning with the first."""
    for domain in range(NUM_DOMAINS):
        ok(configure(test, domain, domain, DURATIONS[domain] if domain < 3 else 2))
    ok(set_start(test, 0))


def runs(test: Thread) -> int:
    return test.lab.k.domains.current


def turns(test: Thread, seconds: float) -> list[int]:
    """Whose turn it is at each millisecond from now on."""
    found = []
    for _ in range(int(seconds * 1000)):
        found.append(runs(test))
        test.lab.pass_time(0.001)
    return found


def test_a_schedule_gives_every_domain_its_turn() -> None:
    """DOMAINS0000: a schedule with an entry for each domain is accepted and started; a thread of
    each domain then runs in the turn of its domain, and in no other."""
    test = domains(NUM_DOMAINS + 1)
    lab, ran = test.lab, []
    run = Helpers()

    def body(thread: Thread, domain: int) -> Program:
        yield lambda: thread.syscall(Sys.YIELD)
        while True:
            ran.append((domain, runs(test)))
            yield lambda: thread.syscall(Sys.YIELD)

    for domain in range(NUM_DOMAINS):
        ok(set_domain(test, domain, f"tcb.{domain + 1}"))
        run.start(lab[f"test.{domain + 1}"], body(lab[f"test.{domain + 1}"], domain))
    set_up(test)
    assert test.syscall(Sys.PARK) is None
    total = sum(DURATIONS) + 2 * (NUM_DOMAINS - 3)
    for _ in range(2 * total):
        for helper in [one for one in run.all if one.ready]:
            helper.go()
        lab.pass_time(0.001)
    assert {domain for domain, _ in ran} == set(range(NUM_DOMAINS))
    assert all(domain == turn for domain, turn in ran)


def test_a_domain_is_changed_and_the_thread_runs_in_its_turn() -> None:
    """DOMAINS0001: a thread puts itself into the last domain, and goes on when that has its
    turn."""
    test = domains()
    set_up(test)
    assert set_domain(test, LAST) is None
    assert test.tcb.domain == LAST
    while test.blocked:
        assert runs(test) != LAST
        test.lab.pass_time(0.001)
    ok(test.woken())
    assert runs(test) == LAST


def test_a_domain_that_does_not_exist_is_refused() -> None:
    """DOMAINS0002: a domain from the number of domains up is an invalid argument (1), the first."""
    test = domains()
    for domain in (NUM_DOMAINS, NUM_DOMAINS + 10, 2**64 - 1):
        assert refused(Status.INVALID_ARGUMENT, set_domain, test, domain).words == (0,)
    assert test.tcb.domain == 0


def test_setting_a_domain_through_another_capability_is_refused() -> None:
    """DOMAINS0003: invoked on a TCB capability it is an illegal operation (3)."""
    test = domains()
    refused(Status.ILLEGAL_OPERATION, set_domain, test, 0, on=SLOT_TCB)


def test_a_schedule_goes_back_to_one_domain_without_end() -> None:
    """DOMAINS9999: the schedule is set back to one entry, of domain 0; whatever time passes then,
    no other domain has a turn."""
    test = domains()
    set_up(test)
    assert set(turns(test, 0.1)) == set(range(NUM_DOMAINS))
    while runs(test):
        test.lab.pass_time(0.001)
    ok(configure(test, 0, 0, DOMAIN_DURATION_MAX))
    ok(configure(test, 1, 0, 0))
    ok(set_start(test, 0))
    assert set(turns(test, 0.1)) == {0}
    test.lab.pass_time(3600)
    assert runs(test) == 0
    assert test.lab.k.next_deadline is None
