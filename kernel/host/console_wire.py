"""The console socket's framing, shared by the line and by those who watch it.

Both ways a frame is one byte of kind, a little-endian u32 length, and that many bytes:

====  ===========  ============================================================================
kind  from         payload
====  ===========  ============================================================================
J     client       first of all ``{"mode": "watch"|"console"|"script", "scrollback": bool,
                   "who": text, "take": bool, "size": [rows, columns]}``; only the mode must be
                   there. A watcher sees. A console types while it has the keyboard, which one
                   console has at a time (`keyboard.py`); with "take" it takes it. A script
                   types whoever has it
J     line         its answer: the status below, and ``"you"``: whether this client may type
D     line         output: the scrollback, then what the driver prints
J     line         ``{"lost": n}``: here n bytes are missing, this client was too slow
D     client       input; of a console without the keyboard it is dropped
J     line         ``{"input_lost": n}``: n bytes of input were dropped
J     client       ``{"take": true}``: give me the keyboard; of a console
J     line         ``{"writer": who, "you": bool}``: it has changed hands; to consoles
J     client       ``{"size": [rows, columns]}``: of a console's window; the keyboard's counts
J     client       ``{"break": true}``: send a break; of a script, or who has the keyboard
J     client       ``{"ask": "status"}``
J     line         ``{"status": {…}}``, after everything that came before the question
J     client       ``{"sync": n}``
J     line         ``{"synced": n}``, after everything that had been printed before that was
                   asked, though the line had not read it yet; of several the last answers all
J     line         ``{"error": {"code", "message"}}``, then the end: the client broke a rule
====  ===========  ============================================================================

The status: ``uart``, ``tty`` (the PTY's path), ``scrollback`` (bytes that follow), ``written`` and
``typed`` (bytes the driver has printed, and bytes typed for it), ``waiting`` (input it has yet
to take), ``writer`` (who has the keyboard), ``consoles`` (clients), and what is not there any
more: ``dropped`` (bytes no reader of the PTY got; of them ``behind`` though there was one),
``input_dropped``, ``unlogged`` (bytes the log could not hold).

The end of the stream is the end of the line: the system went down.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

JSON = b"J"
DATA = b"D"
HEADER = struct.Struct("<cI")

FROM_LINE = 1 << 20
"""The longest payload a line sends."""
FROM_CLIENT = 1 << 16
"""The longest payload a client may send: nobody types more at once."""


class FramingError(ValueError):
    """The other side does not speak this protocol. Nothing after it can be read."""


class Frame(NamedTuple):
    kind: bytes
    payload: bytes


def encode(kind: bytes, payload: bytes) -> bytes:
    return HEADER.pack(kind, len(payload)) + payload


def encode_json(message: Mapping[str, object]) -> bytes:
    return encode(JSON, json.dumps(message).encode())


def decode_json(payload: bytes) -> dict[str, object]:
    """The object in a J frame.

    Raises:
        FramingError: it is not JSON, or not an object.
    """
    try:
        message = json.loads(payload)
    except ValueError as error:
        raise FramingError(f"a J frame that is not JSON: {error}") from None
    if not isinstance(message, dict):
        raise FramingError("a J frame that is not an object")
    return message


class Decoder:
    """Bytes in, whole frames out; what is not whole yet is kept.

    Args:
        limit: the longest payload accepted. A longer one is refused when its
            header arrives, so that a stranger cannot make us keep it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames completed by `data`; those before a mistake come before its error.

        Raises:
            FramingError: an unknown kind, or a payload beyond the limit.
        """
        self._bytes += data
        return self._frames()

    def _frames(self) -> Iterator[Frame]:
        while len(self._bytes) >= HEADER.size:
            kind, length = HEADER.unpack_from(self._bytes)
            if kind not in (JSON, DATA):
                raise FramingError(f"a frame of unknown kind {kind!r}")
            if length > self._limit:
                raise FramingError(f"a frame of {length} bytes, {self._limit} are allowed")
            end = HEADER.size + length
            if len(self._bytes) < end:
                return
            with memoryview(self._bytes) as view:  # a slice of the bytearray would be copied twice
                payload = bytes(view[HEADER.size : end])
            del self._bytes[:end]
            yield Frame(kind, payload)
