"""Interrupt lines and their handlers: a line signals a notification and stays masked until Ack.

What arrives while a line is masked is not lost: it is delivered at the Ack, once, however often it
arrived. A line without a handler hears nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.abi import ObjectType, Rights, Status
from caplab.kernel.core import cspace, message
from caplab.kernel.core import notification as notifications
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.effects import Unmask
from caplab.kernel.core.outcome import OK, Outcome, Result, error

if TYPE_CHECKING:
    from caplab.kernel.core.events import Interrupt
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB


class IRQ:
    """One interrupt line. `slot` holds the kernel's own copy of the notification to signal."""

    __slots__ = ("cable", "holders", "masked", "name", "number", "pending", "refs", "route", "slot")

    def __init__(self, number: int, name: str, slot: Slot, cable: bool = False) -> None:
        self.number = number
        self.name = name
        """Of the device that raises it; empty for a line that only an operator raises."""
        self.refs = 0
        self.masked = True
        self.pending = False
        """It was raised while it was masked."""
        self.slot = slot
        self.cable = cable
        """The host watches something for it, and masks it by itself."""
        self.route = ""
        """How its handler was asked for, for people who look."""
        self.holders: dict[str, int] = {}
        """Capabilities to its handler, by name of the PD, the latest to get one last."""

    @property
    def holder(self) -> str:
        """The PD that drives the line, for people who look."""
        return next(reversed(self.holders), "")


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    irq: IRQ = cap.obj
    irq.refs += 1
    name = slot.cnode.pd.name
    irq.holders[name] = irq.holders.pop(name, 0) + 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    """Deleting the last capability frees the line for the next claim."""
    irq: IRQ = cap.obj
    irq.refs -= 1
    name = slot.cnode.pd.name
    irq.holders[name] -= 1
    if not irq.holders[name]:
        del irq.holders[name]
    if irq.refs == 0:
        irq.pending, irq.route = False, ""
        forget(k, irq, cause)


def forget(k: Kernel, irq: IRQ, cause: Cause) -> None:
    if irq.slot.cap is not None:
        k.delete(irq.slot, cause)


def happened(k: Kernel, event: Interrupt) -> None:
    """A line is readable."""
    irq = k.irqs.get(event.irq)
    if irq is not None:
        arrive(k, irq)


def arrive(k: Kernel, irq: IRQ) -> None:
    """The line was raised; if the host watches it, it has masked it."""
    if irq.refs and (irq.masked or irq.slot.cap is None):
        irq.pending = True
        irq.masked = True
        return
    irq.masked = True
    if irq.slot.cap is not None:
        _deliver(k, irq)


def _deliver(k: Kernel, irq: IRQ) -> None:
    irq.pending = False
    target = irq.slot.cap
    assert target is not None
    notifications.raise_signal(k, target.obj, target.badge)


def ack(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Unmask the line, so that it interrupts again; at once, if it was raised meanwhile.

    seL4:   seL4_IRQHandler_Ack
    Object: IRQ_HANDLER
    """
    irq: IRQ = cap.obj
    if irq.pending and irq.slot.cap is not None:
        _deliver(k, irq)
    elif irq.masked:
        irq.masked = False
        if irq.cable:
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
