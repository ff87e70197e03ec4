"""Faulters that are suspended, resumed or ended, and faults that nobody handles."""

from typing import Any

import pytest

from caplab.kernel.abi import (
    SLOT_CNODE,
    SLOT_TCB,
    FaultLabel,
    ObjectType,
    Status,
    Sys,
)
from caplab.kernel.core.effects import ContinueFault, Kill
from caplab.kernel.core.invariants import violations
from faulting import (
    EMPTY,
    both,
    fault_in,
    raise_in,
    set_handler,
    system,
    touch,
    unhandled,
    unknown,
)
from lab import Thread, ok, refused


@both
@pytest.mark.parametrize("received", [False, True])
def test_a_faulter_that_is_suspended_is_taken_back_and_faults_again(
    semantics: str, received: bool
) -> None:
    lab, fixer, app = system(semantics)
    helper = lab["app.1"]
    app.recv(EMPTY)
    if received:
        ok(fixer.recv())
        ok(fixer.save_caller(20))
    ok(helper.invoke("tcb_suspend", SLOT_TCB))
    assert fixer.cap(20) is None
    assert ok(fixer.nb_recv()).label == 0
    ok(helper.invoke("tcb_resume", SLOT_TCB))
    assert ok(fixer.recv()).words[1] == EMPTY


@both
@pytest.mark.parametrize("received", [False, True])
def test_resuming_a_faulter_executes_its_call_again(semantics: str, received: bool) -> None:
    lab, fixer, app = system(semantics)
    helper = lab["app.1"]
    app.recv(EMPTY)
    if received:
        ok(fixer.recv())
    helper.alloc(ObjectType.ENDPOINT, EMPTY)
    ok(helper.invoke("tcb_resume", SLOT_TCB))
    ok(fixer.reply())
    ok(helper.nb_send(EMPTY, b"x"))
    assert app.woken().body == b"x"


@both
def test_a_vm_fault_of_a_suspended_thread_waits_until_it_is_resumed(semantics: str) -> None:
    lab, fixer, app = system(semantics)
    helper = lab["app.1"]
    ok(helper.invoke("tcb_suspend", SLOT_TCB))
    touch(app)
    assert ok(fixer.nb_recv()).label == 0
    ok(helper.invoke("tcb_resume", SLOT_TCB))
    assert lab.of(ContinueFault) == [ContinueFault(app.number)]
    touch(app)
    assert ok(fixer.recv()).label == FaultLabel.VM_FAULT
    ok(helper.invoke("tcb_suspend", SLOT_TCB))
    ok(fixer.reply())
    assert lab.of(ContinueFault) == []
    ok(helper.invoke("tcb_resume", SLOT_TCB))
    assert lab.of(ContinueFault) == [ContinueFault(app.number)]


def test_a_restart_that_meets_a_suspend_waits_for_the_resume() -> None:
    lab, fixer, app = system()
    helper = lab["app.1"]
    app.recv(EMPTY)
    ok(fixer.recv())
    helper.alloc(ObjectType.ENDPOINT, EMPTY)
    ok(fixer.reply())
    assert lab.ps("app")["reason"].endswith("restarting")
    ok(helper.invoke("tcb_suspend", SLOT_TCB))
    lab.work()
    assert ok(helper.nb_send(EMPTY)).nothing
    ok(helper.invoke("tcb_resume", SLOT_TCB))
    assert not ok(helper.nb_send(EMPTY)).nothing
    app.woken()


@both
@pytest.mark.parametrize("received", [False, True])
def test_a_faulter_that_dies_leaves_its_handler_nothing(semantics: str, received: bool) -> None:
    lab, fixer, app = system(semantics)
    app.recv(EMPTY)
    if received:
        ok(fixer.recv())
        ok(fixer.save_caller(20))
    lab.die("app")
    assert fixer.cap(20) is None
    assert ok(fixer.nb_recv()).label == 0


@both
@pytest.mark.parametrize("how", [touch, unknown, raise_in])
def test_a_system_with_faulters_goes_down(semantics: str, how: Any) -> None:
    lab, fixer, app = system(semantics)
    how(app)
    ok(fixer.recv())
    lab.ask("down")
    told = None if app.blocked else app.woken()
    assert (told is None) == (how is touch)
    assert told is None or told.status == Status.STOP


def test_a_crash_is_the_answer_to_a_call_that_faulted_but_not_to_an_instruction() -> None:
    lab, fixer, app = system()
    app.call(EMPTY)
    lab.ask("crash", pd="app", how="segv")
    assert app.woken().status == Status.CRASH
    lab, fixer, app = system()
    touch(app)
    lab.ask("crash", pd="app", how="segv")
    assert app.blocked
    ok(fixer.recv())
    ok(fixer.reply())
    told = app.syscall(Sys.YIELD)
    assert told is not None
    assert told.status == Status.CRASH


def test_without_a_handler_lab_mode_refuses_and_nothing_changes() -> None:
    _, app = unhandled()
    refused(Status.NEVER_EXISTED, app.call, EMPTY)
    refused(Status.NEVER_EXISTED, app.recv, EMPTY)
    refused(Status.FAILED_LOOKUP, app.recv, 5000)
    refused(Status.INVALID_CAPABILITY, app.recv, SLOT_TCB)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (touch, "FAULT: VM at 0x5000 (write)"),
        (unknown, "unknown system call 193"),
    ],
)
def test_without_a_handler_lab_mode_ends_the_pd(how: Any, reason: str) -> None:
    lab, app = unhandled()
    how(app)
    assert lab.of(Kill) == [Kill(app.pd.number, 9)]
    assert app.blocked
    lab.die("app")
    row = lab.ps("app")
    assert (row["state"], row["reason"]) == ("faulted", reason)


def test_without_a_handler_an_exception_is_answered_and_the_process_ends_by_itself() -> None:
    lab, app = unhandled()
    ok(raise_in(app))
    lab.die("app", status=256)
    row = lab.ps("app")
    assert (row["state"], row["reason"]) == ("faulted", "ValueError: no")


@pytest.mark.parametrize("how", [touch, unknown, raise_in])
def test_without_a_handler_sel4_blocks_the_thread(how: Any) -> None:
    lab, app = unhandled("sel4")
    how(app)
    assert app.blocked
    assert lab.of(Kill) == []
    reason = lab.ps("app")["reason"]
    assert reason.startswith("FAULT: ")
    assert reason.endswith("nobody mends it")


def handler_dies(fixer: Thread) -> None:
    fixer.lab.die("fixer")


def handler_deletes_its_read(fixer: Thread) -> None:
    ok(fixer.lab["fixer.1"].delete("server"))


def handler_receives_again(fixer: Thread) -> None:
    assert fixer.recv() is None


GONE = [
    (handler_dies, False),
    (handler_dies, True),
    (handler_deletes_its_read, False),
    (handler_receives_again, True),
]


@pytest.mark.parametrize(("end", "received"), GONE)
def test_in_lab_mode_a_pending_faulter_whose_handler_is_gone_gets_the_error(
    end: Any, received: bool
) -> None:
    """As if there were none."""
    _, fixer, app = system()
    app.call(5000)
    if received:
        ok(fixer.recv())
    end(fixer)
    assert app.woken().status == Status.FAILED_LOOKUP
    assert fault_in(app) is None
    assert app.tcb.request.cptr == 5000


@pytest.mark.parametrize(("end", "received"), GONE)
def test_under_sel4_a_pending_faulter_whose_handler_is_gone_stays_blocked(
    end: Any, received: bool
) -> None:
    _, fixer, app = system("sel4")
    app.call(5000)
    if received:
        ok(fixer.recv())
    end(fixer)
    assert app.blocked


def test_in_lab_mode_a_handler_that_nobody_reads_is_none() -> None:
    lab, fixer, app = system()
    handler_deletes_its_read(fixer)
    refused(Status.FAILED_LOOKUP, app.call, 5000)
    lab.die("fixer")
    refused(Status.FAILED_LOOKUP, app.call, 5000)


@pytest.mark.parametrize("how", [touch, unknown])
def test_a_handler_that_dies_takes_those_with_it_that_only_it_could_mend(how: Any) -> None:
    lab, fixer, app = system()
    how(app)
    ok(fixer.recv())
    lab.exited("fixer")
    assert Kill(app.pd.number, 9) in lab.effects
    assert violations(lab.k) == []


def test_an_exception_whose_handler_dies_ends_its_process() -> None:
    lab, _, app = system()
    raise_in(app)
    lab.die("fixer")
    ok(app.woken())


def test_under_sel4_a_dropped_faulter_is_restarted_by_resume() -> None:
    lab, fixer, app = system("sel4")
    app.recv(EMPTY)
    ok(fixer.recv())
    fixer.recv()
    assert lab.ps("app")["reason"].endswith("nobody mends it")
    ok(lab["app.1"].invoke("tcb_resume", SLOT_TCB))
    assert fixer.woken().words[1] == EMPTY


def test_under_sel4_destroying_the_endpoint_raises_the_fault_again() -> None:
    """It finds no handler then, and the thread stops."""
    lab, _, app = system("sel4")
    helper = lab["app.1"]
    helper.alloc(ObjectType.ENDPOINT, 30)
    set_handler(helper, 30)
    app.recv(EMPTY)
    ok(helper.delete(30))
    assert lab.ps("app")["reason"].endswith("nobody mends it")
    assert app.tcb.request.call == Sys.RECV


@both
def test_cancelling_the_sends_of_a_faulters_badge(semantics: str) -> None:
    """sel4 raises the fault again; lab mode answers as without a handler."""
    lab, _, app = system(semantics)
    helper = lab["app.1"]
    helper.alloc(ObjectType.ENDPOINT, 30)
    ok(helper.mint(30, 31, badge=5))
    set_handler(helper, 31)
    app.recv(EMPTY)
    ok(helper.invoke("cnode_cancel_badged_sends", SLOT_CNODE, index=31, depth=64))
    if semantics == "lab":
        assert app.woken().status == Status.NEVER_EXISTED
    else:
        assert ok(helper.recv(30)).words[1] == EMPTY


def test_a_thread_that_never_made_a_call_has_none_to_execute_again() -> None:
    """One made from untyped: resuming it is no unknown system call of its maker's."""
    lab, app = unhandled()
    where = {"node_index": 0, "node_depth": 0, "node_offset": 30, "num_objects": 1}
    kind = {"type": int(ObjectType.TCB), "size_bits": 0}
    ok(app.invoke("untyped_retype", "untyped", caps=[SLOT_CNODE], **kind, **where))
    ok(app.invoke("tcb_resume", 30))
    assert lab.of(Kill) == []
    assert app.pd.alive


def test_a_restart_stops_before_what_stands_in_its_way() -> None:
    lab, fixer, app = system()
    app.call(EMPTY)
    ok(fixer.recv())
    lab.ask("kill", pd="app")
    ok(fixer.reply())
    lab.work()
    assert app.blocked
    assert ok(fixer.nb_recv()).nothing
    lab.die("app")


def test_a_restart_comes_too_late_for_a_faulter_that_has_ended() -> None:
    """The reply has restarted it, and before that is executed its process ends."""
    lab, fixer, app = system()
    app.recv(EMPTY)
    ok(fixer.recv())
    ok(fixer.reply())
    lab.exited("app")
    assert lab.k.jobs_pending
    lab.work()
    assert lab.ps("app")["state"] == "killed"
    assert app.blocked
