"""Faults: a thread that cannot go on calls its fault handler, in words of the kernel.

The handler is a capability in the CSpace of the faulter (`TCB.fault_ep`), looked up at each fault;
it needs Write, and Grant or GrantReply. The message goes out as a Call: while it waits or is being
handled, `TCB.request` is the fault message, and the request that was interrupted lies in the
Fault. So endpoints, replies and cancelling know nothing of faults.

A reply restarts the faulter (seL4: handleFaultReply). A capability fault executes the interrupted
call again, a VM fault the instruction; the other two take registers from the words of the reply
and go on only if its label is 0.

Differs: without a handler lab mode answers a capability fault with an error, and ends the PD for
    any other fault; seL4 leaves the thread inactive. In lab mode an endpoint that nobody reads is
    no handler, and faulters whose handler is gone or lets go of the reply are treated at once as
    if there were none. With a handler, in lab mode a Call, Send or Signal on an empty slot faults
    too. An unknown call that is resumed is not executed again from its `rip`: it is answered with
    the registers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.abi import (
    REG_IP,
    UNKNOWN_SYSCALL_REGISTERS,
    USER_EXCEPTION_REGISTERS,
    FaultLabel,
    LookupFailure,
    ObjectType,
    Rights,
    Status,
    Sys,
)
from caplab.kernel.core import cspace, endpoint, registers, requests
from caplab.kernel.core.cap import Cause
from caplab.kernel.core.effects import ContinueFault
from caplab.kernel.core.jobs import Job
from caplab.kernel.core.outcome import OK, Outcome, Result, error, gone
from caplab.kernel.core.states import INACTIVE, RUNNING

if TYPE_CHECKING:
    from caplab.kernel.core.cap import Cap, Slot
    from caplab.kernel.core.events import Faulted
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB, Request

ACCESS = {"read": 4, "write": 6, "fetch": 20}
"""Fault status of an access, as x86-64 has it."""
_RECEIVING = (Sys.RECV, Sys.NB_RECV, Sys.REPLY_RECV, Sys.WAIT, Sys.POLL)
_TAKEN = {
    FaultLabel.UNKNOWN_SYSCALL: UNKNOWN_SYSCALL_REGISTERS,
    FaultLabel.USER_EXCEPTION: USER_EXCEPTION_REGISTERS,
}
"""Registers that a reply may set; faults that are not here restart on any reply."""


class Fault:
    """Why a thread stands still. It stays with the TCB until that goes on."""

    __slots__ = ("label", "outside", "refused", "request", "text", "words")

    def __init__(
        self,
        label: FaultLabel,
        words: tuple[int, ...],
        text: str,
        refused: Result | None = None,
        outside: bool = False,
    ) -> None:
        self.label = label
        self.words = words
        self.text = text
        self.refused = refused
        """What lab mode answers when nobody handles it; None: the PD ends."""
        self.outside = outside
        """It happened outside any call: what goes on is an instruction."""
        self.request: Request | None = None
        """The interrupted request, while the fault message stands in its place."""

    def settle(self, tcb: TCB) -> None:
        """The message waits no more: the TCB's request is again what was interrupted."""
        if self.request is not None:
            tcb.request, self.request = self.request, None

    def replied(self, k: Kernel, handler: TCB, tcb: TCB) -> None:
        """The handler has answered; its reply capability is used up. See the file's docstring."""
        self.settle(tcb)
        reply = handler.request
        taken = _TAKEN.get(self.label)
        if taken is not None:
            registers.fill(tcb, taken, reply.body)
            if reply.label:
                k.deactivate(tcb)
                return
        if self.outside:
            restart(k, tcb)
        elif taken is not None:
            tcb.fault = None
            k.finish(tcb, Result(body=requests.pack_words(tuple(tcb.registers))))
        else:
            restart_later(k, tcb)  # the handler is in the middle of a call


class Restart(Job):
    """Execute an interrupted call again, when what is being done now is done."""

    __slots__ = ("tcb",)

    def __init__(self, tcb: TCB) -> None:
        super().__init__()
        self.tcb = tcb

    def run(self, k: Kernel, units: int) -> bool:
        tcb = self.tcb
        # A suspended one is stopped at the gate, and restarted at resume.
        if tcb.on is self and tcb.state == INACTIVE:
            restart(k, tcb)
        return True


def restart_later(k: Kernel, tcb: TCB) -> None:
    """Restart it by a job: what goes on in this step could be changed by the call."""
    tcb.state, tcb.on = INACTIVE, Restart(tcb)
    k.jobs.append(tcb.on)


def restart_after_sweep(k: Kernel, tcb: TCB) -> None:
    """Restart it now, or after the sweep that goes on: what the call destroys in the middle of
    one would be emptied by that, and the call not wait for it.
    """
    (restart if k.sweep is None else restart_later)(k, tcb)


# -- what goes wrong ----------------------------------------------------------------------------


def missing(k: Kernel, tcb: TCB, slot: Slot | None, silence: str) -> Outcome:
    """The pointer of the TCB's call leads to no capability: explain, or be as silent as seL4.

    `slot` is what it leads to, if anything; one that was renewed since counts as empty.
    """
    request = tcb.request
    if request.call == Sys.REPLY_RECV:
        # The reply goes out whatever becomes of the receive.
        unsent = endpoint.reply_first(k, tcb)
        if unsent is not None:
            return unsent
    renewed = slot is not None and slot.cap is not None
    if slot is None:
        refused = cspace.why_not(tcb, request.cptr).refusal(source=False)
    elif renewed or slot.cause is None:
        status = Status.DIED_BEFORE_RECV if renewed else Status.NEVER_EXISTED
        generation, name = _before(slot, request) if renewed else (0, "")
        refused = gone(Cause(status, 0, generation, name, k.event))
    else:
        refused = gone(slot.cause)
    if k.lab:
        # What a handler could mend is its affair; a slot that was renewed it could not.
        return refused if renewed or request.call == Sys.NB_SEND else capability(k, tcb, refused)
    if silence == "error" and slot is not None:
        return error(Status.INVALID_CAPABILITY, 0)
    if silence == "fault" or (slot is None and request.call != Sys.NB_SEND):
        return capability(k, tcb, refused)
    return OK


def _before(slot: Slot, request: Request) -> tuple[int, str]:
    """Which generation of whom the request's object was bound to: each renewal is one further."""
    cap = slot.cap
    assert cap is not None
    assert request.renewal is not None
    now = cap.obj if cap.type == ObjectType.PD else getattr(cap.obj, "owner", None)
    ago = slot.renewals - request.renewal
    if now is None or not 0 <= ago <= now.generation:
        return 0, ""
    return now.generation - ago, now.name


def capability(k: Kernel, tcb: TCB, refused: Result) -> Outcome:
    """A pointer of the TCB's call names nothing that the call can be made on, or send."""
    if k.lab and not tcb.fault_ep:
        return refused
    receiving = tcb.request.call in _RECEIVING
    cptr = _to_blame(tcb, receiving, k.lab)
    if cptr is None:
        return refused
    if cspace.lookup(tcb, cptr) is None:
        found = cspace.why_not(tcb, cptr)
    else:
        found = cspace.Failure(LookupFailure.MISSING, (0,))
    place = (tcb.registers[REG_IP], cptr, int(receiving))
    text = f"capability fault at {cptr}{' while receiving' if receiving else ''}"
    words = (*place, int(found.kind), *found.details)
    return _raise(k, tcb, Fault(FaultLabel.CAP_FAULT, words, text, refused))


def _to_blame(tcb: TCB, receiving: bool, lab: bool) -> int | None:
    """The pointer of a call that leads to no capability: its own, or one it wanted to send."""
    request = tcb.request
    for cptr in (request.cptr, *request.caps):
        slot = cspace.lookup(tcb, cptr)
        # Where lab mode refuses an empty slot seL4 sends nothing of it, and does not fault.
        if receiving or slot is None or (slot.cap is None and lab):
            return cptr
    return None


def unknown_call(k: Kernel, tcb: TCB) -> Outcome:
    """The TCB made a system call that does not exist."""
    number = tcb.request.call
    words = tuple(tcb.registers[place] for place in UNKNOWN_SYSCALL_REGISTERS)
    text = f"unknown system call {number}"
    return _raise(k, tcb, Fault(FaultLabel.UNKNOWN_SYSCALL, (*words, number), text))


def exception(k: Kernel, tcb: TCB, number: int, text: str) -> Outcome:
    """The TCB announced an exception; its process ends by itself when that is answered."""
    return _raise(k, tcb, _exception(tcb, number, text, refused=OK, outside=False))


def happened(k: Kernel, event: Faulted) -> None:
    """The host stopped a thread at an instruction it cannot execute."""
    tcb = k.tcbs.get(event.tcb)
    if tcb is None:
        return
    if event.kind == FaultLabel.VM_FAULT:
        status = ACCESS[event.access]
        words = (tcb.registers[REG_IP], event.address, int(event.access == "fetch"), status)
        text = f"VM at {event.address:#x} ({event.access})"
        fault = Fault(FaultLabel.VM_FAULT, words, text, outside=True)
    else:
        fault = _exception(tcb, event.address, f"exception {event.address}", outside=True)
    if tcb.state != RUNNING:
        # It waits for an answer, so this was a thread of its PD that is no TCB.
        k.root.unhandled(k, tcb, f"FAULT: {fault.text}")
        return
    if tcb.suspended:
        # Its instruction is executed again at resume, and faults then.
        tcb.fault, tcb.state = fault, INACTIVE
        return
    _raise(k, tcb, fault)


def _exception(
    tcb: TCB, number: int, text: str, *, refused: Result | None = None, outside: bool
) -> Fault:
    words = tuple(tcb.registers[place] for place in USER_EXCEPTION_REGISTERS)
    return Fault(FaultLabel.USER_EXCEPTION, (*words, number, 0), text, refused, outside)


# -- what is done about it ----------------------------------------------------------------------


def handler(k: Kernel, tcb: TCB) -> Cap | None:
    """The capability that the TCB's faults are sent to now, if it can carry them.

    In lab mode an endpoint that nobody reads any more is no handler.
    """
    slot = cspace.lookup(tcb, tcb.fault_ep)
    cap = slot.cap if slot is not None else None
    if cap is None or cap.type != ObjectType.ENDPOINT or not cap.rights & Rights.WRITE:
        return None
    if not cap.rights & (Rights.GRANT | Rights.GRANT_REPLY) or (k.lab and not cap.obj.readers):
        return None
    return cap


def _raise(k: Kernel, tcb: TCB, fault: Fault) -> Outcome:
    tcb.fault = fault
    cap = handler(k, tcb)
    if cap is None:
        return unhandled(k, tcb)
    interrupted = fault.request = tcb.request
    tcb.request = message = type(interrupted)()
    message.call = Sys.CALL
    message.cptr = tcb.fault_ep
    message.label = int(fault.label)
    message.body = requests.pack_words(fault.words)
    return endpoint.call(k, tcb, cap)


def unhandled(k: Kernel, tcb: TCB) -> Outcome:
    """Nobody handles the TCB's fault, or nobody will any more; the answer is lab mode's."""
    fault = tcb.fault
    assert fault is not None
    if k.lab and fault.refused is not None:
        fault.settle(tcb)
        tcb.fault = None
        return fault.refused
    k.deactivate(tcb)
    if k.lab:
        k.root.unhandled(k, tcb, f"FAULT: {fault.text}" if fault.outside else fault.text)
    return None


def restart(k: Kernel, tcb: TCB) -> None:
    """Let a faulter that waits for nothing go on where it was interrupted."""
    fault, tcb.fault = tcb.fault, None
    tcb.state, tcb.on = RUNNING, None
    if fault is not None and fault.outside:
        if k.gate is not None:
            # Its instruction waits for its turn, and the fault says so until then.
            tcb.fault = fault
        k.effects.append(ContinueFault(tcb.number))
    elif tcb.calls and not (tcb.gate and k.gated(tcb)):
        # One made from untyped has never made a call, so there is nothing to execute.
        k.execute(tcb)
