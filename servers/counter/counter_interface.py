# Made by `caplab gen` of counter.idl a4ceba3e7917fb3a
"""The interface Counter of counter.idl: what client and server share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from caplab.pd.idl import Component, IdlError, Interface, Ref

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL = 0x4C34A78CFDF4ACFC
VERSION = 0x122C0CD45AF31822


class CounterError(IdlError):
    """What Counter refuses."""


class Counter(Component):
    """Answers Counter: an object of this PD, or a client of one elsewhere."""

    @abstractmethod
    def increment(self) -> int:
        """void increment(out int32 result)"""


class ref_Counter(Ref):
    """The state of a Counter: `ptr`, or `cap`, an endpoint that leads to it."""

    __slots__ = ()


class iface_Counter(NamedTuple):
    """Functions that do the operations of Counter, the ref their first."""

    increment: Callable[[ref_Counter], int]


class object_Counter(NamedTuple):
    """A Counter as state and functions, without a class of its own."""

    ref: ref_Counter
    iface: iface_Counter


Counter.iface = Interface(
    "Counter",
    PROTOCOL,
    VERSION,
    Counter,
    object_Counter,
    CounterError,
    "caplab.servers.counter.counter_server",
)
