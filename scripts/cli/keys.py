"""Keys as people write them down, for `send-keys` and `expect --send`."""

import re

NAMED = {
    "r": "\r",
    "n": "\n",
    "t": "\t",
    "e": "\x1b",
    "a": "\a",
    "b": "\b",
    "0": "\0",
    "\\": "\\",
    "^": "^",
}
_PART = re.compile(
    r"\\x(?P<byte>[0-9A-Fa-f]{2})"
    r"|\\u(?P<code>[0-9A-Fa-f]{4})"
    r"|\\(?P<name>.)"
    r"|\^(?P<control>[@A-Za-z\[\\\]^_?])"
    r"|(?P<text>[^\\^]+)",
    re.DOTALL,
)


def typed(text: str) -> bytes:
    r"""The bytes of `text`: `\r \n \t \e \a \b \0 \\ \^ \xNN \uNNNN`, `^C` and the like.

    Raises:
        ValueError: a backslash or a caret that begins nothing.
    """
    found = bytearray()
    place = 0
    while place < len(text):
        part = _PART.match(text, place)
        data = _bytes(part) if part else None
        if part is None or data is None:
            wrong = text[place : place + 2]
            raise ValueError(f"{wrong!r} is no key; a backslash is written \\\\, a caret \\^")
        found += data
        place = part.end()
    return bytes(found)


def _bytes(part: re.Match[str]) -> bytes | None:
    match part.lastgroup, part[part.lastgroup or 0]:
        case "byte", digits:
            return bytes.fromhex(digits)
        case "code", digits:
            return chr(int(digits, 16)).encode("utf-8", "surrogateescape")
        case "name", name:
            return NAMED[name].encode() if name in NAMED else None
        case "control", "?":
            return b"\x7f"
        case "control", letter:
            return bytes([ord(letter.upper()) & 0x1F])
        case _, text:
            return text.encode("utf-8", "surrogateescape")  # as it came in the argument
