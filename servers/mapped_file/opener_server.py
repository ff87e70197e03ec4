# Made by `caplab gen` of mapped_file_object.idl f6ea6189c24ba71c
# with dataspace.idl a5f1a7f181865e94
# with file.idl 9173cb91bf9cb7ff
# with flush.idl cc10f48f0fc62120
# with mapped_file.idl da85eae9be2b5474
# with notification.idl a2b722d846158835
"""The server's side of Opener, an interface of mapped_file_object.idl."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from caplab.pd.idl import Op
from caplab.pd.idl.values import Text, at_least, ended
from caplab.pd.ipc_server import ipc_server_loop_for
from caplab.servers.mapped_file.opener_interface import (
    Opener,
    OpenerError,
    TooManyFiles,
    iface_Opener,
    object_Opener,
    ref_Opener,
)

if TYPE_CHECKING:
    from caplab.pd.idl import Caps
    from caplab.servers.mapped_file.mapped_file_object_interface import MappedFileObject

__all__ = [
    "Opener",
    "OpenerError",
    "TooManyFiles",
    "iface_Opener",
    "ipc_server_loop_for",
    "object_Opener",
    "ref_Opener",
]

_OPEN = Struct("<Qq")
_OPEN_PATH_VALUE = Text(64)


def _take_open(_data: bytes, _caps: Caps) -> tuple[str, int]:
    at_least(_data, 16, "`open`")
    _, capacity = _OPEN.unpack_from(_data)
    path, _at = _OPEN_PATH_VALUE.unpack(_data, 16, "path")
    ended(_data, _at, "`open`")
    return path, capacity


def _give_open(file: MappedFileObject, _caps: Caps) -> bytes:
    from caplab.servers.mapped_file.mapped_file_object_interface import MappedFileObject

    _caps.send_object(MappedFileObject.iface, file)
    return b""


OPERATIONS = (Op("open", 0, _take_open, _give_open, gives=True),)
