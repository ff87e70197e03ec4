"""From bytes to keys: what a terminal sends for the arrow keys and their like, and characters.

A sequence or a character may come in pieces; what is not whole yet is kept. Sequences that are no
key known here are passed over. Bytes that are no UTF-8 are characters of their own.
"""

import re
from collections import deque
from enum import Enum
from typing import NamedTuple


class Key(Enum):
    """Keys that edit instead of standing in the line."""

    ENTER = "enter"
    INTERRUPT = "^C"
    END_OF_FILE = "^D"
    BACKSPACE = "backspace"
    DELETE = "delete"
    WORD = "^W"
    START = "^U"
    REST = "^K"
    LEFT = "left"
    RIGHT = "right"
    HOME = "home"
    END = "end"
    UP = "up"
    DOWN = "down"


_CONTROLS = {
    0x01: Key.HOME,
    0x02: Key.LEFT,
    0x03: Key.INTERRUPT,
    0x04: Key.END_OF_FILE,
    0x05: Key.END,
    0x06: Key.RIGHT,
    0x08: Key.BACKSPACE,
    0x0A: Key.ENTER,
    0x0B: Key.REST,
    0x0D: Key.ENTER,
    0x0E: Key.DOWN,
    0x10: Key.UP,
    0x15: Key.START,
    0x17: Key.WORD,
    0x7F: Key.BACKSPACE,
}
_SEQUENCES = {
    **{f"{intro}A": Key.UP for intro in "[O"},
    **{f"{intro}B": Key.DOWN for intro in "[O"},
    **{f"{intro}C": Key.RIGHT for intro in "[O"},
    **{f"{intro}D": Key.LEFT for intro in "[O"},
    **{f"{intro}H": Key.HOME for intro in "[O"},
    **{f"{intro}F": Key.END for intro in "[O"},
    "[1~": Key.HOME,
    "[7~": Key.HOME,
    "[4~": Key.END,
    "[8~": Key.END,
    "[3~": Key.DELETE,
}
SEQUENCE_MAX = 16
"""Bytes behind an ESC after which it was no key."""
_ESC = 0x1B
_RUN = re.compile(rb"[\x20-\x7e]+")


class Token(NamedTuple):
    """A key or a piece of text, and where in the data the next one begins."""

    what: Key | bytes | None
    """None: what was left is a piece of something that goes on."""
    end: int


class KeyDecoder:
    """The stream of one console."""

    def __init__(self) -> None:
        self._partial = b""
        """A sequence, from its ESC on, or a character, that is not whole yet."""
        self._after_cr = False
        self._found: deque[Key | bytes] = deque()

    def take(self, data: bytes, at: int, most: int) -> Token:
        """The next token of `data` from `at` on; text has at most `most` characters."""
        while not self._found and at < len(data):
            if not self._partial and (run := _RUN.match(data, at, at + most)):
                self._after_cr = False
                return Token(run[0], run.end())
            self._byte(data[at])
            at += 1
        return Token(self._found.popleft() if self._found else None, at)

    def _byte(self, byte: int) -> None:
        after_cr, self._after_cr = self._after_cr, byte == 0x0D
        if self._partial[:1] == b"\x1b":
            self._sequence(byte)
        elif self._partial or byte >= 0x80:
            self._character(byte)
        elif byte == _ESC:
            self._partial = b"\x1b"
        elif byte != 0x0A or not after_cr:  # a LF behind a CR belongs to it
            self._found.append(_CONTROLS.get(byte, bytes([byte])))

    def _sequence(self, byte: int) -> None:
        body = self._partial[1:] + bytes([byte])
        inside = body[:1] == b"[" and 0x20 <= byte <= 0x3F and len(body) < SEQUENCE_MAX
        if body in (b"[", b"O") or inside:
            self._partial += bytes([byte])
            return
        self._partial = b""
        if not 0x20 <= byte <= 0x7E:  # no sequence has it: it was pressed after an ESC
            self._byte(byte)
        elif (key := _SEQUENCES.get(body.decode())) is not None:
            self._found.append(key)

    def _character(self, byte: int) -> None:
        whole = self._partial + bytes([byte])
        try:
            whole.decode()
        except UnicodeDecodeError as broken:
            if broken.reason == "unexpected end of data":
                self._partial = whole
                return
            if len(whole) > 1:  # what stood before is no character; this byte may begin one
                self._found.append(self._partial)
                self._partial = b""
                self._byte(byte)
                return
        self._partial = b""
        self._found.append(whole)
