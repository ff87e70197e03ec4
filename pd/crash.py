"""Failing on purpose: what `caplab crash PD --how …` makes the runtime do, there and then."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import sys
import threading

from caplab.pd.errors import CrashRequested


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
        touch_past_the_end()
    elif kind == "exit":
        os._exit(int(argument or 0))
    elif kind == "hang":
        threading.Event().wait()
    elif kind == "oom":
        exhaust_memory()
    os.abort()  # `abort`, and whatever was meant to end the process and did not


def touch_past_the_end() -> None:
    """Read a mapping beyond the last page of its file: SIGBUS. A confined PD can make no file."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    with open(__file__, "rb") as file:
        beyond = -(-os.fstat(file.fileno()).st_size // mmap.PAGESIZE) * mmap.PAGESIZE
        fd, size = file.fileno(), beyond + mmap.PAGESIZE
        start = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_PRIVATE, fd, 0)
    ctypes.string_at(start + beyond, 1)


def exhaust_memory() -> None:
    """Allocate until there is no more, within a limit that is set first: the host is safe."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (0, hard))  # what it has it keeps
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
