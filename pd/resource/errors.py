"""What the library itself refuses on a server's behalf, the same for every service.

Numbers 1 to 15 of a service's error enum are these; a service's own begin at FIRST_OWN.
"""

from __future__ import annotations

from caplab.pd.errors import ServiceError

FIRST_OWN = 16
"""The first number that a service gives itself."""


class ResourceError(ServiceError):
    """A refusal of a resource server: the library's own, or one that the service declares."""


class ProtocolError(ResourceError):
    """The library refused the request before the service saw it, or could not do its part."""


class Malformed(ProtocolError, code=1):
    """The bytes are no message of this service."""


class WrongMagic(ProtocolError, code=2):
    """The message is one of another service."""


class UnknownMessage(ProtocolError, code=3):
    """The message asks for nothing that this server knows."""


class NeedsResource(ProtocolError, code=4):
    """That is asked of a resource, and came through the RDE."""


class NeedsRde(ProtocolError, code=5):
    """That is asked through the RDE, and came to a resource."""


class NoSuchObject(ProtocolError, code=6):
    """The resource is not there any more."""


class OtherSpace(ProtocolError, code=7):
    """The capability, or one that was sent along, is of a space this server does not serve."""


class ReplyTooLong(ProtocolError, code=8):
    """The answer does not fit a message."""


class Below(ProtocolError, code=9):
    """The server lacked something for the answer: memory, a slot, a living PD, a server below."""


class MissingCapability(ProtocolError, code=10):
    """The message was to bring a capability, and brought none of that kind."""
