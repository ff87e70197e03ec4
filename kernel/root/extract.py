"""Gathering the model state: what the root task knows, and what servers say of their spaces.

Each server is asked once per space, by a work item. When all have answered, have died, or the time
is over, a job writes the rows. What a server says is believed only where the records agree with
it; one lie, and nothing of what that server said is shown, and nothing else is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caplab.kernel.root import work
from caplab.kernel.root.work import WorkItem
from caplab.kernel.root.writing import Writing

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.task import RootTask

PATIENCE = 2.0
"""Seconds servers have to answer, when nothing else is said."""
EXTRA_MAX = 200
"""Characters that a server may say of a resource; what is longer is cut."""
MAPS_MAX = 1 << 18
"""Maps of all resources of a space: a model has no room for more."""


class Extraction:
    """One model being gathered."""

    def __init__(self, number: int, request: int) -> None:
        self.number = number
        self.request = request
        self.deadline: int | None = None
        self.items: dict[int, WorkItem] = {}
        """What servers have not answered yet."""
        self.said: dict[int, list[Any]] = {}
        """By space, the rows its server sent, unread."""
        self.marked: dict[str, str] = {}


def begin(k: Kernel, root: RootTask, request: int, patience: float) -> None:
    """Ask every server about every space of its own."""
    found = Extraction(k.number("model"), request)
    for space in root.spaces.values():
        manager = space.manager
        if manager is None or space.cause is not None:
            continue
        item = WorkItem("extract", manager, None)
        item.space = space.number
        item.count = len(space.resources)
        item.asked = found
        if work.add(k, item):
            found.items[item.number] = item
    if found.items:
        k.set_timer(found, patience)
    else:
        _conclude(k, root, found)


def answered(k: Kernel, root: RootTask, item: WorkItem) -> None:
    """An item is done: by an answer, or because nobody is left to give one."""
    found: Extraction | None = item.asked
    item.asked = None
    if found is None:
        return
    found.items.pop(item.number, None)
    if not item.server.alive:
        found.marked[item.server.name] = "dead"
    if not found.items:
        _conclude(k, root, found)


def said(root: RootTask, item: WorkItem, rows: list[Any]) -> bool:
    """Keep what a server says of a space; false when it says more than there can be to say."""
    found: Extraction | None = item.asked
    space = root.spaces.get(item.space)
    if found is None or space is None:
        return True
    all_of_it = found.said.setdefault(item.space, [])
    for row in rows:
        all_of_it.append(row)
        item.maps += _within_bounds(row)
    # A server may go on deleting resources while it says what there were.
    most = max(item.count, len(space.resources)) + len(space.deleted) + 1
    if len(all_of_it) <= most and item.maps <= MAPS_MAX:
        return True
    del found.said[item.space]
    found.marked[item.server.name] = "lying"
    return False


def _within_bounds(row: Any) -> int:
    """Cut a row's text, which nobody pays for, and say how many maps it has."""
    if not isinstance(row, list) or len(row) != 3:
        return 0
    if isinstance(row[1], str) and len(row[1]) > EXTRA_MAX:
        row[1] = row[1][:EXTRA_MAX]
    return len(row[2]) if isinstance(row[2], list) else 0


def too_late(k: Kernel, root: RootTask, found: Extraction) -> None:
    """The time is over: who has not answered is shown as slow."""
    for item in found.items.values():
        found.marked.setdefault(item.server.name, "slow")
        item.asked = None
    found.items.clear()
    _conclude(k, root, found)


def _conclude(k: Kernel, root: RootTask, found: Extraction) -> None:
    found.deadline = None
    k.jobs.append(Writing(root, found))
