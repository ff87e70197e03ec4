"""Servers of components: the loop that answers interfaces. Source: seed 004, libipc."""

from caplab.pd.ipc_server.later import Later
from caplab.pd.ipc_server.server import IpcServer, ipc_server_loop_for

__all__ = ["IpcServer", "Later", "ipc_server_loop_for"]
