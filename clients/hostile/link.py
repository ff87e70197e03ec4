"""The attacker's own connection to the kernel, written into by hand, past ZeroMQ."""

from __future__ import annotations

import errno
import os
import socket
import stat

from caplab import Env

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE, LONG, COMMAND = 1, 2, 4
DESCRIPTORS = 64
PATIENCE = 0.3
"""Seconds in which a kernel that answers would have answered."""
GREETED = 5.0
"""Seconds in which any kernel has greeted, however busy its host."""


def frame(body: bytes, flags: int = 0) -> bytes:
    """One ZMTP frame."""
    if len(body) > 255 or flags & LONG:
        return bytes([flags | LONG]) + len(body).to_bytes(8, "big") + body
    return bytes([flags, len(body)]) + body


def number(env: Env) -> int:
    """The descriptor of the connection that ZeroMQ made for this PD."""
    for found in range(3, DESCRIPTORS):
        try:
            if stat.S_ISSOCK(os.fstat(found).st_mode):
                with socket.socket(fileno=os.dup(found)) as one:
                    if str(one.getpeername()).endswith("kernel.sock"):
                        return found
        except OSError:
            continue
    raise AssertionError(f"{env.name} has no connection to the kernel")


def own(env: Env) -> socket.socket:
    """That connection, to write into it."""
    connection = socket.socket(fileno=os.dup(number(env)))
    connection.setblocking(True)
    return connection


def silence(env: Env) -> None:
    """Have ZeroMQ read something else where it reads its answers, so that they are never read."""
    ours, theirs = socket.socketpair()
    os.dup2(ours.detach(), number(env))
    theirs.detach()


def greeted(env: Env, routing_id: bytes) -> socket.socket:
    """A second connection to the kernel, under any id."""
    second = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    second.settimeout(GREETED)
    second.connect(env.info.address.removeprefix("ipc://"))
    second.sendall(GREETING + ready(routing_id))
    _take(second, len(GREETING))
    _take(second, _take(second, 2)[1])
    second.settimeout(PATIENCE)
    return second


def _take(connection: socket.socket, count: int) -> bytes:
    """So many bytes, in however many pieces they come (MSG_WAITALL waits for nothing on a socket
    with a timeout). Raises OSError."""
    taken = b""
    while len(taken) < count:
        piece = connection.recv(count - len(taken))
        if not piece:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        taken += piece
    return taken


def ready(routing_id: bytes) -> bytes:
    """The command by which a DEALER says who it is."""
    properties = {b"Socket-Type": b"DEALER", b"Identity": routing_id}
    return frame(
        b"\x05READY"
        + b"".join(
            bytes([len(name)]) + name + len(value).to_bytes(4, "big") + value
            for name, value in properties.items()
        ),
        COMMAND,
    )
