"""An L4 message as it travels in one of caplab's: a label that says what it is, then registers.

Every IPC is a Call. The label has a mark, an operation, and of an extended IPC its size and how
far it has come; the body is the registers, and of an extended IPC a piece of the buffer.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from caplab.kernel.abi import MSG_BYTES
from caplab.pd.l4.numbers import FULL_TOTAL, MR_TOTAL, Kind

SHORT = Struct(f"<{MR_TOTAL}Q")
FULL = Struct(f"<{FULL_TOTAL}Q")
FIRST_PIECE = MSG_BYTES - SHORT.size
"""Bytes of a buffer that travel with the registers."""
NEXT_PIECE = MSG_BYTES

SEND, SENDRECV, RETURN = 0, 8, 16
"""Operations with a kind: a message that asks for acceptance, one that asks for a return, and the
return."""
FETCH = 24
"""The caller wants the next piece of an extended return."""
ACCEPTED, CONTINUE, ERROR = 25, 26, 27
"""Answers: the message was received; its next piece is wanted; it was refused, by the error whose
number stands where the size would."""
NUDGE = 28
"""Of the receiving PD's own: look what was set aside. Where a size would be, how often to pass it
on."""
_MARK = 0x4C34
_MARK_AT, _OFFSET_AT, _SIZE_AT = 48, 32, 16
_FIELD = 0xFFFF


class Head(NamedTuple):
    """A label, taken apart."""

    op: int
    kind: Kind
    """Of SEND, SENDRECV and RETURN."""
    size: int
    offset: int


def label(op: int, size: int = 0, offset: int = 0) -> int:
    return _MARK << _MARK_AT | offset << _OFFSET_AT | size << _SIZE_AT | op


def head(label: int) -> Head | None:
    """None for a message that is none of ours."""
    if label >> _MARK_AT != _MARK:
        return None
    op, size, offset = label & _FIELD, label >> _SIZE_AT & _FIELD, label >> _OFFSET_AT & _FIELD
    if op >= FETCH:
        return Head(op, Kind(0), size, offset) if op <= NUDGE else None
    kind = Kind(op & 7)
    known = kind in (Kind.SHORT, Kind.FULL, Kind.EXTENDED)
    return Head(op & ~7, kind, size, offset) if known else None


ANY = Head(SENDRECV, Kind.SHORT, 0, 0)
"""Of a message that nobody looks into."""
SENDRECV_SHORT = label(SENDRECV | Kind.SHORT)
RETURN_SHORT = label(RETURN | Kind.SHORT)
"""The two labels of a short sendrecv, for the lane that has nothing else."""


def nudged(label: int) -> int | None:
    """How often a nudge is to be passed on; None for any other message."""
    found = head(label)
    return found.size if found is not None and found.op == NUDGE else None


def piece(data: memoryview, offset: int) -> bytes:
    """The next bytes of a buffer; this is where a page of it that is not there faults."""
    return bytes(data[offset : offset + (NEXT_PIECE if offset else FIRST_PIECE)])


def well_formed(head: Head, length: int) -> bool:
    """Whether a message's body can be what its label says."""
    if head.op >= FETCH:
        return True
    if head.kind is not Kind.EXTENDED:
        return length in (SHORT.size, FULL.size)
    registers = 0 if head.offset else SHORT.size
    return head.offset <= head.size and registers <= length <= MSG_BYTES
