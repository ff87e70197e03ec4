"""Untyped memory: the only thing kernel objects are made from, and what they go back to.

Memory here is an account: a pretended physical range whose bytes objects are priced in
(`abi.SIZE_BITS`). How far a range is used is part of the capability, as in seL4: its badge field
counts the bytes handed out.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import (
    FRAME_BITS_MAX,
    FRAME_BITS_MIN,
    PAGE_SIZE,
    RETYPE_MAX,
    SIZE_BITS,
    UNTYPED_BITS_MAX,
    UNTYPED_BITS_MIN,
    WORD_BITS,
    LookupFailure,
    ObjectType,
    Rights,
    Status,
)
from caplab.kernel.core import cap as caps
from caplab.kernel.core import cspace, message
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.cnode import CNode
from caplab.kernel.core.effects import CreateSegment
from caplab.kernel.core.endpoint import Endpoint
from caplab.kernel.core.frame import MO
from caplab.kernel.core.notification import Notification
from caplab.kernel.core.outcome import OK, Outcome, Result, error
from caplab.kernel.core.states import INACTIVE
from caplab.kernel.core.tcb import TCB

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel

_INFO = Struct("<4Q")
RETYPABLE = (
    ObjectType.UNTYPED,
    ObjectType.CNODE,
    ObjectType.ENDPOINT,
    ObjectType.NOTIFICATION,
    ObjectType.TCB,
    ObjectType.FRAME,
)


class Untyped:
    """A range of `1 << bits` bytes at `base`; a device's may only become frames and untypeds."""

    __slots__ = ("base", "bits", "device", "number", "refs")

    def __init__(self, number: int, base: int, bits: int, device: bool = False) -> None:
        self.number = number
        self.base = base
        self.bits = bits
        self.device = device
        self.refs = 0


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    cap.obj.refs += 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    """Its children stay: they only lose the parent that could have revoked them."""
    cap.obj.refs -= 1


def _bits_of(kind: int, size_bits: int) -> int:
    """How large one object is (getObjectSize); what it is not sized by is ignored."""
    if kind == ObjectType.UNTYPED:
        return size_bits
    if kind == ObjectType.CNODE:
        return size_bits + SIZE_BITS[ObjectType.CNODE]
    if kind == ObjectType.FRAME:
        return size_bits or FRAME_BITS_MIN
    return SIZE_BITS[ObjectType(kind)]


def retype(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Make kernel objects from untyped memory, into a row of empty slots.

    Without children the whole range is free again, whatever was made of it before.

    seL4:      seL4_Untyped_Retype
    Object:    UNTYPED
    Arguments: type (an ObjectType), size_bits (of an untyped; of a CNode, log2 of its slots; of
        a frame 12 to 21, or 0 for one page), node_index, node_depth (0: the root itself),
        node_offset, num_objects; caps: root
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT (type, size_bits), RANGE_ERROR (size_bits,
        node_offset, num_objects), FAILED_LOOKUP, DELETE_FIRST, NOT_ENOUGH_MEMORY with the bytes
        left, INVALID_ARGUMENT (a device's memory as anything but frames and untypeds)
    Differs:   type numbers are caplab's; a frame has a size, not a type per size;
        a TCB made so has no thread of the host behind it
    """
    words = message.words(caller, 6)
    if isinstance(words, Result):
        return words
    if not caller.request.caps:
        return error(Status.TRUNCATED_MESSAGE)
    kind, size_bits = words[0], words[1]
    refused = _refuse_kind(kind, size_bits)
    if refused is not None:
        return refused
    slots = _slots(caller, words[2:])
    if isinstance(slots, Result):
        return slots
    source = cspace.lookup(caller, caller.request.cptr)
    assert source is not None
    untyped: Untyped = cap.obj
    used = cap.badge if caps.has_children(source) else 0
    bits = _bits_of(kind, size_bits)
    left = (1 << untyped.bits) - used
    if left >> bits < len(slots) <= 1 << untyped.bits >> bits and k.root.give_way(k, source):
        used, left = 0, 1 << untyped.bits
    if left >> bits < len(slots):
        return error(Status.NOT_ENOUGH_MEMORY, left)
    if untyped.device and kind not in (ObjectType.UNTYPED, ObjectType.FRAME):
        return error(Status.INVALID_ARGUMENT, 1)
    # Both ends of the range are aligned to any object that fits it, so aligning loses nothing.
    at = -(-(untyped.base + used) // (1 << bits)) * (1 << bits)
    source.cap = cap._replace(badge=at + (len(slots) << bits) - untyped.base)
    for number, slot in enumerate(slots):
        made = make(k, caller, kind, size_bits, at + (number << bits), untyped.device)
        k.put(slot, made, source, caller.pd.name)
    return OK


def info(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Say where an untyped lies and how much of it is left.

    seL4:    seL4_BootInfo, untypedList
    Object:  UNTYPED
    Answer:  address, size_bits, 1 if it is device memory, bytes left
    Differs: any holder may ask; seL4 tells its root task of each untyped once, when it boots
    """
    untyped: Untyped = cap.obj
    source = cspace.lookup(caller, caller.request.cptr)
    assert source is not None
    used = cap.badge if caps.has_children(source) else 0
    left = (1 << untyped.bits) - used
    return Result(body=_INFO.pack(untyped.base, untyped.bits, untyped.device, left))


def _refuse_kind(kind: int, size_bits: int) -> Result | None:
    if kind not in RETYPABLE:
        return error(Status.INVALID_ARGUMENT, 0)
    if kind == ObjectType.FRAME and size_bits and not FRAME_BITS_MIN <= size_bits <= FRAME_BITS_MAX:
        return error(Status.RANGE_ERROR, FRAME_BITS_MIN, FRAME_BITS_MAX)
    if size_bits >= WORD_BITS or _bits_of(kind, size_bits) > UNTYPED_BITS_MAX:
        return error(Status.RANGE_ERROR, 0, UNTYPED_BITS_MAX)
    if kind == ObjectType.CNODE and size_bits == 0:
        return error(Status.INVALID_ARGUMENT, 1)
    if kind == ObjectType.UNTYPED and size_bits < UNTYPED_BITS_MIN:
        return error(Status.INVALID_ARGUMENT, 1)
    return None


def _slots(caller: TCB, words: tuple[int, ...]) -> list[Slot] | Result:
    """The empty slots that the objects go to, checked in seL4's order."""
    index, depth, offset, count = words
    root = cspace.lookup(caller, caller.request.caps[0])
    node = root.cap if root is not None else None
    if depth:
        if node is None:
            return cspace.Failure(LookupFailure.INVALID_ROOT).refusal(source=False)
        found = cspace.target(node, index, depth)
        if isinstance(found, Result):
            return found
        node = found.cap
    if node is None or node.type != ObjectType.CNODE or node.obj.dying:
        return cspace.Failure(LookupFailure.MISSING, (depth,)).refusal(source=False)
    size = 1 << node.obj.radix
    if offset >= size:
        return error(Status.RANGE_ERROR, 0, size - 1)
    if not 1 <= count <= RETYPE_MAX:
        return error(Status.RANGE_ERROR, 1, RETYPE_MAX)
    if count > size - offset:
        return error(Status.RANGE_ERROR, 1, size - offset)
    slots = [node.obj.slot(number) for number in range(offset, offset + count)]
    if any(slot.cap is not None for slot in slots):
        return error(Status.DELETE_FIRST)
    return slots


def make(k: Kernel, caller: TCB, kind: int, size_bits: int, base: int, device: bool) -> Cap:
    """One new object and the original capability to it."""
    made: Any
    badge = 0
    if kind == ObjectType.UNTYPED:
        made = Untyped(k.number("untyped"), base, size_bits, device)
    elif kind == ObjectType.CNODE:
        made = CNode(-k.number("cnode"), caller.pd, size_bits)
        made.gift = False
        k.cnodes[made] = None
    elif kind == ObjectType.ENDPOINT:
        made = Endpoint(k.number("endpoint"))
        made.owner = caller.pd
    elif kind == ObjectType.NOTIFICATION:
        made = Notification(k.number("notification"))
    elif kind == ObjectType.TCB:
        number = k.number("tcb")
        made = TCB(number, caller.pd, len(caller.pd.tcbs), CNode(-number, caller.pd, radix=4))
        made.state = INACTIVE
        made.domain = caller.domain
    else:
        pages = 1 << (_bits_of(kind, size_bits) - FRAME_BITS_MIN)
        made = MO(number := k.number("mo"), k.root.segment(number), pages, caller.pd.number)
        k.effects.append(CreateSegment(number, made.name, pages * PAGE_SIZE))
    if kind != ObjectType.UNTYPED:
        made.base = base
    return Cap(kind, made, Rights.ALL, badge)
