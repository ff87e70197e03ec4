# Made by `caplab gen` of flush.idl cc10f48f0fc62120
"""The interface Flush of flush.idl: what client and server share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from caplab.pd.idl import Component, IdlError, Interface, Ref

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL = 0x4C341278166F1434
VERSION = 0xC1A7A8D7D89F0DCD


class FlushError(IdlError):
    """What Flush refuses."""


class TooLong(FlushError, code=27):
    """Error 27 of Flush."""


class Flush(Component):
    """Answers Flush: an object of this PD, or a client of one elsewhere."""

    @abstractmethod
    def flush(self, populated_size: int) -> int:
        """void flush(in int64 populated_size, out int64 size)"""


class ref_Flush(Ref):
    """The state of a Flush: `ptr`, or `cap`, an endpoint that leads to it."""

    __slots__ = ()


class iface_Flush(NamedTuple):
    """Functions that do the operations of Flush, the ref their first."""

    flush: Callable[[ref_Flush, int], int]


class object_Flush(NamedTuple):
    """A Flush as state and functions, without a class of its own."""

    ref: ref_Flush
    iface: iface_Flush


Flush.iface = Interface(
    "Flush",
    PROTOCOL,
    VERSION,
    Flush,
    object_Flush,
    FlushError,
    "caplab.servers.mapped_file.flush_server",
)
