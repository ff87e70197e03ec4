"""The channel between the kernel and one PD's process, open from its spawn to its end.

A SOCK_SEQPACKET pair. Downwards the spawn information comes first, then, where memory objects
have no names, their descriptors (see `memfds.py`). Upwards a PD says which of its
threads is which TCB (`{"tcb": index, "tid": number}`, msgpack), and, when it dies of a memory
fault, its last words: one signal frame (see `last_words.py`). Nobody waits for either: they are
read when something has happened. What a PD says here concerns itself alone and is believed only
where it fits; a PD that fills its channel loses its own words.
"""

import os
import socket
from collections.abc import Sequence
from typing import Any

import msgpack

from caplab.kernel.abi import BODY_MAX
from caplab.kernel.host import signal_frame
from caplab.kernel.host.signal_frame import Words

MESSAGE_MAX = 4096
READ_MAX = 256
"""Messages that are read at once; an honest PD sends one per TCB, and its last words."""
THREADS_MAX = 1024
"""Threads of a PD that are remembered; more than it can have TCBs."""


class SpawnChannel:
    """The kernel's end; the core thread's.

    Args:
        info: the spawn information, packed.

    Raises ValueError when it is too long, OSError.
    """

    def __init__(self, info: bytes) -> None:
        if len(info) > BODY_MAX:
            raise ValueError(
                f"what it is to be told has {len(info)} bytes, the most is {BODY_MAX}:"
                " shorten its args"
            )
        self._frame = signal_frame.here()
        self._tcbs: dict[int, int] = {}
        self._words: Words | None = None
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.theirs = theirs.detach()
        """The PD's end; whoever sends it away closes it."""
        self._socket.setblocking(False)
        try:
            # It must fit into the channel: nobody reads it yet.
            self._socket.send(info)
        except OSError:
            self.close()
            os.close(self.theirs)
            raise

    def hand(self, message: dict[str, Any], descriptors: Sequence[int]) -> None:
        """Send something with copies of descriptors. Raises OSError: the PD has not read the rest,
        or has ended."""
        socket.send_fds(self._socket, [msgpack.packb(message)], descriptors)

    def tcb(self, tid: int) -> int | None:
        """Which TCB of the PD, counted from 0, one of its threads is."""
        self._read()
        return self._tcbs.get(tid)

    def threads(self, count: int) -> frozenset[int]:
        """Its threads that are its TCBs, of which it has so many: for each what it said last."""
        self._read()
        last = {tcb: tid for tid, tcb in self._tcbs.items() if 0 <= tcb < count}
        return frozenset(last.values())

    def last_words(self) -> Words | None:
        """What it said when it faulted; the first time, if it said so more than once."""
        self._read()
        return self._words

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> None:
        for _ in range(READ_MAX):
            try:
                data = self._socket.recv(MESSAGE_MAX, socket.MSG_DONTWAIT)
            except ConnectionResetError:
                continue  # said once, of a PD that ended with something unread; its words follow
            except OSError:
                return  # nothing more yet, or never
            if not data:
                return
            self._understand(data)

    def _understand(self, data: bytes) -> None:
        words = signal_frame.parse(self._frame, data) if self._frame is not None else None
        if words is not None:
            self._words = self._words or words
            return
        try:
            said = msgpack.unpackb(data)
        except (ValueError, msgpack.UnpackException):
            return
        if isinstance(said, dict) and type(said.get("tid")) is int and type(said.get("tcb")) is int:
            self._tcbs.pop(said["tid"], None)
            self._tcbs[said["tid"]] = said["tcb"]
            if len(self._tcbs) > THREADS_MAX:
                self._tcbs.pop(next(iter(self._tcbs)))  # the oldest: it can only have lied
