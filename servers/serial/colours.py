"""Each client prints in a colour of its own, and each line ends where a raw line needs it.

Source: libsel4serialserver, `colors[badge % 24]`: six colours, each plain, bold, italic and
underlined.
"""

from caplab.servers.serial.badges import number_of

RESET = b"\x1b[0m"
COLOURS = tuple(
    b"\x1b[%d%sm" % (colour, style)
    for style in (b"", b";1", b";3", b";4")
    for colour in range(31, 37)
)
"""Red, green, yellow, blue, magenta, cyan; then the same bold, in italics, underlined."""


def colour_of(badge: int) -> bytes:
    """The escape sequence that starts this client's colour."""
    return COLOURS[number_of(badge) % len(COLOURS)]


def cooked(text: bytes) -> bytes:
    """`text` for a raw line: a newline without a carriage return gets one."""
    if b"\r" not in text:
        return text.replace(b"\n", b"\r\n")
    # Usually each has one already, and this is five times as fast as looking for them.
    if text.translate(None, b"\r").replace(b"\n", b"\r\n") == text:
        return text
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def dressed(text: bytes, badge: int, colour: bool) -> bytes:
    """Text of a client in its colour, if there are to be colours."""
    return b"".join((RESET, colour_of(badge), text, RESET)) if colour else text
