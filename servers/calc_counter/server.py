"""The calc_counter server, in either of the seed's styles."""

from __future__ import annotations

from typing import Literal

from caplab.pd.env import Env
from caplab.pd.ipc_server import ipc_server_loop_for
from caplab.servers.calc import ref_Calc, server_iface_Calc
from caplab.servers.calc_counter.calc_counter_interface import (
    CalcCounter,
    iface_CalcCounter,
    object_CalcCounter,
    ref_CalcCounter,
)
from caplab.servers.counter import Value, ref_Counter, server_iface_Counter


def main(env: Env, style: Literal["class", "table"] = "class") -> None:
    """Serve until the system ends, as a class or as a ref with a table of functions."""
    if style == "class":
        CalcCounter.serve(env, server_CalcCounter(), "server")
    else:
        ipc_server_loop_for(env, CalcCounter.iface, as_table(), "server")


class server_CalcCounter(CalcCounter):
    """Calculates and counts."""

    def __init__(self) -> None:
        self.counter = 0

    def add(self, left: int, right: int) -> int:
        return left + right

    def subtract(self, left: int, right: int) -> int:
        return left - right

    def multiply(self, left: int, right: int) -> int:
        return left * right

    def divide(self, numerator: int, denominator: int) -> int:
        return server_iface_Calc.divide(ref_Calc(), numerator, denominator)

    def pow(self, base: int, exponent: int) -> int:
        return server_iface_Calc.pow(ref_Calc(), base, exponent)

    def increment(self) -> int:
        self.counter += 1
        return self.counter


def as_table() -> object_CalcCounter:
    """The same of parts that are there: the compound has no state, seen as a Counter it has."""
    ref = ref_CalcCounter(ptr=0, as_Counter=ref_Counter(ptr=Value()))
    functions = iface_CalcCounter(to_Calc=server_iface_Calc, to_Counter=server_iface_Counter)
    return object_CalcCounter(ref=ref, iface=functions)
