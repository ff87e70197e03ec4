"""Capabilities, the slots that hold them, and the derivation list that joins the slots.

The list is seL4's (reference semantics, "Derivation"): one doubly linked list in which a derived
capability goes right after its source. Two bits per slot say what an entry covers: an *original*
(from retype, or with its badge changed) is `revocable`, and the first of a run of one badge is
`first_badged`. Nothing else is stored, so revocation is a walk along the neighbours.

Differs: in lab mode a call on an emptied slot says who emptied it and when, as long as nothing
    else was put there; seL4 knows only that it is empty
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from caplab.kernel.abi import WORD_BITS, ObjectType, Status

if TYPE_CHECKING:
    from caplab.kernel.core.cnode import CNode


class Cap(NamedTuple):
    """What a slot holds: the object, what may be done with it, and the badge it shows."""

    type: int
    obj: Any
    rights: int
    badge: int = 0


class Cause(NamedTuple):
    """Why something is gone: the status its callers get, who did it, and at which event."""

    status: int
    pd: int
    generation: int
    name: str
    event: int


class Slot:
    """One capability slot and its place in the derivation list."""

    __slots__ = (
        "cap",
        "cause",
        "cnode",
        "first_badged",
        "index",
        "next",
        "origin",
        "prev",
        "renewals",
        "revocable",
    )

    def __init__(self, cnode: CNode, index: int) -> None:
        self.cnode = cnode
        self.index = index
        self.cap: Cap | None = None
        self.prev: Slot | None = None
        self.next: Slot | None = None
        self.revocable = False
        self.first_badged = False
        self.origin = ""
        """Name of the PD the capability came from, for people who look."""
        self.renewals = 0
        self.cause: Cause | None = None
        """Tombstone of an emptied slot, until it is filled again."""


BADGED = (ObjectType.ENDPOINT, ObjectType.NOTIFICATION)


def is_parent(parent: Slot, child: Slot) -> bool:
    """Would revoking `parent` delete `child`, its next neighbour? (seL4: isMDBParentOf)"""
    a, b = parent.cap, child.cap
    if a is None or b is None or not parent.revocable:
        return False
    if a.type == ObjectType.UNTYPED:
        return covers(a.obj, b.obj)
    if a.obj is not b.obj or a.type != b.type:
        return False
    if a.type in BADGED and a.badge:
        return a.badge == b.badge and not child.first_badged
    return True


def covers(untyped: Any, other: Any) -> bool:
    """Does the object lie in the untyped's region? One the root task gave away lies in none."""
    base = getattr(other, "base", None)
    if base is None:
        return False
    size = 1 << untyped.bits
    return bool(untyped.base <= base and base + (1 << other.bits) <= untyped.base + size)


def is_original(cap: Cap, source: Cap) -> bool:
    """Does deriving `cap` from `source` make a new original? (seL4: isCapRevocable)"""
    if cap.type == ObjectType.UNTYPED or source.type == ObjectType.UNTYPED:
        return True
    return cap.type in BADGED and cap.badge != source.badge


def fill_up(source: Slot, copy: Cap) -> None:
    """A copied untyped is used up: only one of the two may hand its bytes out."""
    cap = source.cap
    if cap is not None and cap.obj is copy.obj:
        source.cap = cap._replace(badge=1 << copy.obj.bits)


def has_children(slot: Slot) -> bool:
    return slot.next is not None and is_parent(slot, slot.next)


def link(slot: Slot, cap: Cap, source: Slot | None) -> None:
    """Put `cap` into the empty `slot`, after `source` (none: a new object's first capability)."""
    original = source is None or source.cap is None or is_original(cap, source.cap)
    # As plain numbers: `&` on a member of an enum is Python code, and doubled the cost of a call.
    slot.cap = Cap(int(cap.type), cap.obj, int(cap.rights), cap.badge)
    slot.cause = None
    slot.revocable = slot.first_badged = original
    slot.prev = source
    if source is None:
        slot.next = None
        return
    slot.next = source.next
    if source.next is not None:
        source.next.prev = slot
    source.next = slot


def unlink(slot: Slot, cause: Cause | None) -> None:
    """Empty `slot` and close the list behind it; `cause` becomes the tombstone."""
    before, after = slot.prev, slot.next
    if before is not None:
        before.next = after
    if after is not None:
        after.prev = before
        after.first_badged = after.first_badged or slot.first_badged
    slot.cap = slot.prev = slot.next = None
    slot.revocable = slot.first_badged = False
    slot.cause = cause
    slot.origin = ""


def shift(slot: Slot, to: Slot, cap: Cap, cause: Cause | None) -> None:
    """Move the entry of `slot` to the empty slot `to`, its place in the list kept."""
    to.cap, to.prev, to.next = cap, slot.prev, slot.next
    to.revocable, to.first_badged = slot.revocable, slot.first_badged
    to.origin, to.cause = slot.origin, None
    if to.prev is not None:
        to.prev.next = to
    if to.next is not None:
        to.next.prev = to
    slot.cap = slot.prev = slot.next = None
    slot.revocable = slot.first_badged = False
    slot.origin, slot.cause = "", cause


def masked(cap: Cap, rights: int) -> Cap:
    """`cap` with no rights but those also in `rights`; rights never grow.

    An untyped keeps its own, as in seL4: what is made from it has all rights anyway.
    """
    if cap.type == ObjectType.UNTYPED:
        return cap
    return cap if cap.rights & ~rights == 0 else cap._replace(rights=cap.rights & rights)


def derived(source: Slot, cap: Cap) -> Cap | Status:
    """The copy a source may have, or why it may have none (seL4: deriveCap)."""
    if cap.type == ObjectType.REPLY:
        return Status.ILLEGAL_OPERATION
    if cap.type == ObjectType.UNTYPED and has_children(source):
        return Status.REVOKE_FIRST
    return cap


def badged(cap: Cap, badge: int) -> Cap | Status:
    """`cap` with its badge set, which only an unbadged capability allows (seL4: updateCapData)."""
    if cap.type == ObjectType.CNODE:
        return with_guard(cap, badge) or Status.ILLEGAL_OPERATION
    if cap.type not in BADGED:
        return cap
    if cap.badge:
        return Status.ILLEGAL_OPERATION
    return cap._replace(badge=badge)


def mutated(cap: Cap, word: int) -> Cap | Status:
    """What Mutate and Rotate make of a capability: guards are replaced, badges never set."""
    if cap.type in BADGED:
        return Status.ILLEGAL_OPERATION
    return badged(cap, word)


GUARD_SIZE_BITS = 6
_WORD_MASK = (1 << WORD_BITS) - 1


def guard_word(guard: int, size: int) -> int:
    """Guard and its size in one word, as Mint and SetSpace take them (seL4_CNode_CapData)."""
    return (guard << GUARD_SIZE_BITS | size) & _WORD_MASK


def with_guard(cap: Cap, word: int) -> Cap | None:
    """The CNode capability with this guard; None when guard and index would exceed a word."""
    size = word & ((1 << GUARD_SIZE_BITS) - 1)
    if size + cap.obj.radix > WORD_BITS:
        return None
    guard = word >> GUARD_SIZE_BITS & ((1 << size) - 1)
    return cap._replace(badge=guard_word(guard, size))
