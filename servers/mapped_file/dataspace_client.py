# Made by `caplab gen` of dataspace.idl a5f1a7f181865e94
"""The client's side of Dataspace, an interface of dataspace.idl."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from caplab.pd.idl import Client
from caplab.pd.idl.client import Way
from caplab.pd.idl.errors import out_of_range, refused, wrong_length
from caplab.servers.mapped_file.dataspace_interface import (
    PROTOCOL,
    Dataspace,
    DataspaceError,
    iface_Dataspace,
    object_Dataspace,
    ref_Dataspace,
)

if TYPE_CHECKING:
    from caplab.pd.idl import MemoryRange

__all__ = [
    "Dataspace",
    "DataspaceError",
    "client_Dataspace",
    "client_iface_Dataspace",
    "iface_Dataspace",
    "object_Dataspace",
    "ref_Dataspace",
]

_MAP = Struct("<QqQ")
_MAP_ANSWER = Struct("<QQ")


class client_Dataspace(Client, Dataspace):
    """A Dataspace elsewhere, reached through `endpoint`."""

    _Dataspace: Way

    def map(self, offset: int, flags: int, *, timeout: float | None = None) -> MemoryRange:
        """void map(in int64 offset, in uint32 flags, out range pages)"""
        if not -0x8000000000000000 <= offset <= 0x7FFFFFFFFFFFFFFF:
            raise out_of_range("offset", offset, "int64")
        if not 0 <= flags <= 0xFFFFFFFF:
            raise out_of_range("flags", flags, "uint32")
        with self.receiving() as _slot:
            _answer = self._Dataspace.call(
                PROTOCOL, _MAP.pack(0, offset, flags), receive=_slot.slot, timeout=timeout
            )
            if _answer.label:
                raise refused(DataspaceError, _answer.label, _answer.data)
            _data = _answer.data
            _caps = _slot.caps(_answer)
            if len(_data) != 16:
                raise wrong_length("the answer of `map`", len(_data), 16)
            _pages_offset, _pages_length = _MAP_ANSWER.unpack(_data)
            return _caps.memory("pages", _pages_offset, _pages_length, None)


def _map(ref: ref_Dataspace, offset: int, flags: int) -> MemoryRange:
    return ref.remote(client_Dataspace).map(offset, flags)


client_iface_Dataspace = iface_Dataspace(map=_map)
