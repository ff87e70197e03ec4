"""The tags of the L4 demonstration server: all that its clients need to know of it."""

from caplab.servers.l4demo.protocol import (
    L4_IPC_REGISTER,
    L4_IPC_REQUEST_NO_RETURN,
    L4_IPC_REQUEST_WITH_RETURN,
    L4_IPC_SHARE_PAGE,
)

__all__ = [
    "L4_IPC_REGISTER",
    "L4_IPC_REQUEST_NO_RETURN",
    "L4_IPC_REQUEST_WITH_RETURN",
    "L4_IPC_SHARE_PAGE",
]
