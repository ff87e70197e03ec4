# Made by `caplab gen` of mapped_file_object.idl f6ea6189c24ba71c
# with dataspace.idl a5f1a7f181865e94
# with file.idl 9173cb91bf9cb7ff
# with flush.idl cc10f48f0fc62120
# with mapped_file.idl da85eae9be2b5474
# with notification.idl a2b722d846158835
"""The server's side of MappedFileObject, an interface of mapped_file_object.idl."""

from __future__ import annotations

from caplab.pd.ipc_server import ipc_server_loop_for
from caplab.servers.mapped_file.mapped_file_object_interface import (
    MappedFileObject,
    iface_MappedFileObject,
    object_MappedFileObject,
    ref_MappedFileObject,
)

__all__ = [
    "MappedFileObject",
    "iface_MappedFileObject",
    "ipc_server_loop_for",
    "object_MappedFileObject",
    "ref_MappedFileObject",
]
