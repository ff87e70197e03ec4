"""Bounded queues: what a slow reader may cost the line, and how its losses are told."""

from collections import deque

from caplab.kernel.host import console_wire


class Backlog:
    """Bytes waiting for a slow reader; beyond `limit` the newest are dropped and counted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = bytearray()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._bytes)

    def put(self, data: bytes) -> int:
        """Keep what there is room for, in order. Returns how many bytes were dropped."""
        room = self._limit - len(self._bytes)
        self._bytes += data[:room]
        dropped = max(0, len(data) - room)
        self.dropped += dropped
        return dropped

    def head(self, size: int) -> bytes:
        return bytes(self._bytes[:size])

    def advance(self, count: int) -> None:
        """The reader took `count` bytes."""
        del self._bytes[:count]

    def abandon(self) -> None:
        """The reader is gone: what waits is dropped, and counted."""
        self.dropped += len(self._bytes)
        self._bytes.clear()


class _Mark:
    """Bytes missing at this place of the stream. It grows until something follows it."""

    def __init__(self, key: str, count: int) -> None:
        self.key = key
        self.count = count

    def frame(self) -> bytes:
        return console_wire.encode_json({self.key: self.count})


class _News:
    """A message of which only the latest counts."""

    def __init__(self, key: str, frame: bytes) -> None:
        self.key = key
        self._frame = frame

    def frame(self) -> bytes:
        return self._frame


class Outbox:
    """Frames waiting for one console client.

    A data frame that does not fit is dropped whole and a mark stands in its place; marks
    merge, so that a client which never reads costs `limit` bytes and no more.
    """

    FRAME_COST = 64
    """What Python keeps besides a frame's bytes; without it a flood of one-byte frames is free."""

    def __init__(self, limit: int = 1 << 20) -> None:
        self._limit = limit
        self._frames: deque[bytes | _Mark | _News] = deque()
        self._held = 0
        self._sent = 0  # bytes of the first frame that are gone

    def __bool__(self) -> bool:
        return bool(self._frames)

    def control(self, frame: bytes) -> None:
        """Queue a frame that must arrive: a welcome, a scrollback, a refusal."""
        self._frames.append(frame)
        self._held += len(frame) + self.FRAME_COST

    def data(self, frame: bytes) -> None:
        """Queue output, or leave a ``lost`` mark where it would have stood."""
        if self._held + len(frame) + self.FRAME_COST > self._limit:
            self.mark("lost", len(frame) - console_wire.HEADER.size)
        else:
            self.control(frame)

    def news(self, key: str, frame: bytes) -> None:
        """Queue a message that makes an earlier one under the same key superfluous."""
        stale = [one for one in self._frames if isinstance(one, _News) and one.key == key]
        for one in stale:
            self._frames.remove(one)
        self._frames.append(_News(key, frame))

    def mark(self, key: str, count: int) -> None:
        for entry in reversed(self._frames):
            if not isinstance(entry, _Mark):
                break
            if entry.key == key:
                entry.count += count
                return
        self._frames.append(_Mark(key, count))

    def head(self) -> memoryview:
        """The unsent part of the first frame, which is fixed from now on, mark or not."""
        first = self._frames[0]
        if not isinstance(first, bytes):
            first = first.frame()
            self._frames[0] = first
            self._held += len(first) + self.FRAME_COST
        return memoryview(first)[self._sent :]

    def advance(self, count: int) -> None:
        """The socket took `count` bytes of `head()`."""
        self._sent += count
        first = self._frames[0]
        if isinstance(first, bytes) and self._sent == len(first):
            self._frames.popleft()
            self._held -= len(first) + self.FRAME_COST
            self._sent = 0
