"""What the watchdog sees of this process: how large it is, how busy ZeroMQ's own thread, and what
waits on which connection to be read. All of it is the helper thread's."""

import fcntl
import os
import socket
import struct
import sys
import termios
from collections.abc import Callable
from typing import NamedTuple

from caplab.kernel.host.links import Peer

BLOCK = 160
"""Bytes that one object of the kernel's may account for: more than they have on the average, so
that a large system is not taken for an attack."""
CONNECTION = 64 * 1024
"""Bytes that the connection of one thread may account for, with what waits in its pipe."""
IO_THREAD = "ZMQbg/IO/"
"""How ZeroMQ's threads that read connections are called."""
_CREDENTIALS = struct.Struct("3i")


class Sender(NamedTuple):
    """Who has sent what is not read yet: a process, and the TCB whose connection it came over, 0
    before the kernel has heard of it."""

    pid: int
    tcb: int


class Gauge:
    """What can be seen of this process from outside it.

    Args:
        connections: how many there may be.
        peer: whose the connection with this descriptor is.
    """

    def __init__(
        self, connections: Callable[[], int], peer: Callable[[int], Peer | None] = lambda _: None
    ) -> None:
        self._connections, self._peer = connections, peer
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._readers: list[int] = []
        self._blocks, self._linked = sys.getallocatedblocks(), connections()
        """The most there have been: what is given back does not always make a process smaller."""
        self._first = self._resident() - self._explained()

    def growth(self) -> int:
        """By how many bytes it has grown beyond what its own objects explain; may be negative."""
        self._blocks = max(self._blocks, sys.getallocatedblocks())
        self._linked = max(self._linked, self._connections())
        return self._resident() - self._explained() - self._first

    def _explained(self) -> int:
        return self._blocks * BLOCK + self._linked * CONNECTION

    def _resident(self) -> int:
        return int(os.pread(self._statm, 128, 0).split()[1]) * os.sysconf("SC_PAGESIZE")

    def work(self) -> float:
        """Seconds that the threads have computed which read connections; 0 where Linux does not
        count them."""
        # A thread says its name itself, some time after it was made.
        self._readers = self._readers or _readers()
        return sum(int(os.pread(one, 128, 0).split()[0]) for one in self._readers) / 1e9

    def unread(self) -> dict[Sender, int]:
        """Who has sent what has not been read yet, and how many bytes."""
        found: dict[Sender, int] = {}
        for fd in map(int, os.listdir("/proc/self/fd")):
            pid = _peer(fd)
            waiting = _waiting(fd) if pid else 0
            if waiting:
                known = self._peer(fd)
                sender = Sender(pid, known.tcb if known is not None else 0)
                found[sender] = found.get(sender, 0) + waiting
        return found

    def close(self) -> None:
        for descriptor in (self._statm, *self._readers):
            os.close(descriptor)


def _readers() -> list[int]:
    """Where Linux counts the time of each thread that reads connections."""
    found = []
    for tid in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{tid}/comm") as comm:
                reads = comm.read().startswith(IO_THREAD)
            if reads:
                path = f"/proc/self/task/{tid}/schedstat"
                found.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            pass  # the thread has ended, or nobody counts
    return found


def _peer(fd: int) -> int:
    """The process at the other end of a connection; 0 if it is none."""
    try:
        connection = socket.socket(fileno=fd)
    except OSError:
        return 0  # no socket, or closed meanwhile
    try:
        found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return int(_CREDENTIALS.unpack(found)[0])
    except OSError:
        return 0
    finally:
        connection.detach()  # it is another's to close


def _waiting(fd: int) -> int:
    """How many bytes could be read from a connection."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0])
    except OSError:
        return 0
