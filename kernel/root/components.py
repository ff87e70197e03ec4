"""What the root task's own services give: memory, endpoints, address spaces, threads.

A capability is what a PD holds of them; letting it go is CNode_Delete. What it costs is that of
Retype, from the first untyped of the asker's that has room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgpack

from caplab.kernel.abi import (
    FRAME_BITS_MAX,
    FRAME_BITS_MIN,
    PAGE_SIZE,
    PRICE_ADS,
    SIZE_BITS,
    ObjectType,
    Rights,
    Status,
)
from caplab.kernel.core import untyped
from caplab.kernel.core.cap import Cap, Slot
from caplab.kernel.core.outcome import Outcome, Result, error
from caplab.kernel.root import ads, bodies, ledger

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.root.task import RootTask

MAX_PAGES = 1 << (FRAME_BITS_MAX - FRAME_BITS_MIN)


def _asked(caller: TCB, cap: Cap, service: str, kinds: dict[str, bodies.Kind]) -> Any:
    """The arguments and the receive slot of a request to a service.

    Errors: TRUNCATED_MESSAGE, INVALID_ARGUMENT, ILLEGAL_OPERATION, FAILED_LOOKUP, RANGE_ERROR,
        DELETE_FIRST
    """
    arguments = bodies.unpack(caller, kinds)
    if isinstance(arguments, Result):
        return arguments
    if cap.obj.name != service:
        return error(Status.ILLEGAL_OPERATION)
    slot = bodies.receive_slot(caller)
    return slot if isinstance(slot, Result) else (arguments, slot)


def _made(slot: Slot, **answer: Any) -> Result:
    return Result(body=msgpack.packb(answer), landed=(slot.index,))


def _retyped(k: Kernel, caller: TCB, slot: Slot, kind: ObjectType, bits: int) -> bool:
    """Make an object of the caller's untyped; false when none of it has room."""
    for source in caller.pd.cspace.slots.values():
        base = ledger.carve(source, bits)
        if base is not None:
            made = untyped.make(k, caller, kind, bits, base, False)
            k.put(slot, made, source, caller.pd.name)
            return True
    return False


def memory(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Make a memory object.

    seL4:      seL4_Untyped_Retype
    Object:    SERVICE mo
    Arguments: pages: 1 to 512, rounded up to a power of two; receive slot: where the FRAME
        capability goes
    Answer:    mo: its number; pages: how many it has
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT, ILLEGAL_OPERATION (another service),
        FAILED_LOOKUP (no receive slot), RANGE_ERROR (pages, or the receive slot), DELETE_FIRST,
        NOT_ENOUGH_MEMORY (the caller's untyped)
    """
    asked = _asked(caller, cap, "mo", {"pages": int})
    if isinstance(asked, Result):
        return asked
    arguments, slot = asked
    pages = arguments["pages"]
    if not 1 <= pages <= MAX_PAGES:
        return error(Status.RANGE_ERROR, 1, MAX_PAGES)
    bits = FRAME_BITS_MIN + (pages - 1).bit_length()
    if not _retyped(k, caller, slot, ObjectType.FRAME, bits):
        return error(Status.NOT_ENOUGH_MEMORY, 0)
    return _made(slot, mo=slot.cap.obj.number, pages=(1 << bits) // PAGE_SIZE)


def endpoint(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Make an endpoint; its capability goes to the receive slot.

    seL4:   seL4_Untyped_Retype
    Object: SERVICE ep
    Answer: ep: its number
    Errors: ILLEGAL_OPERATION (another service), FAILED_LOOKUP (no receive slot), RANGE_ERROR,
        DELETE_FIRST, NOT_ENOUGH_MEMORY
    """
    asked = _asked(caller, cap, "ep", {})
    if isinstance(asked, Result):
        return asked
    _, slot = asked
    if not _retyped(k, caller, slot, ObjectType.ENDPOINT, SIZE_BITS[ObjectType.ENDPOINT]):
        return error(Status.NOT_ENOUGH_MEMORY, 0)
    return _made(slot, ep=slot.cap.obj.number)


def address_space(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Make an address space that no PD has yet; its capability goes to the receive slot.

    Object: SERVICE ads
    Answer: ads: its number
    Errors: ILLEGAL_OPERATION (another service), FAILED_LOOKUP (no receive slot), RANGE_ERROR,
        DELETE_FIRST, NOT_ENOUGH_MEMORY
    """
    asked = _asked(caller, cap, "ads", {})
    if isinstance(asked, Result):
        return asked
    _, slot = asked
    slab = ledger.room(k, cast("RootTask", k.root), caller.pd, PRICE_ADS)
    if slab is None:
        return error(Status.NOT_ENOUGH_MEMORY, 0)
    made = ads.make(k, slab)
    k.put(slot, Cap(ObjectType.ADS, made, Rights.ALL), None, "root")
    return _made(slot, ads=made.number)


def cpu(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Take the next thread of the caller's that it has taken none of yet.

    How many there are the manifest says (`threads:`); TCB_Write_Registers and TCB_Resume start one.
    The capability goes to the receive slot.

    seL4:   seL4_Untyped_Retype
    Object: SERVICE cpu
    Answer: cpu: the number of the TCB
    Errors: ILLEGAL_OPERATION (another service), FAILED_LOOKUP (no receive slot), RANGE_ERROR,
        DELETE_FIRST, NOT_ENOUGH_MEMORY (none left)
    """
    asked = _asked(caller, cap, "cpu", {})
    if isinstance(asked, Result):
        return asked
    _, slot = asked
    one = caller.pd
    if one.cpus_taken >= len(one.tcbs) - 1:
        return error(Status.NOT_ENOUGH_MEMORY, 0)
    one.cpus_taken += 1
    tcb = one.tcbs[one.cpus_taken]
    k.put(slot, Cap(ObjectType.TCB, tcb, Rights.ALL), None, "root")
    return _made(slot, cpu=tcb.number)
