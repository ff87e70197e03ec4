"""IRQControl: the right to have the handler of any line of the machine that is free.

On real hardware the four ways to ask differ in what is programmed: an interrupt controller's pin,
a message a PCI device writes. Here they lead to the same lines, and what was said is kept for
people who look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.abi import IRQ_MAX, ObjectType, Rights, Status
from caplab.kernel.core import cspace, message
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.outcome import OK, Outcome, Result, error

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB

PINS = 24
"""Pins of the one I/O APIC."""
_BUSES, _DEVICES, _FUNCTIONS = 256, 32, 8
_TRIGGERS = ("level", "edge")


class IRQControl:
    """The one object behind all capabilities of this type."""

    __slots__ = ("refs",)
    name = "irqs"

    def __init__(self) -> None:
        self.refs = 0


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    cap.obj.refs += 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    cap.obj.refs -= 1


def get(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Make the capability to the handler of an interrupt line, which exists once.

    seL4:      seL4_IRQControl_Get
    Object:    IRQ_CONTROL
    Arguments: irq, index, depth; caps: root
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR (irq, depth), INVALID_ARGUMENT (no such line in this
        machine), REVOKE_FIRST (somebody has it; the body names who), FAILED_LOOKUP, DELETE_FIRST
    Differs:   only lines that the manifest declares, or that a device of it raises, are there
    """
    words = message.words(caller, 3)
    if isinstance(words, Result):
        return words
    number, index, depth = words
    return _issue(k, caller, (number, 0), "simple", index, depth)


def get_trigger(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """The same, and say whether the line is level- (0) or edge-triggered (1).

    seL4:      seL4_IRQControl_GetTrigger
    Object:    IRQ_CONTROL
    Arguments: irq, trigger, index, depth; caps: root
    Errors:    as IRQControl_Get; RANGE_ERROR (trigger)
    Differs:   lines of both kinds behave alike
    """
    words = message.words(caller, 4)
    if isinstance(words, Result):
        return words
    number, trigger, index, depth = words
    refused = _beyond((trigger, 2))
    if refused is not None:
        return refused
    return _issue(k, caller, (number, 0), _TRIGGERS[trigger], index, depth)


def get_ioapic(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Route a pin of an I/O APIC to an interrupt line (`vector`), and make its handler.

    seL4:      seL4_IRQControl_GetIOAPIC
    Object:    IRQ_CONTROL
    Arguments: index, depth, ioapic (0), pin (0 to 23), level, polarity (0 or 1), vector; caps: root
    Errors:    as IRQControl_Get; RANGE_ERROR (ioapic, pin, level, polarity, vector)
    Differs:   as IRQControl_GetTrigger
    """
    words = message.words(caller, 7)
    if isinstance(words, Result):
        return words
    index, depth, ioapic, pin, level, polarity, vector = words
    refused = _beyond((ioapic, 1), (pin, PINS), (level, 2), (polarity, 2))
    if refused is not None:
        return refused
    route = f"ioapic {ioapic} pin {pin}"
    return _issue(k, caller, (vector, 6), route, index, depth)


def get_msi(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Let a PCI device's messages raise an interrupt line (`vector`), and make its handler.

    seL4:      seL4_IRQControl_GetMSI
    Object:    IRQ_CONTROL
    Arguments: index, depth, pci_bus (0 to 255), pci_dev (0 to 31), pci_func (0 to 7), handle,
        vector; caps: root
    Errors:    as IRQControl_Get; RANGE_ERROR (pci_bus, pci_dev, pci_func, vector)
    Differs:   there is no PCI: an operator raises the line
    """
    words = message.words(caller, 7)
    if isinstance(words, Result):
        return words
    index, depth, bus, device, function, _, vector = words
    refused = _beyond((bus, _BUSES), (device, _DEVICES), (function, _FUNCTIONS))
    if refused is not None:
        return refused
    route = f"msi {bus:02x}:{device:02x}.{function}"
    return _issue(k, caller, (vector, 6), route, index, depth)


def _beyond(*limits: tuple[int, int]) -> Result | None:
    """The refusal of the first number that is not below its limit."""
    for number, limit in limits:
        if number >= limit:
            return error(Status.RANGE_ERROR, 0, limit - 1)
    return None


def _issue(
    k: Kernel, caller: TCB, line: tuple[int, int], route: str, index: int, depth: int
) -> Outcome:
    """Make the handler of a line, given by its number and that argument's position."""
    number, position = line
    if not caller.request.caps:
        return error(Status.TRUNCATED_MESSAGE)
    if number > IRQ_MAX:
        return error(Status.RANGE_ERROR, 0, IRQ_MAX)
    irq = k.irqs.get(number)
    if irq is None:
        return error(Status.INVALID_ARGUMENT, position)
    if irq.refs:
        return Result(Status.REVOKE_FIRST, irq.holder.encode())
    slot = destination(caller, index, depth)
    if isinstance(slot, Result):
        return slot
    irq.route = route
    k.put(slot, Cap(ObjectType.IRQ_HANDLER, irq, Rights.ALL), None, caller.pd.name)
    return OK


def destination(caller: TCB, index: int, depth: int) -> Slot | Result:
    """The empty slot of the CNode that was sent along (seL4: lookupTargetSlot, ensureEmptySlot).

    Errors: FAILED_LOOKUP, RANGE_ERROR (depth), DELETE_FIRST
    """
    found = cspace.lookup(caller, caller.request.caps[0])
    if found is None or found.cap is None:
        return error(Status.FAILED_LOOKUP, 0)
    slot = cspace.target(found.cap, index, depth)
    if isinstance(slot, Slot) and slot.cap is not None:
        return error(Status.DELETE_FIRST)
    return slot
