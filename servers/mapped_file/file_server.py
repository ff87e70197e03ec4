# Made by `caplab gen` of file.idl 9173cb91bf9cb7ff
"""The server's side of File, an interface of file.idl."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from caplab.pd.idl import Op
from caplab.pd.idl.errors import out_of_range, wrong_length
from caplab.pd.ipc_server import ipc_server_loop_for
from caplab.servers.mapped_file.file_interface import (
    File,
    FileError,
    FileStatResult,
    NoSpace,
    iface_File,
    object_File,
    ref_File,
)

if TYPE_CHECKING:
    from caplab.pd.idl import Caps

__all__ = [
    "File",
    "FileError",
    "FileStatResult",
    "NoSpace",
    "iface_File",
    "ipc_server_loop_for",
    "object_File",
    "ref_File",
]

_STAT = Struct("<Q")
_STAT_ANSWER = Struct("<qq")
_RESIZE = Struct("<Qq")
_RESIZE_ANSWER = Struct("<q")


def _take_stat(_data: bytes, _caps: Caps) -> tuple[()]:
    if len(_data) != 8:
        raise wrong_length("`stat`", len(_data), 8)
    return ()


def _give_stat(_result: FileStatResult, _caps: Caps) -> bytes:
    size, capacity = _result
    if not -0x8000000000000000 <= size <= 0x7FFFFFFFFFFFFFFF:
        raise out_of_range("size", size, "int64")
    if not -0x8000000000000000 <= capacity <= 0x7FFFFFFFFFFFFFFF:
        raise out_of_range("capacity", capacity, "int64")
    return _STAT_ANSWER.pack(size, capacity)


def _take_resize(_data: bytes, _caps: Caps) -> tuple[int]:
    if len(_data) != 16:
        raise wrong_length("`resize`", len(_data), 16)
    _, size = _RESIZE.unpack(_data)
    return (size,)


def _give_resize(size: int, _caps: Caps) -> bytes:
    if not -0x8000000000000000 <= size <= 0x7FFFFFFFFFFFFFFF:
        raise out_of_range("size", size, "int64")
    return _RESIZE_ANSWER.pack(size)


OPERATIONS = (
    Op("stat", 0, _take_stat, _give_stat),
    Op("resize", 1, _take_resize, _give_resize),
)
