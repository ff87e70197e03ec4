# Made by `caplab gen` of counter.idl a4ceba3e7917fb3a
"""The client's side of Counter, an interface of counter.idl."""

from __future__ import annotations

from struct import Struct

from caplab.pd.idl import Client
from caplab.pd.idl.client import Way
from caplab.pd.idl.errors import out_of_range, refused, wrong_length
from caplab.servers.counter.counter_interface import (
    PROTOCOL,
    Counter,
    CounterError,
    iface_Counter,
    object_Counter,
    ref_Counter,
)

__all__ = [
    "Counter",
    "CounterError",
    "client_Counter",
    "client_iface_Counter",
    "iface_Counter",
    "object_Counter",
    "ref_Counter",
]

_INCREMENT = Struct("<Q")
_INCREMENT_ANSWER = Struct("<q")


class client_Counter(Client, Counter):
    """A Counter elsewhere, reached through `endpoint`."""

    _Counter: Way

    def increment(self, *, timeout: float | None = None) -> int:
        """void increment(out int32 result)"""
        _answer = self._Counter.call(PROTOCOL, _INCREMENT.pack(0), timeout=timeout)
        if _answer.label:
            raise refused(CounterError, _answer.label, _answer.data)
        _data = _answer.data
        result: int
        if len(_data) != 8:
            raise wrong_length("the answer of `increment`", len(_data), 8)
        (result,) = _INCREMENT_ANSWER.unpack(_data)
        if not -0x80000000 <= result <= 0x7FFFFFFF:
            raise out_of_range("result", result, "int32")
        return result


def _increment(ref: ref_Counter) -> int:
    return ref.remote(client_Counter).increment()


client_iface_Counter = iface_Counter(increment=_increment)
