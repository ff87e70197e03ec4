"""Messages of the serial server: functions, words, error numbers.

MR0 is the function, the label of an answer is the error (0: done), every other word is a count.
Source: seed 002, libsel4serialserver; functions and errors from 12 and from
14 up are caplab's own. The kernel's verdict on a call stands in the status, never here.

=========== ======= ============================ ===================== =======================
function    request words of the request         capabilities          words of the answer
=========== ======= ============================ ===================== =======================
CONNECT     0 → 1   size of the window in bytes  one memory capability largest size in bytes
SPAWN_SYNC  2 → 3
PRINTF      4 → 5                                                      (never handled: UNKNOWN)
WRITE       6 → 7   bytes to print               (text in the window)  bytes printed
DISCONNECT  8 → 9
KILL        10 → 11
READ        12 → 13 bytes of prompt, time limit                        bytes of text, how it
                    in ms + 1 (0: none), mode |                        ended, text
                    most bytes << 8, prompt
STATUS      14 → 15                                                    flags, bytes of input
                                                                       kept, dropped, rows,
                                                                       columns, UART and owner
                                                                       of the input
FOCUS       16 → 17 name of a client; none: self
SYNC        18 → 19 1: an unfinished line, too                         bytes left in the ring
=========== ======= ============================ ===================== =======================

CONNECT has more words where they are needed: options (1: the window is a ring, 2: the name of the
UART is not just a hint) and the name of a UART. Its answer brings, for a ring, the notification
that is to be signalled when the server sleeps.

A refusal has one word more, 0 unless named below, and behind it the sentence that explains it:
CONNECT, SHMEM_TOO_LARGE: the largest size in bytes. SPAWN_SYNC, BIND_FAILED: a BindFailure.
WRITE: bytes printed.

A prompt and a line travel in the message, not in the window: a reader may give up at any moment
and use its window for something else, and nothing may overwrite that.
"""

from enum import IntEnum, IntFlag
from struct import Struct
from typing import NamedTuple

from caplab.kernel.abi import MSG_BYTES, PAGE_SIZE

WINDOW_PAGES_MAX = 1
"""Pages a window may have, as in the seed."""
WINDOW_MAX = WINDOW_PAGES_MAX * PAGE_SIZE
PRINTF_MAX = WINDOW_MAX - 1
"""Longest formatted text: the seed's printf keeps one byte of the window for the final NUL."""
TEXT_MAX = MSG_BYTES - 3 * 8
"""Longest text in a message, in bytes: what it holds behind three words."""
PROMPT_MAX = MSG_BYTES - 4 * 8
"""Longest prompt, in bytes."""
RING_PAGES = 64
"""Pages of a window that is a ring; any power of two up to this will do."""
RING_MAX = RING_PAGES * PAGE_SIZE

_LABEL_BITS = 52
_LABEL_MASK = (1 << _LABEL_BITS) - 1
_WORD = Struct("<Q")


class Function(IntEnum):
    """What MR0 of a request asks for; MR0 of its answer is one more."""

    CONNECT = 0
    SPAWN_SYNC = 2
    PRINTF = 4
    WRITE = 6
    DISCONNECT = 8
    KILL = 10
    READ = 12
    STATUS = 14
    FOCUS = 16
    SYNC = 18


class Option(IntFlag):
    """The second word of CONNECT."""

    RING = 1
    UART = 2
    """The UART is asked for by name, and no other will do."""


class Mode(IntFlag):
    """How a client reads."""

    LINE = 0
    RAW = 1
    SILENT = 2
    """Nothing is shown of the line, as for a password."""
    EVENTS = 4
    """Gaining and losing the focus, and breaks, end the read."""


class End(IntEnum):
    """What a reader is given: a line or bytes, or news instead."""

    DATA = 0
    END_OF_FILE = 1
    FOCUS_GAINED = 2
    FOCUS_LOST = 3
    BREAK = 4
    RESIZED = 5


class Owns(IntFlag):
    """The flags of STATUS."""

    FOCUS = 1
    MAY_FOCUS = 2


class Error(IntEnum):
    """Labels of answers, and what the client library refuses by itself."""

    TOO_LONG = -4
    NO_SUCH_CLIENT = -1
    NONE = 0
    INVALID_ARGUMENT = 1
    INVALID_CAPABILITY = 2
    ILLEGAL_OPERATION = 3
    RANGE_ERROR = 4
    NOT_ENOUGH_MEMORY = 10
    SHMEM_TOO_LARGE = 11
    BIND_FAILED = 12
    UNKNOWN = 13
    NOT_CONNECTED = 14
    MAY_NOT_KILL = 15
    READ_REPLACED = 16
    LINE_DOWN = 17
    MAY_NOT_FOCUS = 18
    NO_SUCH_UART = 19
    NOT_A_CLIENT = 20
    BROKEN_RING = 21


class BindFailure(IntEnum):
    """Why the server has no device: MR1 of the answer to SPAWN_SYNC."""

    NONE = 0
    MISSING = 1
    TAKEN = 2
    NOT_A_DEVICE = 3


class Words(NamedTuple):
    """A message of the protocol: its function and the words after it."""

    function: int
    args: tuple[int, ...]

    def arg(self, index: int) -> int:
        """Word MR(index + 1), 0 where the message is too short to have it."""
        return self.args[index] if index < len(self.args) else 0


def encode(function: int, *args: int) -> bytes:
    """Message body: MR0 = function, then the words."""
    return b"".join(_WORD.pack(word) for word in (function, *args))


def decode(data: bytes) -> Words | None:
    """Words of a message body; None when it has not even a function."""
    whole = len(data) // _WORD.size * _WORD.size
    words = [word for (word,) in _WORD.iter_unpack(data[:whole])]
    return Words(words[0], tuple(words[1:])) if words else None


def answer_to(function: int) -> int:
    """MR0 of the answer to a request; a number that is no request keeps within a word."""
    return (function + 1) & ((1 << 64) - 1)


def label_of(code: int) -> int:
    """An error number as a message label: two's complement in seL4's 52 bits."""
    return code & _LABEL_MASK


def code_of(label: int) -> int:
    """The error number in a message label."""
    code = label & _LABEL_MASK
    return code - (1 << _LABEL_BITS) if code >> (_LABEL_BITS - 1) else code


def pages_of(size: int) -> int:
    """Pages that hold `size` bytes (BYTES_TO_4K_PAGES)."""
    return -(-size // PAGE_SIZE)


def with_text(words: bytes, text: bytes) -> bytes:
    """A message body with text behind its words."""
    return words + text[: MSG_BYTES - len(words)]


def text_behind(data: bytes, words: int) -> bytes:
    """The text behind the first `words` words of a message body."""
    return data[words * _WORD.size :]
