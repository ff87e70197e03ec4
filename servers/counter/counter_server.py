# Made by `caplab gen` of counter.idl a4ceba3e7917fb3a
"""The server's side of Counter, an interface of counter.idl."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from caplab.pd.idl import Op
from caplab.pd.idl.errors import out_of_range, wrong_length
from caplab.pd.ipc_server import ipc_server_loop_for
from caplab.servers.counter.counter_interface import (
    Counter,
    CounterError,
    iface_Counter,
    object_Counter,
    ref_Counter,
)

if TYPE_CHECKING:
    from caplab.pd.idl import Caps

__all__ = [
    "Counter",
    "CounterError",
    "iface_Counter",
    "ipc_server_loop_for",
    "object_Counter",
    "ref_Counter",
]

_INCREMENT = Struct("<Q")
_INCREMENT_ANSWER = Struct("<q")


def _take_increment(_data: bytes, _caps: Caps) -> tuple[()]:
    if len(_data) != 8:
        raise wrong_length("`increment`", len(_data), 8)
    return ()


def _give_increment(result: int, _caps: Caps) -> bytes:
    if not -0x80000000 <= result <= 0x7FFFFFFF:
        raise out_of_range("result", result, "int32")
    return _INCREMENT_ANSWER.pack(result)


OPERATIONS = (Op("increment", 0, _take_increment, _give_increment),)
