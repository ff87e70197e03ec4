"""Decoding of requests that carry more than a header and a body."""

from __future__ import annotations

import math
from struct import error as StructError
from typing import TYPE_CHECKING

from caplab.kernel.abi import (
    BODY_MAX,
    EXTRA_CAPS,
    HEADER_SIZE,
    RENEWAL,
    SLOT_PATH,
    TIMEOUT,
    VERSION,
    WORD,
    Flag,
)

if TYPE_CHECKING:
    from caplab.kernel.core.cap import Slot
    from caplab.kernel.core.tcb import Request

# As plain numbers: `&` with a member of an enum is Python code.
_SLOT, _TIMEOUT, RENEWED = int(Flag.SLOT), int(Flag.TIMEOUT), int(Flag.RENEWAL)
_ALL_FLAGS = _SLOT | _TIMEOUT | RENEWED
AFTER_RENEWAL = HEADER_SIZE + RENEWAL.size
unpack_renewal = RENEWAL.unpack_from
TIMEOUT_MAX = 1e9
"""Seconds; a longer time limit (or infinity) is none."""


def decode(
    request: Request, frame: bytes, version: int, flags: int, length: int, ncaps: int
) -> str:
    """Fill the request from its frame; the answer is what is wrong with it, if anything."""
    if version != VERSION:
        return f"header version {version}; this kernel speaks {VERSION}"
    if flags & ~_ALL_FLAGS:
        return f"unknown flags {flags & ~_ALL_FLAGS:#x}"
    if ncaps > EXTRA_CAPS:
        return f"{ncaps} capabilities in one message; {EXTRA_CAPS} at most"
    if length > BODY_MAX:
        return f"a body of {length} bytes; {BODY_MAX} at most"
    request.flags = flags
    request.path = request.timeout = None
    request.renewal = None
    at = HEADER_SIZE
    try:
        if flags & _SLOT:
            request.path = SLOT_PATH.unpack_from(frame, at)
            at += SLOT_PATH.size
        if flags & _TIMEOUT:
            request.timeout = TIMEOUT.unpack_from(frame, at)[0]
            at += TIMEOUT.size
        if flags & RENEWED:
            request.renewal = RENEWAL.unpack_from(frame, at)[0]
            at += RENEWAL.size
    except StructError:
        return "the frame is shorter than its flags say"
    if len(frame) != at + length + ncaps * WORD.size:
        return f"a frame of {len(frame)} bytes; its header says {at + length + ncaps * WORD.size}"
    if request.timeout is not None:
        if math.isnan(request.timeout) or request.timeout < 0:
            return f"a time limit of {request.timeout} seconds"
        if request.timeout > TIMEOUT_MAX:
            request.timeout = None
    request.body = frame[at : at + length]
    request.caps = unpack_words(frame[at + length :])
    return ""


def renewed(request: Request, slot: Slot | None) -> bool:
    """Is the slot another than the request's object was bound to?"""
    return request.renewal is not None and slot is not None and slot.renewals != request.renewal


def pack_words(words: tuple[int, ...]) -> bytes:
    return b"".join(WORD.pack(word) for word in words)


def unpack_words(data: bytes) -> tuple[int, ...]:
    return tuple(word for (word,) in WORD.iter_unpack(data))
