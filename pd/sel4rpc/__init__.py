"""libsel4rpc (seed 001): a child asks its parent for capabilities while it runs."""

from caplab.pd.sel4rpc.client import Answer, Loan, RpcClient
from caplab.pd.sel4rpc.errors import (
    Malformed,
    NoSlots,
    NoSuchCookie,
    NotAnswered,
    NotTheParents,
    OutsideRange,
    RpcError,
    UnknownRequest,
)
from caplab.pd.sel4rpc.rpc_pb2 import (
    ALLOCATE,
    FREE,
    RpcIoPort,
    RpcIrq,
    RpcIrqIoapic,
    RpcIrqMsi,
    RpcIrqSimple,
    RpcMemory,
    RpcMessage,
    RpcReturn,
)
from caplab.pd.sel4rpc.server import Handler, RpcServer
from caplab.pd.sel4rpc.wire import MAGIC

__all__ = [
    "ALLOCATE",
    "FREE",
    "MAGIC",
    "Answer",
    "Handler",
    "Loan",
    "Malformed",
    "NoSlots",
    "NoSuchCookie",
    "NotAnswered",
    "NotTheParents",
    "OutsideRange",
    "RpcClient",
    "RpcError",
    "RpcIoPort",
    "RpcIrq",
    "RpcIrqIoapic",
    "RpcIrqMsi",
    "RpcIrqSimple",
    "RpcMemory",
    "RpcMessage",
    "RpcReturn",
    "RpcServer",
    "UnknownRequest",
]
