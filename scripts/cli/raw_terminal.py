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
    the block, the terminal is restored, and then the signal does what it would have done. Who is
    stopped (SIGTSTP from elsewhere, for ^Z is passed on) leaves the terminal as it was, and has
    it raw again when it goes on.

    `resized` is readable when the window may have another size; None outside the main thread.
    """

    def __init__(self, descriptor: int) -> None:
        self.resized: int | None = None
        self._descriptor = descriptor
        self._wake: int | None = None
        self._before: list[Any] | None = None
        self._raw: list[Any] | None = None
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

    def size(self) -> tuple[int, int] | None:
        """Rows and columns of the window, if it is one."""
        if self.resized is not None:
            try:
                os.read(self.resized, 64)
            except BlockingIOError:
                pass  # asked before there is news
        try:
            found = os.get_terminal_size(self._descriptor)
        except OSError:
            return None
        return found.lines, found.columns

    def _catch_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in DEADLY:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._handlers[number] = signal.signal(number, self._on_signal)
        if os.isatty(self._descriptor):
            self.resized, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            for number, handler in (
                (signal.SIGTSTP, self._on_stop),
                (signal.SIGCONT, self._on_continue),
                (signal.SIGWINCH, self._on_resize),
            ):
                self._handlers[number] = signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signal = number
        if self._inside:  # else it came while the terminal is restored, and waits for that
            raise Signalled

    def _on_stop(self, number: int, _frame: FrameType | None) -> None:
        self._cook()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # here we stand until somebody lets us go on
        signal.signal(number, self._on_stop)
        self._on_continue(number, None)

    def _on_continue(self, number: int, _frame: FrameType | None) -> None:
        if self._inside:
            try:
                self._make_raw()  # the shell has had the terminal meanwhile
            except termios.error:
                pass  # it is gone: reading will tell
            self._on_resize(number, None)

    def _on_resize(self, _number: int, _frame: FrameType | None) -> None:
        if self._wake is not None:
            try:
                os.write(self._wake, b"\0")
            except BlockingIOError:
                pass  # told often enough

    def _make_raw(self) -> None:
        if not os.isatty(self._descriptor):
            return
        now = termios.tcgetattr(self._descriptor)
        if now == self._raw:
            return
        self._before = now
        raw = termios.tcgetattr(self._descriptor)
        raw[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
        raw[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
        raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
        # Not "drain": a terminal that is stopped must not keep us here.
        termios.tcsetattr(self._descriptor, termios.TCSANOW, raw)
        self._raw = termios.tcgetattr(self._descriptor)

    def _cook(self) -> None:
        if self._before is not None:
            try:
                termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)
            except termios.error:
                pass  # the terminal itself is gone, as after a hang-up

    def _restore(self) -> None:
        self._inside = False
        self._cook()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        for descriptor in (self.resized, self._wake):
            if descriptor is not None:
                os.close(descriptor)
        self.resized = self._wake = None
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
