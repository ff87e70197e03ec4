"""What a process gives up for good: resources beyond its share, capabilities, new privileges."""

import resource
from typing import NamedTuple

from caplab.kernel.confine.libc import (
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PTRACER,
    PR_SET_PTRACER_ANY,
    Libc,
)

MIB = 1 << 20

THREADS_SPARE = 40
"""Threads beside a PD's own: ZeroMQ's two, and a program's helpers. Python's thread pools have up
to 32 unless they are told otherwise."""
DESCRIPTORS = 512
DESCRIPTORS_PER_THREAD = 4
"""A connection, and what wakes the thread that waits on it."""


class Limit(NamedTuple):
    """One limit, soft and hard."""

    kind: int
    value: int
    why: str


def limits(threads: int, *, own_user: bool) -> list[Limit]:
    """The limits of a process with this many threads.

    `own_user`: its user runs nothing else, so that counting processes by user counts its own.
    """
    table = [
        Limit(resource.RLIMIT_CORE, 0, "a crash is reported, not dumped"),
        Limit(
            resource.RLIMIT_NOFILE,
            DESCRIPTORS + DESCRIPTORS_PER_THREAD * threads,
            "descriptors are memory of the host",
        ),
        Limit(resource.RLIMIT_DATA, 1024 * MIB, "private memory, stacks of threads included"),
        Limit(resource.RLIMIT_AS, 4096 * MIB, "all memory it can name, shared with others too"),
        Limit(resource.RLIMIT_FSIZE, 1024 * MIB, "no file of a PD is longer than the longest page"),
        Limit(resource.RLIMIT_MEMLOCK, 0, "nobody needs pages that stay in memory"),
        Limit(resource.RLIMIT_MSGQUEUE, 0, "messages go through the kernel"),
        Limit(resource.RLIMIT_NICE, 0, "its share of a processor is as large as another's"),
        Limit(resource.RLIMIT_RTPRIO, 0, "the same"),
    ]
    if own_user:
        spare = threads + THREADS_SPARE
        table.append(Limit(resource.RLIMIT_NPROC, spare, "threads are memory of the host"))
    return table


def limit(table: list[Limit]) -> None:
    """Set the limits; where the hard one is lower already, it stays."""
    for each in table:
        hard = resource.getrlimit(each.kind)[1]
        value = each.value if hard == resource.RLIM_INFINITY else min(each.value, hard)
        resource.setrlimit(each.kind, (value, value))


def drop_capabilities(libc: Libc) -> None:
    """No capability, now or through any program that could be executed."""
    try:
        libc.drop_bounding_set()
    except PermissionError:
        pass  # an ordinary user may not, and has nothing to give up there
    libc.capset()


def let_debuggers_in(libc: Libc) -> None:
    """Let others of this user look into the process: py-spy and gdb attach as to any other."""
    libc.prctl(PR_SET_DUMPABLE, 1)
    try:
        libc.prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY)
    except OSError:
        pass  # a host without Yama, where nobody has to be named


def renounce(libc: Libc, *, dumpable: bool) -> None:
    """No new privileges; and unless `dumpable`, no look into it for others of its user."""
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1)
    if not dumpable:
        libc.prctl(PR_SET_DUMPABLE, 0)
