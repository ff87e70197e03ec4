"""What `caplab caps` shows: a PD's capabilities, what was emptied, and where each came from.

A long list is a job: a row and each step along the derivation list are one unit. Between two
slices the list may change; a walk whose place in it has gone begins again, so that what is told
of one capability was so at one time, or nothing of it is told.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import ObjectType, Rights, Status
from caplab.kernel.core.cap import BADGED, is_parent
from caplab.kernel.core.effects import Answer
from caplab.kernel.core.jobs import Job
from caplab.kernel.root.look import type_name

if TYPE_CHECKING:
    from caplab.kernel.core.cap import Cap, Cause, Slot
    from caplab.kernel.core.cnode import CNode
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.pd import PD

ROWS_MAX = 8192
"""Rows and kin in one answer, which has to fit what the host keeps for a slow reader."""

Row = dict[str, Any]


class Listing(Job):
    """Collects the rows of one PD, then answers the operator."""

    __slots__ = ("left", "names", "pd", "request", "rows", "todo", "tree", "walk")

    def __init__(self, request: int, pd: PD, tree: bool) -> None:
        super().__init__()
        self.request = request
        self.pd = pd
        self.tree = tree
        self.todo = deque(
            cnode.slots[index] for cnode in _tables(pd) for index in sorted(cnode.slots)
        )
        self.names: dict[int, list[str]] = {}
        for name, entry in pd.names.items():
            self.names.setdefault(entry.slot, []).append(name)
        self.rows: list[Row] = []
        self.left = ROWS_MAX
        self.walk: Walk | None = None

    def run(self, k: Kernel, units: int) -> bool:
        while units > 0:
            units -= 1
            if self.walk is not None:
                if self.walk.step():
                    self.left -= len(self.walk.parents) + len(self.walk.derived)
                    self.walk = None
            elif self.todo and self.left > 0:
                self._row(self.todo.popleft())
            else:
                return True
        return False

    def _row(self, slot: Slot) -> None:
        if slot.cap is None and slot.cause is None:
            return
        first = slot.cnode is self.pd.cspace
        row = _row(slot, self.names.get(slot.index, []) if first else [])
        self.rows.append(row)
        self.left -= 1
        if self.tree:
            row["parents"], row["derived"], row["more_derived"] = [], [], 0
            if slot.cap is not None:
                self.walk = Walk(slot, row, max(0, self.left))

    def done(self, k: Kernel) -> None:
        unseen = sum(1 for slot in self.todo if slot.cap is not None)
        body = {
            "pd": self.pd.name,
            "generation": self.pd.generation,
            "slots": self.rows,
            "more_slots": unseen,
        }
        k.effects.append(Answer(self.request, body))


class Walk:
    """From one capability up the derivation list to its ancestors, then down to what it begot.

    Both stand beside each other in the list: an ancestor somewhere before, the nearest that is a
    parent of what was found last; descendants right after it, as far as Revoke would delete.
    """

    __slots__ = ("at", "child", "derived", "down", "line", "parents", "room", "row", "seen", "slot")

    def __init__(self, slot: Slot, row: Row, room: int) -> None:
        self.slot = slot
        self.row = row
        self.room = room
        self._begin()

    def _begin(self) -> None:
        self.at = self.child = self.slot
        self.seen = (self.slot.cap, self.slot.cap)
        self.down = False
        self.line = [self.slot]
        """Going down: the capability and its descendants that the place is within."""
        self.parents: list[Row] = []
        self.derived: list[Row] = []
        self.row["parents"], self.row["derived"] = self.parents, self.derived
        self.row["more_derived"] = 0

    def step(self) -> bool:
        """Look at one neighbour; true when there is nothing more to look at."""
        if self.at.cap is not self.seen[0] or self.child.cap is not self.seen[1]:
            self._begin()
        if self.slot.cap is None:
            return True
        finished = self._down() if self.down else self._up()
        self.seen = (self.at.cap, self.child.cap)
        return finished

    def _up(self) -> bool:
        before = self.at.prev
        if before is None:
            self.down, self.at, self.child = True, self.slot, self.slot
            return False
        if is_parent(before, self.child):
            self.parents.append(_kin(before, len(self.parents) + 1))
            self.child = before
        self.at = before
        return False

    def _down(self) -> bool:
        after = self.at.next
        if after is None or not is_parent(self.slot, after):
            return True
        while not is_parent(self.line[-1], after):
            self.line.pop()
        if len(self.derived) < self.room:
            self.derived.append(_kin(after, len(self.line)))
        else:
            self.row["more_derived"] += 1
        self.line.append(after)
        self.at = after
        return False


def _tables(pd: PD) -> list[CNode]:
    """The CNodes a PD's pointers lead to, its first CSpace first. Another PD's first CSpace is
    one capability to whoever has one, not a list of what may be done with it."""
    roots = (tcb.root for tcb in pd.tcbs)
    found = [pd.cspace, *(root.obj for root in roots if root is not None)]
    tables: dict[CNode, None] = {}
    for cnode in found:
        if cnode not in tables and not (cnode.gift and cnode is not pd.cspace):
            tables[cnode] = None
            found += cnode.nodes.values()
    return list(tables)


def _row(slot: Slot, names: list[str]) -> Row:
    cap = slot.cap
    return {
        "slot": slot.index,
        "cnode": _cnode(slot),
        "names": names if cap is not None else [],
        "type": None if cap is None else type_name(cap.type),
        "object": None if cap is None else target(cap),
        "rights": None if cap is None else rights_of(cap.rights),
        "badge": None if cap is None else _badge(cap),
        "from": slot.origin or None,
        "gone": None if slot.cause is None else _tombstone(slot.cause),
    }


def _tombstone(cause: Cause) -> Row:
    """Why a slot is empty: what its callers are told, whose doing it was, and at which event."""
    return {
        "status": Status(cause.status).name,
        "pd": cause.name,
        "generation": cause.generation,
        "event": cause.event,
    }


def _kin(slot: Slot, depth: int) -> Row:
    """A capability that another was derived from, or that was derived from it."""
    cap, pd = slot.cap, slot.cnode.pd
    assert cap is not None
    return {
        "depth": depth,
        "pd": pd.name,
        "generation": pd.generation,
        "slot": slot.index,
        "cnode": _cnode(slot),
        "tcb": None if slot.cnode.tcb is None else slot.cnode.tcb.name,
        "type": type_name(cap.type),
        "rights": rights_of(cap.rights),
        "badge": _badge(cap),
    }


def _cnode(slot: Slot) -> int | None:
    """The number of the CNode a slot is in; none for a first CSpace and a TCB's own slots."""
    return None if slot.cnode.gift else -slot.cnode.number


def _badge(cap: Cap) -> int:
    """Capabilities without badges keep other things there."""
    return cap.badge if cap.type in BADGED else 0


def target(cap: Cap) -> str:
    """The object a capability names, as people know it."""
    found = cap.obj
    if cap.type == ObjectType.ENDPOINT and found.owner is not None:
        return generation(found.owner)
    if cap.type == ObjectType.REPLY:
        return found.caller.name if found.caller.pd is None else generation(found.caller.pd)
    if cap.type == ObjectType.CNODE:
        # Numbers from 0 up are those of PDs and their first CSpaces.
        return generation(found.pd) if found.gift else str(-found.number)
    if cap.type == ObjectType.UNTYPED:
        return f"{found.number}, {cap.badge} of {1 << found.bits} bytes used"
    if cap.type == ObjectType.PD:
        return generation(found)
    return str(found.name if hasattr(found, "name") else found.number)


def rights_of(rights: int) -> str:
    """Rights as people read them: `RWGP`, a dash for each that is missing."""
    letters = zip(
        (Rights.READ, Rights.WRITE, Rights.GRANT, Rights.GRANT_REPLY), "RWGP", strict=True
    )
    return "".join(letter if rights & bit else "-" for bit, letter in letters)


def generation(pd: PD) -> str:
    """`serial/gen0`."""
    return f"{pd.name}/gen{pd.generation}"
