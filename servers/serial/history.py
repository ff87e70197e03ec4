"""The lines that were typed before, as a terminal's user leafs through them."""

LINES_MAX = 100
BYTES_MAX = 16 * 1024


class History:
    """Of one client: its last lines, and where in them the user is."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._at = 0
        self._newest = b""
        """The line that was being typed when the leafing began."""

    def add(self, line: bytes) -> None:
        """A line was finished; blank ones and repetitions are not kept."""
        if line.strip() and line != (self._lines[-1] if self._lines else b""):
            self._lines.append(line)
        while len(self._lines) > LINES_MAX or sum(map(len, self._lines)) > BYTES_MAX:
            del self._lines[0]
        self._at = len(self._lines)

    def older(self, now: bytes) -> bytes | None:
        """The line before; None when there is none. `now` is what stands in the line."""
        if self._at == 0:
            return None
        if self._at == len(self._lines):
            self._newest = now
        self._at -= 1
        return self._lines[self._at]

    def newer(self) -> bytes | None:
        """The line after, at last the one that was begun; None when there is none."""
        if self._at >= len(self._lines):
            return None
        self._at += 1
        return self._lines[self._at] if self._at < len(self._lines) else self._newest
