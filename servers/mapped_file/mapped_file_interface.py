# Made by `caplab gen` of mapped_file.idl da85eae9be2b5474
"""The interface MappedFile of mapped_file.idl: what client and server share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from caplab.pd.idl import Component, IdlError, Interface, Ref

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL = 0x4C34FD486167F0DA
VERSION = 0xE971819213565789


class MappedFileError(IdlError):
    """What MappedFile refuses."""


class MappedFileMmapResult(NamedTuple):
    """What `mmap` answers."""

    start: int
    end: int
    size: int


class MappedFile(Component):
    """Answers MappedFile: an object of this PD, or a client of one elsewhere."""

    @abstractmethod
    def mmap(self, position: int, length: int) -> MappedFileMmapResult:
        """void mmap(in int64 position, in int64 length, out int64 start, out int64 end, out int64
        size)
        """


class ref_MappedFile(Ref):
    """The state of a MappedFile: `ptr`, or `cap`, an endpoint that leads to it."""

    __slots__ = ()


class iface_MappedFile(NamedTuple):
    """Functions that do the operations of MappedFile, the ref their first."""

    mmap: Callable[[ref_MappedFile, int, int], MappedFileMmapResult]


class object_MappedFile(NamedTuple):
    """A MappedFile as state and functions, without a class of its own."""

    ref: ref_MappedFile
    iface: iface_MappedFile


MappedFile.iface = Interface(
    "MappedFile",
    PROTOCOL,
    VERSION,
    MappedFile,
    object_MappedFile,
    MappedFileError,
    "caplab.servers.mapped_file.mapped_file_server",
)
