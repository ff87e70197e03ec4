"""What the serial server refuses, each with the number of libsel4serialserver and what to do.

Raised in the server, where it becomes the label of the answer; raised again as the same class in
the client. Numbers from 14 up are caplab's own: there the seed answers nothing at all.
"""

from typing import Self

from caplab.pd.errors import ServiceError
from caplab.servers.serial import protocol
from caplab.servers.serial.protocol import PRINTF_MAX, WINDOW_MAX, BindFailure, Error


class SerialError(ServiceError):
    """A refusal of the serial server; `code` is its number."""

    remedy = "The serial server refused the request."
    """What to do, said where nobody has a better sentence."""
    word = 0
    """MR1 of the answer."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.remedy)

    def answer(self, function: int) -> tuple[int, bytes]:
        """Label and data of the answer that refuses a request."""
        words = protocol.encode(protocol.answer_to(function), self.word)
        return protocol.label_of(self.code), protocol.with_text(words, str(self).encode())


class TooLong(SerialError, code=Error.TOO_LONG):
    """−4: the client library did not send the text."""

    remedy = (
        f"The text does not fit the window, or its length is negative: nothing was printed. "
        f"Print at most {WINDOW_MAX} bytes in one write, {PRINTF_MAX} in one printf."
    )


class NoSuchClient(SerialError, code=Error.NO_SUCH_CLIENT):
    """−1: the badge is not one that a Parent allocated to a client."""

    remedy = (
        "The capability's badge belongs to no client of this server. Use a capability that its "
        "Parent minted: `uses: {console: serial}` in the manifest, or SerialParent.mint_endpoint."
    )


class NullBuffer(SerialError, code=Error.NO_SUCH_CLIENT):
    """−1: there is no text."""

    remedy = "There is no text to print: pass bytes or str, not None."


class InvalidArgument(SerialError, code=Error.INVALID_ARGUMENT):
    """1: an argument is missing, or the window has no pages."""

    remedy = (
        "A window needs one page, and connect and kill need an endpoint: neither may be left out."
    )


class InvalidCapability(SerialError, code=Error.INVALID_CAPABILITY):
    """2: connect did not carry one memory capability per page."""

    remedy = (
        "Connect must carry exactly one memory object's capability and no other. If it did, the "
        "endpoint capability lacks Grant, without which nothing is transferred."
    )


class IllegalOperation(SerialError, code=Error.ILLEGAL_OPERATION):
    """3: the answer is not one of the serial server."""

    remedy = "Whoever answered is no serial server: look which provider `uses` names."


class RangeError(SerialError, code=Error.RANGE_ERROR):
    """4: the text would reach beyond the window; 0 bytes are printed (MR1)."""

    remedy = (
        "The text is longer than the window, or the window's memory is gone: nothing was printed. "
        "Connect again, or print in smaller pieces."
    )


class NotEnoughMemory(SerialError, code=Error.NOT_ENOUGH_MEMORY):
    """10: the server could not map the window."""

    remedy = (
        "The server could not map the window. Disconnect clients that are not needed, and retry."
    )


class ShmemTooLarge(SerialError, code=Error.SHMEM_TOO_LARGE):
    """11: the window has more pages than the server allows."""

    remedy = f"The window is too large: at most {WINDOW_MAX} bytes. Connect with pages=1."
    word = WINDOW_MAX
    """Bytes the server allows."""


class BindFailed(SerialError, code=Error.BIND_FAILED):
    """12: the server has no device; `why` says which of three reasons it is."""

    remedy = "The serial server has no device yet: its Parent has not asked it to bind one."

    @property
    def why(self) -> BindFailure:
        """MR1 of the answer."""
        return BindFailure(self.word) if self.word in list(BindFailure) else BindFailure.NONE

    @classmethod
    def missing(cls, device: str) -> Self:
        """No such device."""
        return cls._because(
            BindFailure.MISSING,
            f"There is no device {device!r} here: add `uarts: [{device}]` to the system and "
            f"`devices: [{device}]` to this PD.",
        )

    @classmethod
    def taken(cls, device: str, holder: str) -> Self:
        """Another driver has claimed it."""
        return cls._because(
            BindFailure.TAKEN,
            f"Device {device!r} is held by {holder or 'another PD'}: give this server another "
            f"one, or kill that PD.",
        )

    @classmethod
    def not_a_device(cls, device: str) -> Self:
        """The name is that of another kind of capability."""
        return cls._because(
            BindFailure.NOT_A_DEVICE,
            f"{device!r} is the name of a capability that is no device: name one of the system's "
            f"`uarts:`.",
        )

    @classmethod
    def no_interrupt(cls) -> Self:
        """The PD's notification, which brings the interrupts, wakes another thread already."""
        return cls._because(
            BindFailure.NONE,
            "The PD's work notification is bound to another thread, so the server would never "
            "hear of its device: unbind it there first (env.tcb.unbind_notification()).",
        )

    @classmethod
    def _because(cls, why: BindFailure, sentence: str) -> Self:
        error = cls(sentence)
        error.word = int(why)
        return error


class UnknownFunction(SerialError, code=Error.UNKNOWN):
    """13: the server has no such function."""

    remedy = "The server has no such function. Use the methods of Serial; printf is a WRITE."


class NotConnected(SerialError, code=Error.NOT_CONNECTED):
    """14: the client has no connection. (The seed's server would not answer.)"""

    remedy = "There is no connection: call Serial.connect first; after disconnect, call it again."


class MayNotKill(SerialError, code=Error.MAY_NOT_KILL):
    """15: this client's capability was minted with `may_kill=False`."""

    remedy = (
        "This capability may print but not kill the server: its Parent minted it with "
        "may_kill=False. Ask the Parent."
    )


class ReadReplaced(SerialError, code=Error.READ_REPLACED):
    """16: the client asked for a line again while it was waiting for one."""

    remedy = "Another thread of this client asked for a line: give each thread its own capability."


class MayNotFocus(SerialError, code=Error.MAY_NOT_FOCUS):
    """18: the client has no right to the input of others."""

    remedy = (
        "This client may not give or take the input: add `console: {focus: true}` to its manifest "
        "entry, or have its Parent mint the capability with focus=True."
    )


class NoSuchUart(SerialError, code=Error.NO_SUCH_UART):
    """19: the server does not drive the UART that was asked for."""

    remedy = "The server drives no UART of that name: look at its `devices:` in the manifest."


class NotAClient(SerialError, code=Error.NOT_A_CLIENT):
    """20: the input cannot go to somebody who is not connected to this UART."""

    remedy = "There is no client of that name at this UART, or it is not connected."


class BrokenRing(SerialError, code=Error.BROKEN_RING):
    """21: the indices in the ring cannot be so, or it is gone: the connection is over."""

    remedy = (
        "The ring's indices cannot be so, or its memory is gone or read-only: the server has "
        "dropped the connection. Nobody but this client's library may write to it; connect again."
    )


class LineDown(SerialError, code=Error.LINE_DOWN):
    """17: the other end of the device is closed."""

    remedy = "The UART's line is closed: nothing can be printed or read any more."
