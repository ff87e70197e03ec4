"""The console socket's framing, shared by the line and by those who watch it.

Both ways a frame is one byte of kind, a little-endian u32 length, and that many bytes:

====  ===========  ============================================================================
kind  from         payload
====  ===========  ============================================================================
J     client       first of all ``{"mode": "watch"|"console", "scrollback": true|false}``
J     line         its answer ``{"uart", "tty", "dropped", "input_dropped", "unlogged",
                   "scrollback"}``: the UART, the PTY's path, bytes no reader of the PTY took,
                   bytes typed that the driver did not take, bytes the log could not hold, and
                   how many bytes of scrollback follow
D     line         output: the scrollback, then what the driver prints
J     line         ``{"lost": n}``: here n bytes are missing, this client was too slow
D     client       input, in mode ``console`` alone
J     line         ``{"input_lost": n}``: n bytes of input found the driver's queue full
J     line         ``{"error": {"code", "message"}}``, then the end: the client broke a rule
====  ===========  ============================================================================

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
            payload = bytes(self._bytes[HEADER.size : end])
            del self._bytes[:end]
            yield Frame(kind, payload)
