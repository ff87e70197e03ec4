"""Console output for readers that are not terminals: without colour, with plain line ends."""

import re

_COLOUR = re.compile(rb"\x1b\[[0-9;:]{0,64}m")  # SGR, "select graphic rendition"
_RETURNS = re.compile(rb"(?<!\r)\r+\n")  # the look-behind keeps a flood of \r linear
_UNDECIDED = re.compile(rb"(?:\r|\x1b\[[0-9;:]{0,64}m)*(?:\x1b(?:\[[0-9;:]{0,64})?)?\Z")
"""An end that the next bytes may turn into something to remove."""
_WINDOW = 256
"""How far back such an end is looked for."""


class PlainText:
    """Removes SGR escapes, and carriage returns before a newline, from a stream in pieces.

    Everything else passes: other escapes move a cursor, and whoever asked for them wants them.
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What is certain by now, in order."""
        data = self._held + data
        start = max(0, len(data) - _WINDOW)
        undecided = _UNDECIDED.search(data[start:])
        cut = start + undecided.start() if undecided else len(data)
        self._held = data[cut:]
        return _stripped(data[:cut])

    def flush(self) -> bytes:
        """The rest, once nothing will follow."""
        held, self._held = self._held, b""
        return _stripped(held)


def strip_terminal(data: bytes) -> bytes:
    """Plain text of a stream that is complete."""
    return _stripped(data)


def _stripped(data: bytes) -> bytes:
    return _RETURNS.sub(b"\n", _COLOUR.sub(b"", data))
