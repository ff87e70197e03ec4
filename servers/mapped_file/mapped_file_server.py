# Made by `caplab gen` of mapped_file.idl da85eae9be2b5474
"""The server's side of MappedFile, an interface of mapped_file.idl."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from caplab.pd.idl import Op
from caplab.pd.idl.errors import out_of_range, wrong_length
from caplab.pd.ipc_server import ipc_server_loop_for
from caplab.servers.mapped_file.mapped_file_interface import (
    MappedFile,
    MappedFileError,
    MappedFileMmapResult,
    iface_MappedFile,
    object_MappedFile,
    ref_MappedFile,
)

if TYPE_CHECKING:
    from caplab.pd.idl import Caps

__all__ = [
    "MappedFile",
    "MappedFileError",
    "MappedFileMmapResult",
    "iface_MappedFile",
    "ipc_server_loop_for",
    "object_MappedFile",
    "ref_MappedFile",
]

_MMAP = Struct("<Qqq")
_MMAP_ANSWER = Struct("<qqq")


def _take_mmap(_data: bytes, _caps: Caps) -> tuple[int, int]:
    if len(_data) != 24:
        raise wrong_length("`mmap`", len(_data), 24)
    _, position, length = _MMAP.unpack(_data)
    return position, length


def _give_mmap(_result: MappedFileMmapResult, _caps: Caps) -> bytes:
    start, end, size = _result
    if not -0x8000000000000000 <= start <= 0x7FFFFFFFFFFFFFFF:
        raise out_of_range("start", start, "int64")
    if not -0x8000000000000000 <= end <= 0x7FFFFFFFFFFFFFFF:
        raise out_of_range("end", end, "int64")
    if not -0x8000000000000000 <= size <= 0x7FFFFFFFFFFFFFFF:
        raise out_of_range("size", size, "int64")
    return _MMAP_ANSWER.pack(start, end, size)


OPERATIONS = (Op("mmap", 0, _take_mmap, _give_mmap),)
