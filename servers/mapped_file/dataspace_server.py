# Made by `caplab gen` of dataspace.idl a5f1a7f181865e94
"""The server's side of Dataspace, an interface of dataspace.idl."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from caplab.pd.idl import Op
from caplab.pd.idl.errors import out_of_range, wrong_length
from caplab.pd.ipc_server import ipc_server_loop_for
from caplab.servers.mapped_file.dataspace_interface import (
    Dataspace,
    DataspaceError,
    iface_Dataspace,
    object_Dataspace,
    ref_Dataspace,
)

if TYPE_CHECKING:
    from caplab.pd.idl import Caps, MemoryRange

__all__ = [
    "Dataspace",
    "DataspaceError",
    "iface_Dataspace",
    "ipc_server_loop_for",
    "object_Dataspace",
    "ref_Dataspace",
]

_MAP = Struct("<QqQ")
_MAP_ANSWER = Struct("<QQ")


def _take_map(_data: bytes, _caps: Caps) -> tuple[int, int]:
    if len(_data) != 24:
        raise wrong_length("`map`", len(_data), 24)
    _, offset, flags = _MAP.unpack(_data)
    if flags > 0xFFFFFFFF:
        raise out_of_range("flags", flags, "uint32")
    return offset, flags


def _give_map(pages: MemoryRange, _caps: Caps) -> bytes:
    _caps.send(pages.checked("pages", None).memory)
    return _MAP_ANSWER.pack(pages.offset, pages.length)


OPERATIONS = (Op("map", 0, _take_map, _give_map, gives=True),)
