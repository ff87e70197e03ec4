"""Where the cursor of the user's terminal stands, so that a note begins on a line of its own."""

import os
import re

_NOT_SEEN = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]"  # control sequences: colours, modes, movements
    rb"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and the like
    rb"|\x1b[ -/]*[0-Z\\^-~]"  # shorter ones
    rb"|[\x00\x07\r]"
)
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}|\][^\x07\x1b]{0,200}|[ -/]{0,8})?\Z")
_WINDOW = 256
"""How far back an escape that is still to be finished is looked for."""


class Margin:
    """Whether something stands on the line where the cursor is.

    Where standard output is no terminal nothing is ever in a note's way; where only notes go
    elsewhere, none is in the way of theirs.
    """

    def __init__(self, stdout_fd: int = 1, stderr_fd: int = 2) -> None:
        self._terminal = os.isatty(stdout_fd)
        self._shared = self._terminal and os.isatty(stderr_fd)
        self._inside = False
        self._tail = b""

    def shown(self, data: bytes) -> None:
        """This has been written to standard output."""
        if not self._terminal:
            return
        text = self._tail + data
        start = max(0, len(text) - _WINDOW)
        unfinished = _UNFINISHED.search(text[start:])
        cut = start + unfinished.start() if unfinished else len(text)
        text, self._tail = text[:cut], text[cut:]
        _, newline, last = text.rpartition(b"\n")
        self._inside = bool(_NOT_SEEN.sub(b"", last)) or (self._inside and not newline)

    def note(self) -> str:
        """What is to be written before a note."""
        return self.leave().decode() if self._shared else ""

    def leave(self) -> bytes:
        """What brings the cursor to the start of a line."""
        needed, self._inside = self._inside, False
        return b"\n" if needed else b""
