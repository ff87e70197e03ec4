"""The counter server's client API: `Counter` and its client."""

from caplab.servers.counter.counter_client import (
    Counter,
    CounterError,
    client_Counter,
    client_iface_Counter,
    iface_Counter,
    object_Counter,
    ref_Counter,
)
from caplab.servers.counter.functions import Value, server_iface_Counter

__all__ = [
    "Counter",
    "CounterError",
    "Value",
    "client_Counter",
    "client_iface_Counter",
    "iface_Counter",
    "object_Counter",
    "ref_Counter",
    "server_iface_Counter",
]
