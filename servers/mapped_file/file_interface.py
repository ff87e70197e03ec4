# Made by `caplab gen` of file.idl 9173cb91bf9cb7ff
"""The interface File of file.idl: what client and server share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from caplab.pd.idl import Component, IdlError, Interface, Ref

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL = 0x4C3450009CE1DA4D
VERSION = 0x79B079920FD887C9


class FileError(IdlError):
    """What File refuses."""


class NoSpace(FileError, code=28):
    """Error 28 of File."""


class FileStatResult(NamedTuple):
    """What `stat` answers."""

    size: int
    capacity: int


class File(Component):
    """Answers File: an object of this PD, or a client of one elsewhere."""

    @abstractmethod
    def stat(self) -> FileStatResult:
        """void stat(out int64 size, out int64 capacity)"""

    @abstractmethod
    def resize(self, size: int) -> int:
        """void resize(inout int64 size)"""


class ref_File(Ref):
    """The state of a File: `ptr`, or `cap`, an endpoint that leads to it."""

    __slots__ = ()


class iface_File(NamedTuple):
    """Functions that do the operations of File, the ref their first."""

    stat: Callable[[ref_File], FileStatResult]
    resize: Callable[[ref_File, int], int]


class object_File(NamedTuple):
    """A File as state and functions, without a class of its own."""

    ref: ref_File
    iface: iface_File


File.iface = Interface(
    "File",
    PROTOCOL,
    VERSION,
    File,
    object_File,
    FileError,
    "caplab.servers.mapped_file.file_server",
)
