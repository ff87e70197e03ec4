"""What a parent refuses, in both processes the same.

A number below 64 is the kernel's: what went wrong when the parent did what it was asked for.
"""

from __future__ import annotations

from caplab.pd.errors import ServiceError
from caplab.pd.sel4rpc import rpc_pb2 as pb


class RpcError(ServiceError):
    """A refusal of the parent. `code` is the errorCode of its answer: a number of the kernel's
    (`caplab.kernel.abi.Status`), or one of the classes below.
    """


class OutsideRange(RpcError, code=pb.RPC_OUTSIDE_RANGE):
    """No range of the parent's device memory has that address."""


class UnknownRequest(RpcError, code=pb.RPC_UNKNOWN_REQUEST):
    """The message asks for nothing that the parent knows."""


class Malformed(RpcError, code=pb.RPC_MALFORMED):
    """The bytes are no message of this protocol."""


class NotAnswered(RpcError, code=pb.RPC_NOT_ANSWERED):
    """The parent's handler gave no answer."""


class NoSuchCookie(RpcError, code=pb.RPC_NO_SUCH_COOKIE):
    """Nothing was ever lent under that cookie, or it was lent to another."""


class NotTheParents(RpcError, code=pb.RPC_NOT_THE_PARENTS):
    """The parent has no such thing to give: its `devices` do not name it."""


class NoSlots(RpcError, code=pb.RPC_NO_SLOTS):
    """The parent's CSpace is full."""
