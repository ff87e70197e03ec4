"""What stands on the terminal's last line, so that nobody's text is glued to another's.

The console is one place for many: what clients print, the line that is being edited, and what the
server itself has to say. Each method adds what is to be sent; `take` gives it out. A client that
prints behind another's unfinished line, or behind a line that is being edited, gets a line of its
own, and the edited line is shown again below.
"""

import re

from caplab.servers.serial.colours import RESET, cooked, dressed
from caplab.servers.serial.profile import Profile

_DIM = b"\x1b[2m"
_INNER_NEWLINE = re.compile(rb"\n(?!\Z)")
_BREAK = b"\r\n"


class Screen:
    """The last line of one console."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour
        self._out: list[bytes] = []
        self._at_start = True
        self._owner: int | None = None
        """Whose unfinished line it is; None at its start, or when it is the edited one."""
        self._edit = b""
        """The line being edited, with its prompt, as it is to be shown."""
        self._hidden = False
        """Something else stands where the edited line was."""

    def take(self) -> bytes:
        """What is to be sent now."""
        out, self._out = self._out, []
        return b"".join(out)

    def print(self, badge: int, profile: Profile, text: bytes, now: float) -> None:
        """Text of a client, in one piece."""
        if not text:
            return
        if not self._at_start and (self._owner != badge or self._editing):
            self._break()
        text = cooked(text)
        if profile.prefix:
            stamp = b"[%9.3f] %s | " % (now, profile.name.encode())
            begin = stamp if self._at_start else b""
            text = begin + _INNER_NEWLINE.sub(lambda _: b"\n" + stamp, text)
        self._show(dressed(text, badge, self._colour), badge, text.endswith(b"\n"))

    def note(self, text: str) -> None:
        """A line of the server's own."""
        if not self._at_start:
            self._break()
        line = f"[serial: {text}]".encode()
        self._show((_DIM + line + RESET if self._colour else line) + _BREAK, None, True)

    def turn(self, badge: int, line: bytes) -> None:
        """A line begins to be edited, for that client: its prompt, and what is typed already."""
        if not self._at_start and (self._owner != badge or self._editing):
            self._break()
        self._hidden = False
        self._edit = line
        self._add(line)

    def echo(self, data: bytes, line: bytes) -> None:
        """What a key does to the edited line, and what the line looks like afterwards."""
        if self._hidden and data:
            self._reappear()
        self._edit = line
        self._add(data)

    def edited(self) -> None:
        """The edited line is finished, and so it is on the terminal."""
        self._edit, self._hidden = b"", False
        self._owner, self._at_start = None, True

    def abandon(self) -> None:
        """The edited line is nobody's any more; what follows stands below it."""
        self._edit, self._hidden = b"", False

    def ring(self) -> None:
        """The bell."""
        self._out.append(b"\a")

    @property
    def _editing(self) -> bool:
        return bool(self._edit) and not self._hidden

    def _break(self) -> None:
        self._hidden = bool(self._edit)
        self._out.append(_BREAK)
        self._at_start, self._owner = True, None

    def _show(self, text: bytes, badge: int | None, ends: bool) -> None:
        self._hidden = bool(self._edit)
        self._out.append(text)
        self._at_start, self._owner = ends, None if ends else badge
        if ends and self._hidden:
            self._reappear()

    def _reappear(self) -> None:
        if not self._at_start:
            self._break()
        self._hidden = False
        self._add(self._edit)

    def _add(self, shown: bytes) -> None:
        self._out.append(shown)
        if shown:
            self._at_start = False
