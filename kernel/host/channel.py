"""Messages with descriptors: msgpack maps over SOCK_SEQPACKET, to the zygote and the launcher."""

import errno
import os
import select
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgpack

from caplab.kernel.host.doorbell import READABLE, Doorbell

MESSAGE_MAX = 64 * 1024
FDS_MAX = 8
TOO_MANY_IN_FLIGHT = 0.01
"""Seconds to wait when the system will not carry more descriptors until some have been read."""


class Channel:
    """One end of a channel, in the hands of the helper thread; it never blocks on the other end.

    Args:
        on_message: called with each message and its descriptors, which are then its own.
        on_end: called once, when the other end is gone.
    """

    def __init__(
        self,
        connection: socket.socket,
        doorbell: Doorbell,
        on_message: Callable[[dict[str, Any], list[int]], None],
        on_end: Callable[[], None],
    ) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._doorbell = doorbell
        self._on_message = on_message
        self._on_end = on_end
        self._unsent: deque[tuple[bytes, Sequence[int]]] = deque()
        self._ended = False
        doorbell.watch(connection.fileno(), self._ready)

    def send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send, or keep until there is room. The descriptors are closed once they have gone."""
        self._unsent.append((msgpack.packb(message), descriptors))
        if len(self._unsent) == 1:
            self._flush()

    def close(self) -> None:
        """Hang up. What was not sent is dropped."""
        if not self._ended:
            self._doorbell.forget(self._socket.fileno())
        self._ended = True
        self._socket.close()
        while self._unsent:
            _close_all(self._unsent.popleft()[1])

    def _ready(self, events: int) -> None:
        if events & select.EPOLLOUT:
            self._flush()
        if not self._ended and events & (READABLE | select.EPOLLHUP | select.EPOLLERR):
            self._read()

    def _read(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, MESSAGE_MAX, FDS_MAX)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data, descriptors = b"", []
        for descriptor in descriptors:
            # By hand: recv_fds takes flags, MSG_CMSG_CLOEXEC too, and passes none of them on.
            os.set_inheritable(descriptor, False)
        if data:
            self._on_message(msgpack.unpackb(data), descriptors)
        else:
            self._end()

    def _flush(self) -> None:
        while self._unsent and not self._ended:
            data, descriptors = self._unsent[0]
            try:
                socket.send_fds(self._socket, [data], descriptors)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.ETOOMANYREFS:
                    self._doorbell.later(TOO_MANY_IN_FLIGHT, self._flush)
                    return
                self._end()
                return
            self._unsent.popleft()
            _close_all(descriptors)
        if not self._ended:
            wanted = READABLE | select.EPOLLOUT if self._unsent else READABLE
            self._doorbell.watch(self._socket.fileno(), self._ready, wanted)

    def _end(self) -> None:
        if not self._ended:
            self._doorbell.forget(self._socket.fileno())
            self._ended = True
            self._on_end()


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
