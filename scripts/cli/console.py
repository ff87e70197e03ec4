"""A system's console in the user's terminal: what `caplab console` and `up --console` do."""

import os
import select
import selectors
import sys
import time
from enum import Enum

from caplab.kernel.host.watcher import (
    ConsoleEnded,
    ConsoleError,
    ExpectTimeout,
    InputLost,
    Lost,
    Output,
    Watcher,
)
from caplab.scripts.cli.escape import EscapeKey, Wish
from caplab.scripts.cli.plain import PlainText, strip_terminal
from caplab.scripts.cli.raw_terminal import RawTerminal

__all__ = [
    "ConsoleEnded",
    "ConsoleError",
    "Ending",
    "ExpectTimeout",
    "PlainText",
    "Watcher",
    "attach",
    "strip_terminal",
]

CHUNK = 16 * 1024
QUIET = 0.3
"""Seconds without output after which a script whose input has ended has seen its answer."""
ANSWER = 3.0
"""Seconds after which it leaves a console that is never quiet."""


class Ending(Enum):
    """Why `attach` returned."""

    LEFT = "left"
    """The user left, or whoever read our output did."""
    INPUT_ENDED = "input ended"
    """Standard input was no terminal and is used up."""
    SYSTEM_ENDED = "system ended"
    """The line ended: the system has gone down, or the PD whose terminal it was has ended."""


def attach(
    socket_path: str,
    *,
    stdin_fd: int = 0,
    stdout_fd: int = 1,
    escape: str = "ctrl-]",
    mode: str = "console",
    scrollback: bool = True,
    plain: bool = False,
    gone: str = "the system has gone down",
) -> Ending:
    """Join a console: scrollback first, then both directions until one side leaves.

    At a terminal every key goes to the system, ^C included; the escape key leaves (printed on
    attach, on standard error, as is all that we say). Standard input that is no terminal is sent
    byte for byte; when it ends we leave as soon as the answer is over, 0.3 s without output.

    Args:
        mode: ``watch`` sends nothing and reads no input but the escape key of a terminal.
        plain: without colours and carriage returns, as for NO_COLOR or a file.
        gone: what is said when the line ends.

    Raises:
        ValueError: `escape` names no key.
        ConsoleError, OSError: as `Watcher`.
    """
    key = EscapeKey(escape)
    with Watcher(socket_path, mode=mode, scrollback=scrollback) as watcher:
        window = _Window(watcher, stdin_fd, stdout_fd, key, plain)
        with RawTerminal(stdin_fd):
            ending = window.run()
            if ending is Ending.SYSTEM_ENDED:
                _say(gone)
            return ending
    return Ending.LEFT  # by a signal whose handler let us live


class _Window:
    """One attached console and what the user sees of it."""

    def __init__(
        self, watcher: Watcher, stdin_fd: int, stdout_fd: int, key: EscapeKey, plain: bool
    ) -> None:
        self._watcher = watcher
        self._stdin = stdin_fd
        self._stdout = stdout_fd
        self._key = key
        self._plain = PlainText() if plain else None
        self._typing = os.isatty(stdin_fd)
        self._leave_by: float | None = None  # once the input of a script has ended

    def run(self) -> Ending:
        tty = self._watcher.tty
        where = self._watcher.uart + (f" on {tty}" if tty else "")
        _say(f"{where}. {self._key.help}." if self._typing else f"{where}.")
        try:
            ending = self._serve()
            if self._plain is not None:
                self._write(self._plain.flush())
        except BrokenPipeError:  # of our output, as in `caplab console | head`
            return Ending.LEFT
        return ending

    def _serve(self) -> Ending:
        # Not epoll: standard input may be a file.
        with selectors.PollSelector() as selector:
            selector.register(self._watcher, selectors.EVENT_READ)
            if self._typing or self._watcher.mode == "console":
                selector.register(self._stdin, selectors.EVENT_READ)
            self._show()  # what came with the welcome
            while not self._watcher.ended:
                ready = [key.fileobj for key, _ in selector.select(self._patience())]
                if self._watcher in ready:
                    self._show()
                if self._answered(quiet=not ready):
                    return Ending.INPUT_ENDED
                if self._stdin in ready and not self._hear():
                    if self._typing:
                        return Ending.LEFT
                    selector.unregister(self._stdin)
                    self._leave_by = time.monotonic() + ANSWER
        return Ending.SYSTEM_ENDED

    def _patience(self) -> float | None:
        if self._leave_by is None:
            return None
        return max(0.0, min(QUIET, self._leave_by - time.monotonic()))

    def _answered(self, *, quiet: bool) -> bool:
        """Whether a script has seen what its input brought about, as far as one can tell."""
        return self._leave_by is not None and (quiet or time.monotonic() >= self._leave_by)

    def _show(self) -> None:
        for event in self._watcher.receive():
            match event:
                case Output(data):
                    self._write(data if self._plain is None else self._plain.feed(data))
                case Lost(size):
                    _say(f"{size} bytes are missing here: they came faster than we could show")
                case InputLost(size):
                    _say(f"{size} bytes of input were dropped: nobody in the system reads them")

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._stdout, rest) :]
            except BlockingIOError:  # whoever shares our terminal made it so
                select.select([], [self._stdout], [])

    def _hear(self) -> bool:
        """Pass on what was typed. Returns whether there may be more."""
        try:
            data = os.read(self._stdin, CHUNK)
        except BlockingIOError:
            return True
        except OSError:  # the terminal hung up
            return False
        if not self._typing:
            self._send(data)
            return bool(data)
        for part in self._key.feed(data):
            self._send(part.data)
            if part.wish is Wish.LEAVE:
                return False
            if part.wish is Wish.HELP:
                _say(f"{self._key.help}.")
        return bool(data)

    def _send(self, data: bytes) -> None:
        if self._watcher.mode == "console":
            try:
                self._watcher.send(data)
            except ConnectionError:
                pass  # the line ended; what it said last is still to be read


def _say(text: str) -> None:
    """On a line of its own: the system may have stopped in the middle of one."""
    print(f"\n[caplab] {text}", file=sys.stderr, flush=True)
