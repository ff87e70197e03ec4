"""What a console leaves in the user's terminal, and what undoes it."""

import re

_UNFINISHED = re.compile(rb"\x1b(?:\[[0-9;:?]{0,16})?\Z")
_OTHER_SCREEN = re.compile(rb"\x1b\[\?(?:1049|1047|47)([hl])")
_COLOUR = re.compile(rb"\x1b\[[0-9;:]*m")
SOBER = b"\x1b[0m"
"""No colour, no style."""
PLAIN = (
    b"\x0f\x1b(B"  # the ordinary letters
    b"\x1b[?1000;1002;1003;1006;2004l"  # no reports of the mouse, no marks around pasted text
    b"\x1b[?1l\x1b>"  # arrow keys and keypad as they were
    b"\x1b[?7h\x1b[?25h"  # lines wrap, the cursor is seen
    b"\x1b[r"  # the whole screen scrolls
)


class Traces:
    """Watches what is shown. A PD that is killed in the middle cleans up after itself no more."""

    def __init__(self) -> None:
        self._tail = b""
        self._styled = self._moded = self._other_screen = False

    def shown(self, data: bytes) -> None:
        """This has gone to the terminal."""
        text = self._tail + data
        cut = _UNFINISHED.search(text, max(0, len(text) - 20))
        self._tail = text[cut.start() :] if cut else b""
        text = text[: cut.start()] if cut else text
        if b"\x1b" not in text and b"\x0e" not in text:
            return
        self._styled = True
        self._moded = self._moded or b"\x0e" in text or b"\x1b" in _COLOUR.sub(b"", text)
        for switch in _OTHER_SCREEN.finditer(text):
            self._other_screen = switch[1] == b"h"

    def undo(self) -> bytes:
        """What makes the terminal again what it was; nothing, if only text was shown."""
        save, restore = b"\x1b7", b"\x1b8"  # setting the scrolled region moves the cursor
        back = b"\x1b[?1049l" if self._other_screen else b""
        modes = back + save + PLAIN + restore if self._moded else b""
        return modes + (SOBER if self._styled else b"")
