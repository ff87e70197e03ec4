"""What the code made of `.idl` files stands on: interfaces, values, refusals. Source: seed 004."""

from caplab.pd.idl.client import Client, Contact, cap_of
from caplab.pd.idl.errors import (
    BadValue,
    Below,
    IdlError,
    MessageTooLong,
    MessageTooShort,
    MissingCapability,
    NotHere,
    OutOfRange,
    UnknownOpcode,
    UnknownProtocol,
    WireError,
    WrongVersion,
    refused,
)
from caplab.pd.idl.interface import IDENTIFY, Component, Interface, Op, Ref
from caplab.pd.idl.ranges import MemoryRange, RangeWindow
from caplab.pd.idl.transfer import NOTHING, Caps

__all__ = [
    "IDENTIFY",
    "NOTHING",
    "BadValue",
    "Below",
    "Caps",
    "Client",
    "Component",
    "Contact",
    "IdlError",
    "Interface",
    "MemoryRange",
    "MessageTooLong",
    "MessageTooShort",
    "MissingCapability",
    "NotHere",
    "Op",
    "OutOfRange",
    "RangeWindow",
    "Ref",
    "UnknownOpcode",
    "UnknownProtocol",
    "WireError",
    "WrongVersion",
    "cap_of",
    "refused",
]
