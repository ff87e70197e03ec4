"""The output of one UART of several: whole lines, each after the UART's name."""

import re

from caplab.scripts.cli.plain import PlainText

LINE_MAX = 64 * 1024
"""Bytes of a line that are kept; one that is longer is shown as several."""
_COLOUR = re.compile(rb"\x1b\[([0-9;:]*)m")
_RESET = b"\x1b[0m"
_STYLE_MAX = 128
"""Bytes of the colours that are carried from a line to the next."""


class UartLines:
    """Cuts a stream into lines; the colour that one ends in stays this UART's.

    Args:
        plain: without colours and carriage returns.
    """

    def __init__(self, uart: str, *, plain: bool) -> None:
        self._prefix = f"{uart} | ".encode()
        self._plain = PlainText() if plain else None
        self._rest = b""
        self._style = b""

    def feed(self, data: bytes) -> bytes:
        """The lines that are whole with this, as they are to be shown."""
        if self._plain is not None:
            data = self._plain.feed(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        while len(self._rest) > LINE_MAX:
            lines.append(self._rest[:LINE_MAX])
            self._rest = self._rest[LINE_MAX:]
        return b"".join(map(self._shown, lines))

    def flush(self) -> bytes:
        """The line that has no end, when there will be none, or none soon."""
        if self._plain is not None:
            self._rest += self._plain.flush()
        rest, self._rest = self._rest, b""
        # Of what follows a server's last newline mostly nothing is seen: it is the end of a colour.
        return self._shown(rest) if _COLOUR.sub(b"", rest).strip(b"\r") else b""

    def _shown(self, line: bytes) -> bytes:
        # A carriage return begins the line anew, and its name with it.
        text = line.rstrip(b"\r").replace(b"\r", b"\r" + self._prefix)
        begun = b"" if line.startswith(_RESET) else self._style
        for colour in _COLOUR.finditer(line):
            over = colour[1].strip(b"0;:") == b""
            self._style = b"" if over else (self._style + colour[0])[-_STYLE_MAX:]
        return self._prefix + begun + text + (_RESET if self._style else b"") + b"\n"
