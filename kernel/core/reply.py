"""Reply capabilities: the right to answer one caller, once.

Every TCB owns one Reply record, because it has at most one call outstanding. The record stands in
the receiver's hidden caller slot (classic semantics), or in a slot of its CSpace after SaveCaller.
It is unlinked from its holder when it is used, when the caller stops waiting, and when the holder
drops it; so a stale one cannot exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.abi import AnswerFlag, ObjectType, Rights, Status, Sys
from caplab.kernel.core import cspace, message
from caplab.kernel.core.cap import Cap, Cause, unlink
from caplab.kernel.core.outcome import OK, Outcome, Result, error

if TYPE_CHECKING:
    from caplab.kernel.core.cap import Slot
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB


class Reply:
    """The record behind a reply capability."""

    __slots__ = ("caller", "grant", "holder", "slot")

    def __init__(self, caller: TCB) -> None:
        self.caller = caller
        self.holder: TCB | None = None
        """The TCB in whose hidden slot it lies."""
        self.slot: Slot | None = None
        """The CSpace slot it was saved to."""
        self.grant = False
        """The reply may carry capabilities: the receiver's endpoint capability had Grant."""


def detached(reply: Reply, cause: Cause | None = None) -> None:
    """Take the record from whoever holds it; a slot it was saved to keeps `cause` as tombstone."""
    if reply.holder is not None:
        reply.holder.caller = None
        reply.holder = None
    if reply.slot is not None:
        slot, reply.slot = reply.slot, None
        slot.cnode.replies.pop(slot.index, None)
        unlink(slot, cause)


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    """A reply capability moved into a CSpace slot."""
    reply: Reply = cap.obj
    reply.slot = slot
    slot.cnode.replies[slot.index] = reply


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    """A saved reply capability was deleted: its caller can never be answered."""
    reply: Reply = cap.obj
    reply.slot = None
    slot.cnode.replies.pop(slot.index, None)
    drop(k, reply, cause)


def drop(k: Kernel, reply: Reply, cause: Cause) -> None:
    """Free the caller of a reply that nobody can give any more.

    Differs: lab mode answers it: REPLY_DROPPED when a living holder let go of the reply,
        DIED_AFTER_RECV and the PD when the holder died; in seL4 it waits for ever
    """
    detached(reply)
    caller = reply.caller
    if not k.lab:
        k.deactivate(caller)
        return
    status = (
        Status.DIED_AFTER_RECV if cause.status == Status.DIED_BEFORE_RECV else Status.REPLY_DROPPED
    )
    k.free(caller, cause._replace(status=status))


def answer(k: Kernel, server: TCB, reply: Reply, label: int) -> None:
    """Give the server's message to the caller and use the reply up."""
    caller = reply.caller
    grant = reply.grant
    if reply.slot is None:
        server.caller = None
        reply.holder = None
    else:
        detached(reply, k.cause(Status.REVOKED, server.pd))
    if caller.fault is not None:
        caller.fault.replied(k, server, caller)
        return
    message.transfer(k, server, caller, 0, label, grant, None)


def refusal(k: Kernel, server: TCB, reply: Reply | None) -> Result | None:
    """Why the server's request may not be sent as this reply, if there is a reason.

    Errors:  as message.refusal; ILLEGAL_OPERATION for capabilities the reply may not carry (lab)
    Differs: lab mode refuses capabilities that the reply may not carry; seL4 drops them
    """
    refused = message.refusal(k, server)
    if refused is not None:
        if k.lab:
            return refused
        server.request.caps = ()
    if k.lab and server.request.caps and reply is not None and not reply.grant:
        return error(Status.ILLEGAL_OPERATION)
    return None


def reply(k: Kernel, server: TCB, cap: Cap) -> Outcome:
    """Answer the caller of the last received call.

    seL4:      seL4_Reply (classic)
    Arguments: label; body; caps
    Rights:    Grant on the endpoint the call was received from, to send capabilities
    Errors:    FAILED_LOOKUP (a capability to send is not there), RANGE_ERROR (message too long),
        ILLEGAL_OPERATION (capabilities without Grant)
    Differs:   in lab mode the answer carries NOTHING when nobody waits for the reply, and
        capabilities sent without Grant are refused; seL4 says nothing and drops them
    """
    record = server.caller
    refused = refusal(k, server, record)
    if refused is not None:
        return refused
    if record is None:
        return k.silent(Result(flags=AnswerFlag.NOTHING))
    answer(k, server, record, server.request.label)
    return OK


def send_on_reply(k: Kernel, server: TCB, cap: Cap) -> Outcome:
    """Answer through a saved reply capability, which this uses up.

    seL4:   Send (or Call) on a capability made by seL4_CNode_SaveCaller
    Errors: as Reply
    """
    refused = message.refusal(k, server)
    if refused is not None:
        quiet = server.request.call == Sys.NB_SEND
        return k.silent(refused) if quiet else k.cap_fault(server, refused)
    refused = refusal(k, server, cap.obj)
    if refused is not None:
        return refused
    answer(k, server, cap.obj, server.request.label)
    return OK


def save_caller(k: Kernel, server: TCB, cap: Cap) -> Outcome:
    """Move the reply capability out of the hidden slot, so that the answer can come later.

    seL4:      seL4_CNode_SaveCaller
    Object:    CNODE
    Arguments: index, depth
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR, FAILED_LOOKUP, DELETE_FIRST (slot full),
        ILLEGAL_OPERATION (no caller; lab mode)
    Differs:   without a caller lab mode refuses; seL4 saves nothing and says nothing
    """
    words = message.words(server, 2)
    if isinstance(words, Result):
        return words
    slot = cspace.target(cap, *words)
    if isinstance(slot, Result):
        return slot
    if slot.cap is not None:
        return error(Status.DELETE_FIRST)
    held = server.caller
    if held is None:
        return error(Status.ILLEGAL_OPERATION) if k.lab else OK
    server.caller = None
    held.holder = None
    k.put(slot, Cap(ObjectType.REPLY, held, Rights.WRITE), None, server.pd.name)
    return OK
