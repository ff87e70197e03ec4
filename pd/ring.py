"""A ring of bytes in a shared window: one writes, the other reads, and a call is seldom needed.

After sDDF's queues: the indices only grow, each is written by one side, and neither side believes
what the other's says before it has looked whether it can be so.

========== ======================================================================================
bytes      hold
========== ======================================================================================
0–15       head: bytes written since the beginning, and the same with every bit inverted
64–79      tail: bytes read since the beginning, in the same form
128        1: the reader sleeps, and is to be signalled at the next head
192–       the bytes; the one of number n stands at 192 + n % capacity
========== ======================================================================================

An index that is being written while it is read fails the test of its inverse and is read again. The
reader puts out a flag before it sleeps and looks at the head once more behind it; the writer
publishes its head and then looks at the flag. So one of them sees what the other did, and no
signal is lost.

The writer owns the memory and touches it through a mapping, which costs no system call; the reader
never does, and reads it by descriptor: what becomes of another's memory must not become of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from mmap import mmap
from struct import Struct
from threading import Lock
from typing import Protocol

HEAD, TAIL, ASLEEP, DATA = 0, 64, 128, 192
_INDEX = Struct("<QQ")
_ALL = (1 << 64) - 1
_TRIES = 8
_YES, _NO = b"\1", b"\0"
GONE = "the window is gone: {}"

Memory = mmap | bytearray
"""What a writer writes into: pages of its own, as they are."""


class Shared(Protocol):
    """What a reader needs of a window: bytes that are there or, when it was taken away, are not."""

    def read(self, offset: int, length: int) -> bytes: ...
    def write(self, offset: int, data: bytes) -> int: ...


class RingBroken(Exception):
    """The other side's index cannot be so, or the window is gone."""


class _Ring(ABC):
    """What both sides have: `size` bytes of memory, and how one gets at it."""

    def __init__(self, size: int) -> None:
        if size <= DATA:
            raise RingBroken(f"{size} bytes are no ring: its head takes {DATA}")
        self.capacity = size - DATA

    @abstractmethod
    def _get(self, place: int, length: int) -> bytes | bytearray: ...

    @abstractmethod
    def _put(self, place: int, data: bytes) -> None: ...

    def _index(self, place: int, known: int) -> int:
        """An index of the other side's; `known` when it is being written all the time."""
        for _ in range(_TRIES):
            value, inverse = _INDEX.unpack(self._get(place, _INDEX.size))
            if value ^ inverse == _ALL:
                return int(value)
        return known

    def _publish(self, place: int, value: int) -> None:
        self._put(place, _INDEX.pack(value, value ^ _ALL))

    def _between(self, tail: int, head: int) -> None:
        if not 0 <= head - tail <= self.capacity:
            raise RingBroken(f"{head} bytes written and {tail} read cannot be so")


def clear(memory: Memory) -> None:
    """Make an empty ring of it, before the other side gets it."""
    zero = _INDEX.pack(0, _ALL)
    for place in (HEAD, TAIL):
        memory[place : place + _INDEX.size] = zero
    memory[ASLEEP : ASLEEP + 1] = _YES


class RingWriter(_Ring):
    """The side that writes, to all of `memory`.

    Every method raises RingBroken where the reader's index cannot be so, or the mapping is closed.
    Memory that was destroyed under an open mapping is a memory fault, as it is on a board.
    """

    def __init__(self, memory: Memory) -> None:
        super().__init__(len(memory))
        self._memory = memory
        self._barrier = Lock()
        """Given back between the head and the look at the flag. No system call stands there, and a
        processor may look first; stores among themselves x86 keeps in order."""
        self.head = self._index(HEAD, 0)
        """Bytes written since the beginning."""
        self._tail = 0

    def unread(self) -> int:
        """Bytes the reader has not taken yet."""
        tail = self._index(TAIL, self._tail)
        self._between(tail, self.head)
        self._tail = tail
        return self.head - tail

    def write(self, data: bytes) -> int:
        """Write and publish what there is room for; how many bytes."""
        memory, head, length = self._memory, self.head, len(data)
        if self.capacity - head + self._tail < length:
            data = data[: self.capacity - self.unread()]
            length = len(data)
        at = DATA + head % self.capacity
        first = self.capacity + DATA - at
        head += length
        try:
            if length <= first:
                memory[at : at + length] = data
            else:
                memory[at : at + first] = data[:first]
                memory[DATA : DATA + length - first] = data[first:]
            with self._barrier:
                memory[HEAD : HEAD + _INDEX.size] = _INDEX.pack(head, head ^ _ALL)
        except ValueError as closed:
            raise RingBroken(GONE.format(closed)) from None
        self.head = head
        return length

    def must_signal(self) -> bool:
        """Whether the reader sleeps; the signal is the caller's to give. After each write."""
        if self._get(ASLEEP, 1) == _NO:
            return False
        self._put(ASLEEP, _NO)
        return True

    def _get(self, place: int, length: int) -> bytes | bytearray:
        try:
            return self._memory[place : place + length]
        except ValueError as closed:
            raise RingBroken(GONE.format(closed)) from None

    def _put(self, place: int, data: bytes) -> None:
        try:
            self._memory[place : place + len(data)] = data
        except ValueError as closed:
            raise RingBroken(GONE.format(closed)) from None


class RingReader(_Ring):
    """The side that reads; it goes on where the last reader of this ring had come to.

    Raises RingBroken where the window is gone or the writer's index cannot be so: what the writer
    does to its own window hurts only itself.
    """

    def __init__(self, window: Shared, size: int) -> None:
        super().__init__(size)
        self._window = window
        self._head = self.tail = self._index(TAIL, 0)
        self.ready()

    def ready(self) -> int:
        """Bytes that can be read."""
        head = self._index(HEAD, self._head)
        self._between(self.tail, head)
        self._head = head
        return head - self.tail

    def peek(self, length: int) -> bytes:
        """The next bytes, of those that are ready; they stay until `advance`."""
        length = min(length, self._head - self.tail)
        at = self.tail % self.capacity
        first = min(length, self.capacity - at)
        data = self._get(DATA + at, first)
        return data + self._get(DATA, length - first) if length > first else data

    def advance(self, length: int) -> None:
        """Give the writer room: these bytes have been dealt with."""
        self.tail += length
        self._publish(TAIL, self.tail)

    def sleep(self) -> bool:
        """Ask for a signal; False when something was written meanwhile, which comes first."""
        before = self._head
        self._put(ASLEEP, _YES)
        self.ready()
        if self._head == before:
            return True
        self._put(ASLEEP, _NO)
        return False

    def _get(self, place: int, length: int) -> bytes:
        try:
            found = self._window.read(place, length)
        except OSError as refused:
            raise RingBroken(f"the window cannot be read: {refused}") from None
        if len(found) < length:
            raise RingBroken("the window is gone")
        return found

    def _put(self, place: int, data: bytes) -> None:
        try:
            self._window.write(place, data)
        except OSError as refused:  # granted for reading only, or sealed and gone
            raise RingBroken(f"the window cannot be written: {refused}") from None
