"""The operator's `focus`: whose the input of a UART is, asked of the server that drives it.

The root task knows which PD each badge was given to and which server drives a UART; who is
connected, reads, and has the focus, only that server knows. So it is asked by an item of work,
which it finishes with a row per client, and the command is answered then, or after two seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from caplab.kernel.core.effects import Answer
from caplab.kernel.root import work
from caplab.kernel.root.work import WorkItem

if TYPE_CHECKING:
    from caplab.kernel.core.events import Operator
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.pd import PD
    from caplab.kernel.root.task import RootTask

PATIENCE = 2.0
"""Seconds a server has to answer."""
CLIENTS_MAX = 1024
"""Clients that a server may name in one answer."""
NUMBER = (1 << 32) - 1
"""The bits of a badge that are its client's number; the others are rights that a Parent gave."""
_UNNAMED = "client "


class Client(NamedTuple):
    """A connected client, as its server tells of it."""

    name: str
    number: int
    reading: bool
    focus: bool


class Asking:
    """A `focus` that waits for its server."""

    def __init__(self, request: int, uart: str, to: str | None) -> None:
        self.request = request
        self.uart = uart
        self.to = to
        self.numbers: list[int] = []
        """The clients' that `to` means."""
        self.item: WorkItem | None = None
        self.clients: list[Client] = []
        self.heard = False
        """The server has said something that can be believed."""
        self.deadline: int | None = None


def begin(k: Kernel, root: RootTask, event: Operator) -> tuple[str, str] | None:
    """Ask the server that drives `uart` to give the focus to `to`, or, without it, who has it.

    Returns the code and the sentence of a refusal, or None: the answer comes later.
    """
    uart, to = event.command.get("uart"), event.command.get("to")
    uarts = root.machine.uarts
    device = uarts.get(uart) if isinstance(uart, str) else None
    if device is None:
        return "no-uart", f"no UART `{uart}`; there are: {', '.join(uarts) or 'none'}"
    server = root.latest.get(device.irq.holder) if device.irq.refs else None
    if server is None or not server.alive:
        return "no-server", f"nobody drives `{uart}` now"
    asking = Asking(event.request, device.name, to)
    if to is not None:
        numbers = _numbers(root, server, to)
        if numbers is None:
            return "no-such-pd", f"no PD `{to}`; there are: {', '.join(root.latest)}"
        asking.numbers = numbers
    item = asking.item = WorkItem("focus", server, None)
    item.device, item.numbers, item.asked = asking.uart, tuple(asking.numbers), asking
    work.add(k, item)
    k.set_timer(asking, PATIENCE)
    return None


def said(root: RootTask, item: WorkItem, rows: list[Any]) -> bool:
    """Keep what a server says of its clients; false when that cannot be so."""
    asking: Asking | None = item.asked
    if asking is None:
        return True
    found = [_client(root, item.server, row) for row in rows[: CLIENTS_MAX + 1]]
    known = [one for one in found if one is not None]
    asking.heard = len(known) == len(found) and len(asking.clients) + len(found) <= CLIENTS_MAX
    asking.clients = [*asking.clients, *known] if asking.heard else []
    return asking.heard


def answered(k: Kernel, item: WorkItem) -> None:
    """The item is done: by the server, or because it is no more."""
    asking: Asking | None = item.asked
    if asking is None:
        return
    item.asked = asking.item = asking.deadline = None
    name, uart = item.server.name, asking.uart
    if not item.server.alive:
        body = _refused("no-server", f"`{name}`, which drove `{uart}`, has ended")
    elif not asking.heard:
        body = _refused("no-server", f"`{name}`, which drives `{uart}`, knows of no focus")
    else:
        body = _answer(asking)
    k.effects.append(Answer(asking.request, body))


def too_late(k: Kernel, asking: Asking) -> None:
    """The server has not answered in time; what it says later is heard by nobody."""
    item, asking.item = asking.item, None
    assert item is not None, "an answered one has no deadline"
    item.asked = None
    item.server.work.forget(item)
    why = f"`{item.server.name}`, which drives `{asking.uart}`, has not answered within"
    body = _refused("server-busy", f"{why} {PATIENCE:g} s")
    k.effects.append(Answer(asking.request, body))


def _answer(asking: Asking) -> dict[str, Any]:
    clients = asking.clients
    if asking.to is not None and not any(one.number in asking.numbers for one in clients):
        there = ", ".join(one.name for one in clients) or "none"
        sentence = f"`{asking.to}` is no client of `{asking.uart}`; its clients: {there}"
        return _refused("not-a-client", sentence)
    return {
        "uart": asking.uart,
        "focus": next((one.name for one in clients if one.focus), None),
        "clients": [
            {"pd": one.name, "reading": one.reading, "focus": one.focus} for one in clients
        ],
    }


def _refused(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _numbers(root: RootTask, server: PD, to: Any) -> list[int] | None:
    """The clients' numbers that a name stands for; None when there is nobody of that name."""
    if not isinstance(to, str):
        return None
    client = root.latest.get(to)
    if client is not None:
        endpoints = dict.fromkeys(server.cspace.reads.values())
        given = [pair for one in endpoints for pair in one.clients.items()]
        return [badge & NUMBER for badge, number in given if number == client.number]
    digits = to.removeprefix(_UNNAMED)
    is_number = to.startswith(_UNNAMED) and digits.isascii() and digits.isdigit()
    return [int(digits) & NUMBER] if is_number else None


def _client(root: RootTask, server: PD, row: Any) -> Client | None:
    """A client of a server's answer: the slot of the endpoint, its badge, reading, focus."""
    if not isinstance(row, list) or len(row) != 4 or not all(isinstance(one, int) for one in row):
        return None
    slot, badge, reading, focus = row
    endpoint = server.cspace.reads.get(slot)
    number = endpoint.clients.get(badge) if endpoint is not None else None
    pd = root.pds.get(number) if number is not None else None
    name = pd.name if pd is not None else f"{_UNNAMED}{badge & NUMBER}"
    return Client(name, badge & NUMBER, bool(reading), bool(focus))
