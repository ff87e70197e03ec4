"""Canonical editing of one line, as a terminal does it, without a terminal.

Bytes go in; what the line should show and the finished line come out. Known keys: CR or LF ends
the line (LF right after CR belongs to it), DEL or ^H erases a character, ^W a word, ^U the line,
^C discards it, ^D on an empty line is the end of the file. Other control bytes are kept and shown
as ^X, the way a terminal echoes them.
"""

import unicodedata
from enum import Enum, IntEnum
from typing import NamedTuple

LINE_MAX = 936
"""Bytes of a line, what an answer holds; a terminal, too, rings beyond its own bound."""
BELL = b"\a"


class Key(IntEnum):
    """Bytes that edit instead of standing in the line."""

    CTRL_C = 3
    CTRL_D = 4
    CTRL_H = 8
    LF = 10
    CR = 13
    CTRL_U = 21
    CTRL_W = 23
    DEL = 127


class Ending(Enum):
    """How a line came to its end."""

    LINE = "line"
    END_OF_FILE = "end of file"
    DISCARDED = "discarded"


class Edit(NamedTuple):
    """What feeding bytes did: what to show, how many bytes were used, how the line ended."""

    echo: bytes
    used: int
    ending: Ending | None
    line: bytes


class LineEditor:
    """The line being typed."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._after_cr = False

    @property
    def text(self) -> bytes:
        """What is typed so far."""
        return bytes(self._line)

    def shown(self) -> bytes:
        """What the line typed so far looks like."""
        return b"".join(_shown(character) for character in _characters(bytes(self._line)))

    def feed(self, data: bytes) -> Edit:
        """Take bytes up to the end of one line; the caller keeps what was not used."""
        echo = bytearray()
        for used, byte in enumerate(data, start=1):
            after_cr, self._after_cr = self._after_cr, byte == Key.CR
            if byte == Key.LF and after_cr:
                continue
            ending = self._key(byte, echo)
            if ending is not None:
                line = bytes(self._line)
                self._line.clear()
                return Edit(bytes(echo), used, ending, line if ending is Ending.LINE else b"")
        return Edit(bytes(echo), len(data), None, b"")

    def _key(self, byte: int, echo: bytearray) -> Ending | None:
        match byte:
            case Key.CR | Key.LF:
                echo += b"\r\n"
                return Ending.LINE
            case Key.CTRL_C:
                echo += b"^C\r\n"
                return Ending.DISCARDED
            case Key.CTRL_D if not self._line:
                echo += b"\r\n"
                return Ending.END_OF_FILE
            case Key.CTRL_D:
                echo += BELL
            case Key.CTRL_H | Key.DEL:
                echo += self._erase(1)
            case Key.CTRL_W:
                echo += self._erase(_last_word(_characters(bytes(self._line))))
            case Key.CTRL_U:
                echo += self._erase(len(self._line))
            case _ if len(self._line) >= LINE_MAX:
                echo += BELL
            case _:
                self._line.append(byte)
                echo += _shown(bytes([byte]))
        return None

    def _erase(self, count: int) -> bytes:
        characters = _characters(bytes(self._line))
        gone = characters[max(0, len(characters) - count) :]
        if gone:
            del self._line[-sum(map(len, gone)) :]
        return b"\b \b" * sum(map(_columns, gone))


def _characters(line: bytes) -> list[bytes]:
    """The line in characters; a byte that is no part of one stands alone."""
    text = line.decode("utf-8", "surrogateescape")
    return [character.encode("utf-8", "surrogateescape") for character in text]


def _shown(character: bytes) -> bytes:
    byte = character[0]
    return b"^%c" % (byte ^ 0x40) if byte < 0x20 else character


def _columns(character: bytes) -> int:
    """Columns the character takes on a terminal."""
    if character[0] < 0x20:
        return 2
    text = character.decode("utf-8", "replace")
    if unicodedata.combining(text[0]):
        return 0
    return 2 if unicodedata.east_asian_width(text[0]) in "WF" else 1


def _last_word(characters: list[bytes]) -> int:
    """How many characters ^W erases: the blanks at the end and the word before them."""
    count = 0
    while count < len(characters) and characters[-1 - count].isspace():
        count += 1
    while count < len(characters) and not characters[-1 - count].isspace():
        count += 1
    return count
