"""The keys that leave an attached console, or ask something else of us, in all that is typed."""

import re
from enum import Enum
from typing import NamedTuple


class Wish(Enum):
    """What the user asked of us rather than of the system, and the key for it."""

    LEAVE = "q"
    FOCUS = "s"
    BREAK = "b"
    TAKE = "t"
    NEXT = "n"
    HELP = "?"


MENU = {
    Wish.LEAVE: "q leaves",
    Wish.FOCUS: "s gives the input to another client",
    Wish.BREAK: "b sends a break",
    Wish.TAKE: "t takes the keyboard",
    Wish.NEXT: "n shows the next UART",
}
_WISHES = {wish.value: wish for wish in Wish}


class Typed(NamedTuple):
    """Input for the system, then, if the escape was used, what is wished, then the rest.

    The rest was typed behind the wish and has not been looked at: it may answer a question.
    """

    data: bytes
    wish: Wish | None
    rest: bytes = b""


class EscapeKey:
    """Finds the escape and the key behind it in what is typed, however it is cut.

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
    def hint(self) -> str:
        return f"{self.name} then: q leaves, ? shows what else"

    def help(self, wishes: list[Wish]) -> str:
        """What can be wished here."""
        listed = ", ".join(MENU[wish] for wish in wishes if wish in MENU)
        return f"{self.name} then: {listed}, {self.name} sends one, ? shows this"

    def feed(self, data: bytes) -> Typed:
        """Take typed bytes up to the first wish. Typing goes on with the rest."""
        text = bytearray()
        for place, value in enumerate(data):
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
            wish = _WISHES.get(key.decode("latin-1").lower(), Wish.HELP)
            return Typed(bytes(text), wish, data[place + 1 :])
        return Typed(bytes(text), None)
