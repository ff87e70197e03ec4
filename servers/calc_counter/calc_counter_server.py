# Made by `caplab gen` of calc_counter.idl ecf11b7b67bfa510
# with ../calc/calc.idl de04f3873de366b0
# with ../counter/counter.idl a4ceba3e7917fb3a
"""The server's side of CalcCounter, an interface of calc_counter.idl."""

from __future__ import annotations

from caplab.pd.ipc_server import ipc_server_loop_for
from caplab.servers.calc_counter.calc_counter_interface import (
    CalcCounter,
    iface_CalcCounter,
    object_CalcCounter,
    ref_CalcCounter,
)

__all__ = [
    "CalcCounter",
    "iface_CalcCounter",
    "ipc_server_loop_for",
    "object_CalcCounter",
    "ref_CalcCounter",
]
