"""CSpaces: turning a capability pointer into a slot, level by level (seL4: resolveAddressBits).

A capability to a CNode carries a guard: bits that must precede the index. A first CSpace is one
CNode of 1,024 slots behind a guard of 54 zero bits, so a pointer is simply a slot number, and the
kernel finds it in one step (`TCB.slots`); everything else comes here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from caplab.kernel.abi import WORD_BITS, LookupFailure, ObjectType, Status
from caplab.kernel.core.cap import GUARD_SIZE_BITS, Cap, Slot
from caplab.kernel.core.outcome import Result, error

if TYPE_CHECKING:
    from caplab.kernel.core.tcb import TCB

_CNODE = int(ObjectType.CNODE)


class Failure(NamedTuple):
    """A lookup fault: its kind and what seL4 says with it (bits left, guard found, bits found)."""

    kind: int
    details: tuple[int, ...] = ()

    def refusal(self, source: bool) -> Result:
        """FAILED_LOOKUP with seL4's words: was it the source, the kind, the details."""
        return error(Status.FAILED_LOOKUP, int(source), self.kind, *self.details)


def direct(root: Cap) -> bool:
    """Is a pointer into this CSpace simply a slot number of its one level?"""
    size = root.badge & ((1 << GUARD_SIZE_BITS) - 1)
    return root.badge >> GUARD_SIZE_BITS == 0 and size + root.obj.radix == WORD_BITS


def resolve(root: Cap | None, cptr: int, bits: int) -> tuple[Slot, int] | Failure:
    """Follow `cptr` through the levels; the slot reached and how many bits are left over."""
    cap = root
    while True:
        if cap is None or cap.type != _CNODE:
            return Failure(LookupFailure.INVALID_ROOT)
        size = cap.badge & ((1 << GUARD_SIZE_BITS) - 1)
        guard = cap.badge >> GUARD_SIZE_BITS
        level = size + cap.obj.radix
        if size > bits or cptr >> (bits - size) & ((1 << size) - 1) != guard:
            return Failure(LookupFailure.GUARD_MISMATCH, (bits, guard, size))
        if level > bits:
            return Failure(LookupFailure.DEPTH_MISMATCH, (bits, level))
        slot: Slot = cap.obj.slot(cptr >> (bits - level) & ((1 << cap.obj.radix) - 1))
        bits -= level
        if bits == 0 or slot.cap is None or slot.cap.type != _CNODE:
            return slot, bits
        cap = slot.cap


def lookup(tcb: TCB, cptr: int) -> Slot | None:
    """The slot a TCB's pointer names, empty or not; bits left over do not matter (lookupCap)."""
    slot = tcb.slots.get(cptr)
    if slot is not None:
        return slot
    found = resolve(tcb.root, cptr, WORD_BITS)
    return None if isinstance(found, Failure) else found[0]


def why_not(tcb: TCB, cptr: int) -> Failure:
    """What a pointer that names no capability failed at."""
    found = resolve(tcb.root, cptr, WORD_BITS)
    return found if isinstance(found, Failure) else Failure(LookupFailure.MISSING, (found[1],))


def target(root: Cap, index: int, depth: int, *, source: bool = False) -> Slot | Result:
    """The slot a CNode operation names; every bit must count (lookupTargetSlot).

    Errors: RANGE_ERROR (depth outside 1 to 64), FAILED_LOOKUP
    """
    if root.type != _CNODE:
        return Failure(LookupFailure.INVALID_ROOT).refusal(source)
    if not 1 <= depth <= WORD_BITS:
        return error(Status.RANGE_ERROR, 1, WORD_BITS)
    found = resolve(root, index, depth)
    if isinstance(found, Failure):
        return found.refusal(source)
    slot, left = found
    if left:
        return Failure(LookupFailure.DEPTH_MISMATCH, (left, 0)).refusal(source)
    if slot.cnode.dying:
        return Failure(LookupFailure.INVALID_ROOT).refusal(source)
    return slot
