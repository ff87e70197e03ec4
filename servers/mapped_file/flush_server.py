# Made by `caplab gen` of flush.idl cc10f48f0fc62120
"""The server's side of Flush, an interface of flush.idl."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from caplab.pd.idl import Op
from caplab.pd.idl.errors import out_of_range, wrong_length
from caplab.pd.ipc_server import ipc_server_loop_for
from caplab.servers.mapped_file.flush_interface import (
    Flush,
    FlushError,
    TooLong,
    iface_Flush,
    object_Flush,
    ref_Flush,
)

if TYPE_CHECKING:
    from caplab.pd.idl import Caps

__all__ = [
    "Flush",
    "FlushError",
    "TooLong",
    "iface_Flush",
    "ipc_server_loop_for",
    "object_Flush",
    "ref_Flush",
]

_FLUSH = Struct("<Qq")
_FLUSH_ANSWER = Struct("<q")


def _take_flush(_data: bytes, _caps: Caps) -> tuple[int]:
    if len(_data) != 16:
        raise wrong_length("`flush`", len(_data), 16)
    _, populated_size = _FLUSH.unpack(_data)
    return (populated_size,)


def _give_flush(size: int, _caps: Caps) -> bytes:
    if not -0x8000000000000000 <= size <= 0x7FFFFFFFFFFFFFFF:
        raise out_of_range("size", size, "int64")
    return _FLUSH_ANSWER.pack(size)


OPERATIONS = (Op("flush", 0, _take_flush, _give_flush),)
