"""The bound that ZeroMQ has no option for: one message of endlessly many parts.

ZeroMQ keeps a message until its last part is there; each part is bounded, and how many messages
wait is, but not the parts of one. A PD that goes on sending parts would so fill this process's
memory with what nobody can read. So the helper thread looks at its size, twenty times a second; as
soon as it has grown by more than the kernel's own objects explain, it looks more often, and whose
connections always have something to read; if it grows on, the first among them is faulted. Nobody
is suspected whose threads all wait for the kernel, or have called it meanwhile: they have finished
their messages.

What it cannot tell: of two PDs that make no calls, which one lets a message grow so slowly that
nothing of it is ever seen unread. Then the one that has used the processors more is faulted.
"""

import fcntl
import os
import socket
import struct
import sys
import termios
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from caplab.kernel.core.states import RUNNING
from caplab.kernel.core.tcb import TCB

INTERVAL = 0.05
"""Seconds between two looks."""
CLOSE = 0.02
"""The same, once it has grown."""
MIB = 1 << 20
ALERT = 8 * MIB
"""Growth from which on it is noted who does what."""
LIMIT = 64 * MIB
"""Growth that is somebody's fault."""
STEP = 16 * MIB
"""Growth beyond what the first one has left behind that is somebody else's."""
WINDOW = 1.0
"""Seconds for which it is noted who does what."""
SETTLING = 0.1
"""Seconds after the end of a process in which what it has sent is given back."""
BLOCK = 160
"""Bytes that one object of the kernel's may account for: more than they have on the average, so
that a large system is not taken for an attack."""
CONNECTION = 64 * 1024
"""Bytes that the connection of one thread may account for, with what waits in its pipe."""
REASON = f"an unfinished message: the kernel's memory grew by {LIMIT // MIB} MiB"
_CREDENTIALS = struct.Struct("3i")


class Gauge:
    """What can be seen of this process from outside it. The helper thread's.

    Args:
        connections: how many there may be.
    """

    def __init__(self, connections: Callable[[], int]) -> None:
        self._connections = connections
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
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

    def unread(self) -> set[int]:
        """The processes that have sent what has not been read yet."""
        found = ((_peer(int(fd)), _waiting(int(fd))) for fd in os.listdir("/proc/self/fd"))
        return {pid for pid, waiting in found if pid and waiting}

    def close(self) -> None:
        os.close(self._statm)


class Mark(NamedTuple):
    """What a TCB and the process of its PD had done when the window began."""

    calls: int
    cpu: int


class Watchdog:
    """Finds out whose unfinished message fills the memory.

    Args:
        tcbs: all there are; `pid_of` a PD's number gives its process, 0 if it has none.
        blame: faults a PD, by number, for a reason.
        post: has something done in the core thread.
    """

    def __init__(
        self,
        gauge: Gauge,
        tcbs: Callable[[], Iterable[TCB]],
        pid_of: Callable[[int], int],
        blame: Callable[[int, str], None],
        post: Callable[[Callable[[], None]], None],
    ) -> None:
        self._gauge, self._tcbs, self._pid_of = gauge, tcbs, pid_of
        self._blame, self._post = blame, post
        self._limit = LIMIT
        self._began = 0.0
        """The window's begin; 0 while there is none."""
        self._unread: Counter[int] = Counter()
        """By process: in how many looks of the window it had sent what was not read yet."""
        self._accused: int | None = None
        """A PD that is being ended for it."""
        self._marks: dict[int, Mark] = {}
        """By TCB, at the window's begin. The core thread's; all the rest is the helper's."""

    def look(self, now: float) -> float:
        """See how large it is; in how many seconds to look again. In the helper thread."""
        grown = self._gauge.growth()
        if self._accused is not None:
            self._await_the_end(grown, now)
        elif grown < ALERT:
            self._began, self._limit = 0.0, LIMIT
            return INTERVAL
        elif now - self._began > WINDOW:
            self._began = now
            self._unread.clear()
            self._post(self._mark)
        else:
            self._unread.update(self._gauge.unread())
            if grown >= self._limit:
                unread = Counter(self._unread)
                self._accused = -1
                self._post(lambda: self._accuse(grown, unread))
        return CLOSE

    def _await_the_end(self, grown: int, now: float) -> None:
        """Accuse nobody else before the memory of the first is given back."""
        accused = self._accused
        if accused == -1 or (accused and self._pid_of(accused)):
            self._began = now
        elif now - self._began > SETTLING:
            self._accused, self._began = None, 0.0
            self._limit = max(LIMIT, grown + STEP)

    # -- in the core thread ----------------------------------------------------------------------

    def _mark(self) -> None:
        self._marks = {one.number: Mark(one.calls, self._cpu(one)) for one in self._tcbs()}

    def _accuse(self, grown: int, unread: Counter[int]) -> None:
        suspects = {
            one.pd.number: (unread[self._pid_of(one.pd.number)], self._used(one))
            for one in self._tcbs()
            if one.state == RUNNING and one.pd.fault is None and self._quiet(one)
        }
        if suspects:
            culprit = max(suspects, key=lambda pd: suspects[pd])
            self._blame(culprit, REASON)
            self._accused = culprit
        else:
            print(f"kernel: its memory has grown by {grown // MIB} MiB", file=sys.stderr)
            self._accused = 0

    def _quiet(self, one: TCB) -> bool:
        """Whether it has finished no message in the window."""
        mark = self._marks.get(one.number)
        return mark is None or mark.calls == one.calls

    def _used(self, one: TCB) -> int:
        """Processor time of its process in the window."""
        mark = self._marks.get(one.number)
        return self._cpu(one) - (mark.cpu if mark else 0)

    def _cpu(self, one: TCB) -> int:
        return cpu_time(self._pid_of(one.pd.number))


def cpu_time(pid: int) -> int:
    """Nanoseconds of processor time that a process, and all its threads, has used; 0 for none."""
    if not pid:
        return 0
    try:
        # As clock_getcpuclockid(3) makes it, which Python leaves out. No /proc is needed.
        return time.clock_gettime_ns(~pid << 3 | 2)
    except OSError:
        return 0


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
