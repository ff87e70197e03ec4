"""Segments that the kernel hands over as descriptors, opened by their names.

Where a PD may open nothing in `/dev/shm`, what it is granted comes over its spawn channel:
`{"segment": name}` with a descriptor, and `{"withdrawn": name}` when that is to be let go of. The
message has been sent before the answer that tells the name. So a name is looked up by reading
whatever has arrived, and nothing ever waits here.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sys
from multiprocessing import shared_memory
from threading import Lock
from typing import Any

import msgpack

MESSAGE_MAX = 4096
_FLAGS = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
_ROOM = socket.CMSG_LEN(4)
"""For one descriptor."""


class HandedSegments:
    """What the PD was handed; stands for the shm_open(3) of `multiprocessing.shared_memory`.

    Args:
        channel: the spawn channel; it stays the caller's.
        plain: what opens any other name.
    """

    def __init__(self, channel: int, plain: Any) -> None:
        self._channel = socket.socket(fileno=os.dup(channel))
        self._plain = plain
        self._descriptors: dict[str, int] = {}
        self._lock = Lock()

    def shm_open(self, path: str, flags: int, mode: int = 0o777) -> int:
        """A descriptor of the caller's own. Raises FileExistsError, FileNotFoundError, OSError."""
        name = path.lstrip("/")
        with self._lock:
            self._receive()
            handed = self._descriptors.get(name)
            if handed is not None:
                if flags & os.O_EXCL:
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
                return fcntl.fcntl(handed, fcntl.F_DUPFD_CLOEXEC, 3)
        opened: int = self._plain.shm_open(path, flags, mode=mode)
        return opened

    def shm_unlink(self, path: str) -> None:
        """What was handed has no name that could be removed; `SharedMemory` tries when it cannot
        map it."""
        if path.lstrip("/") not in self._descriptors:
            self._plain.shm_unlink(path)

    def close(self) -> None:
        self._channel.close()
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()

    def _receive(self) -> None:
        while True:
            try:
                # Not socket.recv_fds: that takes flags and passes none of them on.
                data, found, _, _ = self._channel.recvmsg(MESSAGE_MAX, _ROOM, _FLAGS)
            except OSError:
                return  # nothing more yet, or the kernel is gone
            if not data:
                return
            message = msgpack.unpackb(data)
            name = message.get("segment") or message.get("withdrawn")
            old = self._descriptors.pop(name, None)
            if old is not None:
                os.close(old)
            for _, _, descriptor in found:
                self._descriptors[name] = int.from_bytes(descriptor, sys.byteorder)


def open_handed(channel: int) -> HandedSegments:
    """Have this process find segments by what it is handed, in `SharedMemory` and `Window`."""
    module: Any = shared_memory
    module._posixshmem = handed = HandedSegments(channel, module._posixshmem)
    return handed
