"""Shared pages, read and written through the segment's descriptor.

Opened as `multiprocessing.shared_memory` opens them (shm_open), so that what answers names there
answers them here. What was granted for reading only lies in a place of its own, `/dev/shr`, on a
mount that nobody writes to, or is handed over as a descriptor that was opened so.

A server never dereferences a client's page: `pread` and `pwrite` on the descriptor turn a page
that was taken away meanwhile into a short read, where a mapping would be SIGBUS. For memory of its
own a PD may have a mapping, `window.mapping()`, or attach with
`multiprocessing.shared_memory.SharedMemory(name=window.name)`.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import resource_tracker, shared_memory
from typing import Any, Self

SHM_DIR = "/dev/shm"
READ_ONLY_DIR = "/dev/shr"
KERNEL_PREFIX = "cl."
"""How the names of the kernel's segments begin."""
MAP_FIXED = 0x10
FAILED = ctypes.c_void_p(-1).value


class Window:
    """A shared-memory segment of the kernel's, opened by name (shm_open).

    Errors: FileNotFoundError when there is no such segment, or none that this PD was granted.
    """

    __slots__ = ("__weakref__", "_fd", "_mapping", "_withdrawn", "name", "size", "writable")

    def __init__(self, name: str) -> None:
        self._fd = -1
        self._mapping: mmap.mmap | None = None
        self._withdrawn = False
        plain = name.lstrip("/")
        if not plain or "/" in plain:
            raise ValueError(f"{name!r} is not the name of a segment")
        self.name = plain
        self._fd = _open(plain)
        self.size = os.fstat(self._fd).st_size
        self.writable = fcntl.fcntl(self._fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR
        """Whether the PD was granted more than reading."""

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes from `offset`; to the end without a length.

        Fewer than asked for where the window is shorter by now, none where it was taken from this
        PD; ValueError beyond its first size.
        """
        if length is None:
            length = self.size - offset
        self._check(offset, length)
        return b"" if self._withdrawn else os.pread(self._fd, length, offset)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        """Write all of `data` at `offset` and say how much was: nothing, where the window was taken
        from this PD.

        Errors: ValueError past the end; PermissionError when it was granted for reading only.
        """
        self._check(offset, len(data))
        if self._withdrawn:
            return 0
        self._require_writable()
        return os.pwrite(self._fd, data, offset)

    def mapping(self) -> mmap.mmap:
        """The pages themselves, as slices of bytes: no system call for each access, and closed when
        the window is. A touch of pages that were destroyed meanwhile is a memory fault.

        Errors: ValueError when the window is closed or was taken from this PD; PermissionError when
        it was granted for reading only
        """
        if self._mapping is None:
            if self._fd < 0:
                raise ValueError(f"window {self.name} is closed")
            self._require_writable()
            self._mapping = mmap.mmap(self._fd, self.size)
        return self._mapping

    def _check(self, offset: int, length: int) -> None:
        if self._fd < 0 and not self._withdrawn:
            raise ValueError(f"window {self.name} is closed")
        if offset < 0 or length < 0 or offset + length > self.size:
            raise ValueError(
                f"{length} bytes at {offset} do not lie in a window of {self.size} bytes"
            )

    def _require_writable(self) -> None:
        if not self.writable:
            raise PermissionError(errno.EACCES, "granted for reading only", self.name)

    def fileno(self) -> int:
        """The segment's descriptor."""
        return self._fd

    def close(self) -> None:
        """Let go of it; the segment itself is the kernel's to remove. Closing twice is allowed."""
        fd, self._fd = self._fd, -1
        self._withdrawn = False
        mapping, self._mapping = self._mapping, None
        if mapping is not None:
            with suppress(BufferError):  # a view of it is in use, and has it as long as it lasts
                mapping.close()
        if fd >= 0:
            os.close(fd)

    def withdraw(self) -> None:
        """Let go of it, because the memory object was taken from this PD: like one that was
        destroyed it is empty from now on, so that no server falls over what its client does."""
        if self._fd >= 0:
            mapping = self._mapping
            self.close()
            self._withdrawn = True
            if mapping is not None and not mapping.closed:
                cover(mapping)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Window {self.name}, {self.size} bytes{', closed' if self._fd < 0 else ''}>"


def cover(mapping: mmap.mmap) -> None:
    """Map nothing where it was: the object stays as it is, so that whoever has it may close it, and
    a touch of its pages ends the process, or faults.
    """
    address = ctypes.addressof(ctypes.c_char.from_buffer(mapping))
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = (
        *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int),
        ctypes.c_long,
    )
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_FIXED
    if library.mmap(address, len(mapping), 0, flags, -1, 0) == FAILED:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _open(name: str) -> int:
    module: Any = shared_memory
    try:
        return int(module._posixshmem.shm_open(f"/{name}", os.O_RDWR, mode=0o600))
    except FileNotFoundError:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(f"{READ_ONLY_DIR}/{name}", flags)


def leave_segments_to_the_kernel() -> None:
    """Keep Python's resource tracker away from the kernel's segments, in this process.

    Up to 3.12 `SharedMemory(name=…)` registers what it merely attaches to; the tracker, a process
    of its own, would then remove the segment when the first PD exits. (3.13 has `track=False`,
    which users of plain `SharedMemory` should not have to know.) Segments that the PD makes
    itself are tracked as ever.
    """

    def without_ours(report: Callable[[str, str], None]) -> Callable[[str, str], None]:
        def tell(name: str, rtype: str) -> None:
            if rtype != "shared_memory" or not name.lstrip("/").startswith(KERNEL_PREFIX):
                report(name, rtype)

        return tell

    for verb in ("register", "unregister"):
        setattr(resource_tracker, verb, without_ours(getattr(resource_tracker, verb)))
