"""Who waits for a line, what is typed meanwhile, and whose line it becomes.

One reader at a time, first come first served. Its prompt is shown when its turn comes, so that the
prompts of those who wait do not mix with what is being typed. What arrives while nobody reads is
kept, up to a bound; beyond it the bell rings and the rest is dropped and counted. A finished line
stays here until somebody has really received it: a reader that died or gave up costs nobody a line.
"""

from collections import deque
from typing import NamedTuple

from caplab.servers.serial.lineedit import BELL, Ending, LineEditor

TYPE_AHEAD_MAX = 4096


class Reader(NamedTuple):
    """A client blocked in READ."""

    badge: int
    reply: int
    """Slot of the saved Reply capability."""
    prompt: bytes
    deadline: float | None
    """Seconds on the server's clock after which nobody waits any more."""


class Line(NamedTuple):
    """A finished line, or the end of the file."""

    text: bytes
    end_of_file: bool


class Input:
    """The reading half of the console."""

    def __init__(self, limit: int = TYPE_AHEAD_MAX) -> None:
        self.readers: deque[Reader] = deque()
        self.dropped = 0
        """Bytes typed that found no room."""
        self._limit = limit
        self._typed = bytearray()
        self._editor = LineEditor()
        self._line: Line | None = None
        self._served: tuple[int, bytes] | None = None  # badge and prompt of the open line

    def typed(self, data: bytes) -> bytes:
        """Keep what was typed; the answer is what to show at once: the bell, if it was too much."""
        room = self._limit - len(self._typed)
        self._typed += data[:room]
        lost = max(0, len(data) - room)
        self.dropped += lost
        return BELL if lost else b""

    def ask(self, reader: Reader) -> Reader | None:
        """Queue a reader. A client has one place: its earlier one is handed over and returned."""
        for place, waiting in enumerate(self.readers):
            if waiting.badge == reader.badge:
                self.readers[place] = reader
                return waiting
        self.readers.append(reader)
        return None

    def leave(self, badge: int) -> Reader | None:
        """Free the place of a client that is gone."""
        for reader in self.readers:
            if reader.badge == badge:
                self.readers.remove(reader)
                return reader
        return None

    def leave_all(self) -> list[Reader]:
        """Free every place."""
        gone = list(self.readers)
        self.readers.clear()
        return gone

    def expired(self, now: float) -> list[Reader]:
        """Free the places of those whose time limit has passed."""
        gone = [r for r in self.readers if r.deadline is not None and r.deadline <= now]
        for reader in gone:
            self.readers.remove(reader)
        return gone

    def next_deadline(self) -> float | None:
        """When the first of the waiting gives up."""
        return min((r.deadline for r in self.readers if r.deadline is not None), default=None)

    def step(self) -> tuple[bytes, Line | None]:
        """Edit for the first reader: what to show, and the line when it is finished.

        The line is the first reader's until :meth:`taken` or, when it cannot be had,
        :meth:`passed_over`.
        """
        if self._line is not None or not self.readers:
            return b"", self._line if self.readers else None
        shown = bytearray(self._turn(self.readers[0]))
        while self._typed:
            edit = self._editor.feed(bytes(self._typed))
            del self._typed[: edit.used]
            shown += edit.echo
            if edit.ending is Ending.DISCARDED:
                shown += self.readers[0].prompt
            elif edit.ending is not None:
                self._served = None
                self._line = Line(edit.line, edit.ending is Ending.END_OF_FILE)
                break
        return bytes(shown), self._line

    def taken(self) -> None:
        """The first reader has received the line."""
        self.readers.popleft()
        self._line = None

    def passed_over(self) -> None:
        """The first reader is gone; the line is the next one's."""
        self.readers.popleft()

    def _turn(self, reader: Reader) -> bytes:
        """Show the prompt when the turn passes to another, below what stands there already."""
        if self._served == (reader.badge, reader.prompt):
            return b""
        stands = self._served is not None and (self._served[1] or self._editor.text)
        below = b"\r\n" if stands else b""
        self._served = (reader.badge, reader.prompt)
        return below + reader.prompt + self._editor.shown()
