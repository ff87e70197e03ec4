"""Devices: UARTs that a PD may drive. The manifest grants one, a claim makes it exclusive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgpack

from caplab.kernel.abi import ObjectType, Rights, Status
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.outcome import Outcome, Result
from caplab.kernel.root import bodies

if TYPE_CHECKING:
    from caplab.kernel.core.irq import IRQ
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB


class Device:
    """A device by name, and the interrupt line it raises."""

    def __init__(self, name: str, irq: IRQ) -> None:
        self.name = name
        self.irq = irq
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
    arguments = bodies.unpack(caller, {"slot": int})
    if isinstance(arguments, Result):
        return arguments
    slot = bodies.own_slot(caller, arguments["slot"])
    if isinstance(slot, Result):
        return slot
    irq: IRQ = cap.obj.irq
    if irq.refs:
        return Result(Status.REVOKE_FIRST, irq.holder.encode())
    irq.holder = caller.pd.name
    k.put(slot, Cap(ObjectType.IRQ_HANDLER, irq, Rights.ALL), None, "root")
    return Result(body=msgpack.packb({}))
