"""Ranges of shared memory: a capability, an offset and a length."""

from __future__ import annotations

from typing import NamedTuple, Self

from caplab.pd.idl.errors import OutOfRange
from caplab.pd.objects import Memory
from caplab.pd.window import Window


class MemoryRange(NamedTuple):
    """`length` bytes of a memory object, from `offset` on. Source: L4's flexpages, in bytes."""

    memory: Memory
    offset: int
    length: int

    @classmethod
    def all(cls, memory: Memory) -> MemoryRange:
        """The whole of a memory object."""
        return cls(memory, 0, memory.size)

    def checked(self, name: str, most: int | None) -> Self:
        """Itself, if it lies in its memory and is not too long. Errors: OutOfRange"""
        if most is not None and self.length > most:
            raise OutOfRange(f"`{name}` has {self.length} bytes, and {most} are the most")
        if not self.offset >= 0 or not self.length >= 0:
            raise OutOfRange(f"`{name}` is {self.length} bytes at {self.offset}")
        if self.offset + self.length > self.memory.size:
            raise OutOfRange(
                f"`{name}` is {self.length} bytes at {self.offset} of a memory object of"
                f" {self.memory.size}"
            )
        return self

    def open(self) -> RangeWindow:
        """Map it. Whoever opens closes. Errors: as Memory.map"""
        return RangeWindow(self.memory.map(), self.offset, self.length)


class RangeWindow:
    """The bytes of a range; nothing beyond them can be read or written through it."""

    __slots__ = ("_window", "length", "offset")

    def __init__(self, window: Window, offset: int, length: int) -> None:
        self._window = window
        self.offset = offset
        self.length = length

    def read(self, at: int = 0, length: int | None = None) -> bytes:
        """Bytes from `at`, to the end without a length. Errors: OutOfRange"""
        wanted = self.length - at if length is None else length
        self._check(at, wanted)
        return self._window.read(self.offset + at, wanted)

    def write(self, at: int, data: bytes | bytearray | memoryview) -> int:
        """Write all of `data` at `at`; how much it was. Errors: OutOfRange, PermissionError"""
        self._check(at, len(data))
        return self._window.write(self.offset + at, data)

    def _check(self, at: int, length: int) -> None:
        if at < 0 or length < 0 or at + length > self.length:
            raise OutOfRange(f"{length} bytes at {at} do not lie in a range of {self.length}")

    def close(self) -> None:
        self._window.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
