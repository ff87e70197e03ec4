"""Unknown calls, exceptions and VM faults: their messages, and what a reply does."""

import pytest

from caplab.kernel.abi import (
    REG_FLAGS,
    REG_IP,
    REG_SP,
    SLOT_TCB,
    FaultLabel,
    Status,
    Sys,
)
from caplab.kernel.core.effects import ContinueFault, Kill
from caplab.kernel.core.events import Faulted
from caplab.kernel.core.fault import ACCESS
from faulting import both, fault_in, raise_in, system, touch, unknown
from lab import ok


@both
def test_an_unknown_call_is_sent_with_19_words(semantics: str) -> None:
    lab, fixer, app = system(semantics)
    app.tcb.registers[:] = range(100, 120)
    assert unknown(app, 0xC1) is None
    told = ok(fixer.recv())
    assert told.label == FaultLabel.UNKNOWN_SYSCALL
    assert told.words == (*range(103, 118), 100, 101, 102, 0xC1)
    assert lab.ps("app")["reason"] == ("FAULT: unknown system call 193, handled by fixer/gen0")


@both
def test_a_reply_with_label_zero_resumes_with_the_registers_it_gives(semantics: str) -> None:
    _, fixer, app = system(semantics)
    unknown(app)
    ok(fixer.recv())
    ok(fixer.reply([*range(1, 16), 50, 51, 52]))
    told = app.woken()
    assert told.status == Status.OK
    assert told.words == (50, 51, 52, *range(1, 16), 0, 0)
    assert list(told.words) == app.tcb.registers
    assert fault_in(app) is None
    ok(app.syscall(Sys.YIELD))


@both
def test_a_short_reply_sets_the_first_registers_only(semantics: str) -> None:
    _, fixer, app = system(semantics)
    app.tcb.registers[:] = range(100, 120)
    unknown(app)
    ok(fixer.recv())
    ok(fixer.reply([7, 8]))
    assert app.woken().words == (100, 101, 102, 7, 8, *range(105, 120))


@both
def test_a_reply_with_another_label_leaves_it_inactive(semantics: str) -> None:
    """Its registers are taken all the same, as in seL4."""
    lab, fixer, app = system(semantics)
    unknown(app)
    ok(fixer.recv())
    ok(fixer.reply([7], label=1))
    assert app.blocked
    assert app.tcb.registers[3] == 7
    assert lab.ps("app")["reason"] == "FAULT: unknown system call 193, nobody mends it"
    helper = lab["app.1"]
    ok(helper.invoke("tcb_resume", SLOT_TCB))  # executes the call again
    assert ok(fixer.recv()).label == FaultLabel.UNKNOWN_SYSCALL


@both
def test_an_exception_is_sent_with_5_words_and_its_text_is_the_reason(semantics: str) -> None:
    lab, fixer, app = system(semantics)
    app.tcb.registers[REG_IP], app.tcb.registers[REG_SP], app.tcb.registers[REG_FLAGS] = 1, 2, 3
    assert raise_in(app) is None
    told = ok(fixer.recv())
    assert (told.label, told.words) == (FaultLabel.USER_EXCEPTION, (1, 2, 3, 3, 0))
    assert lab.ps("app")["reason"] == "FAULT: ValueError: no, handled by fixer/gen0"
    ok(fixer.reply([9]))
    assert app.woken().words[:3] == (9, 2, 3)
    lab.die("app", status=256)
    row = lab.ps("app")
    assert (row["state"], row["reason"]) == ("faulted", "ValueError: no")


@both
def test_an_undefined_instruction_is_an_exception_with_its_number(semantics: str) -> None:
    lab, fixer, app = system(semantics)
    lab.step(Faulted(lab.now, app.number, FaultLabel.USER_EXCEPTION, 6, ""))
    told = ok(fixer.recv())
    assert (told.label, told.words) == (FaultLabel.USER_EXCEPTION, (0, 0, 0, 6, 0))
    ok(fixer.reply([77]))
    assert lab.of(ContinueFault) == [ContinueFault(app.number)]
    assert app.blocked  # it was in no call, so there is no answer
    assert app.tcb.registers[REG_IP] == 77
    ok(app.syscall(Sys.YIELD))


@both
def test_an_instruction_whose_exception_is_not_mended_is_not_continued(semantics: str) -> None:
    lab, fixer, app = system(semantics)
    lab.step(Faulted(lab.now, app.number, FaultLabel.USER_EXCEPTION, 6, ""))
    ok(fixer.recv())
    ok(fixer.reply(label=1))
    assert lab.of(ContinueFault) == []
    ok(lab["app.1"].invoke("tcb_resume", SLOT_TCB))
    assert lab.of(ContinueFault) == [ContinueFault(app.number)]


@both
@pytest.mark.parametrize("access", ACCESS)
@pytest.mark.parametrize("first", ["receives", "faults"])
def test_a_vm_fault_is_sent_with_4_words(semantics: str, access: str, first: str) -> None:
    _, fixer, app = system(semantics)
    if first == "receives":
        fixer.recv()
        touch(app, 0xABC000, access)
        told = fixer.woken()
    else:
        touch(app, 0xABC000, access)
        told = ok(fixer.recv())
    fetch = access == "fetch"
    assert told.label == FaultLabel.VM_FAULT
    assert told.words == (0, 0xABC000, int(fetch), ACCESS[access])
    assert told.badge == app.cap("fault-handler").badge


@both
@pytest.mark.parametrize("label", [0, 1])
def test_any_reply_continues_a_vm_fault(semantics: str, label: int) -> None:
    lab, fixer, app = system(semantics)
    touch(app)
    ok(fixer.recv())
    ok(fixer.reply(label=label))
    assert lab.of(ContinueFault) == [ContinueFault(app.number)]
    assert app.blocked
    ok(app.syscall(Sys.YIELD))


@both
def test_a_fault_while_the_tcb_waits_is_another_threads_and_ends_the_pd(semantics: str) -> None:
    lab, _, app = system(semantics)
    app.call("fs")
    touch(app)
    assert lab.of(Kill) == [Kill(app.pd.number, 9)]
    lab.die("app")
    assert lab.ps("app")["reason"] == "FAULT: VM at 0x5000 (write)"


def test_a_fault_of_a_thread_that_is_gone_is_no_news() -> None:
    lab, _, app = system()
    lab.die("app")
    before = lab.k.state_hash()
    touch(app)
    assert lab.k.state_hash() == before
