"""The client's side of the sample service."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from caplab.pd.objects import Endpoint
from caplab.servers.sample import sample_pb2 as pb
from caplab.servers.sample.protocol import PROTOCOL


class Sample:
    """One resource of the sample server.

    A context manager: at the end of the block the resource is freed. `endpoint` is its capability,
    which `PdCap.send` gives to another PD. Errors of every method: PeerDied, IpcTimeout, and
    Revoked when the resource is gone.
    """

    def __init__(self, endpoint: Endpoint, id: int = 0) -> None:
        self.endpoint = endpoint
        self.id = id

    @classmethod
    def alloc(cls, rde: Endpoint, *, timeout: float | None = None) -> Self:
        """Ask the server behind an RDE for a resource. sample_client_alloc.

        Blocks until the server answers. Errors: NoRoom
        """
        request = pb.SampleMessage(alloc=pb.SampleAllocMessage())
        reply = PROTOCOL.call(rde, request, timeout=timeout)
        return cls(Endpoint(rde.env, reply.alloc.slot, name="sample"), reply.alloc.id)

    def invoke(self, x: int, y: int, *, timeout: float | None = None) -> str:
        """The sum of two numbers of 64 bits, in hexadecimal. sample_client_invoke."""
        request = pb.SampleMessage(invoke=pb.SampleInvokeMessage(x=x, y=y))
        return PROTOCOL.call(self.endpoint, request, timeout=timeout).invoke.result

    def free(self, *, timeout: float | None = None) -> None:
        """Give the resource back; whoever else holds it loses it too. sample_client_free."""
        PROTOCOL.call(self.endpoint, pb.SampleMessage(free=pb.SampleFreeMessage()), timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.free()
