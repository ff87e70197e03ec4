"""Endpoints: one queue, of senders or of receivers, and the calls that meet there."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import SIZE_BITS, AnswerFlag, ObjectType, Rights, Status, Sys
from caplab.kernel.core import cspace, message, notification, reply
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.outcome import OK, Outcome, Result, error, gone
from caplab.kernel.core.states import RECV, REPLY, SEND

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB

_ENDPOINT = int(ObjectType.ENDPOINT)
_NOTIFICATION = int(ObjectType.NOTIFICATION)
_REPLY = int(ObjectType.REPLY)
_WRITE, _READ, _GRANT = int(Rights.WRITE), int(Rights.READ), int(Rights.GRANT)
_GRANT_EITHER = int(Rights.GRANT | Rights.GRANT_REPLY)
_CALL = int(Sys.CALL)


class Endpoint:
    """A place where senders and receivers meet. `receiving` tells which of them the queue holds."""

    __slots__ = (
        "badges",
        "base",
        "bits",
        "cause",
        "clients",
        "number",
        "owner",
        "queue",
        "readers",
        "receiving",
        "refs",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.base: int | None = None
        self.bits = SIZE_BITS[ObjectType.ENDPOINT]
        self.queue: deque[TCB] = deque()
        self.receiving = False
        self.refs = 0
        self.readers = 0
        """Read capabilities in CSpaces that a live TCB reaches; at zero the endpoint is deaf."""
        self.badges: dict[int, int] = {}
        """Capabilities per badge, unbadged ones and the root task's own not counted."""
        self.clients: dict[int, int] = {}
        """For people: the number of the PD that a badge was given to first."""
        self.cause: Cause | None = None
        """How it became deaf."""
        self.owner: Any = None
        """The PD that receives here, told when the last capability of a badge goes."""


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    endpoint: Endpoint = cap.obj
    endpoint.refs += 1
    if cap.badge and slot.cnode.pd.number:
        endpoint.badges[cap.badge] = endpoint.badges.get(cap.badge, 0) + 1
    if cap.rights & _READ:
        slot.cnode.reads[slot.index] = endpoint
        if slot.cnode.live:
            endpoint.readers += 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    endpoint: Endpoint = cap.obj
    endpoint.refs -= 1
    if cap.rights & _READ:
        slot.cnode.reads.pop(slot.index, None)
        if slot.cnode.live:
            unread(k, endpoint, cause)
    if cap.badge and slot.cnode.pd.number:
        left = endpoint.badges[cap.badge] - 1
        if left:
            endpoint.badges[cap.badge] = left
        else:
            del endpoint.badges[cap.badge]
            k.root.badge_gone(k, endpoint, cap.badge)
    if endpoint.refs == 0:
        _destroy(k, endpoint, cause)


def unread(k: Kernel, endpoint: Endpoint, cause: Cause) -> None:
    """One Read less. The last one makes the endpoint deaf.

    Differs: lab mode answers everyone queued and everyone who calls later (REVOKED, or
        DIED_BEFORE_RECV and the PD that died); in seL4 they wait for ever
    """
    endpoint.readers -= 1
    if endpoint.readers:
        return
    endpoint.cause = cause
    if k.lab:
        # Receivers too: what they wait for is refused from now on.
        endpoint.receiving = False
        while endpoint.queue:
            k.free(endpoint.queue.popleft(), cause)


def _destroy(k: Kernel, endpoint: Endpoint, cause: Cause) -> None:
    endpoint.cause = cause
    while endpoint.queue:
        k.restart_or_free(endpoint.queue.popleft(), cause)


def call(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Send on an endpoint and wait for the reply; on another object, invoke it by label.

    seL4:      seL4_Call
    Arguments: cptr; label; body (at most 960 bytes to an endpoint); caps (at most 3)
    Rights:    Write; Grant to send capabilities; Grant or GrantReply to get the reply
    Blocks:    until somebody receives, then until the reply, or the time limit
    Errors:    INVALID_CAPABILITY, ILLEGAL_OPERATION, FAILED_LOOKUP, RANGE_ERROR and the statuses
        of a capability that is gone (NEVER_EXISTED, REVOKED, DIED_BEFORE_RECV); later
        DIED_BEFORE_RECV, DIED_AFTER_RECV, REPLY_DROPPED, TIMED_OUT
    Differs:   without Grant and GrantReply lab mode refuses with ILLEGAL_OPERATION; seL4 delivers
        the message and leaves the caller inactive for ever. Capabilities sent without Grant
        lab mode refuses in the same way; seL4 drops them
    """
    endpoint: Endpoint
    kind, endpoint, rights, badge = cap
    if kind != _ENDPOINT:
        return _invoke(k, caller, cap)
    if not rights & _WRITE:
        return error(Status.INVALID_CAPABILITY, 0)
    request = caller.request
    if request.caps or len(request.body) > 960:
        refused = _refused(k, caller, rights)
        if refused is not None:
            return k.cap_fault(caller, refused)
    if k.lab:
        if not endpoint.readers:
            return _deaf(k, endpoint)
        if not rights & _GRANT_EITHER:
            return error(Status.ILLEGAL_OPERATION)
    if endpoint.receiving:
        receiver = endpoint.queue.popleft()
        if not endpoint.queue:
            endpoint.receiving = False
        _wait_for_reply(k, caller, receiver, rights & _GRANT_EITHER)
        message.transfer(k, caller, receiver, badge, request.label, rights & _GRANT != 0, endpoint)
        return None
    caller.badge = badge
    caller.grant = bool(rights & _GRANT)
    caller.reply_right = bool(rights & _GRANT_EITHER)
    caller.state = SEND
    caller.on = endpoint
    endpoint.queue.append(caller)
    return None


def _invoke(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Invoke another object, with what the request carries.

    Differs: a pointer to send that leads to no slot is a capability fault in seL4, before the
        invocation is looked at; in lab mode that is the invocation's affair, which answers an error
    """
    if not k.lab and cap.type != _REPLY:
        for cptr in caller.request.caps:
            if cspace.lookup(caller, cptr) is None:
                quiet = caller.request.call == Sys.NB_SEND
                refused = error(Status.FAILED_LOOKUP, 1, cptr)
                return OK if quiet else k.cap_fault(caller, refused)
    return k.invoke(caller, cap)


def _wait_for_reply(k: Kernel, caller: TCB, receiver: TCB, right: int) -> None:
    """The receiver gets the caller's reply capability; without the right nobody does."""
    caller.state = REPLY
    if not right:
        k.deactivate(caller)
        return
    record = caller.reply
    caller.on = record
    record.holder = receiver
    record.grant = receiver.grant
    receiver.caller = record


def _refused(k: Kernel, caller: TCB, rights: int) -> Result | None:
    refused = message.refusal(k, caller)
    if refused is not None:
        return refused
    if k.lab and caller.request.caps and not rights & _GRANT:
        return error(Status.ILLEGAL_OPERATION)
    return None


def _deaf(k: Kernel, endpoint: Endpoint) -> Result:
    if endpoint.cause is None:
        return gone(Cause(Status.NEVER_EXISTED, 0, 0, "", k.event))
    return gone(endpoint.cause)


def send(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Send on an endpoint, without waiting for an answer.

    seL4:      seL4_Send
    Arguments: cptr; label; body; caps
    Rights:    Write; Grant to send capabilities
    Blocks:    until somebody receives, or the time limit
    Errors:    as Call
    Differs:   seL4 says nothing when the message cannot be sent; lab mode answers why. The call
        returns when the kernel has answered it, as every call does
    """
    return _send(k, caller, cap, blocking=True)


def nb_send(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Send if somebody is receiving at this moment; else the message is dropped.

    seL4:      seL4_NBSend
    Arguments: cptr; label; body; caps
    Rights:    Write; Grant to send capabilities
    Errors:    as Call
    Differs:   in lab mode the answer carries NOTHING when the message was dropped, or says why it
        can never be sent; seL4 tells neither
    """
    return _send(k, caller, cap, blocking=False)


def _send(k: Kernel, caller: TCB, cap: Cap, blocking: bool) -> Outcome:
    if cap.type != _ENDPOINT:
        outcome = _invoke(k, caller, cap)
        return k.silent(outcome) if outcome is not None else None
    if not cap.rights & _WRITE:
        return k.silent(error(Status.INVALID_CAPABILITY, 0))
    endpoint: Endpoint = cap.obj
    refused = _refused(k, caller, cap.rights)
    if refused is not None:
        return k.cap_fault(caller, refused) if blocking else k.silent(refused)
    if k.lab and not endpoint.readers:
        return _deaf(k, endpoint)
    grant = bool(cap.rights & _GRANT)
    if endpoint.receiving:
        receiver = endpoint.queue.popleft()
        endpoint.receiving = bool(endpoint.queue)
        message.transfer(k, caller, receiver, cap.badge, caller.request.label, grant, endpoint)
        return OK
    if not blocking:
        return k.silent(Result(flags=AnswerFlag.NOTHING))
    caller.badge = cap.badge
    caller.grant = grant
    caller.state = SEND
    caller.on = endpoint
    endpoint.queue.append(caller)
    return None


def recv(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Receive from an endpoint (or wait for a notification, when the capability is one's).

    seL4:      seL4_Recv
    Arguments: cptr; receive slot
    Rights:    Read; Grant lets the reply carry capabilities
    Blocks:    until a message or a signal of the bound notification comes, or the time limit
    Errors:    INVALID_CAPABILITY (not receivable, or without Read), ILLEGAL_OPERATION (a
        notification bound to another TCB), FAILED_LOOKUP and the statuses of a capability that is
        gone (NEVER_EXISTED, REVOKED, DIED_BEFORE_RECV), TIMED_OUT
    Differs:   where seL4 raises a capability fault, lab mode without a fault handler returns the
        error. In lab mode a caller whose reply capability this drops gets REPLY_DROPPED; in
        seL4 it waits for ever
    """
    return _recv(k, caller, cap, True)


def nb_recv(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Receive if a message or a signal is there; never blocks.

    seL4:      seL4_NBRecv
    Arguments: cptr; receive slot
    Rights:    Read
    Answer:    the message; NOTHING among the flags when there is none
    Errors:    as Recv
    Differs:   as Recv. The answer carries NOTHING when there was none; seL4 shows badge 0
    """
    return _recv(k, caller, cap, False)


def reply_recv(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Reply to the last caller and receive the next message, in one call.

    seL4:      seL4_ReplyRecv
    Arguments: cptr of the endpoint to receive from; label, body, caps of the reply; receive slot
    Rights:    Read
    Blocks:    until a message comes; the time limit counts for this part
    Errors:    as Reply, with nothing sent; as Recv, with the reply sent
    Differs:   as Reply and Recv
    """
    refused = reply_first(k, caller)
    return _recv(k, caller, cap, True) if refused is None else refused


def reply_first(k: Kernel, caller: TCB) -> Result | None:
    """The reply of a ReplyRecv; the answer is why it may not be sent."""
    request = caller.request
    record = caller.caller
    if request.caps or len(request.body) > 960:
        refused = reply.refusal(k, caller, record)
        if refused is not None:
            return refused
    if record is not None:
        reply.answer(k, caller, record, request.label)
    if request.caps:
        # Executed again after a suspend it only receives, and needs these no more.
        request.caps = ()
    return None


def wait(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Wait for a notification (or receive, when the capability is an endpoint's).

    seL4:      seL4_Wait
    Arguments: cptr
    Rights:    Read
    Blocks:    until a signal comes, or the time limit
    Errors:    as Recv
    Differs:   as Recv
    """
    return _recv(k, caller, cap, True)


def poll(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Take the word of a notification if there is one; never blocks.

    seL4:      seL4_Poll
    Arguments: cptr
    Rights:    Read
    Answer:    badge: the word; NOTHING among the flags when no signal is pending
    Errors:    as Recv
    Differs:   as NBRecv
    """
    return _recv(k, caller, cap, False)


def _recv(k: Kernel, caller: TCB, cap: Cap, blocking: bool) -> Outcome:
    endpoint: Endpoint
    kind, endpoint, rights, _ = cap
    if kind != _ENDPOINT:
        if kind != _NOTIFICATION or not rights & _READ:
            return k.cap_fault(caller, error(Status.INVALID_CAPABILITY, 0))
        return notification.wait_on(k, caller, cap, blocking)
    if not rights & _READ:
        return k.cap_fault(caller, error(Status.INVALID_CAPABILITY, 0))
    if caller.caller is not None:
        reply.drop(k, caller.caller, k.cause(Status.REPLY_DROPPED, caller.pd))
    bound = caller.bound
    if bound is not None and bound.active:
        return notification.take(bound)
    caller.grant = rights & _GRANT != 0
    if endpoint.queue and not endpoint.receiving:
        _take(k, endpoint, caller)
        return None
    if not blocking:
        return Result(flags=AnswerFlag.NOTHING)
    caller.state = RECV
    caller.on = endpoint
    endpoint.receiving = True
    endpoint.queue.append(caller)
    return None


def _take(k: Kernel, endpoint: Endpoint, receiver: TCB) -> None:
    """Deliver the first queued sender's message."""
    sender = endpoint.queue.popleft()
    request = sender.request
    granted = sender.grant
    is_call = request.call == _CALL
    if is_call:
        _wait_for_reply(k, sender, receiver, sender.reply_right)
    message.transfer(k, sender, receiver, sender.badge, request.label, granted, endpoint)
    if not is_call:
        k.finish(sender, OK)


def cancel(endpoint: Endpoint, tcb: TCB) -> None:
    """Take a TCB out of the queue."""
    endpoint.queue.remove(tcb)
    if not endpoint.queue:
        endpoint.receiving = False


def cancel_badged(k: Kernel, endpoint: Endpoint, badge: int, pd: Any) -> None:
    """Take the senders with this badge out of the queue."""
    if endpoint.receiving:
        return
    for tcb in [one for one in endpoint.queue if one.badge == badge]:
        endpoint.queue.remove(tcb)
        k.restart_or_free(tcb, k.cause(Status.CANCELLED, pd))
