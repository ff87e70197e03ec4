"""Notifications: a word of bits that OR, with an explicit state."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from caplab.kernel.abi import ANSWER, SIZE_BITS, VERSION, AnswerFlag, ObjectType, Rights, Status
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.effects import Resume
from caplab.kernel.core.outcome import OK, Outcome, Result, error
from caplab.kernel.core.states import NOTIFICATION, RECV, RUNNING

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB

_WRITE = int(Rights.WRITE)


class Notification:
    """Idle, waited for, or active with a word (which may be zero)."""

    __slots__ = ("active", "base", "bits", "bound", "number", "queue", "refs", "word")

    def __init__(self, number: int) -> None:
        self.number = number
        self.base: int | None = None
        self.bits = SIZE_BITS[ObjectType.NOTIFICATION]
        self.active = False
        self.word = 0
        self.queue: deque[TCB] = deque()
        self.bound: TCB | None = None
        self.refs = 0


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    cap.obj.refs += 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    """Deleting the last capability destroys the object and frees who waits on it."""
    notification: Notification = cap.obj
    notification.refs -= 1
    if notification.refs:
        return
    if notification.bound is not None:
        notification.bound.bound = None
        notification.bound = None
    while notification.queue:
        k.restart_or_free(notification.queue.popleft(), cause)


def raise_signal(k: Kernel, notification: Notification, badge: int) -> None:
    """One signal: wakes the bound TCB if it receives, else the first waiter, else is kept."""
    target = notification.bound
    if target is not None and target.state == RECV:
        queue = target.on.queue
        queue.remove(target)
        target.on.receiving = bool(queue)
        _wake(k, target, badge)
    elif notification.queue:
        _wake(k, notification.queue.popleft(), badge)
    else:
        notification.word = notification.word | badge if notification.active else badge
        notification.active = True


def _wake(k: Kernel, target: TCB, word: int) -> None:
    flags = AnswerFlag.NOTIFICATION
    call = target.request.call
    target.state = RUNNING
    target.on = target.deadline = None
    k.effects.append(Resume(target.number, ANSWER.pack(VERSION, call, 0, 0, word, 0, 0, 0, flags)))


def take(notification: Notification) -> Result:
    """The word of an active notification, which becomes idle."""
    word, notification.word, notification.active = notification.word, 0, False
    return Result(badge=word, flags=AnswerFlag.NOTIFICATION)


def signal(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Signal a notification: OR the capability's badge into its word.

    On an endpoint it is a Send of length 0, as in seL4, and may block.

    seL4:      seL4_Signal
    Arguments: cptr
    Rights:    Write
    Errors:    as Send for a capability that is not there or may not be used so
    Differs:   where seL4 says nothing lab mode answers why
    """
    if cap.type != ObjectType.NOTIFICATION:
        request = caller.request
        request.label, request.body, request.caps = 0, b"", ()
        return k.send(k, caller, cap)
    if not cap.rights & _WRITE:
        return k.silent(error(Status.INVALID_CAPABILITY, 0))
    raise_signal(k, cap.obj, cap.badge)
    return OK


def wait_on(k: Kernel, caller: TCB, cap: Cap, blocking: bool) -> Outcome:
    """Receive from a notification capability."""
    notification: Notification = cap.obj
    if notification.bound is not None and notification.bound is not caller:
        return k.cap_fault(caller, error(Status.ILLEGAL_OPERATION))
    if notification.active:
        return take(notification)
    if not blocking:
        return Result(flags=AnswerFlag.NOTHING)
    caller.state = NOTIFICATION
    caller.on = notification
    notification.queue.append(caller)
    return None
