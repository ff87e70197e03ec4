"""Work: what the root task asks of servers. They fetch it; it never calls down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import WORK_BIT, notification_badge
from caplab.kernel.core import notification

if TYPE_CHECKING:
    from caplab.kernel.core.endpoint import Endpoint
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.pd import PD
    from caplab.kernel.root.report import Report

BATCH = 16
"""Items one PD_GetWork hands out."""


class WorkItem:
    """One thing a server is to do. It is done when the server asks for more work."""

    __slots__ = ("badge", "done", "endpoint", "kind", "report", "server")

    def __init__(
        self, kind: str, badge: int, endpoint: Endpoint, server: PD, report: Report | None
    ) -> None:
        self.kind = kind
        self.badge = badge
        self.endpoint = endpoint
        self.server = server
        self.report = report
        self.done = False


def client_gone(k: Kernel, endpoint: Endpoint, badge: int, report: Report | None) -> None:
    """The last capability of a badge is gone: tell the PD that receives on the endpoint."""
    server: PD | None = endpoint.owner
    if server is None or not server.alive or server.notification is None:
        return
    item = WorkItem("client-gone", badge, endpoint, server, report)
    server.work.append(item)
    if report is not None:
        report.items.append(item)
        report.add("queue_work", server.name, kind=item.kind, badge=badge)
    notification.raise_signal(k, server.notification, notification_badge(WORK_BIT))


def fetch(server: PD) -> tuple[list[dict[str, Any]], list[WorkItem]]:
    """The next batch for the server, and the items that asking for it shows to be done."""
    finished, server.fetched = server.fetched, []
    while server.work and len(server.fetched) < BATCH:
        server.fetched.append(server.work.popleft())
    return [_as_dict(server, item) for item in server.fetched], finished


def _as_dict(server: PD, item: WorkItem) -> dict[str, Any]:
    slots = (index for index, endpoint in server.cspace.reads.items() if endpoint is item.endpoint)
    return {"kind": item.kind, "badge": item.badge, "endpoint": next(slots, 0)}


def discard(server: PD) -> list[WorkItem]:
    """A dead server does nothing any more: its items count as done."""
    items = [*server.fetched, *server.work]
    server.fetched = []
    server.work.clear()
    return items
