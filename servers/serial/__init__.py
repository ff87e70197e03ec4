"""The serial server's client API: `Serial`, and what the server refuses."""

from caplab.servers.serial.client import Serial
from caplab.servers.serial.errors import (
    BindFailed,
    IllegalOperation,
    InvalidArgument,
    InvalidCapability,
    LineDown,
    MayNotKill,
    NoSuchClient,
    NotConnected,
    NotEnoughMemory,
    NullBuffer,
    RangeError,
    ReadReplaced,
    SerialError,
    ShmemTooLarge,
    TooLong,
    UnknownFunction,
)

__all__ = [
    "BindFailed",
    "IllegalOperation",
    "InvalidArgument",
    "InvalidCapability",
    "LineDown",
    "MayNotKill",
    "NoSuchClient",
    "NotConnected",
    "NotEnoughMemory",
    "NullBuffer",
    "RangeError",
    "ReadReplaced",
    "Serial",
    "SerialError",
    "ShmemTooLarge",
    "TooLong",
    "UnknownFunction",
]
