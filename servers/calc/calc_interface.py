# Made by `caplab gen` of calc.idl de04f3873de366b0
"""The interface Calc of calc.idl: what client and server share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from caplab.pd.idl import Component, IdlError, Interface, Ref

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL = 0x4C348083E23EFCB0
VERSION = 0xEE3E275E84ACDE18


class CalcError(IdlError):
    """What Calc refuses."""


class DivisionByZero(CalcError, code=33):
    """Error 33 of Calc."""


class Calc(Component):
    """Answers Calc: an object of this PD, or a client of one elsewhere."""

    @abstractmethod
    def add(self, left: int, right: int) -> int:
        """void add(in int32 left, in int32 right, out int32 result)"""

    @abstractmethod
    def subtract(self, left: int, right: int) -> int:
        """void subtract(in int32 left, in int32 right, out int32 result)"""

    @abstractmethod
    def multiply(self, left: int, right: int) -> int:
        """void multiply(in int32 left, in int32 right, out int32 result)"""

    @abstractmethod
    def divide(self, numerator: int, denominator: int) -> int:
        """void divide(in int32 numerator, in int32 denominator, out int32 result)"""

    @abstractmethod
    def pow(self, base: int, exponent: int) -> int:
        """void pow(in int32 base, in int32 exponent, out int32 result)"""


class ref_Calc(Ref):
    """The state of a Calc: `ptr`, or `cap`, an endpoint that leads to it."""

    __slots__ = ()


class iface_Calc(NamedTuple):
    """Functions that do the operations of Calc, the ref their first."""

    add: Callable[[ref_Calc, int, int], int]
    subtract: Callable[[ref_Calc, int, int], int]
    multiply: Callable[[ref_Calc, int, int], int]
    divide: Callable[[ref_Calc, int, int], int]
    pow: Callable[[ref_Calc, int, int], int]


class object_Calc(NamedTuple):
    """A Calc as state and functions, without a class of its own."""

    ref: ref_Calc
    iface: iface_Calc


Calc.iface = Interface(
    "Calc", PROTOCOL, VERSION, Calc, object_Calc, CalcError, "caplab.servers.calc.calc_server"
)
