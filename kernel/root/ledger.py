"""Who pays for the root task's records: whoever asks, from its own untyped memory.

Records (PDs, spaces, resources, holds, RDEs) cost a fixed price and are taken and given back one by
one, so they stand on pages: a *slab* is 4096 bytes made of the asker's untyped, its capability a
child of the untyped's as any object's would be. Revoking the untyped therefore takes back all it
paid for. A record that goes leaves its place to the next; empty slabs go back when their owner
dies, or when something is to be made of the untyped that has no room, and they are all it has made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from caplab.kernel.abi import PAGE_SIZE, ObjectType, Status
from caplab.kernel.core import cap as caps
from caplab.kernel.core.cap import Cap, Cause, Slot

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.pd import PD
    from caplab.kernel.root.task import RootTask

SLAB_BITS = 12


class Record:
    """Something the root task keeps for a PD that paid for it."""

    __slots__ = ("price", "slab")

    def __init__(self) -> None:
        self.slab: Slab | None = None
        """What it stands on; none for the root task's gifts."""
        self.price = 0


class Slab:
    """A page of records."""

    __slots__ = ("base", "bits", "left", "number", "owner", "records", "refs", "slot")

    def __init__(self, number: int, base: int, owner: PD, slot: Slot) -> None:
        self.number = number
        self.base = base
        self.bits = SLAB_BITS
        self.owner = owner
        self.slot = slot
        self.refs = 0
        self.left = PAGE_SIZE
        self.records: dict[Record, None] = {}


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    cap.obj.refs += 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    """The memory is taken back, and with it everything that stands on it."""
    slab: Slab = cap.obj
    slab.refs -= 1
    slab.owner.slabs.pop(slab.number, None)
    slot.cnode.slots.pop(slot.index, None)
    while slab.records:
        record, _ = slab.records.popitem()
        record.slab = None
        cast("RootTask", k.root).reclaim(k, record, cause)


def room(
    k: Kernel, root: RootTask, payer: PD, price: int, besides: Slot | None = None
) -> Slab | None:
    """A slab of the payer's with so many bytes left, made if need be; None: it cannot pay.

    The last thing to ask before a record is made, because a new slab is a change. `besides` is an
    untyped that is meant for something else.
    """
    if price > PAGE_SIZE:
        return None
    for slab in payer.slabs.values():
        if slab.left >= price:
            return slab
    for source in payer.cspace.slots.values():
        base = carve(source, SLAB_BITS) if source is not besides else None
        if base is not None:
            slot = root.new_slot()
            slab = Slab(k.number("slab"), base, payer, slot)
            payer.slabs[slab.number] = slab
            k.put(slot, Cap(ObjectType.SLAB, slab, 0), source, payer.name)
            return slab
    return None


def fits(source: Slot, bits: int) -> bool:
    """Is that an untyped that could hold so much if nothing were made of it?"""
    cap = source.cap
    return cap is not None and cap.type == ObjectType.UNTYPED and bits <= cap.obj.bits


def carve(source: Slot, bits: int) -> int | None:
    """The address of so much cut off an untyped, if that is what is there and it has it left."""
    cap = source.cap
    if cap is None or cap.type != ObjectType.UNTYPED or cap.obj.device:
        return None
    used = cap.badge if caps.has_children(source) else 0
    at: int = -(-(cap.obj.base + used) // (1 << bits)) << bits
    end: int = at + (1 << bits) - cap.obj.base
    if end > 1 << cap.obj.bits:
        return None
    source.cap = cap._replace(badge=end)
    return at


def enter(slab: Slab | None, record: Record, price: int) -> None:
    """Let a record stand on a slab that has room for it; without one it is a gift."""
    if slab is None:
        return
    record.slab, record.price = slab, price
    slab.left -= price
    slab.records[record] = None
    if not slab.left:
        slab.owner.slabs.pop(slab.number, None)


def refund(k: Kernel, record: Record) -> None:
    """A record is gone: its place is free for another."""
    slab, record.slab = record.slab, None
    if slab is None:
        return
    del slab.records[record]
    slab.left += record.price
    if slab.owner.alive and slab.refs:
        # Kept, though it may be empty: an untyped hands its bytes out anew only when nothing at all
        # is made of it any more, so one that is in use would be eaten up page by page.
        slab.owner.slabs[slab.number] = slab
    elif not slab.records and slab.refs:
        _give_back(k, slab)


def give_way(k: Kernel, source: Slot) -> bool:
    """Give back the pages of an untyped of which nothing but empty ones is made; was it so?"""
    pages: list[Slab] = []
    child = source.next
    while child is not None and caps.is_parent(source, child):
        cap = child.cap
        if cap is None or cap.type != ObjectType.SLAB or cap.obj.records:
            return False
        pages.append(cap.obj)
        child = child.next
    for slab in pages:
        _give_back(k, slab)
    return bool(pages)


def release(k: Kernel, owner: PD) -> None:
    """Its owner has died: what still stands on its slabs stays, empty ones go."""
    slabs = list(owner.slabs.values())
    owner.slabs.clear()
    for slab in slabs:
        if not slab.records:
            _give_back(k, slab)


def _give_back(k: Kernel, slab: Slab) -> None:
    k.delete(slab.slot, k.cause(Status.REVOKED, slab.owner))
