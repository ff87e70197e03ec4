"""One console client's place at the line: its socket, what it said, what it has yet to be told."""

import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

from caplab.kernel.host import console_wire
from caplab.kernel.host.backlog import Outbox
from caplab.kernel.host.console_wire import Decoder, Frame, FramingError

MODES = ("watch", "console", "script")
CHUNK = 64 * 1024
WHO_MAX = 80
"""Characters of its name that a client is known by."""
SIDE_MAX = 10_000
"""Rows or columns of a window, at most."""

Size = tuple[int, int]


class Gone(ConnectionError):
    """The client left."""


class Introduction(NamedTuple):
    """What a client wants, as it says first of all."""

    scrollback: bool
    take: bool


class Seat:
    """A client is silent and told nothing until it said in which mode it wants to sit here."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.mode = ""
        self.who = "somebody"
        self.size: Size | None = None
        """Rows and columns of its window."""
        self.outbox = Outbox()
        self._decoder = Decoder(console_wire.FROM_CLIENT)

    def fileno(self) -> int:
        return self.connection.fileno()

    def hear(self) -> Iterator[Frame]:
        """The frames that arrived.

        Raises:
            Gone: no more will come.
            FramingError: after the last frame that could be read.
        """
        try:
            data = self.connection.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            raise Gone
        yield from self._decoder.feed(data)

    def sit_down(self, payload: bytes) -> Introduction:
        """Take the first frame's mode.

        Raises:
            FramingError: it is not an introduction.
        """
        hello = console_wire.decode_json(payload)
        mode = hello.get("mode")
        if mode not in MODES:
            raise FramingError(f'the first frame\'s "mode" must be one of {", ".join(MODES)}')
        self.mode = str(mode)
        self.who = str(hello.get("who") or self.who)[:WHO_MAX]
        if "size" in hello:
            self.size = size_of(hello["size"])
        return Introduction(hello.get("scrollback") is not False, hello.get("take") is True)

    def pump(self) -> None:
        """Send as much as the socket takes.

        Raises:
            Gone: nobody will read it.
        """
        while self.outbox:
            try:
                # The client's death must not be our SIGPIPE.
                sent = self.connection.send(self.outbox.head(), socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError:
                raise Gone from None
            self.outbox.advance(sent)

    def refuse(self, code: str, message: str) -> None:
        """Say why, as far as it will listen, and part."""
        self.outbox.control(console_wire.encode_json({"error": {"code": code, "message": message}}))
        try:
            self.pump()
        except Gone:
            pass
        self.close()

    def close(self) -> None:
        self.connection.close()


def size_of(value: Any) -> Size:
    """Rows and columns that a client names.

    Raises:
        FramingError: that is no size.
    """
    match value:
        case [int(rows), int(columns)] if 0 <= rows <= SIDE_MAX and 0 <= columns <= SIDE_MAX:
            return rows, columns
    raise FramingError('"size" must be [rows, columns]')
