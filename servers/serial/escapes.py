"""What a client prints, without what would command the terminal.

A state machine over bytes, so that a sequence split over any number of writes is caught as well.
It drops escape sequences (ESC …, CSI, OSC, DCS and the other strings, also when they begin with a
C1 control, as one byte or in UTF-8) and control characters, but for those that only move within the
text: BEL, BS, TAB, LF, VT, FF, CR, and NUL, which does nothing. All other bytes pass, also those
that are no UTF-8; the terminal is taken to be one that reads UTF-8.

A string that is never ended swallows no more than its line: a terminal would wait for its end, but
it has not been told of its beginning.
"""

import re
from enum import Enum

_HARMLESS = b"\0\a\b\t\n\v\f\r"
_ESC, _CAN, _SUB, _BEL, _LF = 0x1B, 0x18, 0x1A, 0x07, 0x0A
_ST, _CSI, _STRINGS = 0x9C, 0x9B, b"\x90\x98\x9d\x9e\x9f"
_COMMANDS = re.compile("[\x01-\x06\x0e-\x1f\x7f-\x9f]")
_PASSES = bytes([*_HARMLESS, *range(0x20, 0x7F)])
_REST = (0x80, 0xBF)
_LEADS: dict[int, tuple[tuple[int, int], ...]] = {
    0xC2: ((0xA0, 0xBF),),  # below: a C1 control
    **dict.fromkeys(range(0xC3, 0xE0), (_REST,)),
    0xE0: ((0xA0, 0xBF), _REST),
    **dict.fromkeys((*range(0xE1, 0xED), 0xEE, 0xEF), (_REST, _REST)),
    0xED: ((0x80, 0x9F), _REST),
    0xF0: ((0x90, 0xBF), _REST, _REST),
    **dict.fromkeys(range(0xF1, 0xF4), (_REST, _REST, _REST)),
    0xF4: ((0x80, 0x8F), _REST, _REST),
}
"""The bytes that may follow the first one of a character in UTF-8 (RFC 3629)."""
_C1_LEAD = 0xC2


class State(Enum):
    """Where in the stream the filter is."""

    TEXT = "text"
    ESCAPE = "behind ESC"
    CONTROL = "in a control sequence"
    STRING = "in a string"
    STRING_ESCAPE = "behind an ESC in a string"


class EscapeFilter:
    """The stream of one client."""

    def __init__(self) -> None:
        self._state = State.TEXT
        self._rest: tuple[tuple[int, int], ...] = ()
        self._held = b""
        """A character that is not whole yet."""

    def feed(self, data: bytes) -> bytes:
        """What of `data` may be printed."""
        if self._state is State.TEXT and not self._rest and _plain(data):
            return data
        out = bytearray()
        for byte in data:
            if self._state is State.TEXT:
                self._text(byte, out)
            elif self._state is State.ESCAPE:
                self._escape(byte, out)
            elif self._state is State.CONTROL:
                self._control(byte, out)
            else:
                self._string(byte, out)
        return bytes(out)

    def _text(self, byte: int, out: bytearray) -> None:
        if self._rest:
            (low, high), *rest = self._rest
            if low <= byte <= high:
                self._rest = tuple(rest)
                self._held += bytes([byte])
                if not rest:
                    out += self._held
                    self._held = b""
                return
            # No character: what could be taken for a C1 control goes, the rest stays.
            if self._held[0] != _C1_LEAD or not 0x80 <= byte <= 0x9F:
                out += bytes(each for each in self._held if each >= 0xA0)
            self._rest, self._held = (), b""
        if byte == _ESC:
            self._state = State.ESCAPE
        elif 0x80 <= byte <= 0x9F:
            self._c1(byte)
        elif byte in _LEADS:
            self._rest, self._held = _LEADS[byte], bytes([byte])
        elif (byte >= 0x20 and byte != 0x7F) or byte in _HARMLESS:
            out.append(byte)

    def _c1(self, byte: int) -> None:
        if byte == _CSI:
            self._state = State.CONTROL
        elif byte in _STRINGS:
            self._state = State.STRING

    def _escape(self, byte: int, out: bytearray) -> None:
        if byte == ord("["):
            self._state = State.CONTROL
        elif byte in b"]PX^_":
            self._state = State.STRING
        elif byte == _ESC or 0x20 <= byte <= 0x2F:
            pass
        else:
            self._end(byte, out, 0x30 <= byte <= 0x7E)

    def _control(self, byte: int, out: bytearray) -> None:
        if byte == _ESC:
            self._state = State.ESCAPE
        elif not 0x20 <= byte <= 0x3F:
            self._end(byte, out, 0x40 <= byte <= 0x7E)

    def _string(self, byte: int, out: bytearray) -> None:
        if self._state is State.STRING_ESCAPE and byte != ord("\\"):
            self._state = State.ESCAPE
            self._escape(byte, out)
        elif self._state is State.STRING_ESCAPE or byte in (_BEL, _ST):
            self._state = State.TEXT
        elif byte == _ESC:
            self._state = State.STRING_ESCAPE
        elif byte in (_CAN, _SUB, _LF):
            self._end(byte, out, False)

    def _end(self, byte: int, out: bytearray, used: bool) -> None:
        """The sequence is over; a byte that is none of it is text again."""
        self._state = State.TEXT
        if not used:
            self._text(byte, out)


def _plain(data: bytes) -> bool:
    """Whether there is nothing to look for: the way nearly everything goes."""
    other = data.translate(None, _PASSES)
    if not other:
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    # All characters are whole, so those that are left without the ASCII among them are too.
    return _COMMANDS.search(other.decode()) is None
