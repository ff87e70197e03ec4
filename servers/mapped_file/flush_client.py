# Made by `caplab gen` of flush.idl cc10f48f0fc62120
"""The client's side of Flush, an interface of flush.idl."""

from __future__ import annotations

from struct import Struct

from caplab.pd.idl import Client
from caplab.pd.idl.client import Way
from caplab.pd.idl.errors import out_of_range, refused, wrong_length
from caplab.servers.mapped_file.flush_interface import (
    PROTOCOL,
    Flush,
    FlushError,
    TooLong,
    iface_Flush,
    object_Flush,
    ref_Flush,
)

__all__ = [
    "Flush",
    "FlushError",
    "TooLong",
    "client_Flush",
    "client_iface_Flush",
    "iface_Flush",
    "object_Flush",
    "ref_Flush",
]

_FLUSH = Struct("<Qq")
_FLUSH_ANSWER = Struct("<q")


class client_Flush(Client, Flush):
    """A Flush elsewhere, reached through `endpoint`."""

    _Flush: Way

    def flush(self, populated_size: int, *, timeout: float | None = None) -> int:
        """void flush(in int64 populated_size, out int64 size)"""
        if not -0x8000000000000000 <= populated_size <= 0x7FFFFFFFFFFFFFFF:
            raise out_of_range("populated_size", populated_size, "int64")
        _answer = self._Flush.call(PROTOCOL, _FLUSH.pack(0, populated_size), timeout=timeout)
        if _answer.label:
            raise refused(FlushError, _answer.label, _answer.data)
        _data = _answer.data
        size: int
        if len(_data) != 8:
            raise wrong_length("the answer of `flush`", len(_data), 8)
        (size,) = _FLUSH_ANSWER.unpack(_data)
        return size


def _flush(ref: ref_Flush, populated_size: int) -> int:
    return ref.remote(client_Flush).flush(populated_size)


client_iface_Flush = iface_Flush(flush=_flush)
