# Made by `caplab gen` of mapped_file_object.idl f6ea6189c24ba71c
# with dataspace.idl a5f1a7f181865e94
# with file.idl 9173cb91bf9cb7ff
# with flush.idl cc10f48f0fc62120
# with mapped_file.idl da85eae9be2b5474
# with notification.idl a2b722d846158835
"""The client's side of MappedFileObject, an interface of mapped_file_object.idl."""

from __future__ import annotations

from caplab.servers.mapped_file.dataspace_client import client_Dataspace, client_iface_Dataspace
from caplab.servers.mapped_file.file_client import client_File, client_iface_File
from caplab.servers.mapped_file.flush_client import client_Flush, client_iface_Flush
from caplab.servers.mapped_file.mapped_file_client import client_iface_MappedFile, client_MappedFile
from caplab.servers.mapped_file.mapped_file_object_interface import (
    MappedFileObject,
    iface_MappedFileObject,
    object_MappedFileObject,
    ref_MappedFileObject,
)
from caplab.servers.mapped_file.notification_client import (
    client_iface_Notification,
    client_Notification,
)

__all__ = [
    "MappedFileObject",
    "client_MappedFileObject",
    "client_iface_MappedFileObject",
    "iface_MappedFileObject",
    "object_MappedFileObject",
    "ref_MappedFileObject",
]


class client_MappedFileObject(
    client_Dataspace,
    client_File,
    client_Flush,
    client_MappedFile,
    client_Notification,
    MappedFileObject,
):
    """A MappedFileObject elsewhere; `as_…` is the same as one interface alone."""

    @property
    def as_Dataspace(self) -> client_Dataspace:
        return self.part(client_Dataspace)

    @property
    def as_File(self) -> client_File:
        return self.part(client_File)

    @property
    def as_Flush(self) -> client_Flush:
        return self.part(client_Flush)

    @property
    def as_MappedFile(self) -> client_MappedFile:
        return self.part(client_MappedFile)

    @property
    def as_Notification(self) -> client_Notification:
        return self.part(client_Notification)


client_iface_MappedFileObject = iface_MappedFileObject(
    to_Dataspace=client_iface_Dataspace,
    to_File=client_iface_File,
    to_Flush=client_iface_Flush,
    to_MappedFile=client_iface_MappedFile,
    to_Notification=client_iface_Notification,
)
