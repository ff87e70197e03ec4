"""Attacks on memory: other PDs' pages, and the own ones in ways that hurt whoever shares them."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from caplab import CapError, Env, PeerDied
from caplab.clients.hostile.attack import Contained, GotThrough, Order, each
from caplab.clients.hostile.judging import Say
from caplab.pd.errors import ServiceError
from caplab.pd.objects import Memory
from caplab.servers.serial import Serial

SHM, READ_ONLY = "/dev/shm", "/dev/shr"
SEGMENTS = 64
"""Numbers that a system as small as this one may have given out."""
ROUNDS, FLUSHES, WINDOW = 20, 20, 1
TOUCHES = 400
MIB, BEYOND = 1 << 20, 48
"""How many MiB a page is to grow by, at most; the kernel's own slack is less."""


@contextmanager
def _page(env: Env) -> Iterator[tuple[str, int]]:
    """A page of the attacker's own: its segment's name and a descriptor of it."""
    memory = env.memory()
    try:
        with memory.map() as window:
            yield window.name, window.fileno()
    finally:
        memory.delete()


def other_segment(env: Env, order: Order) -> None:
    """Open the segments of others by their names, which follow from the own one's."""
    with _page(env) as (name, _):
        prefix = name.rpartition(".")[0]
        others = [f"{prefix}.{number}" for number in range(SEGMENTS)]
        tries = {}
        for folder in (SHM, READ_ONLY):
            for other in others:
                if other != name:
                    tries[f"{folder}/{other}"] = partial(_spoil, f"{folder}/{other}")
        each(tries)


def _spoil(path: str) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.pwrite(descriptor, b"spoilt", 0)
    finally:
        os.close(descriptor)


def list_segments(env: Env, order: Order) -> None:
    """List /dev/shm."""
    with _page(env) as (name, _):
        found = [other for other in os.listdir(SHM) if other != name]
    if found:
        raise GotThrough(f"it saw {len(found)} that are not its own")
    raise Contained("it saw its own and no other")


def truncate(env: Env, order: Order) -> None:
    """Take a page away from under whoever shares it."""
    with _page(env) as (name, descriptor):
        each(
            {
                "ftruncate": lambda: os.ftruncate(descriptor, 0),
                "open with O_TRUNC": lambda: os.close(
                    os.open(f"{SHM}/{name}", os.O_RDWR | os.O_TRUNC)
                ),
                "truncate": lambda: os.truncate(f"{SHM}/{name}", 0),
            }
        )


def grow(env: Env, order: Order) -> None:
    """Write beyond the end of an own page: memory that nobody has paid for."""
    with _page(env) as (_, descriptor):
        grown = 0
        try:
            for grown in range(BEYOND):
                os.pwrite(descriptor, bytes(MIB), (grown + 1) * MIB)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise Contained(f"no room after {grown} MiB") from None
    raise GotThrough(f"{BEYOND} MiB for a page")


def read_only(env: Env, order: Order) -> None:
    """Write to a page that was granted for reading; the judge looks whether it has changed."""
    with env.cap(Memory, order.gift).map() as window:
        name, descriptor = window.name, window.fileno()
        each(
            {
                "write": lambda: _write(descriptor),
                "mprotect": lambda: _unprotect(descriptor),
                "open /dev/shm": lambda: _spoil(f"{SHM}/{name}"),
                "open /dev/shr": lambda: _spoil(f"{READ_ONLY}/{name}"),
                "open /proc": lambda: _spoil(f"/proc/self/fd/{descriptor}"),
            }
        )


def _write(descriptor: int) -> None:
    try:
        os.pwrite(descriptor, b"spoilt", 0)
    except OSError as error:
        if error.errno == errno.EBADF:
            raise PermissionError(errno.EACCES, "open for reading only") from error
        raise


def _unprotect(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    at = libc.mmap(None, mmap.PAGESIZE, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    both = mmap.PROT_READ | mmap.PROT_WRITE
    if libc.mprotect(ctypes.c_void_p(at), mmap.PAGESIZE, both):
        raise OSError(ctypes.get_errno(), "mprotect")


def names(env: Env, order: Order) -> None:
    """Create, rename and remove names in /dev/shm."""
    with _page(env) as (name, _):
        own, new = f"{SHM}/{name}", f"{SHM}/{name}.stolen"
        each(
            {
                "create": lambda: _create(new),
                "rename": lambda: _rename(own, new),
                "link": lambda: _link(own, new),
                "chmod": lambda: os.chmod(own, 0o777),
                "unlink": lambda: os.unlink(own),
            }
        )


def _create(path: str) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(path)


def _rename(own: str, new: str) -> None:
    os.rename(own, new)
    os.rename(new, own)


def _link(own: str, new: str) -> None:
    os.link(own, new)
    os.unlink(new)


def destroyed(env: Env, order: Order) -> None:
    """Go on touching a page after its owner has destroyed it."""
    with env.cap(Memory, order.gift).map() as window:
        page = mmap.mmap(window.fileno(), mmap.PAGESIZE)
    page[0] = 1
    env.endpoint("gallery").call(Say.READY)
    for _ in range(TOUCHES):
        page[0] = 1
        env.sleep(0.005)


def memfd(env: Env, order: Order) -> None:
    """Make memory that no capability stands for."""
    os.close(os.memfd_create("hidden"))


def shrinking_window(env: Env, order: Order) -> None:
    """Revoke or truncate the window while the serial server copies from it."""
    windows: list[Serial] = []

    def cut(env: Env, _: int) -> None:
        while len(windows) <= ROUNDS:
            env.sleep(0.0002 * len(windows))  # earlier or later, from round to round
            for serial in windows[-1:]:
                with suppress(CapError, OSError, ValueError):
                    os.ftruncate(serial._out.window.fileno(), 0)
                with suppress(CapError):
                    serial._out.memory.revoke()
                    serial._out.memory.delete()  # the last capability: the kernel truncates it

    env.thread(cut)
    done = sum(_write_to(env, windows) for _ in range(ROUNDS))
    windows.extend(windows[-1:] * 2)  # the other thread's end
    raise Contained(f"{done} writes were done before, the server goes on")


def _write_to(env: Env, windows: list[Serial]) -> int:
    """Connect and write until it fails; how often it did not."""
    done = 0
    try:
        with Serial.connect(env.endpoint("console"), timeout=1) as serial:
            windows.append(serial)
            while done < FLUSHES:
                serial.flush(WINDOW, timeout=1)
                done += 1
    except PeerDied:
        raise
    except (CapError, ServiceError, OSError, ValueError):
        pass  # its own window is gone: that is what it wants
    return done
