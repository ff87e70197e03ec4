"""The user's terminal, raw while a console is attached and itself again on every way out."""

import os
import signal
import termios
import threading
from types import FrameType, TracebackType
from typing import Any, Self

DEADLY = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT)


class Signalled(BaseException):
    """A signal that would have ended us, on its way out through `RawTerminal`."""


class RawTerminal:
    """Each key is passed on as it is typed, ^C and ^Z too; nothing is echoed.

    Output stays cooked: what the system prints with plain newlines, and what we say, begins at
    the left margin. A descriptor that is not a terminal is left alone. A deadly signal unwinds
    the block, the terminal is restored, and then the signal does what it would have done.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: list[Any] | None = None
        self._handlers: dict[signal.Signals, Any] = {}
        self._signal: int | None = None
        self._inside = False

    def __enter__(self) -> Self:
        self._inside = True
        try:
            self._catch_signals()
            self._make_raw()
        except BaseException:
            self._restore()
            raise
        return self

    def _catch_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in DEADLY:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._handlers[number] = signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signal = number
        if self._inside:  # else it came while the terminal is restored, and waits for that
            raise Signalled

    def _make_raw(self) -> None:
        if not os.isatty(self._descriptor):
            return
        self._before = termios.tcgetattr(self._descriptor)
        raw = termios.tcgetattr(self._descriptor)
        raw[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
        raw[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
        raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
        # Not "drain": a terminal that is stopped must not keep us here.
        termios.tcsetattr(self._descriptor, termios.TCSANOW, raw)

    def _restore(self) -> None:
        self._inside = False
        if self._before is not None:
            try:
                termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)
            except termios.error:
                pass  # the terminal itself is gone, as after a hang-up
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._signal is not None:
            os.kill(os.getpid(), self._signal)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._restore()
        return isinstance(error, Signalled)
