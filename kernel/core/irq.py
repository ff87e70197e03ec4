"""Interrupt handlers: a device line that signals a notification and stays masked until Ack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.abi import ObjectType, Rights, Status
from caplab.kernel.core import cspace, message
from caplab.kernel.core import notification as notifications
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.effects import Unmask
from caplab.kernel.core.outcome import OK, Outcome, Result, error

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB


class IRQ:
    """One interrupt line. `slot` holds the kernel's own copy of the notification to signal."""

    __slots__ = ("holder", "masked", "name", "number", "refs", "slot")

    def __init__(self, number: int, name: str, slot: Slot) -> None:
        self.number = number
        self.name = name
        self.refs = 0
        self.masked = True
        self.slot = slot
        self.holder = ""
        """Name of the PD that claimed the line, for people who look."""


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    cap.obj.refs += 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    """Deleting the last capability frees the line for the next claim."""
    irq: IRQ = cap.obj
    irq.refs -= 1
    if irq.refs == 0:
        irq.holder = ""
        forget(k, irq, cause)


def forget(k: Kernel, irq: IRQ, cause: Cause) -> None:
    if irq.slot.cap is not None:
        k.delete(irq.slot, cause)


def arrive(k: Kernel, irq: IRQ) -> None:
    """The line is readable. The host has masked it; with nobody to tell it stays so."""
    irq.masked = True
    target = irq.slot.cap
    if target is not None:
        notifications.raise_signal(k, target.obj, target.badge)


def ack(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Unmask the line, so that the next input interrupts again.

    seL4:   seL4_IRQHandler_Ack
    Object: IRQ_HANDLER
    """
    irq: IRQ = cap.obj
    if irq.masked:
        irq.masked = False
        k.effects.append(Unmask(irq.number))
    return OK


def set_notification(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Choose the notification the line signals; the line is unmasked.

    seL4:      seL4_IRQHandler_SetNotification
    Object:    IRQ_HANDLER
    Arguments: caps: notification
    Rights:    Write on the notification
    Errors:    TRUNCATED_MESSAGE, FAILED_LOOKUP, INVALID_CAPABILITY (not a notification, or
        without Write)
    Differs:   lab mode tells an empty slot and a capability of another type apart; to seL4 both
        are INVALID_CAPABILITY
    """
    index = caller.request.caps[0] if caller.request.caps else 0
    found = message.extra_cap(caller, 0, ObjectType.NOTIFICATION)
    if isinstance(found, Result):
        told = k.lab or found.status == Status.TRUNCATED_MESSAGE
        return found if told else error(Status.INVALID_CAPABILITY, 0)
    if not found.rights & Rights.WRITE:
        return error(Status.INVALID_CAPABILITY, 0)
    irq: IRQ = cap.obj
    forget(k, irq, k.cause(Status.REVOKED, caller.pd))
    k.put(irq.slot, found, cspace.lookup(caller, index), caller.pd.name)
    return ack(k, caller, cap)


def clear(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Signal nobody from now on.

    seL4:   seL4_IRQHandler_Clear
    Object: IRQ_HANDLER
    """
    forget(k, cap.obj, k.cause(Status.REVOKED, caller.pd))
    return OK
