"""Writing the rows of a model: what the root task knows, then what servers said of it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import (
    BADGE_OBJ_ID_NULL,
    FIRST_SPACE,
    PAGE_SIZE,
    SPACE_CPU,
    SPACE_MO,
    ObjectType,
    badge_parts,
)
from caplab.kernel.core.effects import Answer
from caplab.kernel.core.jobs import Job
from caplab.kernel.root.core_rdes import CORE, services
from caplab.kernel.root.model import Row, edge, node, pd_id, resource_id, space_id

if TYPE_CHECKING:
    from caplab.kernel.core.cap import Slot
    from caplab.kernel.core.cnode import CNode
    from caplab.kernel.core.frame import MO
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.extract import Extraction
    from caplab.kernel.root.pd import PD
    from caplab.kernel.root.space import Resource, Space
    from caplab.kernel.root.task import RootTask

PAGE = 2000
"""Rows in one answer."""
KEPT = 4
"""Models whose further pages are kept for who asked."""
PAGE_BITS = PAGE_SIZE.bit_length() - 1
Said = tuple[int, str, list[tuple[int, int]]]
"""Object (0: the space itself), what there is to say of it, and the resources it maps to."""


class Writing(Job):
    """Write the rows of a model: a space, a resource, a capability is one unit."""

    __slots__ = (
        *("cnodes", "edges", "found", "nodes", "resources", "root", "rows", "said", "slots"),
        *("spaces", "told"),
    )

    def __init__(self, root: RootTask, found: Extraction) -> None:
        super().__init__()
        self.root = root
        self.found = found
        self.nodes: dict[str, Row] = {}
        self.edges: dict[Row, None] = {}
        self.spaces: deque[Space] | None = None
        self.resources: deque[Resource] = deque()
        self.cnodes: deque[CNode] = deque()
        self.slots: deque[Slot] = deque()
        self.said: Reading | None = None
        self.rows: deque[list[str]] = deque()
        self.told: deque[Row] | None = None

    def run(self, k: Kernel, units: int) -> bool:
        while units > 0:
            units -= 1
            if self.spaces is None:
                self._pds(k)
            elif self.slots:
                self._slot(self.slots.popleft())
            elif self.cnodes:
                self.slots.extend(self.cnodes.popleft().slots.values())
            elif self.resources:
                self._resource(self.resources.popleft())
            elif self.spaces:
                self._space(self.spaces.popleft())
            elif self.said is not None:
                self._read(self.said)
            elif self.found.said:
                space, rows = self.found.said.popitem()
                self.said = Reading(space, rows)
            elif self.told is None:
                self.told = deque(self.nodes.values())
            elif self.told:
                self.rows.append(list(self.told.popleft()))
            elif self.edges:
                self._keep(*self.edges.popitem())
            else:
                k.units = units
                return True
        return False

    def _keep(self, row: Row, _: None) -> None:
        """An edge counts if both its ends do: what was there may have gone meanwhile."""
        if row[4] in self.nodes and row[5] in self.nodes:
            self.rows.append(list(row))

    def _node(self, kind: str, name: str, data: str, extra: str = "") -> str:
        self.nodes.setdefault(name, node(kind, name, data, extra))
        return name

    def _edge(self, *parts: str) -> None:
        self.edges[edge(*parts)] = None

    def _pds(self, k: Kernel) -> None:
        """PDs, their threads, and what the root task serves."""
        root = self.root
        self.spaces = deque(root.spaces.values())
        self.cnodes = deque(k.cnodes)
        me = self._node("PD", pd_id(0), "root")
        for name, (_, number) in CORE.items():
            space = self._node("RESOURCE_SPACE", space_id(name.upper(), number), name.upper())
            self._edge("HOLD", me, space)
        cpu = self._node("RESOURCE", resource_id("PCPU", SPACE_CPU, 0), "PCPU")
        for pd in [one for one in root.pds.values() if one.alive]:
            name = self._node("PD", pd_id(pd.number), pd.name)
            for tcb in pd.tcbs:
                thread = resource_id("VCPU", SPACE_CPU, tcb.number)
                self._node("RESOURCE", thread, "VCPU", tcb.name)
                self._edge("HOLD", name, thread)
                self._edge("SUBSET", thread, space_id("CPU", SPACE_CPU))
                self._edge("MAP", thread, cpu)
            self._requests(pd, name)

    def _requests(self, pd: PD, name: str) -> None:
        for service in services(pd):
            number = CORE[service][1]
            self._edge("REQUEST", name, pd_id(0), service.upper(), f"{number:x}")
        for badge in pd.holds:
            parts = badge_parts(badge)
            space = self.root.spaces[parts.space]
            if parts.object == BADGE_OBJ_ID_NULL and space.manager is not None:
                to = pd_id(space.manager.number)
                self._edge("REQUEST", name, to, space.type_name, f"{space.number:x}")

    def _slot(self, slot: Slot) -> None:
        """Memory is held by whoever has a capability to it, and mapped where it may be opened."""
        cap, pd = slot.cap, slot.cnode.pd
        if cap is None or cap.type != ObjectType.FRAME or pd_id(pd.number) not in self.nodes:
            return
        if pd.ads is None:  # the root task's hold for an address space
            return
        mo: MO = cap.obj
        name = resource_id("MO", SPACE_MO, mo.number)
        self._node("RESOURCE", name, "MO", f"{mo.base or 0:#x}_{mo.pages}_{PAGE_BITS}")
        self._edge("SUBSET", name, space_id("MO", SPACE_MO))
        self._edge("HOLD", pd_id(pd.number), name)
        if pd.number in mo.granted:
            home = self._node("RESOURCE_SPACE", space_id("ADS", pd.ads.number), "ADS")
            self._edge("HOLD", pd_id(pd.number), home)
            vmr = self._node("RESOURCE", resource_id("VMR", pd.ads.number, mo.number), "VMR")
            self._edge("SUBSET", vmr, home)
            self._edge("HOLD", pd_id(pd.number), vmr)
            self._edge("MAP", vmr, name)

    def _space(self, space: Space) -> None:
        manager = space.manager
        if manager is None or pd_id(manager.number) not in self.nodes:
            return
        name = self._node(
            "RESOURCE_SPACE", space_id(space.type_name, space.number), space.type_name
        )
        self._edge("HOLD", pd_id(manager.number), name)
        for below in space.maps:
            other = self.root.spaces[below]
            self._edge("MAP", name, space_id(other.type_name, below))
        self.resources.extend(space.resources.values())

    def _resource(self, resource: Resource) -> None:
        space = self.root.spaces.get(resource.space)
        if space is None or space.manager is None:
            return
        name = resource_id(space.type_name, space.number, resource.number)
        self._node("RESOURCE", name, space.type_name)
        self._edge("SUBSET", name, space_id(space.type_name, space.number))
        # Who serves a resource can do with it what any holder can.
        for pd in (space.manager.number, *resource.holds):
            if pd_id(pd) in self.nodes:
                self._edge("HOLD", pd_id(pd), name)

    def _read(self, said: Reading) -> None:
        """One row of what a server says; at the end all of it counts, or nothing."""
        space = self.root.spaces.get(said.space)
        if space is None or space.manager is None:
            self.said = None
        elif said.rows:
            row = checked(self.root, space, said.rows.popleft())
            if row is None:
                self.found.marked[space.manager.name] = "lying"
                self.said = None
            else:
                said.read.append(row)
        elif said.read:
            self._believe(space, *said.read.popleft())
        else:
            self.said = None

    def _believe(self, space: Space, number: int, extra: str, maps: list[tuple[int, int]]) -> None:
        name = space_id(space.type_name, space.number)
        if number:
            name = resource_id(space.type_name, space.number, number)
        if name not in self.nodes:
            return
        if extra:
            self.nodes[name] = (*self.nodes[name][:6], extra)
        for below, target in maps:
            other = self.root.spaces.get(below)
            if other is not None:
                self._edge("MAP", name, resource_id(other.type_name, below, target))

    def done(self, k: Kernel) -> None:
        found, root = self.found, self.root
        root.models[found.number] = self.rows
        while len(root.models) > KEPT:
            del root.models[next(iter(root.models))]
        body = page(root, found.number)
        assert body is not None
        body["marked"] = [{"pd": pd, "why": why} for pd, why in found.marked.items()]
        k.effects.append(Answer(found.request, body))


def page(root: RootTask, number: int) -> dict[str, Any] | None:
    """The next rows of a model that has more."""
    rest = root.models.get(number)
    if rest is None:
        return None
    rows = [rest.popleft() for _ in range(min(PAGE, len(rest)))]
    if not rest:
        del root.models[number]
    return {"model": number, "rows": rows, "more": bool(rest)}


class Reading:
    """What one server says of one space, row by row."""

    __slots__ = ("read", "rows", "space")

    def __init__(self, space: int, rows: list[Any]) -> None:
        self.space = space
        self.rows = deque(rows)
        self.read: deque[Said] = deque()


def checked(root: RootTask, space: Space, row: Any) -> Said | None:
    """A row as a server may send it, of things that are as it says; None: it lies."""
    if not isinstance(row, list) or len(row) != 3:
        return None
    number, extra, maps = row
    if not isinstance(number, int) or not isinstance(extra, str) or not isinstance(maps, list):
        return None
    if number and number not in space.resources and number not in space.deleted:
        return None
    found: list[tuple[int, int]] = []
    for one in maps:
        if not isinstance(one, list) or len(one) != 2 or not _maps_to(root, space, *one):
            return None
        found.append((one[0], one[1]))
    return number, extra, found


def _maps_to(root: RootTask, space: Space, below: Any, number: Any) -> bool:
    """May a resource of the space rest on that one? Its manager must hold it, or serve it too."""
    if not isinstance(below, int) or not isinstance(number, int):
        return False
    other = root.spaces.get(below)
    if other is None:
        # It was taken away, and nobody told who is built on it.
        return FIRST_SPACE <= below <= root.last_space
    if below not in space.maps:
        return False
    resource = other.resources.get(number)
    if resource is None or space.manager is None:
        return resource is None and number in other.deleted  # it went while the server spoke
    return other.manager is space.manager or space.manager.number in resource.holds
