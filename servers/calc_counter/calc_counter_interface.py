# Made by `caplab gen` of calc_counter.idl ecf11b7b67bfa510
# with ../calc/calc.idl de04f3873de366b0
# with ../counter/counter.idl a4ceba3e7917fb3a
"""The interface CalcCounter of calc_counter.idl: what client and server share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from caplab.pd.idl import IdlError, Interface, Ref
from caplab.servers.calc.calc_interface import Calc, iface_Calc, ref_Calc
from caplab.servers.counter.counter_interface import Counter, iface_Counter, ref_Counter

if TYPE_CHECKING:
    from caplab.pd.objects import Endpoint

PROTOCOL = 0
VERSION = 0x5969D22FD393207C


class CalcCounter(Calc, Counter):
    """Answers CalcCounter: each of the interfaces that it composes."""


class ref_CalcCounter(Ref):
    """The state of a CalcCounter; `as_…` that of one seen as a part of it."""

    __slots__ = ("as_Calc", "as_Counter")

    def __init__(
        self,
        ptr: Any = None,
        cap: Endpoint | None = None,
        *,
        as_Calc: ref_Calc | None = None,
        as_Counter: ref_Counter | None = None,
    ) -> None:
        super().__init__(ptr, cap)
        self.as_Calc = as_Calc or ref_Calc(ptr, cap)
        self.as_Counter = as_Counter or ref_Counter(ptr, cap)


class iface_CalcCounter(NamedTuple):
    """The functions of each interface that CalcCounter composes."""

    to_Calc: iface_Calc
    to_Counter: iface_Counter


class object_CalcCounter(NamedTuple):
    """A CalcCounter as state and functions, without a class of its own."""

    ref: ref_CalcCounter
    iface: iface_CalcCounter


CalcCounter.iface = Interface(
    "CalcCounter",
    PROTOCOL,
    VERSION,
    CalcCounter,
    object_CalcCounter,
    IdlError,
    "",
    (Calc.iface, Counter.iface),
)
