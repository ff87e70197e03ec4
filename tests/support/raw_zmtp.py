"""ZMTP 3.0 by hand, over a socket of one's own: what no library would send.

A `RawPeer` greets and introduces itself as a DEALER, unless a test wants that spoilt too, and then
sends whatever bytes it is told to.
"""

import socket
from pathlib import Path
from typing import Self

GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE, LONG, COMMAND = 1, 2, 4
PATIENCE = 10.0


def frame(body: bytes, flags: int = 0) -> bytes:
    """One frame; a long one if its body needs that."""
    if len(body) > 255 or flags & LONG:
        return bytes([flags | LONG]) + len(body).to_bytes(8, "big") + body
    return bytes([flags, len(body)]) + body


def ready(routing_id: bytes) -> bytes:
    """The READY command of a DEALER with this id."""
    properties = {b"Socket-Type": b"DEALER", b"Identity": routing_id}
    body = b"\x05READY" + b"".join(
        bytes([len(name)]) + name + len(value).to_bytes(4, "big") + value
        for name, value in properties.items()
    )
    return frame(body, COMMAND)


class RawPeer:
    """A connection to a ROUTER's `ipc://` address."""

    def __init__(self, address: str, routing_id: bytes) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(Path(address.removeprefix("ipc://"))))
        self._id = routing_id

    def introduce(self) -> Self:
        """Greet, say what socket this is, and hear the same: who speaks sooner is cut off."""
        self.send(GREETING + ready(self._id))
        self._read(len(GREETING))
        _, length = self._read(2)
        self._read(length)
        return self

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            assert more, "the connection has ended"
            data += more
        return data

    def send(self, data: bytes) -> bool:
        """Whether there was still somebody to send it to."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def gone(self) -> bool:
        """Wait until the other end hangs up."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True

    def half_close(self) -> None:
        """Say that nothing more comes."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other end was faster

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
