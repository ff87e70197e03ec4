"""The calc server's client API: `Calc`, its client, and what it refuses."""

from caplab.servers.calc.calc_client import (
    Calc,
    CalcError,
    DivisionByZero,
    client_Calc,
    client_iface_Calc,
    iface_Calc,
    object_Calc,
    ref_Calc,
)
from caplab.servers.calc.functions import server_iface_Calc

__all__ = [
    "Calc",
    "CalcError",
    "DivisionByZero",
    "client_Calc",
    "client_iface_Calc",
    "iface_Calc",
    "object_Calc",
    "ref_Calc",
    "server_iface_Calc",
]
