"""Making a child of the zygote: its descriptors, signals and name, and that it never comes back."""

import fcntl
import gc
import io
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Mapping

from caplab.kernel.confine.libc import Libc

SPAWN_FD = 3
"""Where a child finds its spawn channel or pipe; whatever else it was given follows."""
FDS_MAX = 1 << 20
"""No descriptor of the zygote is numbered higher (the default of fs.nr_open)."""
FAILED = 70
"""Exit status of a child whose own start-up code failed (EX_SOFTWARE)."""


def fork(
    body: Callable[[int], int],
    descriptors: Mapping[int, int],
    name: str,
    libc: Libc,
    first: Callable[[], None] | None = None,
) -> int:
    """Fork a child that runs `body(SPAWN_FD)` and exits with what it returns; the child's pid.

    `descriptors` says which of the zygote's descriptors the child gets at which number. Standard
    input is /dev/null, every descriptor not named is closed; until `first` has been called, they
    are all there. The child dies with the zygote.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = FAILED
    try:
        if first is not None:
            first()
        libc.die_with_parent()  # after `first`, which may change who we are: that clears it
        # In a pid namespace of its own it cannot see its parent; there the machine ends it.
        if os.getppid() not in (parent, 0):
            os._exit(FAILED)  # the zygote died before the line above; nobody would end us
        place(descriptors)
        libc.set_name(name)
        gc.enable()
        status = body(SPAWN_FD)
    except BaseException:  # noqa: BLE001  # nothing may unwind into the zygote's code
        traceback.print_exc()
    finally:
        leave(status)
    raise AssertionError  # os._exit does not return


def leave(status: int) -> None:
    """End the process with its output written, and with nothing of the zygote's run at exit."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def place(descriptors: Mapping[int, int]) -> None:
    """Move descriptors to their numbers and close all others."""
    end = max((2, *descriptors)) + 1
    # First out of the way of every number that will be written to.
    high = {to: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, end) for to, fd in descriptors.items()}
    null = fcntl.fcntl(os.open(os.devnull, os.O_RDWR), fcntl.F_DUPFD_CLOEXEC, end)
    for number in range(end):
        os.dup2(high.get(number, null), number, inheritable=number <= 2)
    # One system call, or where that is missing a loop, hence an end that a loop can reach.
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    os.closerange(end, limit if 0 < limit < FDS_MAX else FDS_MAX)


def prepare() -> None:
    """Set up, once and in the zygote, what every child is to find as an executed Python has it.

    Standard streams that write line by line, so that what a program prints is in its log before it
    dies; signals at their defaults (SIGINT too: no Python traceback for it, and SIGPIPE stays
    ignored, so that a broken pipe is an exception); no core files. Each step taken in a child
    instead would copy some tens of pages that all children now share.
    """
    with open(os.devnull, "rb") as null:
        os.dup2(null.fileno(), 0)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
