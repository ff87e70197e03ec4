"""The message registers of an L4 thread, and how a message is put into them."""

from __future__ import annotations

from caplab.pd.l4 import wire
from caplab.pd.l4.numbers import (
    FULL_TOTAL,
    MR_RETURN,
    MR_SENDER,
    MR_TAG,
    MR_TOTAL,
    TAG_MASK,
    UTCB_WORDS,
    Kind,
)

WORD_MASK = (1 << 64) - 1
_SIGN = 1 << 63
_ZEROS = [0] * (FULL_TOTAL - MR_TOTAL)


class Registers:
    """64 words; of those 6 travel with a short IPC and 60 with a full one.

    A word has 64 bits here. With `strict`, tags have 12 bits, one nested IPC can be saved, and what
    travels of a full register file is whatever stands there.
    """

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict
        self.mr = [0] * UTCB_WORDS
        self._tag = 0
        self._saved: list[tuple[int, int, int]] = []

    def read_mr(self, index: int) -> int:
        """A message register, as an unsigned word."""
        return self.mr[_checked(index)]

    def write_mr(self, index: int, value: int) -> None:
        """Set a message register; a negative number is its two's complement."""
        self.mr[_checked(index)] = value & WORD_MASK

    def get_tag(self) -> int:
        """The tag of the request that was received last. l4_get_tag.

        Differs: it stays what it was when a result is written; in Codezero, and with `strict`, the
            two are one register
        """
        return self.mr[MR_TAG] & TAG_MASK if self.strict else self._tag

    def set_tag(self, tag: int) -> None:
        """l4_set_tag."""
        self._tag = self.mr[MR_TAG] = self._checked_tag(tag)

    def get_sender(self) -> int:
        """The id of the thread that sent what was received last. l4_get_sender.

        The kernel stamps it. With `strict` it does so for receivers from L4_ANYTHREAD alone; after
        a receive from a named thread the register is as the sender wrote it.
        """
        return self.mr[MR_SENDER]

    def set_sender(self, tid: int) -> None:
        """Choose whom `ipc_return` returns to: for a deferred reply. l4_set_sender."""
        self.mr[MR_SENDER] = tid & WORD_MASK

    def get_retval(self) -> int:
        """The result that a return brought, as a signed number. l4_get_retval."""
        value = self.mr[MR_RETURN]
        return value - (_SIGN << 1) if value & _SIGN else value

    def save_ipcregs(self) -> None:
        """Keep tag and sender while another IPC is done in between. l4_save_ipcregs.

        Differs: saved ones stack; Codezero, and `strict`, has room for one
        """
        if self.strict:
            self._saved.clear()
        self._saved.append((self.mr[MR_TAG], self.mr[MR_SENDER], self._tag))

    def restore_ipcregs(self) -> None:
        """Put back what `save_ipcregs` kept. l4_restore_ipcregs."""
        if not self._saved:
            raise ValueError("no IPC registers are saved")
        self.mr[MR_TAG], self.mr[MR_SENDER], self._tag = self._saved.pop()

    # -- as they travel -------------------------------------------------------------------------

    def _body(self, kind: Kind) -> bytes:
        """The registers of a message. With `strict` a short one has all of them too, in case the
        receiver is full.
        """
        if kind is Kind.FULL or (self.strict and kind is Kind.SHORT):
            return wire.FULL.pack(*self.mr[:FULL_TOTAL])
        return wire.SHORT.pack(*self.mr[:MR_TOTAL])

    def _load(self, data: bytes, full: bool, sender: int | None) -> None:
        """Take over the registers of a message. Either side may have made it a full one; then what
        a short side did not send is zero. `sender` is what the kernel stamps.
        """
        if len(data) < wire.FULL.size:
            self.mr[:MR_TOTAL] = wire.SHORT.unpack_from(data)
            if full:
                self.mr[MR_TOTAL:FULL_TOTAL] = _ZEROS
        elif full:
            self.mr[:FULL_TOTAL] = wire.FULL.unpack_from(data)
        else:
            self.mr[:MR_TOTAL] = wire.SHORT.unpack_from(data)
        if sender is not None:
            self.mr[MR_SENDER] = sender

    def _checked_tag(self, tag: int) -> int:
        if self.strict:
            return tag & TAG_MASK
        if not 0 <= tag <= WORD_MASK:
            raise ValueError(f"a tag is a number from 0 to 2**64 - 1, not {tag}")
        return tag


def _checked(index: int) -> int:
    if not 0 <= index < UTCB_WORDS:
        raise ValueError(f"there are message registers 0 to {UTCB_WORDS - 1}, not {index}")
    return index
