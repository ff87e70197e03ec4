# Made by `caplab gen` of calc.idl de04f3873de366b0
"""The server's side of Calc, an interface of calc.idl."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from caplab.pd.idl import Op
from caplab.pd.idl.errors import out_of_range, wrong_length
from caplab.pd.ipc_server import ipc_server_loop_for
from caplab.servers.calc.calc_interface import (
    Calc,
    CalcError,
    DivisionByZero,
    iface_Calc,
    object_Calc,
    ref_Calc,
)

if TYPE_CHECKING:
    from caplab.pd.idl import Caps

__all__ = [
    "Calc",
    "CalcError",
    "DivisionByZero",
    "iface_Calc",
    "ipc_server_loop_for",
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


def _take_add(_data: bytes, _caps: Caps) -> tuple[int, int]:
    if len(_data) != 24:
        raise wrong_length("`add`", len(_data), 24)
    _, left, right = _ADD.unpack(_data)
    if not -0x80000000 <= left <= 0x7FFFFFFF:
        raise out_of_range("left", left, "int32")
    if not -0x80000000 <= right <= 0x7FFFFFFF:
        raise out_of_range("right", right, "int32")
    return left, right


def _give_add(result: int, _caps: Caps) -> bytes:
    if not -0x80000000 <= result <= 0x7FFFFFFF:
        raise out_of_range("result", result, "int32")
    return _ADD_ANSWER.pack(result)


def _take_subtract(_data: bytes, _caps: Caps) -> tuple[int, int]:
    if len(_data) != 24:
        raise wrong_length("`subtract`", len(_data), 24)
    _, left, right = _SUBTRACT.unpack(_data)
    if not -0x80000000 <= left <= 0x7FFFFFFF:
        raise out_of_range("left", left, "int32")
    if not -0x80000000 <= right <= 0x7FFFFFFF:
        raise out_of_range("right", right, "int32")
    return left, right


def _give_subtract(result: int, _caps: Caps) -> bytes:
    if not -0x80000000 <= result <= 0x7FFFFFFF:
        raise out_of_range("result", result, "int32")
    return _SUBTRACT_ANSWER.pack(result)


def _take_multiply(_data: bytes, _caps: Caps) -> tuple[int, int]:
    if len(_data) != 24:
        raise wrong_length("`multiply`", len(_data), 24)
    _, left, right = _MULTIPLY.unpack(_data)
    if not -0x80000000 <= left <= 0x7FFFFFFF:
        raise out_of_range("left", left, "int32")
    if not -0x80000000 <= right <= 0x7FFFFFFF:
        raise out_of_range("right", right, "int32")
    return left, right


def _give_multiply(result: int, _caps: Caps) -> bytes:
    if not -0x80000000 <= result <= 0x7FFFFFFF:
        raise out_of_range("result", result, "int32")
    return _MULTIPLY_ANSWER.pack(result)


def _take_divide(_data: bytes, _caps: Caps) -> tuple[int, int]:
    if len(_data) != 24:
        raise wrong_length("`divide`", len(_data), 24)
    _, numerator, denominator = _DIVIDE.unpack(_data)
    if not -0x80000000 <= numerator <= 0x7FFFFFFF:
        raise out_of_range("numerator", numerator, "int32")
    if not -0x80000000 <= denominator <= 0x7FFFFFFF:
        raise out_of_range("denominator", denominator, "int32")
    return numerator, denominator


def _give_divide(result: int, _caps: Caps) -> bytes:
    if not -0x80000000 <= result <= 0x7FFFFFFF:
        raise out_of_range("result", result, "int32")
    return _DIVIDE_ANSWER.pack(result)


def _take_pow(_data: bytes, _caps: Caps) -> tuple[int, int]:
    if len(_data) != 24:
        raise wrong_length("`pow`", len(_data), 24)
    _, base, exponent = _POW.unpack(_data)
    if not -0x80000000 <= base <= 0x7FFFFFFF:
        raise out_of_range("base", base, "int32")
    if not -0x80000000 <= exponent <= 0x7FFFFFFF:
        raise out_of_range("exponent", exponent, "int32")
    return base, exponent


def _give_pow(result: int, _caps: Caps) -> bytes:
    if not -0x80000000 <= result <= 0x7FFFFFFF:
        raise out_of_range("result", result, "int32")
    return _POW_ANSWER.pack(result)


OPERATIONS = (
    Op("add", 0, _take_add, _give_add),
    Op("subtract", 1, _take_subtract, _give_subtract),
    Op("multiply", 2, _take_multiply, _give_multiply),
    Op("divide", 3, _take_divide, _give_divide),
    Op("pow", 4, _take_pow, _give_pow),
)
