"""The calc server, in the seed's first style: state and a table of functions."""

from __future__ import annotations

from caplab.pd.env import Env
from caplab.pd.ipc_server import ipc_server_loop_for
from caplab.servers.calc.calc_interface import Calc, object_Calc, ref_Calc
from caplab.servers.calc.functions import server_iface_Calc


def main(env: Env) -> None:
    """Serve until the system ends. The operations are stateless, so `ptr` may be anything."""
    ref = ref_Calc(ptr=0)
    obj = object_Calc(ref=ref, iface=server_iface_Calc)
    ipc_server_loop_for(env, Calc.iface, obj, "server")
