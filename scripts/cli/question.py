"""A question with one line for an answer, asked at a terminal that is raw."""

from collections.abc import Sequence

ENTER, ERASE, CLEAR, TAB = b"\r\n", b"\x08\x7f", b"\x15", b"\t"
CANCEL = b"\x03\x04\x1b\x1d"
"""^C, ^D, Escape and Ctrl-]."""
LENGTH_MAX = 200


class Question:
    """The answer as it is typed. Tab completes it to one of `names`, if only one begins so."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._names = names
        self._line = ""
        self._bytes = b""
        self.done = False
        self.cancelled = False
        self.rest = b""
        """What was typed behind the answer."""

    @property
    def answer(self) -> str:
        return self._line.strip()

    def feed(self, data: bytes) -> str:
        """Take what was typed. Returns what is to be shown for it."""
        shown = ""
        for place, value in enumerate(data):
            key = bytes([value])
            if key in ENTER or key in CANCEL:
                self.done, self.cancelled = True, key in CANCEL
                self.rest = data[place + 1 :]
                return shown + "\n"
            shown += self._key(key)
        return shown

    def _key(self, key: bytes) -> str:
        if key in ERASE:
            return self._erase(1)
        if key == CLEAR:
            return self._erase(len(self._line))
        if key == TAB:
            return self._complete()
        self._bytes += key
        try:
            text = self._bytes.decode()
        except UnicodeDecodeError:
            if len(self._bytes) == 4:
                self._bytes = b""
            return ""
        self._bytes = b""
        if not text.isprintable() or len(self._line) == LENGTH_MAX:
            return ""
        self._line += text
        return text

    def _erase(self, count: int) -> str:
        count = min(count, len(self._line))
        self._line = self._line[: len(self._line) - count]
        return "\b \b" * count

    def _complete(self) -> str:
        fitting = [name for name in self._names if name.startswith(self._line)]
        if len(fitting) != 1:
            return ""
        more = fitting[0][len(self._line) :]
        self._line = fitting[0]
        return more
