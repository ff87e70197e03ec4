"""What a foreground `up` shows: the console on standard output, all else on standard error."""

import os
import select
import sys
from collections.abc import Sequence

from caplab.scripts.cli import show
from caplab.scripts.cli.margin import Margin
from caplab.scripts.cli.plain import PlainText
from caplab.scripts.cli.uart_lines import UartLines

LINE_MAX = 1024
"""Bytes of a PD's line that are shown; how much more there was is said."""


KERNEL = b"kernel: "
"""Begins each line the kernel means to be read."""


class Screen:
    """The two streams. Where both are the same terminal, no message starts inside a line.

    Args:
        uarts: whose output is shown; of several each line says which it is from.
    """

    def __init__(self, uarts: Sequence[str] = ()) -> None:
        self.hung_up = False
        """Nobody reads our standard output any more."""
        plain = show.plain(1)
        self._plain = PlainText() if plain else None
        several = uarts if len(uarts) > 1 else ()
        self._uarts = {uart: UartLines(uart, plain=plain) for uart in several}
        self.margin = Margin()
        """Whoever else writes to standard output tells it so."""
        self._unfinished: dict[str, bytes] = {}
        self._cut: dict[str, int] = {}
        """Bytes of unfinished lines that will not be shown."""

    def console(self, data: bytes, uart: str = "") -> None:
        """Bytes of a UART, as they are for a terminal, and plain for anything else."""
        lines = self._uarts.get(uart)
        if lines is not None:
            self._write(lines.feed(data))
        else:
            self._write(data if self._plain is None else self._plain.feed(data))

    def gap(self, uart: str, size: int) -> None:
        """So many bytes of a UART are missing here."""
        lines = self._uarts.get(uart)
        if lines is not None:
            self._write(lines.flush())
        self.say(f"{size} bytes of {uart} came too fast to be shown")

    def say(self, text: str) -> None:
        self._begin_line()
        show.say(text)

    def error(self, message: str, fix: str = "", code: str = "") -> None:
        self._begin_line()
        show.error(message, fix, code)

    def printed(self, pd: str, data: bytes) -> None:
        """What a PD wrote to its own standard output or error, line by line."""
        lines = self._finished(pd, data)
        if lines:
            self._begin_line()
        for line in lines:
            text = line.rstrip(b"\r").decode(errors="replace")
            print(f"{pd} | {show.harmless(text)}", file=sys.stderr)
        sys.stderr.flush()

    def kernel(self, data: bytes) -> None:
        """What the kernel has to report; a traceback of it is for the file, not for the screen."""
        for line in self._finished(KERNEL.decode(), data):
            if line.startswith(KERNEL):
                self.say(show.harmless(line.removeprefix(KERNEL).decode(errors="replace")))

    def _finished(self, source: str, data: bytes) -> list[bytes]:
        """The lines that are whole with this, each as far as it is shown."""
        start = self._unfinished.pop(source, b"")
        *lines, rest = (start + data).split(b"\n")
        whole = []
        for line in lines:
            more = self._cut.pop(source, 0) + max(0, len(line) - LINE_MAX)
            whole.append(line[:LINE_MAX] + (b" ... and %d bytes more" % more if more else b""))
        if rest:
            self._unfinished[source] = rest[:LINE_MAX]
        if len(rest) > LINE_MAX:
            self._cut[source] = self._cut.get(source, 0) + len(rest) - LINE_MAX
        return whole

    def finish(self) -> None:
        """Show what still waited for the end of its line."""
        self.kernel(b"\n")
        for pd in list(self._unfinished):
            self.complete(pd)
        if self._plain is not None:
            self._write(self._plain.flush())
        for lines in self._uarts.values():
            self._write(lines.flush())
        self._begin_line()

    def complete(self, pd: str) -> None:
        """Show what a PD has printed without the end of a line: it will print no more."""
        if pd in self._unfinished:
            self.printed(pd, b"\n")

    def _begin_line(self) -> None:
        print(self.margin.note(), end="", file=sys.stderr)

    def _write(self, data: bytes) -> None:
        self.margin.shown(data)
        rest = memoryview(data)
        while rest and not self.hung_up:
            try:
                rest = rest[os.write(1, rest) :]
            except BlockingIOError:  # whoever shares our terminal made it so
                select.select([], [1], [])
            except BrokenPipeError:
                self.hung_up = True
