# Made by `caplab gen` of file.idl 9173cb91bf9cb7ff
"""The client's side of File, an interface of file.idl."""

from __future__ import annotations

from struct import Struct

from caplab.pd.idl import Client
from caplab.pd.idl.client import Way
from caplab.pd.idl.errors import out_of_range, refused, wrong_length
from caplab.servers.mapped_file.file_interface import (
    PROTOCOL,
    File,
    FileError,
    FileStatResult,
    NoSpace,
    iface_File,
    object_File,
    ref_File,
)

__all__ = [
    "File",
    "FileError",
    "FileStatResult",
    "NoSpace",
    "client_File",
    "client_iface_File",
    "iface_File",
    "object_File",
    "ref_File",
]

_STAT = Struct("<Q")
_STAT_ANSWER = Struct("<qq")
_RESIZE = Struct("<Qq")
_RESIZE_ANSWER = Struct("<q")


class client_File(Client, File):
    """A File elsewhere, reached through `endpoint`."""

    _File: Way

    def stat(self, *, timeout: float | None = None) -> FileStatResult:
        """void stat(out int64 size, out int64 capacity)"""
        _answer = self._File.call(PROTOCOL, _STAT.pack(0), timeout=timeout)
        if _answer.label:
            raise refused(FileError, _answer.label, _answer.data)
        _data = _answer.data
        if len(_data) != 16:
            raise wrong_length("the answer of `stat`", len(_data), 16)
        size, capacity = _STAT_ANSWER.unpack(_data)
        return FileStatResult(size, capacity)

    def resize(self, size: int, *, timeout: float | None = None) -> int:
        """void resize(inout int64 size)"""
        if not -0x8000000000000000 <= size <= 0x7FFFFFFFFFFFFFFF:
            raise out_of_range("size", size, "int64")
        _answer = self._File.call(PROTOCOL, _RESIZE.pack(1, size), timeout=timeout)
        if _answer.label:
            raise refused(FileError, _answer.label, _answer.data)
        _data = _answer.data
        if len(_data) != 8:
            raise wrong_length("the answer of `resize`", len(_data), 8)
        (size,) = _RESIZE_ANSWER.unpack(_data)
        return size


def _stat(ref: ref_File) -> FileStatResult:
    return ref.remote(client_File).stat()


def _resize(ref: ref_File, size: int) -> int:
    return ref.remote(client_File).resize(size)


client_iface_File = iface_File(stat=_stat, resize=_resize)
