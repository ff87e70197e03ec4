"""Canonical editing of one line, as a terminal does it, without a terminal.

Bytes go in; what the line should show and the finished line come out. CR or LF ends the line (LF
right after CR belongs to it), DEL or ^H erases a character, ^W a word, ^U what stands before the
cursor, ^K what stands behind it, ^C discards the line, ^D on an empty line is the end of the file.
The arrow keys, Home, End and Delete (or ^B ^F ^P ^N ^A ^E) move the cursor and leaf through what
was typed before. Other control bytes are kept and shown as ^X, the way a terminal echoes them.

All it shows is characters, spaces and backspaces: that works on every terminal, and reads well in a
log. A line that is wider than the terminal goes on below; on a terminal whose backspace does not
lead back up, what is changed in front of such a fold is not seen until the line is shown again.
"""

import unicodedata
from enum import Enum
from typing import NamedTuple

from caplab.servers.serial.history import History
from caplab.servers.serial.keys import Key, KeyDecoder

LINE_MAX = 936
"""Bytes of a line, what an answer holds; a terminal, too, rings beyond its own bound."""
BELL = b"\a"
_ON_TOP = ("Mn", "Me", "Cf")
"""Categories of what has no column of its own: accents and vowel signs, joiners."""
_SOFT_HYPHEN = "\N{SOFT HYPHEN}"


class Ending(Enum):
    """How a line came to its end."""

    LINE = "line"
    END_OF_FILE = "end of file"
    DISCARDED = "discarded"


class Edit(NamedTuple):
    """What feeding bytes did."""

    echo: bytes
    """What to show."""
    used: int
    """How many bytes it took."""
    ending: Ending | None
    line: bytes
    lost: int
    """Bytes that the line had no room for."""


class LineEditor:
    """The line being typed."""

    def __init__(self) -> None:
        self._left: list[bytes] = []
        self._right: list[bytes] = []
        """Characters before the cursor, and behind it."""
        self._size = 0
        self._keys = KeyDecoder()
        self.history = History()

    @property
    def text(self) -> bytes:
        """What is typed so far."""
        return b"".join((*self._left, *self._right))

    def shown(self, echo: bool = True) -> bytes:
        """What the line typed so far looks like, up to the cursor's place."""
        return self._drawn([*self._left, *self._right], echo) + self._back(self._right, echo)

    def put_back(self, text: bytes) -> None:
        """Let the line begin with what another had been given."""
        self._left[:0] = _characters(text)
        self._size += len(text)

    def take(self) -> bytes:
        """Give up what is typed so far."""
        text = self.text
        self._empty()
        return text

    def feed(self, data: bytes, echo: bool = True) -> Edit:
        """Take bytes up to the end of one line; the caller keeps what was not used."""
        shown, at, lost = bytearray(), 0, 0
        while True:
            token = self._keys.take(data, at, LINE_MAX - self._size or LINE_MAX)
            at = token.end
            if token.what is None:
                return Edit(bytes(shown), at, None, b"", lost)
            if isinstance(token.what, bytes):
                if self._size + len(token.what) > LINE_MAX:
                    shown += BELL if not lost else b""
                    lost += len(token.what)
                else:
                    shown += self._insert(token.what, echo)
                continue
            ending = self._key(token.what, shown, echo)
            if ending is not None:
                line = self.take()
                if ending is Ending.LINE and echo:
                    self.history.add(line)
                return Edit(bytes(shown), at, ending, line if ending is Ending.LINE else b"", lost)

    def _insert(self, text: bytes, echo: bool) -> bytes:
        new = _characters(text)
        shown = self._drawn([*new, *self._right], echo) + self._back(self._right, echo)
        if self._left and _columns(new[0]) == 0:
            self._left[-1] += new.pop(0)  # an accent: it is moved over and erased with its letter
        self._left += new
        self._size += len(text)
        return shown

    def _key(self, key: Key, shown: bytearray, echo: bool) -> Ending | None:
        match key:
            case Key.ENTER:
                shown += self._drawn(self._right, echo) + b"\r\n"
                return Ending.LINE
            case Key.INTERRUPT:
                shown += self._drawn(self._right, echo) + b"^C\r\n"
                return Ending.DISCARDED
            case Key.END_OF_FILE if not self._size:
                shown += b"\r\n"
                return Ending.END_OF_FILE
            case Key.END_OF_FILE:
                shown += BELL
            case Key.LEFT | Key.RIGHT | Key.HOME | Key.END:
                shown += self._move(key, echo)
            case Key.UP | Key.DOWN:
                shown += self._leaf(key, echo)
            case _:
                shown += self._erase(key, echo)
        return None

    def _move(self, key: Key, echo: bool) -> bytes:
        left, right = self._left, self._right
        if key in (Key.LEFT, Key.HOME):
            count = min(1, len(left)) if key is Key.LEFT else len(left)
            passed = left[len(left) - count :]
            self._left, self._right = left[: len(left) - count], [*passed, *right]
            return self._back(passed, echo)
        count = min(1, len(right)) if key is Key.RIGHT else len(right)
        self._left, self._right = [*left, *right[:count]], right[count:]
        return self._drawn(right[:count], echo)

    def _leaf(self, key: Key, echo: bool) -> bytes:
        if not echo:  # what is typed silently must not even be noted as the line that was begun
            return BELL
        history = self.history
        line = history.older(self.text) if key is Key.UP else history.newer()
        if line is None:
            return BELL
        gone = self._drawn(self._right, echo) + self._wiped([*self._left, *self._right], echo)
        self._empty()
        return gone + self._insert(line, echo)

    def _erase(self, key: Key, echo: bool) -> bytes:
        left, right = self._left, self._right
        if key in (Key.DELETE, Key.REST):
            count = 1 if key is Key.DELETE else len(right)
            gone, self._right = right[:count], right[count:]
            back = b""
        else:
            counts = {Key.BACKSPACE: 1, Key.WORD: _last_word(left)}
            count = min(len(left), counts.get(key, len(left)))
            gone, self._left = left[len(left) - count :], left[: len(left) - count]
            back = self._back(gone, echo)
        if not gone:
            return b""
        self._size -= sum(map(len, gone))
        if not self._right and back:
            return self._wiped(gone, echo)
        blank = b" " * _width(gone) if echo else b""
        behind = self._drawn(self._right, echo) + blank
        return back + behind + b"\b" * len(blank) + self._back(self._right, echo)

    def _empty(self) -> None:
        self._left, self._right, self._size = [], [], 0

    @staticmethod
    def _drawn(characters: list[bytes], echo: bool) -> bytes:
        return b"".join(map(_shown, characters)) if echo else b""

    @staticmethod
    def _back(characters: list[bytes], echo: bool) -> bytes:
        return b"\b" * _width(characters) if echo else b""

    @staticmethod
    def _wiped(characters: list[bytes], echo: bool) -> bytes:
        return b"\b \b" * _width(characters) if echo else b""


def _characters(text: bytes) -> list[bytes]:
    """The text in characters, each with what stands on top of it; a byte that is no part of one
    stands alone."""
    if text.isascii():
        return [text[i : i + 1] for i in range(len(text))]
    found: list[bytes] = []
    for one in text.decode("utf-8", "surrogateescape"):
        character = one.encode("utf-8", "surrogateescape")
        if found and _columns(character) == 0:
            found[-1] += character
        else:
            found.append(character)
    return found


def _shown(character: bytes) -> bytes:
    byte = character[0]
    return b"^%c" % (byte ^ 0x40) + character[1:] if byte < 0x20 else character


def _width(characters: list[bytes]) -> int:
    return sum(map(_columns, characters))


def _columns(character: bytes) -> int:
    """Columns the character takes on a terminal."""
    if character[0] < 0x20:
        return 2
    first = character.decode("utf-8", "replace")[0]
    if unicodedata.category(first) in _ON_TOP and first != _SOFT_HYPHEN:
        return 0
    return 2 if unicodedata.east_asian_width(first) in "WF" else 1


def _last_word(characters: list[bytes]) -> int:
    """How many characters ^W erases: the blanks at the end and the word before them."""
    count = 0
    while count < len(characters) and characters[-1 - count].isspace():
        count += 1
    while count < len(characters) and not characters[-1 - count].isspace():
        count += 1
    return count
