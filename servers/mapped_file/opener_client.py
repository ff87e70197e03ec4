# Made by `caplab gen` of mapped_file_object.idl f6ea6189c24ba71c
# with dataspace.idl a5f1a7f181865e94
# with file.idl 9173cb91bf9cb7ff
# with flush.idl cc10f48f0fc62120
# with mapped_file.idl da85eae9be2b5474
# with notification.idl a2b722d846158835
"""The client's side of Opener, an interface of mapped_file_object.idl."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from caplab.pd.idl import Client
from caplab.pd.idl.client import Way
from caplab.pd.idl.errors import out_of_range, refused, wrong_length
from caplab.pd.idl.values import Text
from caplab.servers.mapped_file.opener_interface import (
    PROTOCOL,
    Opener,
    OpenerError,
    TooManyFiles,
    iface_Opener,
    object_Opener,
    ref_Opener,
)

if TYPE_CHECKING:
    from caplab.servers.mapped_file.mapped_file_object_client import client_MappedFileObject
    from caplab.servers.mapped_file.mapped_file_object_interface import MappedFileObject

__all__ = [
    "Opener",
    "OpenerError",
    "TooManyFiles",
    "client_Opener",
    "client_iface_Opener",
    "iface_Opener",
    "object_Opener",
    "ref_Opener",
]

_OPEN = Struct("<Qq")
_OPEN_PATH_VALUE = Text(64)


class client_Opener(Client, Opener):
    """A Opener elsewhere, reached through `endpoint`."""

    _Opener: Way

    def open(
        self, path: str, capacity: int, *, timeout: float | None = None
    ) -> client_MappedFileObject:
        """void open(in string<64> path, in int64 capacity, out cap<MappedFileObject> file)"""
        from caplab.servers.mapped_file.mapped_file_object_client import (
            MappedFileObject,
            client_MappedFileObject,
        )

        if not -0x8000000000000000 <= capacity <= 0x7FFFFFFFFFFFFFFF:
            raise out_of_range("capacity", capacity, "int64")
        with self.receiving() as _slot:
            _answer = self._Opener.call(
                PROTOCOL,
                _OPEN.pack(0, capacity) + _OPEN_PATH_VALUE.pack(path, "path"),
                receive=_slot.slot,
                timeout=timeout,
            )
            if _answer.label:
                raise refused(OpenerError, _answer.label, _answer.data)
            _data = _answer.data
            _caps = _slot.caps(_answer)
            if len(_data) != 0:
                raise wrong_length("the answer of `open`", len(_data), 0)
            return _caps.typed("file", MappedFileObject.iface, client_MappedFileObject)


def _open(ref: ref_Opener, path: str, capacity: int) -> MappedFileObject:
    return ref.remote(client_Opener).open(path, capacity)


client_iface_Opener = iface_Opener(open=_open)
