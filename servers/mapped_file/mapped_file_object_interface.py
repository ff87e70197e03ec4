# Made by `caplab gen` of mapped_file_object.idl f6ea6189c24ba71c
# with dataspace.idl a5f1a7f181865e94
# with file.idl 9173cb91bf9cb7ff
# with flush.idl cc10f48f0fc62120
# with mapped_file.idl da85eae9be2b5474
# with notification.idl a2b722d846158835
"""The interface MappedFileObject of mapped_file_object.idl: what client and server share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from caplab.pd.idl import IdlError, Interface, Ref
from caplab.servers.mapped_file.dataspace_interface import Dataspace, iface_Dataspace, ref_Dataspace
from caplab.servers.mapped_file.file_interface import File, iface_File, ref_File
from caplab.servers.mapped_file.flush_interface import Flush, iface_Flush, ref_Flush
from caplab.servers.mapped_file.mapped_file_interface import (
    MappedFile,
    iface_MappedFile,
    ref_MappedFile,
)
from caplab.servers.mapped_file.notification_interface import (
    Notification,
    iface_Notification,
    ref_Notification,
)

if TYPE_CHECKING:
    from caplab.pd.objects import Endpoint

PROTOCOL = 0
VERSION = 0x569CBB9D56262DD4


class MappedFileObject(Dataspace, File, Flush, MappedFile, Notification):
    """Answers MappedFileObject: each of the interfaces that it composes."""


class ref_MappedFileObject(Ref):
    """The state of a MappedFileObject; `as_…` that of one seen as a part of it."""

    __slots__ = ("as_Dataspace", "as_File", "as_Flush", "as_MappedFile", "as_Notification")

    def __init__(
        self,
        ptr: Any = None,
        cap: Endpoint | None = None,
        *,
        as_Dataspace: ref_Dataspace | None = None,
        as_File: ref_File | None = None,
        as_Flush: ref_Flush | None = None,
        as_MappedFile: ref_MappedFile | None = None,
        as_Notification: ref_Notification | None = None,
    ) -> None:
        super().__init__(ptr, cap)
        self.as_Dataspace = as_Dataspace or ref_Dataspace(ptr, cap)
        self.as_File = as_File or ref_File(ptr, cap)
        self.as_Flush = as_Flush or ref_Flush(ptr, cap)
        self.as_MappedFile = as_MappedFile or ref_MappedFile(ptr, cap)
        self.as_Notification = as_Notification or ref_Notification(ptr, cap)


class iface_MappedFileObject(NamedTuple):
    """The functions of each interface that MappedFileObject composes."""

    to_Dataspace: iface_Dataspace
    to_File: iface_File
    to_Flush: iface_Flush
    to_MappedFile: iface_MappedFile
    to_Notification: iface_Notification


class object_MappedFileObject(NamedTuple):
    """A MappedFileObject as state and functions, without a class of its own."""

    ref: ref_MappedFileObject
    iface: iface_MappedFileObject


MappedFileObject.iface = Interface(
    "MappedFileObject",
    PROTOCOL,
    VERSION,
    MappedFileObject,
    object_MappedFileObject,
    IdlError,
    "",
    (Dataspace.iface, File.iface, Flush.iface, MappedFile.iface, Notification.iface),
)
