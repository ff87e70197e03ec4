"""What is typed, on its way to the driver: marked, bounded, and held back while the driver is slow.

Who types is made to wait while the driver reads, however slowly, so that a megabyte that is pasted
arrives whole. A driver that takes nothing at all for `PATIENCE` seconds is nobody: from then on
what does not fit is dropped and counted, until the driver reads again.
"""

import struct

from caplab.kernel.abi import MARK, MARK_BREAK, MARK_SIZE

KEPT = 64 * 1024
"""Bytes that wait for a driver beyond what the cable itself holds: for Linux counts a socket's
messages and not just their bytes, some hundred keys or up to 300 KiB of what is pasted."""
PATIENCE = 1.0
"""Seconds for which typing is held back for a driver that takes nothing."""

_MARK = bytes([MARK])
BREAK = bytes([MARK, MARK_BREAK, 0])


def size_mark(rows: int, columns: int) -> bytes:
    """What tells the driver the size of the console's window."""
    return bytes([MARK, MARK_SIZE]) + struct.pack("<HH", rows, columns)


class Typed:
    """The queue from the console to the driver. `now` is the monotonic clock's, always.

    `marked`: a byte that begins marks is doubled.
    """

    def __init__(self, limit: int = KEPT, *, marked: bool = True) -> None:
        self._limit = limit
        self._marked = marked
        self._bytes = bytearray()
        self._stalled: float | None = None
        self._given_up = False
        self.dropped = 0
        """Bytes typed that the driver will not get."""
        self.typed = 0
        """Bytes typed, those dropped included."""

    def __len__(self) -> int:
        return len(self._bytes)

    @property
    def full(self) -> bool:
        """Whether nobody should be heard for now: there is no room, and a driver that reads."""
        return len(self._bytes) >= self._limit and not self._given_up

    def put(self, data: bytes, now: float) -> int:
        """Take what was typed. Returns how many bytes of it are dropped.

        What has been read already is taken whole, though it exceeds the bound, unless the driver
        is one that does not read.
        """
        self.typed += len(data)
        if not self._bytes:
            self._stalled = now
        room = max(0, self._limit - len(self._bytes)) if self._given_up else len(data)
        kept = data[:room]
        self._bytes += kept.replace(_MARK, _MARK + _MARK) if self._marked else kept
        dropped = len(data) - len(kept)
        self.dropped += dropped
        return dropped

    def mark(self, mark: bytes, now: float) -> bool:
        """Put a mark at this place of the stream; False if there is no room for it."""
        if len(self._bytes) >= 2 * self._limit:
            return False
        if not self._bytes:
            self._stalled = now
        self._bytes += mark
        return True

    def head(self, size: int) -> bytes:
        return bytes(self._bytes[:size])

    def advance(self, count: int, now: float) -> None:
        """The cable took `count` bytes."""
        del self._bytes[:count]
        self._stalled = now if self._bytes else None
        self._given_up = False

    def give_up_at(self) -> float | None:
        """When those who are held back will be heard again all the same."""
        return self._stalled + PATIENCE if self.full and self._stalled is not None else None

    def look(self, now: float) -> None:
        """Find out whether it is time to give the driver up."""
        limit = self.give_up_at()
        if limit is not None and now >= limit:
            self._given_up = True

    def abandon(self) -> None:
        """The driver is gone: what waits is dropped, and counted."""
        self.dropped += len(self._bytes)
        self._bytes.clear()
        self._stalled = None
