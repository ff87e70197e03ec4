"""Threads of protection domains: state, the one outstanding request, and TCB invocations."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import REGISTERS, SIZE_BITS, ObjectType, Status
from caplab.kernel.core import blocking, cspace, message, reach
from caplab.kernel.core.cap import Cap, Cause, with_guard
from caplab.kernel.core.outcome import OK, Outcome, Result, error
from caplab.kernel.core.reply import Reply
from caplab.kernel.core.states import DEAD, RUNNING

if TYPE_CHECKING:
    from caplab.kernel.core.cap import Slot
    from caplab.kernel.core.cnode import CNode
    from caplab.kernel.core.fault import Fault
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.notification import Notification


BUFFER_ALIGNMENT = 1 << 10
"""Of a message buffer's address, in bytes (seL4_IPCBufferSizeBits)."""
NO_SLOTS: Mapping[int, Slot] = MappingProxyType({})


class Request:
    """The message buffer of a TCB: its one outstanding call, decoded once.

    It belongs to the TCB and is filled anew by each call, so that IPC allocates nothing; while
    the TCB is blocked it is what a restart executes again.
    """

    __slots__ = ("body", "call", "caps", "cptr", "flags", "label", "path", "renewal", "timeout")

    def __init__(self) -> None:
        self.call = 0
        self.flags = 0
        self.cptr = 0
        self.label = 0
        self.body = b""
        self.caps: tuple[int, ...] = ()
        self.path: tuple[int, int, int] | None = None
        self.timeout: float | None = None
        self.renewal: int | None = None


class TCB:
    """One thread of a PD, as the kernel sees it."""

    __slots__ = (
        "badge",
        "base",
        "bits",
        "bound",
        "caller",
        "calls",
        "deadline",
        "domain",
        "fault",
        "fault_ep",
        "fresh",
        "gate",
        "grant",
        "hidden",
        "index",
        "mcp",
        "number",
        "on",
        "pd",
        "priority",
        "refs",
        "registers",
        "reply",
        "reply_right",
        "request",
        "root",
        "slots",
        "start",
        "state",
        "suspended",
        "withheld",
    )

    def __init__(self, number: int, pd: Any, index: int, hidden: CNode) -> None:
        self.number = number
        self.pd = pd
        self.index = index
        self.base: int | None = None
        self.bits = SIZE_BITS[ObjectType.TCB]
        self.hidden = hidden
        """Slots of the TCB itself; the first holds the root of its CSpace."""
        hidden.tcb = self
        self.root: Cap | None = None
        self.slots: Mapping[int, Slot] = NO_SLOTS
        """Of a CSpace of one level, by pointer; of any other, empty (cspace.lookup goes on)."""
        self.state = RUNNING
        self.on: Any = None
        """The object in whose queue the TCB stands, or the Reply it waits for."""
        self.request = Request()
        self.badge = 0
        self.grant = False
        """Grant of the capability used: of a queued sender's, or of the receiver's last Recv."""
        self.reply_right = False
        self.reply = Reply(self)
        self.caller: Reply | None = None
        """Reply capability of the caller served last (classic seL4: the hidden caller slot)."""
        self.bound: Notification | None = None
        self.suspended = False
        self.gate = False
        """Something must be looked at before the next call is executed."""
        self.withheld: bytes | None = None
        """The answer of a suspended TCB, given at resume."""
        self.deadline: int | None = None
        self.calls = 0
        self.priority = 0
        """Acts in strict mode only; the highest is 255."""
        self.mcp = 0
        """The highest priority this TCB's authority may give (maximum controlled priority)."""
        self.domain = 0
        """Acts in strict mode only; see domain.py."""
        self.start = False
        """Resumed before its Park arrived."""
        self.fresh = False
        """Registers were written since it was started last."""
        self.registers = [0] * len(REGISTERS)
        self.fault: Fault | None = None
        """What it waits to have mended, or stands still because of."""
        self.fault_ep = 0
        """Pointer, in its own CSpace, to the endpoint its faults are sent to."""
        self.refs = 0

    def set_root(self, root: Cap | None) -> None:
        """Look capabilities up from here on; `root` lies in the first hidden slot."""
        self.root = root
        self.slots = root.obj.slots if root is not None and cspace.direct(root) else NO_SLOTS

    def cut(self) -> None:
        """Let go of what points back at this record; nobody collects cycles here."""
        self.hidden.slots.clear()
        self.hidden.tcb = None
        del self.reply, self.hidden

    @property
    def outside(self) -> bool:
        """A fault holds it outside any call, so that there is nothing to answer."""
        return self.fault is not None and self.fault.outside

    @property
    def name(self) -> str:
        return str(self.pd.name) if self.index == 0 else f"{self.pd.name}.{self.index}"


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    cap.obj.refs += 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    """A PD's own TCBs live as long as it; one made from untyped ends with its last capability."""
    target: TCB = cap.obj
    target.refs -= 1
    if target.refs or target.base is None:
        return
    # It has never made a call, so it stands in no queue.
    target.state = DEAD
    if target.bound is not None:
        target.bound.bound = None
        target.bound = None
    k.delete(target.hidden.slot(0), cause)
    target.cut()


def suspend(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Stop a TCB; its current or next call gets no answer until it is resumed.

    seL4:    seL4_TCB_Suspend
    Object:  TCB
    Blocks:  a TCB that suspends itself, until another resumes it
    Errors:  ILLEGAL_OPERATION when the TCB has ended
    Differs: lab mode leaves a caller whose message was received waiting for its reply, which is
        withheld until Resume, because sending the request again would have it served twice;
        seL4 cancels the wait, and Resume sends again. The TCB's thread runs on until its next
        call; a PD all of whose TCBs are suspended is stopped by the host
    """
    target: TCB = cap.obj
    if target.state == DEAD:
        return error(Status.ILLEGAL_OPERATION)
    blocking.suspend(k, target)
    return OK


def resume(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Let a TCB run: start a parked one, continue a suspended one.

    The interrupted call of a suspended TCB is executed again with fresh lookups. A parked TCB
    gets the entry written by TCB_WriteRegisters as the answer to its Park, or to its next one
    when that is still on the way. One both parked and suspended is only continued.

    seL4:    seL4_TCB_Resume
    Object:  TCB
    Errors:  ILLEGAL_OPERATION when the TCB has ended
    Differs: in lab mode a TCB that waits and was not suspended goes on waiting; seL4 takes it out
        of its wait and executes its call again
    """
    target: TCB = cap.obj
    if target.state == DEAD:
        return error(Status.ILLEGAL_OPERATION)
    blocking.wake(k, target)
    return OK


def give_root(k: Kernel, target: TCB, root: Cap, source: Slot | None) -> None:
    """Put a CNode capability into the hidden slot of a TCB, as the root of its CSpace.

    The old one goes when the new one is there: a thread that reached nothing for a moment would
    make its endpoints deaf, and those who wait on them would be told so.
    """
    slot, spare = target.hidden.slot(0), target.hidden.slot(1)
    if slot.cap is None:
        k.put(slot, root, source, target.pd.name)
    else:
        cause = k.cause(Status.REVOKED, target.pd)
        k.put(spare, root, source, target.pd.name)
        k.delete(slot, cause)
        if source is not None and source.cap is None:
            # The old root was the last way to the new one, and took it along.
            k.delete(spare, cause)
            return
        k.move(spare, slot, target.pd)
    target.set_root(slot.cap)


def set_space(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Change the root of a TCB's CSpace and its fault handler while it lives.

    The fault handler is looked up at each fault, in the CSpace the TCB has then.

    seL4:      seL4_TCB_SetSpace
    Object:    TCB
    Arguments: fault_ep (pointer, in the TCB's CSpace, to the endpoint of its fault handler),
        cspace_root_data (a guard, or 0 to keep it), vspace_root_data;
        caps: cspace_root, vspace_root
    Blocks:    until the old root is empty, where this destroys it
    Errors:    TRUNCATED_MESSAGE, ILLEGAL_OPERATION (not a CNode, the guard does not fit, or the
        TCB has ended)
    Differs:   there is no page table: vspace_root may be any capability, and is ignored. A memory
        fault can be mended only in a PD that had a fault handler when it started: of any other the
        handler is told, and the process has ended
    """
    words = message.words(caller, 3)
    if isinstance(words, Result):
        return words
    if len(caller.request.caps) < 2:
        return error(Status.TRUNCATED_MESSAGE)
    target: TCB = cap.obj
    found = _new_root(caller, target, words[1])
    if isinstance(found, Result):
        return found
    return _enter_space(k, caller, target, words[0], found)


def configure(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Give a TCB its CSpace, its fault handler and its message buffer in one call.

    seL4:      seL4_TCB_Configure
    Object:    TCB
    Arguments: fault_ep, cspace_root_data, vspace_root_data (as TCB_SetSpace), buffer (address of
        the message buffer, or 0 for none); caps: cspace_root, vspace_root, buffer_frame
    Blocks:    as TCB_SetSpace
    Errors:    as TCB_SetSpace; ALIGNMENT_ERROR (buffer), ILLEGAL_OPERATION (buffer_frame is no
        page, and buffer is not 0)
    Differs:   as TCB_SetSpace; a TCB's messages travel in frames, so the buffer is only checked
    """
    words = message.words(caller, 4)
    if isinstance(words, Result):
        return words
    if len(caller.request.caps) < 3:
        return error(Status.TRUNCATED_MESSAGE)
    target: TCB = cap.obj
    if words[3]:
        page = cspace.lookup(caller, caller.request.caps[2])
        if page is None or page.cap is None or page.cap.type != ObjectType.FRAME:
            return error(Status.ILLEGAL_OPERATION)
        if words[3] % BUFFER_ALIGNMENT:
            return error(Status.ALIGNMENT_ERROR)
    found = _new_root(caller, target, words[1])
    if isinstance(found, Result):
        return found
    return _enter_space(k, caller, target, words[0], found)


def _new_root(caller: TCB, target: TCB, data: int) -> tuple[Cap, Slot] | Result:
    """The CNode capability sent first, with its new guard, and the slot it comes from."""
    slot = cspace.lookup(caller, caller.request.caps[0])
    if slot is None or slot.cap is None or slot.cap.type != ObjectType.CNODE:
        return error(Status.ILLEGAL_OPERATION)
    root = with_guard(slot.cap, data) if data else slot.cap
    if root is None or target.state == DEAD:
        return error(Status.ILLEGAL_OPERATION)
    return root, slot


def _enter_space(
    k: Kernel, caller: TCB, target: TCB, fault_ep: int, found: tuple[Cap, Slot]
) -> Outcome:
    target.fault_ep = fault_ep
    k.unfinished = None
    give_root(k, target, *found)
    reach.refresh(k, k.cause(Status.REVOKED, caller.pd))
    return k.await_job(caller)


def bind_notification(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Bind a notification to a TCB: its signals wake the TCB from Recv on an endpoint.

    seL4:      seL4_TCB_BindNotification
    Object:    TCB
    Arguments: caps: notification
    Rights:    Read on the notification
    Errors:    TRUNCATED_MESSAGE, FAILED_LOOKUP, INVALID_CAPABILITY (not a notification),
        ILLEGAL_OPERATION (either is bound already, somebody waits on it, no Read, or the TCB has
        ended)
    Differs:   lab mode tells an empty slot and a capability of another type apart; to seL4 both
        are ILLEGAL_OPERATION
    """
    found = message.extra_cap(caller, 0, ObjectType.NOTIFICATION)
    if isinstance(found, Result):
        told = k.lab or found.status == Status.TRUNCATED_MESSAGE
        return found if told else error(Status.ILLEGAL_OPERATION)
    target: TCB = cap.obj
    notification: Notification = found.obj
    from_elsewhere = notification.bound is not None or notification.queue
    if target.bound is not None or from_elsewhere or not found.rights & 2 or target.state == DEAD:
        return error(Status.ILLEGAL_OPERATION)
    target.bound = notification
    notification.bound = target
    return OK


def unbind_notification(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Undo TCB_BindNotification.

    seL4:   seL4_TCB_UnbindNotification
    Object: TCB
    Errors: ILLEGAL_OPERATION when none is bound
    """
    target: TCB = cap.obj
    if target.bound is None:
        return error(Status.ILLEGAL_OPERATION)
    target.bound.bound = None
    target.bound = None
    return OK
