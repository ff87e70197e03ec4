"""CNodes: tables of capability slots, and the invocations that fill and empty them.

Slots are made when they are first named. How a capability pointer finds one is in `cspace.py`,
which CNodes a live TCB reaches in `reach.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import ROOT_RADIX, SIZE_BITS, LookupFailure, ObjectType, Status
from caplab.kernel.core import cap as caps
from caplab.kernel.core import cspace, endpoint, message, reach
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.outcome import OK, Outcome, Result, error
from caplab.kernel.core.states import DEAD
from caplab.kernel.core.sweep import Revocation, Sweep

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.reply import Reply
    from caplab.kernel.core.tcb import TCB


class CNode:
    """A capability table of `1 << radix` slots."""

    __slots__ = (
        "base",
        "bits",
        "dying",
        "gift",
        "live",
        "nodes",
        "number",
        "pd",
        "radix",
        "reads",
        "refs",
        "replies",
        "slots",
        "tcb",
    )

    def __init__(self, number: int, pd: Any, radix: int = ROOT_RADIX) -> None:
        self.number = number
        self.pd = pd
        self.radix = radix
        self.base: int | None = None
        """Address in its untyped; the root task's gifts have none."""
        self.bits = radix + SIZE_BITS[ObjectType.CNODE]
        self.slots: dict[int, Slot] = {}
        self.gift = True
        """A first CSpace: it ends with its PD, not with the last capability to it."""
        self.live = False
        """A live TCB reaches it, so its Read capabilities keep endpoints from being deaf."""
        self.dying = False
        """Destroyed; its slots are being emptied and take nothing in."""
        self.reads: dict[int, Any] = {}
        """Endpoints with a Read capability here, by slot."""
        self.nodes: dict[int, CNode] = {}
        """CNodes with a capability here, by slot."""
        self.replies: dict[int, Reply] = {}
        self.refs = 0
        self.tcb: TCB | None = None
        """The TCB whose hidden slots these are, if they are a TCB's."""

    def slot(self, index: int) -> Slot:
        """The slot of that number, made when it is new."""
        found = self.slots.get(index)
        if found is None:
            found = self.slots[index] = Slot(self, index)
        return found


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    """A capability to a CNode: whoever reaches its slot reaches the CNode."""
    cnode: CNode = cap.obj
    cnode.refs += 1
    slot.cnode.nodes[slot.index] = cnode
    if slot.cnode.live and not cnode.live:
        reach.catch_up(k)
        reach.refresh(k, None)


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    """One capability less; the last one destroys the CNode, which empties its slots."""
    cnode: CNode = cap.obj
    cnode.refs -= 1
    slot.cnode.nodes.pop(slot.index, None)
    holder = slot.cnode
    owner = holder.tcb
    if owner is not None:
        owner.set_root(None)
    if (owner is not None and owner.state != DEAD) or (holder.live and holder is not cnode):
        reach.lost(k, cause)
    if cnode.refs == 0 and not cnode.gift:
        destroy(k, cnode, cause)


def destroy(k: Kernel, cnode: CNode, cause: Cause) -> None:
    """Empty a CNode nobody can name; `k.unfinished` is the job if that takes several steps."""
    cnode.dying = True
    reach.lost(k, cause)
    if k.sweep is not None:
        # One CNode held the last capability to the next: a chain of them must not recurse.
        k.sweep.cnodes.append(cnode)
        return
    job = Sweep([cnode], cause)
    if k.start_job(job, None) is None:
        k.unfinished = job


def _operands(caller: TCB, cap: Cap, words: tuple[int, ...]) -> tuple[Slot, Slot] | Result:
    """Destination and source of Copy, Mint, Move and Mutate, checked in seL4's order."""
    if not caller.request.caps:
        return error(Status.TRUNCATED_MESSAGE)
    destination = cspace.target(cap, words[0], words[1])
    if isinstance(destination, Result):
        return destination
    if destination.cap is not None:
        return error(Status.DELETE_FIRST)
    root = message.extra_cap(caller, 0, ObjectType.CNODE)
    if isinstance(root, Result):
        return cspace.Failure(1).refusal(source=True)
    source = cspace.target(root, words[2], words[3], source=True)
    if isinstance(source, Result):
        return source
    if source.cap is None:
        return _missing(words[3])
    return destination, source


def _missing(depth: int, source: bool = True) -> Result:
    """The slot named is empty; the detail is the depth it was looked for with."""
    return cspace.Failure(LookupFailure.MISSING, (depth,)).refusal(source)


def _derive(k: Kernel, caller: TCB, cap: Cap, count: int, mint: bool) -> Outcome:
    words = message.words(caller, count)
    if isinstance(words, Result):
        return words
    found = _operands(caller, cap, words)
    if isinstance(found, Result):
        return found
    destination, source = found
    assert source.cap is not None
    copied = caps.masked(source.cap, words[4])
    new = caps.badged(copied, words[5]) if mint else copied
    if not isinstance(new, Status):
        new = caps.derived(source, new)
    if isinstance(new, Status):
        return error(new)
    k.put(destination, new, source, caller.pd.name)
    return OK


def copy(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Copy a capability with at most the given rights.

    seL4:      seL4_CNode_Copy
    Object:    CNODE
    Arguments: dest_index, dest_depth, src_index, src_depth, rights; caps: src_root
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR, FAILED_LOOKUP, DELETE_FIRST, ILLEGAL_OPERATION,
        REVOKE_FIRST (an untyped with children)
    """
    return _derive(k, caller, cap, 5, mint=False)


def mint(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Copy a capability and set its badge, which must be unset so far; of a CNode, its guard.

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


def mutate(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Move a capability and replace its guard.

    seL4:      seL4_CNode_Mutate
    Object:    CNODE
    Arguments: dest_index, dest_depth, src_index, src_depth, badge (guard and its size);
        caps: src_root
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR, FAILED_LOOKUP, DELETE_FIRST, ILLEGAL_OPERATION (of
        an endpoint or a notification, whose badge nothing changes)
    """
    words = message.words(caller, 5)
    if isinstance(words, Result):
        return words
    found = _operands(caller, cap, words)
    if isinstance(found, Result):
        return found
    destination, source = found
    assert source.cap is not None
    new = caps.mutated(source.cap, words[4])
    if isinstance(new, Status):
        return error(new)
    k.move(source, destination, caller.pd, new)
    return OK


def rotate(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Move the pivot to the destination and the source to the pivot, at once.

    seL4:      seL4_CNode_Rotate
    Object:    CNODE
    Arguments: dest_index, dest_depth, dest_badge, pivot_index, pivot_depth, pivot_badge,
        src_index, src_depth (badges: guards); caps: pivot_root, src_root
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR, FAILED_LOOKUP, ILLEGAL_OPERATION (pivot is one of
        the others, or a badge would change), DELETE_FIRST (destination full and not the source)
    """
    words = message.words(caller, 8)
    if isinstance(words, Result):
        return words
    if len(caller.request.caps) < 2:
        return error(Status.TRUNCATED_MESSAGE)
    destination = cspace.target(cap, words[0], words[1])
    if isinstance(destination, Result):
        return destination
    slots = []
    for position, at in ((1, 6), (0, 3)):  # the source first, as there
        root = message.extra_cap(caller, position, ObjectType.CNODE)
        if isinstance(root, Result):
            return cspace.Failure(1).refusal(source=True)
        slot = cspace.target(root, words[at], words[at + 1], source=True)
        if isinstance(slot, Result):
            return slot
        slots.append(slot)
    source, pivot = slots
    if pivot is source or pivot is destination:
        return error(Status.ILLEGAL_OPERATION)
    if destination is not source and destination.cap is not None:
        return error(Status.DELETE_FIRST)
    if source.cap is None:
        return _missing(words[7])
    if pivot.cap is None:
        return _missing(words[4], source=False)
    return _rotate(k, caller, destination, pivot, source, words)


def _rotate(
    k: Kernel, caller: TCB, destination: Slot, pivot: Slot, source: Slot, words: tuple[int, ...]
) -> Outcome:
    assert source.cap is not None
    assert pivot.cap is not None
    to_pivot = caps.mutated(source.cap, words[5])
    to_destination = caps.mutated(pivot.cap, words[2])
    for new in (to_pivot, to_destination):
        if isinstance(new, Status):
            return error(new)
    assert not isinstance(to_pivot, Status)
    assert not isinstance(to_destination, Status)
    if source is destination:
        spare = Slot(source.cnode, -1)
        k.move(source, spare, caller.pd, to_pivot)
        k.move(pivot, destination, caller.pd, to_destination)
        k.move(spare, pivot, caller.pd, to_pivot)
    else:
        k.move(pivot, destination, caller.pd, to_destination)
        k.move(source, pivot, caller.pd, to_pivot)
    return OK


def cancel_badged_sends(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Take every sender with the capability's badge out of the endpoint's queue.

    seL4:      seL4_CNode_CancelBadgedSends
    Object:    CNODE
    Arguments: index, depth
    Rights:    all four, on the capability in the slot
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR, FAILED_LOOKUP, ILLEGAL_OPERATION (not an endpoint,
        or not all rights)
    Differs:   in lab mode the senders get CANCELLED; in seL4 they send again
    """
    words = message.words(caller, 2)
    if isinstance(words, Result):
        return words
    slot = cspace.target(cap, *words)
    if isinstance(slot, Result):
        return slot
    if slot.cap is None or slot.cap.type != ObjectType.ENDPOINT or slot.cap.rights != 15:
        return error(Status.ILLEGAL_OPERATION)
    if slot.cap.badge:
        endpoint.cancel_badged(k, slot.cap.obj, slot.cap.badge, caller.pd)
    return OK


def delete(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Empty a slot; deleting the last capability to an object destroys the object.

    seL4:      seL4_CNode_Delete
    Object:    CNODE
    Arguments: index, depth
    Blocks:    until a CNode that this destroys is empty
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR, FAILED_LOOKUP
    """
    words = message.words(caller, 2)
    if isinstance(words, Result):
        return words
    slot = cspace.target(cap, *words)
    if isinstance(slot, Result):
        return slot
    k.unfinished = None
    k.delete(slot, k.cause(Status.REVOKED, caller.pd))
    return k.await_job(caller)


def revoke(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Delete every capability derived from the one in the slot, which stays.

    seL4:      seL4_CNode_Revoke
    Object:    CNODE
    Arguments: index, depth
    Blocks:    until all of it is deleted and what that destroys is empty, or the time limit
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR, FAILED_LOOKUP (also later, when the slot can no
        longer be found after a slice of the work), TIMED_OUT (the work goes on)
    Differs:   when the caller has given up or died the work goes on without it; in seL4 it ends
    """
    words = message.words(caller, 2)
    if isinstance(words, Result):
        return words
    slot = cspace.target(cap, *words)
    if isinstance(slot, Result):
        return slot
    return k.start_job(Revocation(slot, k.cause(Status.REVOKED, caller.pd)), caller)
