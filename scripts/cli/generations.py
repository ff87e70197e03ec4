"""What becomes of one PD, from generation to generation, for who is attached to its terminal."""

import os
import select
from typing import Any

from caplab.kernel.boot.control import Question, readable
from caplab.kernel.host.errors import HostError
from caplab.scripts.cli.escape import EscapeKey, Wish
from caplab.scripts.cli.obituary import ENDED
from caplab.scripts.cli.raw_terminal import RawTerminal

INTERRUPT = b"\x03"


class Generations:
    """The ends and the starts of a PD, out of what a system announces.

    It may be a window's `news`, to be read while somebody looks; it says nothing there.

    Args:
        changes: the answers to `watch`.
    """

    def __init__(self, changes: Question, pd: str) -> None:
        self.ended = False
        """The system announces nothing more."""
        self._changes = changes
        self._pd = pd
        self._happened: list[dict[str, Any]] = []

    def fileno(self) -> int:
        return self._changes.fileno()

    def receive(self) -> list[str]:
        try:
            messages = self._changes.receive()
        except HostError:
            messages, self.ended = [], True
        events = [message["event"] for message in messages if "event" in message]
        self._happened += [event for event in events if event.get("pd") == self._pd]
        self.ended = self.ended or self._changes.ended
        return []

    def end(self, timeout: float) -> dict[str, Any] | None:
        """The announcement of its end, the next one there is; None if none comes."""
        while (found := self._next(*ENDED)) is None and not self.ended:
            if not readable(self, timeout):
                return None
            self.receive()
        return found

    def start(self, key: EscapeKey, terminal: int = 0) -> dict[str, Any] | None:
        """Wait for its next start. None when the system goes down, or the user wants to leave, by
        the escape key and q or by ^C, since nobody else is there to get it.
        """
        with RawTerminal(terminal):
            waiting = select.poll()
            waiting.register(self, select.POLLIN)
            if os.isatty(terminal):
                waiting.register(terminal, select.POLLIN)
            while (found := self._next("starting")) is None and not self.ended:
                ready = [descriptor for descriptor, _ in waiting.poll()]
                if terminal in ready and _leaves(key, terminal):
                    return None
                if self.fileno() in ready:
                    self.receive()
            return found
        return None  # by a signal whose handler lets us live

    def _next(self, *states: str) -> dict[str, Any] | None:
        """The first announcement of one of these states; it and those before are done with."""
        for place, event in enumerate(self._happened):
            if event.get("state") in states:
                del self._happened[: place + 1]
                return event
        return None


def _leaves(key: EscapeKey, terminal: int) -> bool:
    try:
        data = os.read(terminal, 1024)
    except OSError:  # the terminal hung up
        data = b""
    if not data or INTERRUPT in data:
        return True
    while data:
        _, wish, data = key.feed(data)
        if wish is Wish.LEAVE:
            return True
    return False
