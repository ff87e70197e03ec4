"""Devices that a PD may drive: UARTs and timers. The manifest grants one, a claim makes it
exclusive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgpack

from caplab.kernel.abi import ObjectType, Rights, Status
from caplab.kernel.core import ioport
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.outcome import Outcome, Result, error
from caplab.kernel.root import bodies

if TYPE_CHECKING:
    from caplab.kernel.core.ioport import Ports
    from caplab.kernel.core.irq import IRQ
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.core.timer import Timer


class Device:
    """A device by name, and the interrupt line it raises; a timer has ports as well."""

    def __init__(self, name: str, irq: IRQ, ports: Ports, timer: Timer | None = None) -> None:
        self.name = name
        self.irq = irq
        self.ports = ports
        self.timer = timer
        self.refs = 0


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    cap.obj.refs += 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    cap.obj.refs -= 1


def claim(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Take a device: the capability to its interrupt line, which exists once.

    The claim ends when that capability is deleted, at the latest with its PD.

    seL4:      seL4_IRQControl_Get
    Object:    DEVICE
    Arguments: slot: where in the own CSpace the IRQ_HANDLER capability goes
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT, RANGE_ERROR (not a slot of the own half),
        DELETE_FIRST (slot full), REVOKE_FIRST (claimed already; the body names by whom)
    """
    slot = _slot(caller)
    if isinstance(slot, Result):
        return slot
    irq: IRQ = cap.obj.irq
    if irq.refs:
        return Result(Status.REVOKE_FIRST, irq.holder.encode())
    irq.route = "claimed"
    k.put(slot, Cap(ObjectType.IRQ_HANDLER, irq, Rights.ALL), None, "root")
    return Result(body=msgpack.packb({}))


def ports(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Take a device's registers: the capability to its I/O ports, which exists once.

    seL4:      seL4_X86_IOPortControl_Issue
    Object:    DEVICE
    Arguments: slot: where in the own CSpace the IOPORT capability goes
    Answer:    first: the first port
    Errors:    as Device_Claim; ILLEGAL_OPERATION (a device without ports)
    """
    slot = _slot(caller)
    if isinstance(slot, Result):
        return slot
    device: Device = cap.obj
    timer = device.timer
    if timer is None:
        return error(Status.ILLEGAL_OPERATION)
    if device.ports.taken(timer.first, timer.last):
        return Result(Status.REVOKE_FIRST)
    k.put(slot, ioport.made(device.ports, timer.first, timer.last), None, "root")
    return Result(body=msgpack.packb({"first": timer.first}))


def _slot(caller: TCB) -> Slot | Result:
    """The empty slot of the own half that the arguments name."""
    arguments = bodies.unpack(caller, {"slot": int})
    if isinstance(arguments, Result):
        return arguments
    return bodies.own_slot(caller, arguments["slot"])
