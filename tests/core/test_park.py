"""Spare threads: Park, the toy registers, and being started."""

from typing import Any

from caplab.kernel.abi import REG_ARG, REGISTERS, SLOT_TCB, Status, Sys
from lab import Lab, Thread, ok, refused


def parked() -> tuple[Lab, Thread, Thread]:
    lab = Lab({"app": {"threads": 2}, "boss": {"manages": ["app"]}})
    app, spare = lab["app"], lab["app.1"]
    assert spare.syscall(Sys.PARK) is None
    return lab, app, spare


def registers(
    app: Thread, ip: int, arg: int, *, start: int = 0, count: int = 9, of: int | str = "tcb.1"
) -> Any:
    values = [ip, *[0] * (REG_ARG - 1), arg]
    words = {"resume": start, "arch_flags": 0, "count": count, "registers": values}
    return app.invoke("tcb_write_registers", of, **words)


def read(app: Thread, count: int = 9, *, suspend: int = 0, of: int | str = "tcb.1") -> Any:
    words = {"suspend_source": suspend, "arch_flags": 0, "count": count}
    return app.invoke("tcb_read_registers", of, **words)


def test_a_parked_thread_starts_at_the_entry_that_was_written() -> None:
    _, app, spare = parked()
    ok(registers(app, ip=3, arg=2**63))
    assert spare.blocked
    ok(app.invoke("tcb_resume", "tcb.1"))
    told = spare.woken()
    assert told.label == 3
    assert told.words == (2**63,)


def test_writing_registers_may_start_it_at_once() -> None:
    _, app, spare = parked()
    ok(registers(app, ip=4, arg=9, start=1))
    told = spare.woken()
    assert (told.label, told.words) == (4, (9,))


def test_a_thread_may_be_started_before_its_park_has_arrived() -> None:
    lab = Lab({"app": {"threads": 2}})
    app, spare = lab["app"], lab["app.1"]
    ok(registers(app, ip=3, arg=5, start=1))
    before = lab.k.state_hash()
    told = ok(spare.syscall(Sys.PARK))
    assert (told.label, told.words) == (3, (5,))
    assert lab.k.state_hash() != before
    assert spare.syscall(Sys.PARK) is None  # it was started once


def test_a_suspended_thread_is_continued_even_with_its_registers_written() -> None:
    lab = Lab({"app": {"threads": 2}})
    app, spare = lab["app"], lab["app.1"]
    ok(registers(app, ip=3, arg=5))
    ok(app.invoke("tcb_suspend", "tcb.1"))
    ok(app.invoke("tcb_resume", "tcb.1"))
    assert spare.syscall(Sys.PARK) is None
    ok(app.invoke("tcb_resume", "tcb.1"))
    assert spare.woken().label == 3


def test_it_may_park_and_start_again() -> None:
    _, app, spare = parked()
    for entry in (1, 2):
        ok(registers(app, ip=entry, arg=0, start=1))
        assert spare.woken().label == entry
        assert spare.syscall(Sys.PARK) is None


def test_registers_are_read_as_they_were_written() -> None:
    _, app, _ = parked()
    ok(registers(app, ip=3, arg=7))
    assert ok(read(app)).words == (3, 0, 0, 0, 0, 0, 0, 0, 7)
    ok(registers(app, ip=4, arg=0, count=1))
    assert ok(read(app, count=20)).words == (4, 0, 0, 0, 0, 0, 0, 0, 7, *[0] * 11)
    assert len(REGISTERS) == 20


def test_registers_beyond_the_last_are_ignored() -> None:
    """seL4 takes as many as there are."""
    _, app, _ = parked()
    words = {"resume": 0, "arch_flags": 0, "count": 30, "registers": range(1, 31)}
    ok(app.invoke("tcb_write_registers", "tcb.1", **words))
    assert ok(read(app, count=20)).words == tuple(range(1, 21))


def test_as_many_registers_as_there_are_can_be_read() -> None:
    _, app, _ = parked()
    for count in (0, 21, 2**64 - 1):
        assert refused(Status.RANGE_ERROR, read, app, count).words == (1, 20)


def test_reading_may_suspend_the_thread_first() -> None:
    lab, app, spare = parked()
    ok(read(app, suspend=1))
    assert lab.k.tcbs[spare.number].suspended
    assert ok(read(app)).status == Status.OK


def test_a_thread_cannot_read_or_write_its_own_registers() -> None:
    _, app, _ = parked()
    refused(Status.ILLEGAL_OPERATION, registers, app, 1, 1, of=SLOT_TCB)
    refused(Status.ILLEGAL_OPERATION, read, app, of=SLOT_TCB)


def test_too_few_words_are_truncated() -> None:
    _, app, _ = parked()
    refused(Status.TRUNCATED_MESSAGE, app.call, "tcb.1", [1, 0], label=20)
    refused(Status.TRUNCATED_MESSAGE, app.call, "tcb.1", [1, 0, 2, 5], label=20)
    refused(Status.TRUNCATED_MESSAGE, app.call, "tcb.1", [1, 0], label=22)


def test_resuming_a_pd_does_not_start_its_spare_threads() -> None:
    lab, _, spare = parked()
    boss = lab["boss"]
    ok(boss.pd_call("suspend", "pd:app"))
    ok(boss.pd_call("resume", "pd:app"))
    assert spare.blocked


def test_a_suspended_spare_thread_is_first_resumed_and_then_started() -> None:
    _, app, spare = parked()
    ok(app.invoke("tcb_suspend", "tcb.1"))
    ok(app.invoke("tcb_resume", "tcb.1"))
    assert spare.blocked
    ok(app.invoke("tcb_resume", "tcb.1"))
    assert spare.woken().label == 0
