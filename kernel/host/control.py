"""The control socket: JSON lines from operators, in the helper thread.

`{"id": k, "op": …, …}` is answered `{"id": k, …}` or `{"id": k, "error": {"code", "message"}}`.
The host answers `info`, `watch` and `trace` itself: a watcher is then sent `{"event": {…}}` lines,
and who follows a trace `{"trace": {…}}`, or `{"lost": n}` for lines it was too slow for. `logs` is
answered when the launcher has taken down what PDs have printed so far. Every
other op goes to the kernel as an Operator event and is answered when the kernel says so. What
`down` is answered is held back until the host has taken everything apart.
"""

import json
import select
import socket
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

from caplab.kernel.host.doorbell import READABLE, Doorbell

LINE_MAX = 64 * 1024
UNREAD_MAX = 4 * 1024 * 1024
"""Bytes that wait for a client; one that lets more pile up is cut off."""
TRACE_MAX = 256 * 1024
"""Bytes of a trace that wait for a client; further lines are lost to it, and counted."""
CLIENTS_MAX = 128
ASKED_MAX = 64
"""Requests of one client that may be unanswered at a time."""

Json = dict[str, Any]


class Asked(NamedTuple):
    """A request the kernel has not answered yet."""

    client: "Client"
    id: Any
    op: str


class Client:
    """One connection: what has been read of its next line, what it has not taken yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.unread = bytearray()
        self.unsent = bytearray()
        self.watching = False
        self.tracing: frozenset[str] | None = None
        """The PDs whose calls it follows; all of them if it names none."""
        self.lost = 0
        """Lines of the trace since the last it was sent."""
        self.asked = 0
        self.no_more = False
        """It says nothing more; it goes when it has been told what it asked."""

    def fileno(self) -> int:
        return self.socket.fileno()


class Control:
    """The operators' side of the host.

    Args:
        path: where operators connect; made by `listen`.
        info: what the host says of itself.
        submit: passes a request's number and command on to the kernel.
        trace: told when the first client follows a trace (True), and when the last has gone.
    """

    def __init__(
        self,
        doorbell: Doorbell,
        path: Path,
        info: Callable[[], Json],
        submit: Callable[[int, Json], None],
        trace: Callable[[bool], None],
    ) -> None:
        self._doorbell = doorbell
        self._path = path
        self._info = info
        self._submit = submit
        self._switch_trace = trace
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._clients: dict[int, Client] = {}
        self._numbers = count(1)
        self._asked: dict[int, Asked] = {}
        self._held: list[tuple[Asked, Json]] = []

    def listen(self) -> None:
        """From now on operators can connect; they are heard from `open` on."""
        self._listener.bind(str(self._path))
        self._path.chmod(0o600)
        self._listener.listen(CLIENTS_MAX)
        self._listener.setblocking(False)

    def open(self) -> None:
        """Hear them."""
        self._doorbell.watch(self._listener.fileno(), self._accept)

    def answer(self, request: int, body: Json) -> None:
        """The kernel's answer to a request."""
        asked = self._asked.pop(request, None)
        if asked is None:
            return  # its client has gone, or it was the host's own
        if asked.op == "down" and "error" not in body:
            self._held.append((asked, body))
        else:
            self._reply(asked, body)

    def announce(self, body: Json) -> None:
        """Tell every watcher."""
        line = _encode({"event": body})
        for client in [client for client in self._clients.values() if client.watching]:
            self._send(client, line)

    def trace(self, lines: list[Json], lost: int) -> None:
        """Tell who follows the trace; whoever does not read fast enough misses some of it."""
        encoded = [(line["pd"], _encode({"trace": line})) for line in lines]
        for client in [one for one in self._clients.values() if one.tracing is not None]:
            client.lost += lost
            data = bytearray()
            for pd, line in encoded:
                if client.tracing and pd not in client.tracing:
                    continue
                if len(client.unsent) + len(data) > TRACE_MAX:
                    client.lost += 1
                else:
                    data += _lost(client) + line
            if data:
                self._send(client, bytes(data))

    def close(self, last: Json, patience: float) -> None:
        """Answer every `down` with `last` added, and part. With the helper thread at rest."""
        for asked, body in self._held:
            if asked.client.fileno() >= 0:
                asked.client.unsent += _encode({"id": asked.id, **body, **last})
        end = time.monotonic() + patience
        for client in self._clients.values():
            client.unsent += _lost(client)
            client.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                client.socket.sendall(client.unsent)
            except OSError:
                pass  # it does not read, or has gone
            client.socket.close()
        self._clients.clear()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    # -- connections ---------------------------------------------------------------------------

    def _accept(self, _events: int) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # gone again, or no descriptors left just now
        connection.setblocking(False)
        client = Client(connection)
        self._clients[client.fileno()] = client
        self._doorbell.watch(client.fileno(), lambda events: self._ready(client, events))
        if len(self._clients) > CLIENTS_MAX:
            self._refuse(client, None, "too-many-clients", f"{CLIENTS_MAX} clients are connected")
            self._part(client)

    def _ready(self, client: Client, events: int) -> None:
        if events & (select.EPOLLHUP | select.EPOLLERR):
            self._drop(client)
            return
        if events & select.EPOLLOUT:
            self._send(client, b"")
            if not client.unsent:
                self._send(client, _lost(client))
        if events & READABLE and client.fileno() >= 0:
            self._read(client)

    def _read(self, client: Client) -> None:
        try:
            data = client.socket.recv(LINE_MAX)
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)
            return
        if not data:
            self._part(client)
            return
        client.unread += data
        *lines, rest = client.unread.split(b"\n")
        client.unread = rest
        for line in lines:
            if client.no_more or client.fileno() < 0:
                return
            if len(line) > LINE_MAX:
                self._too_long(client)
            elif line.strip():
                self._handle(client, bytes(line))
        if len(client.unread) > LINE_MAX:
            self._too_long(client)

    def _too_long(self, client: Client) -> None:
        client.unread.clear()
        client.watching = False
        self._follow_no_more(client)
        self._refuse(client, None, "line-too-long", f"a request has at most {LINE_MAX} bytes")
        self._part(client)

    def _part(self, client: Client) -> None:
        """Hear nothing more from it; drop it once it has been told everything."""
        client.no_more = True
        self._settle(client)

    def _drop(self, client: Client) -> None:
        if self._clients.pop(client.fileno(), None) is None:
            return
        self._doorbell.forget(client.fileno())
        client.socket.close()
        self._follow_no_more(client)
        for number in [n for n, asked in self._asked.items() if asked.client is client]:
            del self._asked[number]

    def _send(self, client: Client, data: bytes) -> None:
        if client.fileno() < 0:
            return
        client.unsent += data
        try:
            while client.unsent:
                del client.unsent[: client.socket.send(client.unsent, socket.MSG_NOSIGNAL)]
        except BlockingIOError:
            if len(client.unsent) > UNREAD_MAX:
                self._drop(client)
                return
        except OSError:
            self._drop(client)
            return
        self._settle(client)

    def _settle(self, client: Client) -> None:
        """Watch a client for what matters now, or drop it when nothing does any more."""
        if client.fileno() < 0:
            return
        pending = client.unsent or client.asked or client.watching or client.tracing is not None
        if client.no_more and not pending:
            self._drop(client)
            return
        wanted = 0 if client.no_more else READABLE
        if client.unsent:
            wanted |= select.EPOLLOUT
        self._doorbell.watch(client.fileno(), lambda events: self._ready(client, events), wanted)

    # -- requests ---------------------------------------------------------------------------------

    def _handle(self, client: Client, line: bytes) -> None:
        try:
            request = json.loads(line)
            msgpack.packb(request)  # what the log could not hold is not a request either
        except (ValueError, RecursionError, OverflowError) as error:
            self._refuse(client, None, "bad-request", f"a request is one line of JSON: {error}")
            return
        if not isinstance(request, dict) or not isinstance(request.get("op"), str):
            self._refuse(client, None, "bad-request", 'a request is {"id": …, "op": "…", …}')
            return
        number = request.pop("id", None)
        if request["op"] == "info":
            self._send(client, _encode({"id": number, **self._info()}))
        elif request["op"] == "watch":
            client.watching = True
            self._send(client, _encode({"id": number, "watching": True}))
        elif request["op"] == "trace" and not _names(request.get("pds")):
            self._refuse(client, number, "bad-request", "pds is a list of names")
        elif request["op"] == "trace" and request.get("follow"):
            self._follow(client, frozenset(request.get("pds") or ()))
            self._send(client, _encode({"id": number, "tracing": True}))
        elif client.asked >= ASKED_MAX:
            what = f"{ASKED_MAX} requests of this client are unanswered"
            self._refuse(client, number, "too-many-requests", what)
        else:
            client.asked += 1
            name = next(self._numbers)
            self._asked[name] = Asked(client, number, request["op"])
            self._submit(name, request)

    def _follow(self, client: Client, pds: frozenset[str]) -> None:
        first = all(one.tracing is None for one in self._clients.values())
        client.tracing = pds
        if first:
            self._switch_trace(True)

    def _follow_no_more(self, client: Client) -> None:
        if client.tracing is not None:
            client.tracing = None
            if all(one.tracing is None for one in self._clients.values()):
                self._switch_trace(False)

    def _reply(self, asked: Asked, body: Json) -> None:
        asked.client.asked -= 1
        self._send(asked.client, _encode({"id": asked.id, **body}))

    def _refuse(self, client: Client, number: Any, code: str, message: str) -> None:
        body = {"id": number, "error": {"code": code, "message": message}}
        self._send(client, _encode(body))


def _encode(message: Json) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _names(pds: Any) -> bool:
    return pds is None or (isinstance(pds, list) and all(isinstance(pd, str) for pd in pds))


def _lost(client: Client) -> bytes:
    """What a client is to be told of lines it has missed."""
    lost, client.lost = client.lost, 0
    return _encode({"lost": lost}) if lost else b""
