"""The calc_counter server's client API: `CalcCounter` and its client."""

from caplab.servers.calc_counter.calc_counter_client import (
    CalcCounter,
    client_CalcCounter,
    client_iface_CalcCounter,
    iface_CalcCounter,
    object_CalcCounter,
    ref_CalcCounter,
)

__all__ = [
    "CalcCounter",
    "client_CalcCounter",
    "client_iface_CalcCounter",
    "iface_CalcCounter",
    "object_CalcCounter",
    "ref_CalcCounter",
]
