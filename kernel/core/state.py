"""The capability state as plain data, and its hash.

Two kernels that saw the same events have the same hash, and a refused call leaves it unchanged.
Statistics (call counts, process ids) and the clock are not part of it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgpack

from caplab.kernel.abi import ObjectType

if TYPE_CHECKING:
    from caplab.kernel.core.cap import Cap, Slot
    from caplab.kernel.core.cnode import CNode
    from caplab.kernel.core.irq import IRQ
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB


def describe(k: Kernel) -> dict[str, Any]:
    """Everything that decides what the kernel will do next, in a fixed order."""
    return {
        "lab": k.lab,
        "numbers": sorted(k.numbers.items()),
        "tcbs": [_tcb(k.tcbs[number]) for number in sorted(k.tcbs)],
        "cspaces": [_cspace(cnode) for cnode in k.cnodes],
        "irqs": [_irq(line) for _, line in sorted(k.irqs.items())],
        "domains": k.domains.describe(),
        "gate": k.gate.describe() if k.gate is not None else [],
        "jobs": [type(job).__name__ for job in k.jobs],
        "pds": k.root.describe(),
    }


def state_hash(k: Kernel) -> str:
    """`sha256:…` of the described state."""
    packed = msgpack.packb(describe(k), default=str)
    return "sha256:" + hashlib.sha256(packed).hexdigest()


def _tcb(tcb: TCB) -> list[Any]:
    return [
        tcb.number,
        tcb.pd.number,
        tcb.state,
        tcb.suspended,
        [] if tcb.root is None else [tcb.root.obj.number, tcb.root.rights, tcb.root.badge],
        _object(tcb.on),
        tcb.badge if tcb.on is not None else 0,
        tcb.caller.caller.number if tcb.caller is not None else 0,
        tcb.bound.number if tcb.bound is not None else 0,
        tcb.withheld is not None,
        [tcb.priority, tcb.mcp, tcb.domain],
        [tcb.start, tcb.fresh, tcb.fault_ep, *tcb.registers],
        [] if tcb.fault is None else [*tcb.fault.words, tcb.fault.label, tcb.fault.outside],
    ]


def _irq(line: IRQ) -> list[Any]:
    return [line.number, line.masked, line.pending, line.refs, line.route]


def _cspace(cnode: CNode) -> list[Any]:
    slots = cnode.slots
    filled = [_slot(slots[index]) for index in sorted(slots) if slots[index].cap is not None]
    return [cnode.number, cnode.live, filled]


def _slot(slot: Slot) -> list[Any]:
    cap = slot.cap
    assert cap is not None
    return [
        slot.index,
        int(cap.type),
        _target(cap),
        int(cap.rights),
        cap.badge,
        slot.revocable,
        slot.first_badged,
        _place(slot.prev),
        _place(slot.next),
        slot.renewals,
    ]


def _place(slot: Slot | None) -> list[int]:
    return [] if slot is None else [slot.cnode.number, slot.index]


def _target(cap: Cap) -> list[Any]:
    found = cap.obj
    if cap.type == ObjectType.ENDPOINT:
        return [
            found.number,
            found.receiving,
            [tcb.number for tcb in found.queue],
            found.readers,
            found.refs,
            sorted(found.badges.items()),
        ]
    if cap.type == ObjectType.NOTIFICATION:
        waiting = [tcb.number for tcb in found.queue]
        return [found.number, found.active, found.word, waiting, found.refs]
    if cap.type == ObjectType.FRAME:
        granted = sorted(found.granted.items())
        return [found.number, found.name, sorted(found.holds.items()), granted]
    if cap.type == ObjectType.REPLY:
        return [found.caller.number, found.grant]
    if cap.type == ObjectType.TCB and found.base is not None:
        # Made from untyped: not one of those the kernel runs.
        return _tcb(found)
    if cap.type == ObjectType.IRQ_HANDLER:
        told = found.slot.cap
        return [found.number, found.masked, [] if told is None else [told.obj.number, told.badge]]
    return [_object(found)]


def _object(found: Any) -> Any:
    """An object's number, or its name where it has none."""
    number = getattr(found, "number", None)
    return getattr(found, "name", "") if number is None else number
