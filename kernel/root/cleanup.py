"""What follows from a PD's death for spaces, holds and other PDs: the plan, and its execution.

Whoever dies of it is killed in the step of the death; spaces and holds go by a job, the dead PD's
own spaces first. Who dies of it spreads nothing further (see `plan.py`), but cleans up its own.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import ObjectType
from caplab.kernel.core import cspace
from caplab.kernel.core.cap import Cause
from caplab.kernel.core.jobs import Job
from caplab.kernel.root import holds, space, work
from caplab.kernel.root.plan import Facts, Plan, built_on, plan
from caplab.kernel.root.work import WorkItem

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.pd import PD
    from caplab.kernel.root.report import Report
    from caplab.kernel.root.space import Space
    from caplab.kernel.root.task import RootTask


def facts(root: RootTask) -> Facts:
    """Who depends on whom, as the records have it."""
    living = [one for one in root.pds.values() if one.alive or one.spaces]
    faulters: dict[int, list[int]] = {}
    for one in living:
        for handler in _handlers(one):
            faulters.setdefault(handler, []).append(one.number)
    return Facts(
        {one.number: list(one.spaces) for one in living},
        {number: list(one.clients) for number, one in root.spaces.items()},
        faulters,
        {number: list(one.mapped) for number, one in root.spaces.items()},
    )


def _handlers(one: PD) -> dict[int, None]:
    """Numbers of the PDs that handle the faults of a PD's threads."""
    found: dict[int, None] = {}
    for tcb in one.tcbs:
        slot = cspace.lookup(tcb, tcb.fault_ep) if tcb.fault_ep else None
        cap = slot.cap if slot is not None else None
        if cap is not None and cap.type == ObjectType.ENDPOINT and cap.obj.owner is not None:
            found[cap.obj.owner.number] = None
    found.pop(one.number, None)
    return found


def planned(root: RootTask, dead: PD, said: dict[str, Any]) -> Plan:
    """What the death of a PD takes with it; `said`: depths chosen for this death."""
    own = space.policy(said, dead.spec.get("cleanup") or {}, root.cleanup)
    policies = {number: space.depths(one, root, said) for number, one in dead.spaces.items()}
    return plan(facts(root), dead.number, own, policies)


def spread(k: Kernel, root: RootTask, dead: PD, report: Report) -> list[Space]:
    """Kill who dies of a death, and say which spaces go: the dead PD's first."""
    mine = [one for one in dead.spaces.values() if one.cause is None]
    if report.origin is not None or root.stop is not None:
        return mine
    found = planned(root, dead, report.policy)
    victims = {number: distance for number, distance in found.pds if root.pds[number].alive}
    for number, distance in victims.items():
        report.add("mark_pd", root.pds[number].name, distance=distance)
    for number in dead.linked:
        child = root.pds.get(number)
        if child is not None and child.alive and number not in victims:
            victims[number] = 0
            well = dead.ended == "exited" and not dead.exit_code
            child.meant = "creator" in child.spec and (well or dead.meant)
    spaces = []
    for number, distance in found.spaces:
        one = root.spaces[number]
        # The spaces of those who die of it are theirs to clean up.
        if one.cause is None and (one.manager is dead or _survives(one, victims)):
            report.add("mark_space", one.name, distance=distance)
            spaces.append(one)
    for number in victims:
        root.kill_after(k, root.pds[number], dead, report)
    return spaces


def _survives(one: Space, victims: dict[int, int]) -> bool:
    return one.manager is not None and one.manager.alive and one.manager.number not in victims


class Ruin(Job):
    """Spaces go, one after the other; managers who live on are told."""

    __slots__ = ("cause", "keep", "root", "spaces", "task")

    def __init__(
        self, root: RootTask, spaces: list[Space], cause: Cause, keep: dict[int, None]
    ) -> None:
        super().__init__()
        self.root = root
        self.spaces = deque(spaces)
        self.cause = cause
        self.keep = keep
        """PDs whose RDE of a dead server stays in its slot, for a restart to renew."""
        self.task: holds.Taking | None = None

    def run(self, k: Kernel, units: int) -> bool:
        while units > 0:
            if self.task is None:
                self.task = self.next(k)
            if self.task is None:
                k.units = units
                return True
            units -= 1
            if self.task.more:
                self.task.unit(k)
            else:
                self.task.done(k)
                self.task = None
        return False

    def next(self, k: Kernel) -> holds.Taking | None:
        """What is to be done next, if anything is."""
        while self.spaces:
            one = self.spaces.popleft()
            if one.cause is None:
                self._tell(k, one)
                job = holds.destruction(k, one, self.cause)
                job.keep = self.keep
                return job
        return None

    def _tell(self, k: Kernel, one: Space) -> None:
        manager = one.manager
        if manager is not None and manager.number != self.cause.pd:
            item = WorkItem("destroy", manager, self.root.active)
            item.space = one.number
            work.add(k, item)


class Aftermath(Ruin):
    """The spaces that go with a dead PD, then everything it held."""

    __slots__ = ("pd",)

    def __init__(self, root: RootTask, pd: PD, spaces: list[Space], cause: Cause) -> None:
        super().__init__(root, spaces, cause, {})
        self.pd = pd

    def next(self, k: Kernel) -> holds.Taking | None:
        found = super().next(k)
        if found is None and self.pd.holds:
            found = holds.Dropping(self.root, self.pd, self.cause)
        return found


def destroy(k: Kernel, root: RootTask, one: Space, cause: Cause) -> Ruin:
    """A manager destroys its space, and what is built on it as far as its policy says."""
    depth = space.depths(one, root, {}).space_depth
    built = {number: list(other.mapped) for number, other in root.spaces.items()}
    spaces = [root.spaces[number] for number in built_on(built, one.number, depth)]
    return Ruin(root, spaces, cause, {})
