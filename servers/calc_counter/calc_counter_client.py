# Made by `caplab gen` of calc_counter.idl ecf11b7b67bfa510
# with ../calc/calc.idl de04f3873de366b0
# with ../counter/counter.idl a4ceba3e7917fb3a
"""The client's side of CalcCounter, an interface of calc_counter.idl."""

from __future__ import annotations

from caplab.servers.calc.calc_client import client_Calc, client_iface_Calc
from caplab.servers.calc_counter.calc_counter_interface import (
    CalcCounter,
    iface_CalcCounter,
    object_CalcCounter,
    ref_CalcCounter,
)
from caplab.servers.counter.counter_client import client_Counter, client_iface_Counter

__all__ = [
    "CalcCounter",
    "client_CalcCounter",
    "client_iface_CalcCounter",
    "iface_CalcCounter",
    "object_CalcCounter",
    "ref_CalcCounter",
]


class client_CalcCounter(client_Calc, client_Counter, CalcCounter):
    """A CalcCounter elsewhere; `as_…` is the same as one interface alone."""

    @property
    def as_Calc(self) -> client_Calc:
        return self.part(client_Calc)

    @property
    def as_Counter(self) -> client_Counter:
        return self.part(client_Counter)


client_iface_CalcCounter = iface_CalcCounter(
    to_Calc=client_iface_Calc, to_Counter=client_iface_Counter
)
