# Made by `caplab gen` of mapped_file_object.idl f6ea6189c24ba71c
# with dataspace.idl a5f1a7f181865e94
# with file.idl 9173cb91bf9cb7ff
# with flush.idl cc10f48f0fc62120
# with mapped_file.idl da85eae9be2b5474
# with notification.idl a2b722d846158835
"""The interface Opener of mapped_file_object.idl: what client and server share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from caplab.pd.idl import Component, IdlError, Interface, Ref

if TYPE_CHECKING:
    from collections.abc import Callable

    from caplab.servers.mapped_file.mapped_file_object_interface import MappedFileObject

PROTOCOL = 0x4C343068D253B1B3
VERSION = 0xF612F56FBB11846C


class OpenerError(IdlError):
    """What Opener refuses."""


class TooManyFiles(OpenerError, code=23):
    """Error 23 of Opener."""


class Opener(Component):
    """Answers Opener: an object of this PD, or a client of one elsewhere."""

    @abstractmethod
    def open(self, path: str, capacity: int) -> MappedFileObject:
        """void open(in string<64> path, in int64 capacity, out cap<MappedFileObject> file)"""


class ref_Opener(Ref):
    """The state of a Opener: `ptr`, or `cap`, an endpoint that leads to it."""

    __slots__ = ()


class iface_Opener(NamedTuple):
    """Functions that do the operations of Opener, the ref their first."""

    open: Callable[[ref_Opener, str, int], MappedFileObject]


class object_Opener(NamedTuple):
    """A Opener as state and functions, without a class of its own."""

    ref: ref_Opener
    iface: iface_Opener


Opener.iface = Interface(
    "Opener",
    PROTOCOL,
    VERSION,
    Opener,
    object_Opener,
    OpenerError,
    "caplab.servers.mapped_file.opener_server",
)
