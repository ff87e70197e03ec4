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
from caplab.kernel.core import cap as caps
from caplab.kernel.core import untyped
from caplab.kernel.core.cap import Cap, Slot
from caplab.kernel.core.outcome import Outcome, Result, error
from caplab.kernel.root import ads, bodies, ledger

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.root.pd import PD
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
        if base is None and ledger.fits(source, bits) and ledger.give_way(k, source):
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
    """Take a spare thread of the caller's that nobody has a copy of the capability to.

    How many there are the manifest says (`threads:`); TCB_Write_Registers and TCB_Resume start one.
    The capability goes to the receive slot, and is a copy of the one the PD knows as `tcb.N`: when
    it is deleted, the thread can be taken again.

    seL4:      seL4_Untyped_Retype
    Object:    SERVICE cpu
    Arguments: thread: its number in the PD, from 1, or nothing: the last that can be taken; receive
        slot: where the TCB capability goes
    Answer:    cpu: the number of the TCB; thread: its number in the PD
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT, ILLEGAL_OPERATION (another service),
        FAILED_LOOKUP (no receive slot), RANGE_ERROR (thread, or the receive slot), DELETE_FIRST
        (the receive slot is full, or the thread is taken), NOT_ENOUGH_MEMORY (none left)
    """
    asked = _asked(caller, cap, "cpu", {"thread": (int, type(None))})
    if isinstance(asked, Result):
        return asked
    arguments, slot = asked
    tcbs, wanted = caller.pd.tcbs, arguments["thread"]
    if wanted is not None and not 1 <= wanted < len(tcbs):
        return error(Status.RANGE_ERROR, 1, len(tcbs) - 1)
    for tcb in reversed(tcbs[1:]) if wanted is None else (tcbs[wanted],):
        source = _spare(caller.pd, tcb)
        if source is not None:
            k.put(slot, Cap(ObjectType.TCB, tcb, Rights.ALL), source, "root")
            return _made(slot, cpu=tcb.number, thread=tcb.index)
    return error(Status.NOT_ENOUGH_MEMORY if wanted is None else Status.DELETE_FIRST, 0)


def _spare(one: PD, tcb: TCB) -> Slot | None:
    """Where a PD has its own capability to a thread, if no other was made of it."""
    entry = one.names.get(f"tcb.{tcb.index}")
    slot = one.cspace.slots.get(entry.slot) if entry is not None else None
    if slot is None or slot.cap is None or slot.cap.obj is not tcb or caps.has_children(slot):
        return None
    return slot
