"""What does the operations of Calc: functions with the ref first. They keep no state."""

from __future__ import annotations

from caplab.pd.idl import BadValue, OutOfRange
from caplab.servers.calc.calc_interface import DivisionByZero, iface_Calc, ref_Calc

BITS = 31
"""No power of a number other than 0, 1 and -1 with a larger exponent fits an int."""


def calc_add(ref: ref_Calc, left: int, right: int) -> int:
    return left + right


def calc_subtract(ref: ref_Calc, left: int, right: int) -> int:
    return left - right


def calc_multiply(ref: ref_Calc, left: int, right: int) -> int:
    return left * right


def calc_divide(ref: ref_Calc, numerator: int, denominator: int) -> int:
    """Division towards zero, as in C."""
    if denominator == 0:
        raise DivisionByZero(f"{numerator} cannot be divided by zero")
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def calc_pow(ref: ref_Calc, base: int, exponent: int) -> int:
    if exponent < 0:
        raise BadValue(f"the exponent {exponent} is negative")
    if exponent > BITS and abs(base) > 1:
        raise OutOfRange(f"{base} to the power of {exponent} does not fit int32")
    return int(base**exponent)


server_iface_Calc = iface_Calc(
    add=calc_add,
    subtract=calc_subtract,
    multiply=calc_multiply,
    divide=calc_divide,
    pow=calc_pow,
)
