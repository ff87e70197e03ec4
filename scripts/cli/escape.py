"""The keys that leave an attached console, apart from all that is typed into it."""

import re
from enum import Enum
from typing import NamedTuple


class Wish(Enum):
    """What the user asked of us rather than of the system."""

    LEAVE = "leave"
    HELP = "help"


class Typed(NamedTuple):
    """Input for the system, then, if the escape was used, what is wished."""

    data: bytes
    wish: Wish | None


class EscapeKey:
    """Finds ``ESC q``, ``ESC ?`` and ``ESC ESC`` in what is typed, however it is cut.

    Args:
        name: ``ctrl-]`` (or ``^]``): ctrl with a letter or one of ``@ [ \\ ] ^ _``.

    Raises:
        ValueError: no such key.
    """

    def __init__(self, name: str = "ctrl-]") -> None:
        named = re.fullmatch(r"(?:[Cc]trl-|\^)([@-_a-z])", name)
        if named is None:
            raise ValueError(
                f"{name!r} is not an escape key: give ctrl- and a letter or one of @ [ \\ ] ^ _"
            )
        letter = named[1].upper()
        self.name = f"Ctrl-{letter}"
        self.byte = bytes([ord(letter) & 0x1F])
        self._escaped = False

    @property
    def help(self) -> str:
        return f"{self.name} then: q leaves, {self.name} sends one, ? shows this"

    def feed(self, data: bytes) -> list[Typed]:
        """Take typed bytes apart, in order. Nothing after a LEAVE is looked at."""
        parts: list[Typed] = []
        text = bytearray()
        for value in data:
            key = bytes([value])
            if not self._escaped:
                self._escaped = key == self.byte
                if not self._escaped:
                    text += key
                continue
            self._escaped = False
            if key == self.byte:
                text += key
                continue
            # Any other key is more likely a slip than input: show what there is.
            wish = Wish.LEAVE if key in b"qQ" else Wish.HELP
            parts.append(Typed(bytes(text), wish))
            text.clear()
            if wish is Wish.LEAVE:
                return parts
        if text:
            parts.append(Typed(bytes(text), None))
        return parts
