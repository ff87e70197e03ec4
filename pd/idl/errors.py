"""What an interface refuses, and what is refused on every interface's behalf.

An error travels as L4 has it: the label of the answer is its number, negative; 0 is L4_EOK. The
text of the refusal is the answer's body.
"""

from __future__ import annotations

from caplab.pd.errors import ServiceError

TEXT_MOST = 480
"""Bytes of a refusal's text that travel."""
_MASK = (1 << 64) - 1


class IdlError(ServiceError):
    """A refusal of a component: one that its interface declares, or the library's own."""


class WireError(IdlError):
    """The library refused: at the server before the component saw the request, or at the client
    before the server did. Numbers are L4Re's where it has one.
    """


class Below(WireError, code=5):
    """The component lacked something: memory, a slot, a living server below. L4_EIO."""


class BadValue(WireError, code=22):
    """A word is no member of its enum, a text no UTF-8, an array too long. L4_EINVAL."""


class OutOfRange(WireError, code=34):
    """A number does not fit its type. L4_ERANGE."""


class UnknownOpcode(WireError, code=38):
    """The interface has no operation of this number. L4_ENOSYS."""


class UnknownProtocol(WireError, code=39):
    """Nothing at this endpoint answers that interface. L4_EBADPROTO."""


class MessageTooShort(WireError, code=1001):
    """The message lacks words. L4_EMSGTOOSHORT."""


class MessageTooLong(WireError, code=1002):
    """The message has more words than the operation. L4_EMSGTOOLONG."""


class MissingCapability(WireError, code=1003):
    """The message was to bring a capability and brought none. L4_EMSGMISSARG."""


class WrongVersion(WireError, code=1100):
    """Client and server were made of different texts of one interface."""


class NotHere(WireError, code=1101):
    """The capability leads to no object of the server that it was sent to, or that is gone."""


def label_of(error: ServiceError) -> int:
    """The label of the answer that carries an error."""
    return -(error.code or Below.code) & _MASK


def body_of(error: ServiceError) -> bytes:
    """Its body: the text, as much as travels."""
    return str(error).encode()[:TEXT_MOST].decode(errors="ignore").encode()


def refused(declared: type[IdlError], label: int, data: bytes) -> ServiceError:
    """The error that an answer carries: one of `declared`, or the library's own."""
    code = (1 << 64) - label if label >> 63 else -label
    text = data.decode(errors="replace")
    for library in WireError.__subclasses__():
        if library.code == code:
            return library(text)
    return declared.of(code, text)


def out_of_range(name: str, value: object, what: str) -> OutOfRange:
    return OutOfRange(f"`{name}` is {value}, which does not fit {what}")


def wrong_length(what: str, found: int, wanted: int) -> WireError:
    """A message of another length than all messages of its kind have."""
    kind = MessageTooShort if found < wanted else MessageTooLong
    return kind(f"{what} has {found} bytes instead of {wanted}")
