"""Resource spaces, the resources in them, and who holds what: the root task's records.

A hold is a count, and one capability per PD that holds: to the endpoint of the space's server,
badged with type, space, PD and object. The root task keeps the original of each in its own
CSpace, so that a hold can be taken back from whoever it was copied to, and counts for nobody.
An RDE is the hold whose object is BADGE_OBJ_ID_NULL.

Records name each other by number, because what points in a circle would outlive its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from caplab.kernel.abi import (
    BADGE_OBJ_ID_NULL,
    FIRST_DYNAMIC_TYPE,
    FIRST_OBJECT,
    FIRST_SPACE,
    LAST_DYNAMIC_TYPE,
    LAST_OBJECT,
    LAST_SPACE,
    PRICE_SPACE,
    ObjectType,
    Rights,
    badge_parts,
)
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.root import ledger
from caplab.kernel.root.ledger import Record, Slab
from caplab.kernel.root.plan import Policy

if TYPE_CHECKING:
    from caplab.kernel.core.endpoint import Endpoint
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.pd import PD
    from caplab.kernel.root.task import RootTask

REMEMBERED = 1024
"""Deleted objects of a space that are still told from objects that never were."""


class Hold(Record):
    """One PD holds one resource, or an RDE, `count` times."""

    __slots__ = ("badge", "count", "slot")

    def __init__(self, badge: int, slot: Slot) -> None:
        super().__init__()
        self.badge = badge
        self.count = 1
        self.slot = slot
        """The root task's original; the PD's capability and all copies are its children."""


class Resource(Record):
    """One object of a space."""

    __slots__ = ("holds", "number", "space", "taken")

    def __init__(self, space: int, number: int) -> None:
        super().__init__()
        self.space = space
        self.number = number
        self.holds: dict[int, Hold] = {}
        """By PD number."""
        self.taken: dict[int, Cause] = {}
        """From whom it was revoked, and why, as long as they live."""


class Space(Record):
    """A named set of resources that one PD manages, served at one endpoint."""

    __slots__ = (
        *("cause", "clients", "deleted", "endpoint", "held", "manager", "mapped", "maps"),
        *("master", "next_object", "number", "own", "policy", "rdes", "refs", "resources"),
        *("type", "type_name"),
    )

    def __init__(self, number: int, kind: int, type_name: str, manager: PD) -> None:
        super().__init__()
        self.number = number
        self.type = kind
        self.type_name = type_name
        self.manager: PD | None = manager
        self.endpoint: Endpoint | None = None
        self.master: Slot | None = None
        """The root task's capability to the endpoint, which holds are minted from."""
        self.own: Slot | None = None
        """The root task's capability to the space, which the manager's is a copy of."""
        self.resources: dict[int, Resource] = {}
        self.rdes: dict[int, Hold] = {}
        self.held = 0
        """Holds on its resources."""
        self.clients: dict[int, int] = {}
        """Per PD number, how many holds and RDEs it has here: who depends on the manager."""
        self.maps: dict[int, None] = {}
        """Spaces this one is built on."""
        self.mapped: dict[int, None] = {}
        """Spaces built on this one."""
        self.next_object = FIRST_OBJECT
        self.deleted: dict[int, Cause] = {}
        self.policy: tuple[Any, Any] = (None, None)
        """pd_depth and space_depth of its own: a number, `all`, or None."""
        self.refs = 0
        """Capabilities to it, the root task's own not counted."""
        self.cause: Cause | None = None
        """Why it is being destroyed."""

    @property
    def name(self) -> str:
        """`PARKING_SPACE_10`, as the model calls it: the number is hexadecimal."""
        return f"{self.type_name}_SPACE_{self.number:x}"

    def held_by(self, pd: int, number: int) -> Hold | None:
        """The hold of a PD on an object of this space, or its RDE."""
        if number == BADGE_OBJ_ID_NULL:
            return self.rdes.get(pd)
        resource = self.resources.get(number)
        return None if resource is None else resource.holds.get(pd)

    def free_object(self) -> int:
        """The next number not in use, of which there must be one; deleted ones come last."""
        while True:
            number = self.next_object
            self.next_object = number + 1 if number < LAST_OBJECT else FIRST_OBJECT
            if number not in self.resources:
                return number


def possible(root: RootTask, type_name: str) -> bool:
    """Are there a number for one more space and a code for its type?"""
    types = LAST_DYNAMIC_TYPE - FIRST_DYNAMIC_TYPE + 1
    room = type_name in root.types or len(root.types) < types
    return room and len(root.spaces) <= LAST_SPACE - FIRST_SPACE


def _type_code(root: RootTask, name: str) -> int:
    """The code of a type of resource; for a new name the next that no other has."""
    taken = set(root.types.values())
    while name not in root.types:
        code = root.next_type
        root.next_type = code + 1 if code < LAST_DYNAMIC_TYPE else FIRST_DYNAMIC_TYPE
        if code not in taken:
            root.types[name] = code
    return root.types[name]


def _number(root: RootTask) -> int:
    """The next number that no space has; those of destroyed ones come last."""
    while True:
        number = root.next_space
        root.next_space = number + 1 if number < LAST_SPACE else FIRST_SPACE
        root.last_space = max(root.last_space, number)
        if number not in root.spaces:
            return number


def make(
    k: Kernel, root: RootTask, manager: PD, type_name: str, source: Slot, slab: Slab | None
) -> Space:
    """A new space at the endpoint that `source` names, where it is `possible`.

    The manager gets no capability to it yet: that is a copy of `space.own`.
    """
    kind = _type_code(root, type_name)
    space = Space(_number(root), kind, type_name, manager)
    root.spaces[space.number] = manager.spaces[space.number] = space
    ledger.enter(slab, space, PRICE_SPACE)
    assert source.cap is not None
    space.endpoint = source.cap.obj
    space.master, space.own = root.new_slot(), root.new_slot()
    k.put(space.master, source.cap, source, manager.name)
    k.put(space.own, Cap(ObjectType.RESSPC, space, Rights.ALL), None, "root")
    return space


def find(root: RootTask, badge: int, endpoint: Endpoint) -> Space | None:
    """The space whose resource or RDE a capability to `endpoint` with this badge names."""
    parts = badge_parts(badge)
    space = root.spaces.get(parts.space)
    if space is None or space.type != parts.type or space.endpoint is not endpoint:
        return None
    return space


def depths(space: Space, root: RootTask, said: dict[str, Any]) -> Policy:
    """The policy in force for a space: said now, its own, its manager's, the system's."""
    spec = space.manager.spec.get("cleanup") if space.manager is not None else None
    own = dict(zip(("pd_depth", "space_depth"), space.policy, strict=True))
    return policy(said, own, spec or {}, root.cleanup)


def policy(*levels: dict[str, Any]) -> Policy:
    """The first level that says something decides, for each depth by itself."""
    found: list[int | None] = []
    for key in ("pd_depth", "space_depth"):
        said = next((level[key] for level in levels if level.get(key) is not None), 0)
        found.append(None if said == "all" else cast("int", said))
    return Policy(*found)


def valid_depth(depth: Any) -> bool:
    """A number from 0 up, or `all`; nothing said is fine too."""
    if isinstance(depth, bool):
        return False
    return depth is None or depth == "all" or (isinstance(depth, int) and depth >= 0)


def describe(root: RootTask) -> list[Any]:
    """All spaces as plain data, for the state hash."""
    return [[root.next_space, root.next_type, sorted(root.types.items())]] + [
        [
            space.number,
            [space.type, space.type_name, space.refs, space.next_object],
            space.manager.number if space.manager is not None else 0,
            space.cause is not None,
            list(space.policy),
            sorted(space.maps),
            sorted(space.clients.items()),
            [[pd, hold.count] for pd, hold in sorted(space.rdes.items())],
            [
                [one.number, [[pd, hold.count] for pd, hold in sorted(one.holds.items())]]
                for _, one in sorted(space.resources.items())
            ],
        ]
        for _, space in sorted(root.spaces.items())
    ]
