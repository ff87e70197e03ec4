"""PAGEFAULT and UNKNOWN_SYSCALL: what the handler is told, and what its reply does."""

from collections.abc import Callable

import pytest

from caplab.kernel.abi import (
    REG_IP,
    SLOT_CNODE,
    SLOT_TCB,
    USER_EXCEPTION_REGISTERS,
    FaultLabel,
    Rights,
    Sys,
)
from caplab.kernel.core.effects import ContinueFault
from caplab.kernel.core.events import Faulted
from caplab.kernel.core.fault import ACCESS
from frames import Answer
from lab import Lab, Thread, ok
from sel4 import FREE, MASKS, endpoint, helpers, one, resume, set_space

EP, HANDLER = FREE, FREE + 1
BAD_ADDRESS, IP = 0xDEADB000, 0xCAFE000
BADGE = 0xABABABA
BAD_SYSCALL, VM_ENTER, UNDEFINED_INSTRUCTION = 0xC1, 0xF3, 6

Faulting = tuple[Thread, Thread, int]
"""Handler, faulter, and the handler's slot of the endpoint."""


def threads(badge: int) -> Faulting:
    """Handler and faulter are threads of one PD."""
    test = one(threads=2)
    endpoint(test, EP)
    ok(test.mint(EP, HANDLER, badge=badge))
    ok(set_space(test, test.slot("tcb.1"), SLOT_CNODE, fault_ep=HANDLER))
    return test, helpers(test)[0], EP


def processes(badge: int) -> Faulting:
    """Handler and faulter are PDs; the handler's capability lies in the faulter's CSpace."""
    pds = {"test": {"serves": "endpoint"}, "helper": {"uses": {"test": "test"}, "threads": 2}}
    lab = Lab(pds, semantics="sel4")
    test, helper = lab["test"], lab["helper"]
    source = test.pd.cspace.slots[test.slot("server")]
    helper_slot = helper.pd.cspace.slot(HANDLER)
    made = source.cap._replace(badge=badge, rights=int(Rights.ALL))  # type: ignore[union-attr]
    lab.k.put(helper_slot, made, source, "test")
    ok(set_space(helper, SLOT_TCB, SLOT_CNODE, fault_ep=HANDLER))
    return test, helper, test.slot("server")


unbadged_or_not = pytest.mark.parametrize("badge", [0, BADGE])
both_spaces = pytest.mark.parametrize("make", [threads, processes])
both_orders = pytest.mark.parametrize("first", ["handler", "faulter"])


def told_of(
    make: Callable[[int], Faulting], badge: int, first: str, fault: Callable[[Thread], None]
) -> tuple[Thread, Thread, Answer]:
    """Let the fault happen; handler, faulter and what the handler is told."""
    handler, faulter, slot = make(badge)
    faulter.tcb.registers[REG_IP] = IP
    if first == "handler":
        assert handler.recv(slot) is None
        fault(faulter)
        told = handler.woken()
    else:
        fault(faulter)
        told = ok(handler.recv(slot))
    assert told.badge == badge
    assert told.extra == ()
    assert faulter.blocked
    return handler, faulter, told


@unbadged_or_not
@both_spaces
@both_orders
@pytest.mark.parametrize("replies", [True, False])
@pytest.mark.parametrize("access", ["read", "write", "fetch"])
def test_a_vm_fault_is_told_and_any_reply_continues_it(
    badge: int, make: Callable[[int], Faulting], first: str, replies: bool, access: str
) -> None:
    """PAGEFAULT0001, PAGEFAULT0002, PAGEFAULT0003, PAGEFAULT1001, PAGEFAULT1002, PAGEFAULT1003:
    reading, writing and fetching from a bad address reach the handler with label 5 and four
    words, IP and address among them, and the badge of its capability, in one CSpace and across
    two; a reply, or Resume without one, executes the instruction again."""

    def fault(thread: Thread) -> None:
        lab = thread.lab
        lab.step(Faulted(lab.now, thread.number, FaultLabel.VM_FAULT, BAD_ADDRESS, access))

    handler, faulter, told = told_of(make, badge, first, fault)
    assert told.label == FaultLabel.VM_FAULT == 5
    assert told.words == (IP, BAD_ADDRESS, int(access == "fetch"), ACCESS[access])
    if replies:
        ok(handler.reply())
    else:
        names = handler.pd is faulter.pd
        resume(handler if names else handler.lab["helper.1"], "tcb.1" if names else SLOT_TCB)
    assert handler.lab.of(ContinueFault) == [ContinueFault(faulter.number)]


@unbadged_or_not
@both_spaces
@both_orders
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("number", [BAD_SYSCALL, VM_ENTER])
def test_an_unknown_system_call_is_told_and_a_reply_of_label_zero_resumes(
    badge: int, make: Callable[[int], Faulting], first: str, label: int, number: int
) -> None:
    """PAGEFAULT0004, PAGEFAULT1004, UNKNOWN_SYSCALL_001: a system call that there is not, VMEnter
    without virtualisation among them, reaches the handler with label 2 and 19 words; a reply of
    label 0 resumes the caller with the registers it gives, any other leaves it stopped."""

    def fault(thread: Thread) -> None:
        assert thread.syscall(number) is None  # type: ignore[arg-type]

    handler, faulter, told = told_of(make, badge, first, fault)
    assert told.label == FaultLabel.UNKNOWN_SYSCALL == 2
    assert len(told.words) == 19
    assert told.words[-1] == number
    ok(handler.reply(list(range(18)), label=label))
    assert faulter.blocked == bool(label)
    if not label:
        assert list(faulter.woken().words) == faulter.tcb.registers
        assert sorted(faulter.tcb.registers[:18]) == list(range(18))
        ok(faulter.syscall(Sys.YIELD))


@unbadged_or_not
@both_orders
@pytest.mark.parametrize("label", [0, 1])
def test_an_undefined_instruction_is_told_and_a_reply_of_label_zero_resumes(
    badge: int, first: str, label: int
) -> None:
    """PAGEFAULT0005: an undefined instruction reaches the handler with label 3 and 5 words; a
    reply of label 0 lets the thread go on at the IP it gives, any other leaves it stopped."""

    def fault(thread: Thread) -> None:
        lab = thread.lab
        kind = FaultLabel.USER_EXCEPTION
        lab.step(Faulted(lab.now, thread.number, kind, UNDEFINED_INSTRUCTION, ""))

    handler, faulter, told = told_of(threads, badge, first, fault)
    assert told.label == FaultLabel.USER_EXCEPTION == 3
    assert len(told.words) == 5
    assert told.words[USER_EXCEPTION_REGISTERS.index(REG_IP)] == IP
    ok(handler.reply([IP + 2], label=label))
    continued = handler.lab.of(ContinueFault)
    assert continued == ([] if label else [ContinueFault(faulter.number)])
    assert faulter.tcb.registers[REG_IP] == IP + 2


@pytest.mark.parametrize("mask", MASKS)
def test_recv_without_read_is_a_fault_at_the_handler(mask: int) -> None:
    """IPCRIGHTS0002: without Read a Recv takes no message and is a capability fault at the
    handler; with it, it receives."""
    test, helper, slot = threads(BADGE)
    other, masked = endpoint(test, FREE + 2), FREE + 3
    ok(test.mint(other, masked, badge=0, rights=mask))
    assert helper.recv(masked) is None
    told = ok(test.nb_recv(slot))
    if mask & Rights.READ:
        assert told.nothing or told.label == 0
        ok(test.send(other, [42]))
        assert helper.woken().words == (42,)
    else:
        assert (told.label, told.badge) == (FaultLabel.CAP_FAULT, BADGE)
        assert told.words[1:3] == (masked, 1)
        ok(test.nb_send(other, [42]))
        assert helper.blocked
