"""The mapped-file server's client API: files whose contents are pages that clients share."""

from caplab.servers.mapped_file.dataspace_types import MAP_READ, MAP_WRITE
from caplab.servers.mapped_file.file_client import File, FileStatResult, NoSpace
from caplab.servers.mapped_file.flush_client import TooLong
from caplab.servers.mapped_file.mapped_file_client import MappedFileMmapResult
from caplab.servers.mapped_file.mapped_file_object_client import (
    MappedFileObject,
    client_MappedFileObject,
)
from caplab.servers.mapped_file.notification_types import NOTIFY_FLUSHED, NOTIFY_RESIZED
from caplab.servers.mapped_file.opener_client import Opener, TooManyFiles, client_Opener

__all__ = [
    "MAP_READ",
    "MAP_WRITE",
    "NOTIFY_FLUSHED",
    "NOTIFY_RESIZED",
    "File",
    "FileStatResult",
    "MappedFileMmapResult",
    "MappedFileObject",
    "NoSpace",
    "Opener",
    "TooLong",
    "TooManyFiles",
    "client_MappedFileObject",
    "client_Opener",
]
