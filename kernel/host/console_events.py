"""What a client of a console socket is told, and how it is refused."""

from typing import NamedTuple


class ConsoleError(ConnectionError):
    """The line refused this client: `code` is ``full`` or ``protocol``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ConsoleEnded(EOFError):
    """The system went down before what was expected stood on the console; `came` did."""

    def __init__(self, message: str, came: bytes = b"") -> None:
        super().__init__(message)
        self.came = came


class ExpectTimeout(TimeoutError):
    """What was expected did not come in time; `came` did, and the message quotes its end."""

    def __init__(self, message: str, came: bytes = b"") -> None:
        super().__init__(message)
        self.came = came


class Output(NamedTuple):
    """Bytes of the console, in order."""

    data: bytes


class Lost(NamedTuple):
    """Bytes missing between the output before and after: we read too slowly."""

    size: int


class InputLost(NamedTuple):
    """Bytes we sent that the driver did not take: it reads too slowly, or not at all."""

    size: int


class Writer(NamedTuple):
    """The keyboard has changed hands: whose it is now, and whether that is us."""

    who: str | None
    you: bool


class Synced(NamedTuple):
    """All that had been printed before `Watcher.sync` gave out this number has been received."""

    number: int


Event = Output | Lost | InputLost | Writer | Synced
