"""Numbered truths about the root task's records, which go on where the core's invariants end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from caplab.kernel.abi import (
    BADGE_OBJ_ID_NULL,
    PAGE_SIZE,
    PRICE_HOLD,
    PRICE_PD,
    PRICE_RESOURCE,
    PRICE_SPACE,
    ObjectType,
    badge_parts,
)
from caplab.kernel.core.invariants import INVARIANTS

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.ledger import Record, Slab
    from caplab.kernel.root.space import Hold, Space
    from caplab.kernel.root.task import RootTask


def violations(k: Kernel, root: RootTask) -> list[str]:
    """Every broken truth, as `I13: …`."""
    return [
        f"I{number}: {text}"
        for number, check in enumerate(TRUTHS, len(INVARIANTS) + 1)
        for text in check(k, root)
    ]


def _holds(space: Space) -> Iterator[tuple[int, int, Hold]]:
    """Object (an RDE's is BADGE_OBJ_ID_NULL), PD number and hold."""
    for pd, hold in space.rdes.items():
        yield BADGE_OBJ_ID_NULL, pd, hold
    for resource in space.resources.values():
        for pd, hold in resource.holds.items():
            yield resource.number, pd, hold


def spaces_are_managed(k: Kernel, root: RootTask) -> Iterator[str]:
    """No resource without a live space, no space without a live manager. What is being destroyed
    is waited for by a job.
    """
    for number, space in root.spaces.items():
        manager = space.manager
        if number != space.number or manager is None or manager.spaces.get(number) is not space:
            yield f"space {number} is not its manager's"
        elif space.cause is None and manager.state in ("dying", "dead") and not k.jobs:
            yield f"space {number} lives on without {manager.name}"
        elif space.cause is not None and not k.jobs:
            yield f"space {number} is being destroyed by nobody"
        if any(one.space != number for one in space.resources.values()):
            yield f"a resource of space {number} says it is another's"
    for pd in root.pds.values():
        if any(root.spaces.get(number) is not space for number, space in pd.spaces.items()):
            yield f"{pd.name} manages a space that is gone"


def counts_are_held(k: Kernel, root: RootTask) -> Iterator[str]:
    """Every count of holds equals what is held, and both sides know of each."""
    for space in root.spaces.values():
        clients: Counter[int] = Counter()
        held = 0
        for number, pd, hold in _holds(space):
            clients[pd] += 1
            held += number != BADGE_OBJ_ID_NULL
            if badge_parts(hold.badge) != (space.type, space.number, pd, number):
                yield f"hold of {pd} on {number} of space {space.number} has another badge"
            if hold.count < 1 or (number == BADGE_OBJ_ID_NULL and hold.count > 1):
                yield f"hold of {pd} on {number} of space {space.number} counts {hold.count}"
            known = root.pds.get(pd)
            if known is not None and known.holds.get(hold.badge) is not hold:
                yield f"{known.name} does not know that it holds {number} of space {space.number}"
        if space.clients != clients or space.held != held:
            yield f"space {space.number} counts {space.clients} and {space.held} holds"
    for one in root.pds.values():
        for badge, hold in one.holds.items():
            space_of = root.spaces.get(badge_parts(badge).space)
            parts = badge_parts(badge)
            if space_of is None or space_of.held_by(one.number, parts.object) is not hold:
                yield f"{one.name} holds what no space knows of"


def holds_are_held(k: Kernel, root: RootTask) -> Iterator[str]:
    """Who holds something has a capability to it, and nobody has one to what he does not hold
    but those whom he gave it, and until a job has deleted it.
    """
    if k.jobs:
        return
    for space in root.spaces.values():
        assert space.endpoint is not None
        badges = {hold.badge for _, _, hold in _holds(space)}
        for badge in badges:
            if not space.endpoint.badges.get(badge):
                yield f"badge {badge:x} of space {space.number} is held without a capability"
        for badge in space.endpoint.badges:
            parts = badge_parts(badge)
            of_space = (parts.type, parts.space) == (space.type, space.number)
            if of_space and badge not in badges and not _own(k, space, badge):
                yield f"badge {badge:x} of space {space.number} is held by nobody"


def _own(k: Kernel, space: Space, badge: int) -> bool:
    """Does a server, or whom it let, make up badges of its own endpoint?"""
    cnodes = [cnode for cnode in k.cnodes if cnode.pd.number]
    slots = [slot for cnode in cnodes for slot in cnode.slots.values()]
    return any(
        slot.cap is not None
        and slot.cap.obj is space.endpoint
        and slot.cap.badge == badge
        and slot.first_badged
        for slot in slots
    )


def maps_agree(k: Kernel, root: RootTask) -> Iterator[str]:
    """A map between spaces is known at both ends."""
    for number, space in root.spaces.items():
        for below in space.maps:
            other = root.spaces.get(below)
            if other is None or number not in other.mapped:
                yield f"space {number} is built on {below}, which does not know it"
        for above in space.mapped:
            other = root.spaces.get(above)
            if other is None or number not in other.maps:
                yield f"space {above} is not built on {number}, which thinks so"


def records_are_paid(k: Kernel, root: RootTask) -> Iterator[str]:
    """Prices add up on every slab, and a slab is a child of untyped memory."""
    slabs: dict[Slab, int] = {}
    for slot in root.cspace.slots.values():
        if slot.cap is not None and slot.cap.type == ObjectType.SLAB:
            slabs[slot.cap.obj] = 0
    for slab in slabs:
        spent = sum(record.price for record in slab.records)
        if spent + slab.left != PAGE_SIZE or any(one.slab is not slab for one in slab.records):
            yield f"slab {slab.number} has {slab.left} bytes left, and {spent} are spent"
        if not slab.records and not slab.owner.alive and not k.jobs:
            yield f"slab {slab.number} stands empty for the dead {slab.owner.name}"
    for record, price in _records(root):
        if record.slab is not None and (record.slab not in slabs or record.price != price):
            yield f"a record of {price} bytes stands on no slab"


def _records(root: RootTask) -> Iterator[tuple[Record, int]]:
    for pd in root.pds.values():
        yield pd, PRICE_PD
    for space in root.spaces.values():
        yield space, PRICE_SPACE
        for resource in space.resources.values():
            yield resource, PRICE_RESOURCE
        for _, _, hold in _holds(space):
            yield hold, PRICE_HOLD


def nothing_waits_for_the_dead(k: Kernel, root: RootTask) -> Iterator[str]:
    """Work is queued for live servers only, and each item is in one place."""
    for pd in root.pds.values():
        if not pd.alive and (len(pd.work) or pd.fetched):
            yield f"work waits for {pd.name}, which is {pd.state}"
        if any(item.done or item.server is not pd for item in [*pd.work, *pd.fetched.values()]):
            yield f"work of {pd.name} is done or another's"


TRUTHS: tuple[Callable[[Kernel, RootTask], Iterator[str]], ...] = (
    spaces_are_managed,
    counts_are_held,
    holds_are_held,
    maps_agree,
    records_are_paid,
    nothing_waits_for_the_dead,
)
