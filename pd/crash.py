"""Failing on purpose: what `caplab crash PD --how …` makes the runtime do, there and then."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import sys
import threading

from caplab.pd.errors import CrashRequested

OOM_HEADROOM = 64 * 1024 * 1024
"""What `oom` may still allocate: the PD's own limit is lowered first, so the host is safe."""


def crash(how: str) -> None:
    """Fail as asked: segv, abort, exception, exit:N, hang, oom or bus.

    Only `exception` comes back to the caller, as :class:`CrashRequested`.
    """
    kind, _, argument = how.partition(":")
    if kind == "exception":
        raise CrashRequested("an operator asked for an exception")
    if kind == "segv":
        ctypes.string_at(0)
    elif kind == "bus":
        touch_truncated_page()
    elif kind == "exit":
        os._exit(int(argument or 0))
    elif kind == "hang":
        threading.Event().wait()
    elif kind == "oom":
        exhaust_memory()
    os.abort()  # `abort`, and whatever was meant to end the process and did not


def touch_truncated_page() -> None:
    """Read a mapping whose file has shrunk: SIGBUS."""
    fd = os.memfd_create("crash")
    os.ftruncate(fd, mmap.PAGESIZE)
    page = mmap.mmap(fd, mmap.PAGESIZE)
    os.ftruncate(fd, 0)
    page[0]


def exhaust_memory() -> None:
    """Allocate until there is no more, within a limit that is set first."""
    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * mmap.PAGESIZE
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = used + OOM_HEADROOM
    resource.setrlimit(
        resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard)
    )
    hoard: list[bytearray] = []
    step = 1024 * 1024
    while step:
        try:
            hoard.append(bytearray(step))
        except MemoryError:
            step //= 2
    hoard.clear()
    print("out of memory: an operator asked for it", file=sys.stderr, flush=True)
    os.abort()
