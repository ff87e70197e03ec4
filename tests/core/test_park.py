"""Spare threads: Park, the two registers of TCB_WriteRegisters, and being started."""

from caplab.kernel.abi import SLOT_TCB, Status, Sys
from lab import Lab, Thread, ok, refused


def parked() -> tuple[Lab, Thread, Thread]:
    lab = Lab({"app": {"threads": 2}, "boss": {"manages": ["app"]}})
    app, spare = lab["app"], lab["app.1"]
    assert spare.syscall(Sys.PARK) is None
    return lab, app, spare


def registers(
    app: Thread, ip: int, arg: int, *, start: int = 0, count: int = 2, of: int | str = "tcb.1"
) -> object:
    return app.invoke(
        "tcb_write_registers", of, resume=start, arch_flags=0, count=count, ip=ip, arg=arg
    )


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


def test_the_toy_register_file_has_two_registers() -> None:
    _, app, _ = parked()
    assert refused(Status.RANGE_ERROR, registers, app, 1, 1, count=3).words == (2, 2)


def test_a_thread_cannot_write_its_own_registers() -> None:
    _, app, _ = parked()
    refused(Status.ILLEGAL_OPERATION, registers, app, 1, 1, of=SLOT_TCB)


def test_too_few_words_are_truncated() -> None:
    _, app, _ = parked()
    refused(Status.TRUNCATED_MESSAGE, app.call, "tcb.1", [1, 0, 2, 5], label=20)


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
