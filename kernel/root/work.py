"""Work: what the root task asks of servers. They fetch it; it never calls down.

Five kinds, each a queue in order of arrival; extraction goes first, since somebody waits for it:
`extract` (describe a space), `focus` (whose the input of a UART is), `free` (a hold is gone),
`destroy` (a space was taken away), `client-gone` (the last capability of a badge, or a client's
RDE).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import WORK_BIT, notification_badge
from caplab.kernel.core import notification

if TYPE_CHECKING:
    from collections.abc import Iterator

    from caplab.kernel.core.endpoint import Endpoint
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.root.ledger import Record
    from caplab.kernel.root.pd import PD
    from caplab.kernel.root.report import Report

BATCH = 16
"""Items one PD_GetWork hands out."""
KINDS = ("extract", "focus", "free", "destroy", "client-gone")
"""In the order in which they are handed out."""


class WorkItem:
    """One thing a server is to do. It is done when the server says so or asks for more work."""

    __slots__ = (
        *("asked", "badge", "by", "count", "device", "done", "endpoint", "kind", "maps"),
        *("number", "numbers", "object", "pd", "record", "report", "server", "space"),
    )

    def __init__(self, kind: str, server: PD, report: Report | None) -> None:
        self.kind = kind
        self.number = 0
        self.server = server
        self.report = report
        self.badge = self.space = self.object = self.pd = self.count = self.maps = 0
        self.endpoint: Endpoint | None = None
        self.record: Record | None = None
        """What is paid back when it is done: until then it fills the memory of who paid."""
        self.asked: Any = None
        """The extraction, or the operator's `focus`, that waits for it."""
        self.device = ""
        self.numbers: tuple[int, ...] = ()
        """Of the clients that the focus is to go to, the first that is connected."""
        self.by = 0
        """The TCB that fetched it."""
        self.done = False

    def as_dict(self) -> dict[str, Any]:
        """The item as the server is told of it."""
        told: dict[str, Any] = {"id": self.number, "kind": self.kind, "space": self.space}
        if self.kind == "free":
            told |= {"object": self.object, "pd": self.pd, "count": self.count, "left": self.left}
        elif self.kind == "focus":
            told |= {"device": self.device, "numbers": list(self.numbers)}
        elif self.kind == "client-gone":
            reads = self.server.cspace.reads.items()
            slots = (index for index, endpoint in reads if endpoint is self.endpoint)
            told |= {"badge": self.badge, "endpoint": next(slots, 0), "pd": self.pd}
        return told

    @property
    def left(self) -> int:
        """How many PDs hold the object still: what was sent on, its server was not asked about."""
        space = self.server.spaces.get(self.space)
        resource = space.resources.get(self.object) if space is not None else None
        return len(resource.holds) if resource is not None else 0

    def record_state(self) -> list[Any]:
        return [self.number, self.kind, self.badge, self.space, self.object, self.pd, self.count]


class Queue:
    """What a server has not fetched yet."""

    __slots__ = ("kinds",)

    def __init__(self) -> None:
        self.kinds: dict[str, deque[WorkItem]] = {kind: deque() for kind in KINDS}

    def __iter__(self) -> Iterator[WorkItem]:
        return iter([item for queue in self.kinds.values() for item in queue])

    def __len__(self) -> int:
        return sum(map(len, self.kinds.values()))

    def append(self, item: WorkItem) -> None:
        self.kinds[item.kind].append(item)

    def next(self) -> WorkItem | None:
        """Take the first item of the first kind that has one."""
        return next((queue.popleft() for queue in self.kinds.values() if queue), None)

    def forget(self, item: WorkItem) -> None:
        """Nobody waits for an item any more; it may have been fetched."""
        if item in self.kinds[item.kind]:
            self.kinds[item.kind].remove(item)

    def clear(self) -> None:
        for queue in self.kinds.values():
            queue.clear()


def add(k: Kernel, item: WorkItem) -> bool:
    """Queue an item and signal its server; false when there is nobody to do it."""
    server = item.server
    if not server.alive or server.notification is None:
        return False
    item.number = k.number("work")
    server.work.append(item)
    if item.report is not None:
        item.report = item.report.top
        item.report.items.append(item)
        more = {"space": item.space} if item.space else {"badge": item.badge}
        if item.kind == "free":
            more["object"] = item.object
        item.report.add("queue_work", server.name, kind=item.kind, **more)
    notification.raise_signal(k, server.notification, notification_badge(WORK_BIT))
    return True


def client_gone(
    k: Kernel, endpoint: Endpoint, badge: int, client: int, report: Report | None
) -> None:
    """The last capability of a badge is gone: tell the PD that receives on the endpoint.

    `client` is the number of the PD that the badge was given to, 0 when nobody knows.
    """
    server: PD | None = endpoint.owner
    assert server is not None, "every endpoint has been made by somebody"
    item = WorkItem("client-gone", server, report)
    item.badge, item.endpoint, item.pd = badge, endpoint, client
    add(k, item)


def fetch(server: PD, by: TCB) -> tuple[list[dict[str, Any]], list[WorkItem]]:
    """The next batch for a TCB, and the items that its asking again shows to be done."""
    finished = [item for item in server.fetched.values() if item.by == by.number]
    for item in finished:
        del server.fetched[item.number]
    batch: list[WorkItem] = []
    while len(batch) < BATCH and (first := server.work.next()) is not None:
        first.by = by.number
        server.fetched[first.number] = first
        batch.append(first)
    return [item.as_dict() for item in batch], finished


def discard(server: PD) -> list[WorkItem]:
    """A dead server does nothing any more: its items count as done."""
    items = [*server.fetched.values(), *server.work]
    server.fetched.clear()
    server.work.clear()
    return items
