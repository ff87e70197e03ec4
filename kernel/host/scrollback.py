"""What a console showed last, for whoever comes late."""


class Scrollback:
    """The newest `limit` bytes of a stream.

    Cheap to add to: CPython drops bytes from the front of a bytearray without moving the rest.
    """

    def __init__(self, limit: int = 64 * 1024) -> None:
        self._limit = limit
        self._bytes = bytearray()
        self._cut = False

    def add(self, data: bytes) -> None:
        self._bytes += data
        excess = len(self._bytes) - self._limit
        if excess > 0:
            # Whether the front is a line's start is known only of the byte before it.
            self._cut = self._bytes[excess - 1] != ord("\n")
            del self._bytes[:excess]

    def replay(self) -> bytes:
        """What is kept, from the start of a line on.

        A single line longer than the whole ring is shown from where it is known.
        """
        start = self._bytes.find(b"\n") + 1 if self._cut else 0
        return bytes(self._bytes[start:]) or bytes(self._bytes)
