"""Frames as a PD's runtime makes and reads them, written once more for the tests."""

from typing import Any, NamedTuple

import msgpack

from caplab.kernel.abi import (
    ANSWER,
    DEATH,
    RENEWAL,
    REQUEST,
    SLOT_PATH,
    TIMEOUT,
    VERSION,
    WORD,
    AnswerFlag,
    Flag,
    Status,
)

Body = bytes | str | list[int] | tuple[int, ...]


class Answer(NamedTuple):
    """A decoded answer frame."""

    call: int
    status: int
    body: bytes
    label: int
    badge: int
    flags: int
    extra: tuple[int, ...]
    unwrapped: int

    @property
    def words(self) -> tuple[int, ...]:
        return tuple(word for (word,) in WORD.iter_unpack(self.body))

    @property
    def map(self) -> dict[str, Any]:
        assert self.status == Status.OK, Status(self.status)
        return msgpack.unpackb(self.body)

    @property
    def nothing(self) -> bool:
        return bool(self.flags & AnswerFlag.NOTHING)

    @property
    def notification(self) -> bool:
        return bool(self.flags & AnswerFlag.NOTIFICATION)

    @property
    def blames(self) -> str:
        """The PD a death status names."""
        assert self.status >= Status.NEVER_EXISTED, Status(self.status)
        return self.body[DEATH.size :].decode()

    @property
    def death(self) -> tuple[int, int, int]:
        """Number, generation and event of a death status."""
        return DEATH.unpack_from(self.body)


def decode(frame: bytes) -> Answer:
    version, call, status, length, badge, label, extra, unwrapped, flags = ANSWER.unpack_from(frame)
    assert version == VERSION
    body = frame[ANSWER.size : ANSWER.size + length]
    words = tuple(word for (word,) in WORD.iter_unpack(frame[ANSWER.size + length :]))
    assert len(words) == extra
    return Answer(call, status, body, label, badge, flags, words, unwrapped)


def encode(
    call: int,
    cptr: int = 0,
    body: Body = b"",
    *,
    label: int = 0,
    caps: tuple[int, ...] = (),
    slot: int | tuple[int, int, int] | None = None,
    timeout: float | None = None,
    renewal: int | None = None,
) -> bytes:
    """A request frame, as a PD's runtime makes it."""
    flags, tail = 0, b""
    if slot is not None:
        flags |= Flag.SLOT
        tail += SLOT_PATH.pack(*((0, slot, 64) if isinstance(slot, int) else slot))
    if timeout is not None:
        flags |= Flag.TIMEOUT
        tail += TIMEOUT.pack(timeout)
    if renewal is not None:
        flags |= Flag.RENEWAL
        tail += RENEWAL.pack(renewal)
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes):
        body = b"".join(WORD.pack(word) for word in body)
    header = REQUEST.pack(VERSION, call, flags, len(body), cptr, label, len(caps))
    return header + tail + body + b"".join(WORD.pack(cap) for cap in caps)
