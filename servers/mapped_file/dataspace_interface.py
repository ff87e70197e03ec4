# Made by `caplab gen` of dataspace.idl a5f1a7f181865e94
"""The interface Dataspace of dataspace.idl: what client and server share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from caplab.pd.idl import Component, IdlError, Interface, Ref

if TYPE_CHECKING:
    from collections.abc import Callable

    from caplab.pd.idl import MemoryRange

PROTOCOL = 0x4C34D7FA232E0C24
VERSION = 0x89B43399A1F40855


class DataspaceError(IdlError):
    """What Dataspace refuses."""


class Dataspace(Component):
    """Answers Dataspace: an object of this PD, or a client of one elsewhere."""

    @abstractmethod
    def map(self, offset: int, flags: int) -> MemoryRange:
        """void map(in int64 offset, in uint32 flags, out range pages)"""


class ref_Dataspace(Ref):
    """The state of a Dataspace: `ptr`, or `cap`, an endpoint that leads to it."""

    __slots__ = ()


class iface_Dataspace(NamedTuple):
    """Functions that do the operations of Dataspace, the ref their first."""

    map: Callable[[ref_Dataspace, int, int], MemoryRange]


class object_Dataspace(NamedTuple):
    """A Dataspace as state and functions, without a class of its own."""

    ref: ref_Dataspace
    iface: iface_Dataspace


Dataspace.iface = Interface(
    "Dataspace",
    PROTOCOL,
    VERSION,
    Dataspace,
    object_Dataspace,
    DataspaceError,
    "caplab.servers.mapped_file.dataspace_server",
)
