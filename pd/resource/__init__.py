"""Resource servers: the loop, the messages, and starting one. Source: seed 000, CellulOS."""

from caplab.pd.resource.errors import (
    FIRST_OWN,
    Below,
    Malformed,
    MissingCapability,
    NeedsRde,
    NeedsResource,
    NoSuchObject,
    OtherSpace,
    ProtocolError,
    ReplyTooLong,
    ResourceError,
    UnknownMessage,
    WrongMagic,
)
from caplab.pd.resource.handlers import on_object, on_rde
from caplab.pd.resource.protocol import Protocol, magic_of
from caplab.pd.resource.served import Call, Served
from caplab.pd.resource.server import ResourceServer
from caplab.pd.resource.start import ServerFailed, start_server

__all__ = [
    "Below",
    "Call",
    "FIRST_OWN",
    "Malformed",
    "MissingCapability",
    "NeedsRde",
    "NeedsResource",
    "NoSuchObject",
    "OtherSpace",
    "Protocol",
    "ProtocolError",
    "ReplyTooLong",
    "ResourceError",
    "ResourceServer",
    "Served",
    "ServerFailed",
    "UnknownMessage",
    "WrongMagic",
    "magic_of",
    "on_object",
    "on_rde",
    "start_server",
]
