"""Giving and taking holds and RDEs, and the end of resources and spaces.

What is taken is off the records at once, so that counts are exact whoever asks; the capabilities,
of which there may be any number of copies, are deleted by a job.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, cast

from caplab.kernel.abi import (
    BADGE_OBJ_ID_NULL,
    PRICE_HOLD,
    ROOT_SLOTS,
    ObjectType,
    Status,
    badge_parts,
)
from caplab.kernel.abi import resource_badge as badge_of
from caplab.kernel.core.cap import Cap, Cause, Slot, is_parent
from caplab.kernel.core.jobs import Job
from caplab.kernel.core.states import SEND
from caplab.kernel.root import ledger, work
from caplab.kernel.root.pd import CLIENT_RIGHTS, Entry
from caplab.kernel.root.space import REMEMBERED, Hold, Resource, Space, find
from caplab.kernel.root.work import WorkItem

if TYPE_CHECKING:
    from caplab.kernel.core.endpoint import Endpoint
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.ledger import Slab
    from caplab.kernel.root.pd import PD
    from caplab.kernel.root.report import Report
    from caplab.kernel.root.task import RootTask


def _root(k: Kernel) -> RootTask:
    return cast("RootTask", k.root)


# -- giving -------------------------------------------------------------------------------------


def give(
    k: Kernel, space: Space, number: int, pd: PD, payer: PD | None, at: Slot | None = None
) -> Hold | Status:
    """One more hold of a PD on an object, or its RDE (BADGE_OBJ_ID_NULL), which is held once.

    Errors: NOT_ENOUGH_MEMORY (the payer's, or no slot), INVALID_CAPABILITY (the server took its
        endpoint back)
    """
    root = _root(k)
    hold = space.held_by(pd.number, number)
    if hold is not None:
        hold.count += number != BADGE_OBJ_ID_NULL
        return hold
    slot = pd.free_slot() if at is None else at
    assert space.master is not None
    if space.master.cap is None:
        return Status.INVALID_CAPABILITY
    if slot is None:
        return Status.NOT_ENOUGH_MEMORY
    slab: Slab | None = None
    if payer is not None:
        slab = ledger.room(k, root, payer, PRICE_HOLD)
        if slab is None:
            return Status.NOT_ENOUGH_MEMORY
    hold = Hold(badge_of(space.type, space.number, pd.number, number), root.new_slot())
    ledger.enter(slab, hold, PRICE_HOLD)
    cap = Cap(ObjectType.ENDPOINT, space.endpoint, CLIENT_RIGHTS, hold.badge)
    k.put(hold.slot, cap, space.master, "root")
    assert space.manager is not None
    pd.claim(slot)
    k.put(slot, cap, hold.slot, space.manager.name)
    _enter(space, pd, number, hold)
    return hold


def _enter(space: Space, pd: PD, number: int, hold: Hold) -> None:
    if number == BADGE_OBJ_ID_NULL:
        space.rdes[pd.number] = hold
    else:
        resource = space.resources[number]
        resource.holds[pd.number] = hold
        resource.taken.pop(pd.number, None)
        space.held += 1
    pd.holds[hold.badge] = hold
    space.clients[pd.number] = space.clients.get(pd.number, 0) + 1


def name_rde(space: Space, pd: PD, hold: Hold, name: str | None) -> None:
    """Make an RDE visible in the PD's environment: `rde:TYPE`, if taken `rde:TYPE.SPACE`."""
    slot = slot_of(hold, pd)
    if not slot or (name is None and any(entry.slot == slot for entry in pd.names.values())):
        return
    assert space.manager is not None
    if name is None:
        name = f"rde:{space.type_name}"
        entry = pd.names.get(name)
        if entry is not None and pd.cspace.slot(entry.slot).cap is not None:
            name = f"{name}.{space.number}"
    if len(pd.names) >= ROOT_SLOTS:
        pd.forget_names()
    pd.names[name] = Entry(slot, int(ObjectType.ENDPOINT), space.manager.name)


def slot_of(hold: Hold, pd: PD) -> int:
    """Where the PD has its capability; 0 when it has moved it out of its first CSpace."""
    child = hold.slot.next
    while child is not None and is_parent(hold.slot, child):
        if child.cnode is pd.cspace:
            return child.index
        child = child.next
    return 0


# -- taking --------------------------------------------------------------------------------------


def withdraw(k: Kernel, hold: Hold, keep: bool = False) -> None:
    """Take a hold off the records; `keep`: its price is paid back later."""
    root = _root(k)
    parts = badge_parts(hold.badge)
    space = root.spaces[parts.space]
    if parts.object == BADGE_OBJ_ID_NULL:
        del space.rdes[parts.client]
    else:
        del space.resources[parts.object].holds[parts.client]
        space.held -= 1
    left = space.clients[parts.client] - 1
    if left:
        space.clients[parts.client] = left
    else:
        del space.clients[parts.client]
    # Who is dead holds nothing, and is forgotten only then.
    del root.pds[parts.client].holds[hold.badge]
    if not keep:
        ledger.refund(k, hold)


def forget_slot(root: RootTask, slot: Slot) -> None:
    if slot.cnode is root.cspace:
        root.cspace.slots.pop(slot.index, None)


class Taking(Job):
    """Delete every capability that descends from originals of the root task's, and these."""

    __slots__ = ("cause", "root", "slots")

    def __init__(self, root: RootTask, cause: Cause, slots: list[Slot]) -> None:
        super().__init__()
        self.root = root
        self.cause = cause
        self.slots = deque(slots)

    @property
    def more(self) -> bool:
        return bool(self.slots)

    def run(self, k: Kernel, units: int) -> bool:
        while units > 0 and self.more:
            units -= 1
            self.unit(k)
        k.units = units
        return not self.more

    def unit(self, k: Kernel) -> None:
        """Do one unit of what there is to do."""
        self.step(k)

    def step(self, k: Kernel) -> None:
        """Delete one capability."""
        slot = self.slots[0]
        child = slot.next
        if child is not None and is_parent(slot, child):
            k.delete(child, self.cause)
            return
        cap = slot.cap
        k.delete(slot, self.cause)
        forget_slot(self.root, slot)
        self.slots.popleft()
        if cap is not None and cap.type == ObjectType.ENDPOINT:
            self.emptied(k, cap)

    def emptied(self, k: Kernel, cap: Cap) -> None:
        """Nobody can send with this badge any more: free who is still queued with it."""
        evict(k, cap.obj, ALL_BITS, cap.badge, self.cause)


def evict(k: Kernel, endpoint: Endpoint | None, mask: int, badge: int, cause: Cause) -> None:
    """Free who is queued at the endpoint with a badge that is being taken (`mask` says which)."""
    if endpoint is None or endpoint.receiving:
        return
    for tcb in [one for one in endpoint.queue if one.badge & mask == badge & mask]:
        assert tcb.state == SEND
        endpoint.queue.remove(tcb)
        k.restart_or_free(tcb, cause)


ALL_BITS, SPACE_BITS = (1 << 64) - 1, 0xFFFFFF << 40
"""Parts of a badge that say whose it is: one hold's, or anything's in a space."""


def freed(k: Kernel, hold: Hold, report: Report | None) -> bool:
    """Tell the manager that a hold or an RDE has gone by itself; true when it was told."""
    parts = badge_parts(hold.badge)
    space = _root(k).spaces[parts.space]
    if space.manager is None or space.cause is not None:
        return False
    rde = parts.object == BADGE_OBJ_ID_NULL
    item = WorkItem("client-gone" if rde else "free", space.manager, report)
    item.badge, item.endpoint, item.space = hold.badge, space.endpoint, space.number
    item.object, item.pd, item.count = parts.object, parts.client, hold.count
    item.record = hold
    return work.add(k, item)


def badge_gone(k: Kernel, root: RootTask, endpoint: Endpoint, badge: int) -> bool:
    """The last capability of a badge has gone; true when it was one of a space's."""
    space = find(root, badge, endpoint)
    if space is None:
        return False
    parts = badge_parts(badge)
    hold = space.held_by(parts.client, parts.object)
    if hold is not None:
        withdraw(k, hold, keep=freed(k, hold, root.active))
        k.delete(hold.slot, k.cause(Status.REVOKED, root.me))
        forget_slot(root, hold.slot)
    return True


def take(k: Kernel, holds: list[Hold], cause: Cause, by: PD | None) -> Taking:
    """Take holds off the records; the job deletes their capabilities.

    Their manager is told, unless it is the one who takes them.
    """
    root = _root(k)
    for hold in holds:
        manager = root.spaces[badge_parts(hold.badge).space].manager
        withdraw(k, hold, keep=manager is not by and freed(k, hold, None))
    return Taking(root, cause, [hold.slot for hold in holds])


class Dropping(Taking):
    """A dead PD holds nothing any more; the managers of what it held are told."""

    __slots__ = ("pd",)

    def __init__(self, root: RootTask, pd: PD, cause: Cause) -> None:
        super().__init__(root, cause, [])
        self.pd = pd

    @property
    def more(self) -> bool:
        return bool(self.slots or self.pd.holds)

    def unit(self, k: Kernel) -> None:
        if self.slots:
            self.step(k)
            return
        hold = next(iter(self.pd.holds.values()))
        withdraw(k, hold, keep=freed(k, hold, self.root.active))
        self.slots.append(hold.slot)


# -- the end of resources and spaces ---------------------------------------------------------------


def delete_resource(k: Kernel, space: Space, resource: Resource, cause: Cause) -> Taking:
    """A resource goes, and with it every hold on it."""
    taking = take(k, list(resource.holds.values()), cause, space.manager)
    remove_resource(k, space, resource, cause)
    return taking


def remove_resource(k: Kernel, space: Space, resource: Resource, cause: Cause) -> None:
    """Strike out a resource that nobody holds."""
    del space.resources[resource.number]
    ledger.refund(k, resource)
    space.deleted.pop(resource.number, None)
    space.deleted[resource.number] = cause
    if len(space.deleted) > REMEMBERED:
        del space.deleted[next(iter(space.deleted))]


class Destruction(Taking):
    """A space goes: every hold, RDE and resource, then the space itself."""

    __slots__ = ("keep", "space")

    def __init__(self, root: RootTask, space: Space, cause: Cause) -> None:
        super().__init__(root, cause, [])
        self.space = space
        self.keep: dict[int, None] = {}
        """PDs whose RDE keeps its capability, dead as it is: a restart will renew it."""

    def emptied(self, k: Kernel, cap: Cap) -> None:
        """All are freed at the end, at once."""

    @property
    def more(self) -> bool:
        return bool(self.slots or self.space.rdes or self.space.resources)

    def unit(self, k: Kernel) -> None:
        if self.slots:
            self.step(k)
        else:
            self._pick(k)

    def _pick(self, k: Kernel) -> None:
        """Take the next hold off the records, or a resource that nobody holds."""
        space = self.space
        if space.rdes:
            pd, hold = next(iter(space.rdes.items()))
            withdraw(k, hold)
            if pd in self.keep and self._renewable():
                k.delete(hold.slot, self.cause)
                forget_slot(self.root, hold.slot)
            else:
                self.slots.append(hold.slot)
            return
        resource = next(iter(space.resources.values()))
        if resource.holds:
            hold = next(iter(resource.holds.values()))
            withdraw(k, hold)
            self.slots.append(hold.slot)
        else:
            remove_resource(k, space, resource, self.cause)

    def _renewable(self) -> bool:
        manager = self.space.manager
        return manager is not None and manager.default_space == self.space.number

    def done(self, k: Kernel) -> None:
        """The space itself: what was built on it, what it was built on, its capabilities."""
        space, root = self.space, self.root
        evict_space(k, space, self.cause)
        for number in space.maps:
            root.spaces[number].mapped.pop(space.number, None)
        for number in space.mapped:
            root.spaces[number].maps.pop(space.number, None)
        own, master = space.own, space.master
        assert own is not None
        assert master is not None
        while own.next is not None and is_parent(own, own.next):
            k.delete(own.next, self.cause)
        for slot in (own, master):
            k.delete(slot, self.cause)
            forget_slot(root, slot)
        ledger.refund(k, space)
        del root.spaces[space.number]
        if all(one.type != space.type for one in root.spaces.values()):
            del root.types[space.type_name]
        assert space.manager is not None
        del space.manager.spaces[space.number]
        space.manager = space.own = space.master = None


def destruction(k: Kernel, space: Space, cause: Cause) -> Destruction:
    """Begin the end of a space: from now on nothing is made or given in it."""
    space.cause = cause
    if k.lab:
        # Nobody waits for the job. In seL4 they send again, and can as long as they have a way.
        evict_space(k, space, cause)
    return Destruction(_root(k), space, cause)


def evict_space(k: Kernel, space: Space, cause: Cause) -> None:
    evict(k, space.endpoint, SPACE_BITS, badge_of(space.type, space.number, 0, 0), cause)


def start_destruction(k: Kernel, space: Space, cause: Cause) -> None:
    """Destroy a space nobody asked about; the job waits for its turn."""
    if space.cause is None:
        k.jobs.append(destruction(k, space, cause))


# -- the memory that paid is taken back -----------------------------------------------------------


def reclaimed(k: Kernel, hold: Hold, cause: Cause) -> None:
    """A hold's memory is taken back. One that a server is still to be told of is none any more."""
    root = _root(k)
    parts = badge_parts(hold.badge)
    space = root.spaces.get(parts.space)
    if space is not None and space.held_by(parts.client, parts.object) is hold:
        withdraw(k, hold, keep=freed(k, hold, root.active))
        k.jobs.append(Taking(root, cause, [hold.slot]))


def resource_reclaimed(k: Kernel, resource: Resource, cause: Cause) -> None:
    """A resource's memory is taken back. One that is struck out stands on none any more."""
    space = _root(k).spaces[resource.space]
    k.jobs.append(delete_resource(k, space, resource, cause))
