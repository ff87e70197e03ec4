# Made by `caplab gen` of mapped_file.idl da85eae9be2b5474
"""The client's side of MappedFile, an interface of mapped_file.idl."""

from __future__ import annotations

from struct import Struct

from caplab.pd.idl import Client
from caplab.pd.idl.client import Way
from caplab.pd.idl.errors import out_of_range, refused, wrong_length
from caplab.servers.mapped_file.mapped_file_interface import (
    PROTOCOL,
    MappedFile,
    MappedFileError,
    MappedFileMmapResult,
    iface_MappedFile,
    object_MappedFile,
    ref_MappedFile,
)

__all__ = [
    "MappedFile",
    "MappedFileError",
    "MappedFileMmapResult",
    "client_MappedFile",
    "client_iface_MappedFile",
    "iface_MappedFile",
    "object_MappedFile",
    "ref_MappedFile",
]

_MMAP = Struct("<Qqq")
_MMAP_ANSWER = Struct("<qqq")


class client_MappedFile(Client, MappedFile):
    """A MappedFile elsewhere, reached through `endpoint`."""

    _MappedFile: Way

    def mmap(
        self, position: int, length: int, *, timeout: float | None = None
    ) -> MappedFileMmapResult:
        """void mmap(in int64 position, in int64 length, out int64 start, out int64 end, out int64
        size)
        """
        if not -0x8000000000000000 <= position <= 0x7FFFFFFFFFFFFFFF:
            raise out_of_range("position", position, "int64")
        if not -0x8000000000000000 <= length <= 0x7FFFFFFFFFFFFFFF:
            raise out_of_range("length", length, "int64")
        _answer = self._MappedFile.call(PROTOCOL, _MMAP.pack(0, position, length), timeout=timeout)
        if _answer.label:
            raise refused(MappedFileError, _answer.label, _answer.data)
        _data = _answer.data
        if len(_data) != 24:
            raise wrong_length("the answer of `mmap`", len(_data), 24)
        start, end, size = _MMAP_ANSWER.unpack(_data)
        return MappedFileMmapResult(start, end, size)


def _mmap(ref: ref_MappedFile, position: int, length: int) -> MappedFileMmapResult:
    return ref.remote(client_MappedFile).mmap(position, length)


client_iface_MappedFile = iface_MappedFile(mmap=_mmap)
