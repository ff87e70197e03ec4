"""The data register of a UART: a stream of bytes, with marks in it for what is no byte.

A break and the size of the console's window stand in the stream where they happened, as they do
behind telnet's IAC and a terminal's PARMRK (`abi.MARK`); a byte 0xFF is doubled. What goes down
the line is not marked.
"""

from __future__ import annotations

import socket
from socket import MSG_DONTWAIT
from struct import Struct
from typing import NamedTuple

from caplab.kernel.abi import MARK, MARK_BREAK, MARK_SIZE

_SIZE = Struct("<HH")
_MARK = bytes([MARK])


class Break(NamedTuple):
    """Somebody at the console has sent a break."""


class WindowSize(NamedTuple):
    """The window of whoever types at the console, from now on."""

    rows: int
    columns: int


Input = bytes | Break | WindowSize
"""What comes up a line: bytes, never empty, or one of the events between them."""


class Unmarked:
    """Takes the marks out of a stream, however it is cut."""

    def __init__(self) -> None:
        self._begun = b""

    def feed(self, data: bytes) -> list[Input]:
        """What has come, in order; a mark that is not whole yet is kept."""
        if not self._begun and MARK not in data:
            return [data] if data else []
        data = self._begun + data
        found: list[Input] = []
        text = bytearray()
        place = 0
        while (mark := data.find(_MARK, place)) >= 0:
            text += data[place:mark]
            size, event = _marked(data, mark)
            if not size:
                break
            place = mark + size
            if event is None:
                text += _MARK
                continue
            if text:
                found.append(bytes(text))
                text.clear()
            found.append(event)
        self._begun = data[mark:] if mark >= 0 else b""
        text += b"" if mark >= 0 else data[place:]
        return [*found, bytes(text)] if text else found


def _marked(data: bytes, mark: int) -> tuple[int, Break | WindowSize | None]:
    """How long the mark is, 0 if it is not whole, and what it says; None for the byte itself."""
    behind = data[mark + 1 : mark + 2 + _SIZE.size]
    if not behind:
        return 0, None
    if behind[0] == MARK_BREAK:
        return (3, Break()) if len(behind) >= 2 else (0, None)
    if behind[0] == MARK_SIZE:
        if len(behind) < 1 + _SIZE.size:
            return 0, None
        return 2 + _SIZE.size, WindowSize(*_SIZE.unpack_from(behind, 1))
    return 2, None


class Register:
    """The driver's end of a line; one object per PD and UART, for its life.

    Raises from every method: ConnectionError when the line is gone.
    """

    def __init__(self, descriptor: int) -> None:
        self.size: WindowSize | None = None
        """What the line said last; None before it has said it."""
        self._socket = socket.socket(fileno=descriptor)
        self._unmarked = Unmarked()

    def fileno(self) -> int:
        return self._socket.fileno()

    def write(self, data: bytes) -> None:
        """Send all of it."""
        self._socket.sendall(data)

    def receive(self, limit: int) -> list[Input]:
        """What has come, from at most so many bytes of the stream; empty when nothing has.

        Errors: EOFError when the line is gone
        """
        try:
            data = self._socket.recv(limit, MSG_DONTWAIT)
        except BlockingIOError:
            return []
        if not data:
            raise EOFError("the line is gone")
        found = self._unmarked.feed(data)
        self.size = next((one for one in reversed(found) if isinstance(one, WindowSize)), self.size)
        return found

    def close(self) -> None:
        self._socket.close()
