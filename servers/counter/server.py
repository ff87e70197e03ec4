"""The counter server, in the seed's first style: the state of the object is what its ref names."""

from __future__ import annotations

from caplab.pd.env import Env
from caplab.pd.ipc_server import ipc_server_loop_for
from caplab.servers.counter.counter_interface import Counter, object_Counter, ref_Counter
from caplab.servers.counter.functions import Value, server_iface_Counter


def main(env: Env, start: int = 0) -> None:
    """Serve until the system ends, counting from `start`."""
    ref = ref_Counter(ptr=Value(start))
    obj = object_Counter(ref=ref, iface=server_iface_Counter)
    ipc_server_loop_for(env, Counter.iface, obj, "server")
