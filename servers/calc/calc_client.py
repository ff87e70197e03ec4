# Made by `caplab gen` of calc.idl de04f3873de366b0
"""The client's side of Calc, an interface of calc.idl."""

from __future__ import annotations

from struct import Struct

from caplab.pd.idl import Client
from caplab.pd.idl.client import Way
from caplab.pd.idl.errors import out_of_range, refused, wrong_length
from caplab.servers.calc.calc_interface import (
    PROTOCOL,
    Calc,
    CalcError,
    DivisionByZero,
    iface_Calc,
    object_Calc,
    ref_Calc,
)

__all__ = [
    "Calc",
    "CalcError",
    "DivisionByZero",
    "client_Calc",
    "client_iface_Calc",
    "iface_Calc",
    "object_Calc",
    "ref_Calc",
]

_ADD = Struct("<Qqq")
_ADD_ANSWER = Struct("<q")
_SUBTRACT = Struct("<Qqq")
_SUBTRACT_ANSWER = Struct("<q")
_MULTIPLY = Struct("<Qqq")
_MULTIPLY_ANSWER = Struct("<q")
_DIVIDE = Struct("<Qqq")
_DIVIDE_ANSWER = Struct("<q")
_POW = Struct("<Qqq")
_POW_ANSWER = Struct("<q")


class client_Calc(Client, Calc):
    """A Calc elsewhere, reached through `endpoint`."""

    _Calc: Way

    def add(self, left: int, right: int, *, timeout: float | None = None) -> int:
        """void add(in int32 left, in int32 right, out int32 result)"""
        if not -0x80000000 <= left <= 0x7FFFFFFF:
            raise out_of_range("left", left, "int32")
        if not -0x80000000 <= right <= 0x7FFFFFFF:
            raise out_of_range("right", right, "int32")
        _answer = self._Calc.call(PROTOCOL, _ADD.pack(0, left, right), timeout=timeout)
        if _answer.label:
            raise refused(CalcError, _answer.label, _answer.data)
        _data = _answer.data
        result: int
        if len(_data) != 8:
            raise wrong_length("the answer of `add`", len(_data), 8)
        (result,) = _ADD_ANSWER.unpack(_data)
        if not -0x80000000 <= result <= 0x7FFFFFFF:
            raise out_of_range("result", result, "int32")
        return result

    def subtract(self, left: int, right: int, *, timeout: float | None = None) -> int:
        """void subtract(in int32 left, in int32 right, out int32 result)"""
        if not -0x80000000 <= left <= 0x7FFFFFFF:
            raise out_of_range("left", left, "int32")
        if not -0x80000000 <= right <= 0x7FFFFFFF:
            raise out_of_range("right", right, "int32")
        _answer = self._Calc.call(PROTOCOL, _SUBTRACT.pack(1, left, right), timeout=timeout)
        if _answer.label:
            raise refused(CalcError, _answer.label, _answer.data)
        _data = _answer.data
        result: int
        if len(_data) != 8:
            raise wrong_length("the answer of `subtract`", len(_data), 8)
        (result,) = _SUBTRACT_ANSWER.unpack(_data)
        if not -0x80000000 <= result <= 0x7FFFFFFF:
            raise out_of_range("result", result, "int32")
        return result

    def multiply(self, left: int, right: int, *, timeout: float | None = None) -> int:
        """void multiply(in int32 left, in int32 right, out int32 result)"""
        if not -0x80000000 <= left <= 0x7FFFFFFF:
            raise out_of_range("left", left, "int32")
        if not -0x80000000 <= right <= 0x7FFFFFFF:
            raise out_of_range("right", right, "int32")
        _answer = self._Calc.call(PROTOCOL, _MULTIPLY.pack(2, left, right), timeout=timeout)
        if _answer.label:
            raise refused(CalcError, _answer.label, _answer.data)
        _data = _answer.data
        result: int
        if len(_data) != 8:
            raise wrong_length("the answer of `multiply`", len(_data), 8)
        (result,) = _MULTIPLY_ANSWER.unpack(_data)
        if not -0x80000000 <= result <= 0x7FFFFFFF:
            raise out_of_range("result", result, "int32")
        return result

    def divide(self, numerator: int, denominator: int, *, timeout: float | None = None) -> int:
        """void divide(in int32 numerator, in int32 denominator, out int32 result)"""
        if not -0x80000000 <= numerator <= 0x7FFFFFFF:
            raise out_of_range("numerator", numerator, "int32")
        if not -0x80000000 <= denominator <= 0x7FFFFFFF:
            raise out_of_range("denominator", denominator, "int32")
        _answer = self._Calc.call(
            PROTOCOL, _DIVIDE.pack(3, numerator, denominator), timeout=timeout
        )
        if _answer.label:
            raise refused(CalcError, _answer.label, _answer.data)
        _data = _answer.data
        result: int
        if len(_data) != 8:
            raise wrong_length("the answer of `divide`", len(_data), 8)
        (result,) = _DIVIDE_ANSWER.unpack(_data)
        if not -0x80000000 <= result <= 0x7FFFFFFF:
            raise out_of_range("result", result, "int32")
        return result

    def pow(self, base: int, exponent: int, *, timeout: float | None = None) -> int:
        """void pow(in int32 base, in int32 exponent, out int32 result)"""
        if not -0x80000000 <= base <= 0x7FFFFFFF:
            raise out_of_range("base", base, "int32")
        if not -0x80000000 <= exponent <= 0x7FFFFFFF:
            raise out_of_range("exponent", exponent, "int32")
        _answer = self._Calc.call(PROTOCOL, _POW.pack(4, base, exponent), timeout=timeout)
        if _answer.label:
            raise refused(CalcError, _answer.label, _answer.data)
        _data = _answer.data
        result: int
        if len(_data) != 8:
            raise wrong_length("the answer of `pow`", len(_data), 8)
        (result,) = _POW_ANSWER.unpack(_data)
        if not -0x80000000 <= result <= 0x7FFFFFFF:
            raise out_of_range("result", result, "int32")
        return result


def _add(ref: ref_Calc, left: int, right: int) -> int:
    return ref.remote(client_Calc).add(left, right)


def _subtract(ref: ref_Calc, left: int, right: int) -> int:
    return ref.remote(client_Calc).subtract(left, right)


def _multiply(ref: ref_Calc, left: int, right: int) -> int:
    return ref.remote(client_Calc).multiply(left, right)


def _divide(ref: ref_Calc, numerator: int, denominator: int) -> int:
    return ref.remote(client_Calc).divide(numerator, denominator)


def _pow(ref: ref_Calc, base: int, exponent: int) -> int:
    return ref.remote(client_Calc).pow(base, exponent)


client_iface_Calc = iface_Calc(
    add=_add, subtract=_subtract, multiply=_multiply, divide=_divide, pow=_pow
)
