"""CNodes: tables of capability slots, and the invocations that fill and empty them.

A first CSpace is one CNode of 1,024 slots whose guard is the upper 54 bits, all zero, so a
capability pointer is simply a slot number. Slots are made when they are first named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import ROOT_SLOTS, WORD_BITS, ObjectType, Status
from caplab.kernel.core import cap as caps
from caplab.kernel.core import message
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.jobs import Job
from caplab.kernel.core.outcome import OK, Outcome, Result, error

if TYPE_CHECKING:
    from caplab.kernel.core.endpoint import Endpoint
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.reply import Reply
    from caplab.kernel.core.tcb import TCB


class CNode:
    """A capability table."""

    __slots__ = ("live", "number", "pd", "reads", "refs", "replies", "size", "slots")

    def __init__(self, number: int, pd: Any, size: int = ROOT_SLOTS) -> None:
        self.number = number
        self.pd = pd
        self.size = size
        self.slots: dict[int, Slot] = {}
        self.live = False
        """A live TCB reaches it, so its Read capabilities keep endpoints from being deaf."""
        self.reads: dict[int, Endpoint] = {}
        self.replies: dict[int, Reply] = {}
        self.refs = 0

    def slot(self, index: int) -> Slot:
        """The slot of that number, made when it is new."""
        found = self.slots.get(index)
        if found is None:
            found = self.slots[index] = Slot(self, index)
        return found


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    cap.obj.refs += 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    """A first CSpace lives as long as its PD; its capabilities are only counted."""
    cap.obj.refs -= 1


def find(cnode: CNode, index: int, depth: int, *, source: bool = False) -> Slot | Result:
    """The slot an operation names by index and depth.

    The CSpace of a dead PD names nothing any more: what were put there would never be let go.

    Errors: RANGE_ERROR (depth outside 1 to 64), FAILED_LOOKUP (the bits do not name a slot)
    """
    if not 1 <= depth <= WORD_BITS:
        return error(Status.RANGE_ERROR, 1, WORD_BITS)
    if depth != WORD_BITS or index >= cnode.size or not cnode.live:
        return error(Status.FAILED_LOOKUP, int(source))
    return cnode.slot(index)


def _operands(caller: TCB, cap: Cap, words: tuple[int, ...]) -> tuple[Slot, Slot] | Result:
    """Destination and source of Copy, Mint and Move, checked in seL4's order."""
    if not caller.request.caps:
        return error(Status.TRUNCATED_MESSAGE)
    destination = find(cap.obj, words[0], words[1])
    if isinstance(destination, Result):
        return destination
    if destination.cap is not None:
        return error(Status.DELETE_FIRST)
    root = message.extra_cap(caller, 0, ObjectType.CNODE)
    if isinstance(root, Result):
        return error(Status.FAILED_LOOKUP, 1)
    source = find(root.obj, words[2], words[3], source=True)
    if isinstance(source, Result):
        return source
    if source.cap is None:
        return error(Status.FAILED_LOOKUP, 1)
    return destination, source


def _derive(k: Kernel, caller: TCB, cap: Cap, count: int, mint: bool) -> Outcome:
    words = message.words(caller, count)
    if isinstance(words, Result):
        return words
    found = _operands(caller, cap, words)
    if isinstance(found, Result):
        return found
    destination, source = found
    assert source.cap is not None
    new: Cap | Status = caps.masked(source.cap, words[4])
    if mint:
        assert not isinstance(new, Status)
        new = caps.badged(new, words[5])
    if not isinstance(new, Status):
        new = caps.derived(new)
    if isinstance(new, Status):
        return error(new)
    k.put(destination, new, source, caller.pd.name)
    return OK


def copy(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Copy a capability with at most the given rights.

    seL4:      seL4_CNode_Copy
    Object:    CNODE
    Arguments: dest_index, dest_depth, src_index, src_depth, rights; caps: src_root
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR, FAILED_LOOKUP, DELETE_FIRST, ILLEGAL_OPERATION
    """
    return _derive(k, caller, cap, 5, mint=False)


def mint(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Copy a capability and set its badge, which must be unset so far.

    seL4:      seL4_CNode_Mint
    Object:    CNODE
    Arguments: dest_index, dest_depth, src_index, src_depth, rights, badge; caps: src_root
    Errors:    as CNode_Copy; ILLEGAL_OPERATION when the source has a badge already
    """
    return _derive(k, caller, cap, 6, mint=True)


def move(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Move a capability; its place in the derivation list goes with it.

    seL4:      seL4_CNode_Move
    Object:    CNODE
    Arguments: dest_index, dest_depth, src_index, src_depth; caps: src_root
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR, FAILED_LOOKUP, DELETE_FIRST
    """
    words = message.words(caller, 4)
    if isinstance(words, Result):
        return words
    found = _operands(caller, cap, words)
    if isinstance(found, Result):
        return found
    destination, source = found
    k.move(source, destination, caller.pd)
    return OK


def delete(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Empty a slot; deleting the last capability to an object destroys the object.

    seL4:      seL4_CNode_Delete
    Object:    CNODE
    Arguments: index, depth
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR, FAILED_LOOKUP
    """
    words = message.words(caller, 2)
    if isinstance(words, Result):
        return words
    slot = find(cap.obj, *words)
    if isinstance(slot, Result):
        return slot
    k.delete(slot, k.cause(Status.REVOKED, caller.pd))
    return OK


def revoke(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Delete every capability derived from the one in the slot, which stays.

    seL4:      seL4_CNode_Revoke
    Object:    CNODE
    Arguments: index, depth
    Blocks:    until the work, done in slices, is finished, or the time limit
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR, FAILED_LOOKUP, TIMED_OUT (the work goes on)
    """
    words = message.words(caller, 2)
    if isinstance(words, Result):
        return words
    slot = find(cap.obj, *words)
    if isinstance(slot, Result):
        return slot
    return k.start_job(Revocation(slot, k.cause(Status.REVOKED, caller.pd)), caller)


class Revocation(Job):
    """Revoke in slices: the list itself says what is left.

    Between the slices another may empty the slot and fill it anew; that capability is not meant.
    """

    __slots__ = ("cap", "cause", "slot")

    def __init__(self, slot: Slot, cause: Cause) -> None:
        super().__init__()
        self.slot = slot
        self.cap = slot.cap
        self.cause = cause

    def run(self, k: Kernel, units: int) -> bool:
        for _ in range(units):
            child = self.slot.next
            gone = self.slot.cap is not self.cap
            if gone or child is None or not caps.is_parent(self.slot, child):
                return True
            k.delete(child, self.cause)
        return False


class Sweep(Job):
    """Delete every capability of a dead PD's CSpace."""

    __slots__ = ("cause", "cnode")

    def __init__(self, cnode: CNode, cause: Cause) -> None:
        super().__init__()
        self.cnode = cnode
        self.cause = cause

    def run(self, k: Kernel, units: int) -> bool:
        slots = self.cnode.slots
        for _ in range(units):
            if not slots:
                return True
            _, slot = slots.popitem()
            k.delete(slot, self.cause)
        return not slots
