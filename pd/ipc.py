"""A message as its receiver sees it, and how data becomes the body of one."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, error
from typing import NamedTuple

from caplab.kernel.abi import WORD

Data = bytes | bytearray | memoryview | Sequence[int]
"""A body: bytes as they are, or numbers, each a little-endian word of eight bytes."""


class Message(NamedTuple):
    """What a Call, Recv or ReplyRecv brought."""

    data: bytes = b""
    badge: int = 0
    """Badge of the sender's capability, or the notification word."""
    label: int = 0
    caps: tuple[int, ...] = ()
    """Per capability sent: the slot it landed in, or its badge where it was unwrapped."""
    unwrapped: int = 0
    """Bit i: capability i was one to this endpoint, so `caps[i]` is its badge."""
    notification: bool = False
    """The bound notification ended the Recv: `badge` is its word, and nobody waits for a reply."""

    @property
    def words(self) -> tuple[int, ...]:
        """The message registers."""
        return words(self.data)

    @property
    def slots(self) -> tuple[int, ...]:
        """The slots that capabilities of this message landed in."""
        if not self.unwrapped:
            return self.caps
        return tuple(c for i, c in enumerate(self.caps) if not self.unwrapped >> i & 1)


def words(data: bytes) -> tuple[int, ...]:
    """All whole words of a body."""
    count = len(data) // WORD.size
    return Struct(f"<{count}Q").unpack_from(data)


def body(data: Data) -> bytes:
    """`data` as the bytes that travel."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    if isinstance(data, str):  # type: ignore[unreachable]  # of those who check no types
        raise TypeError("a message is bytes or numbers: encode the text first")
    try:
        return Struct(f"<{len(data)}Q").pack(*data)
    except error:
        raise ValueError(f"message words go from 0 to 2**64 - 1: {list(data)}") from None
