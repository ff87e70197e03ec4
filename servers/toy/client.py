"""The client's side of the toy servers."""

from __future__ import annotations

from typing import Self

from caplab.pd.objects import Endpoint
from caplab.servers.toy import toy_pb2 as pb
from caplab.servers.toy.protocol import PROTOCOL


class Toy:
    """One resource of a toy server: a block, a file, whatever the server's space is of.

    Errors of every method: PeerDied, Revoked when the toy is gone, IpcTimeout; Below when what the
    toy rests on is gone.
    """

    def __init__(self, endpoint: Endpoint, id: int = 0) -> None:
        self.endpoint = endpoint
        self.id = id

    @classmethod
    def alloc(cls, rde: Endpoint, *, timeout: float | None = None) -> Self:
        """Ask the server behind an RDE for a toy; it takes what it needs from the server below."""
        reply = PROTOCOL.call(rde, pb.ToyMessage(alloc=pb.ToyAllocMessage()), timeout=timeout)
        return cls(Endpoint(rde.env, reply.alloc.slot, name="toy"), reply.alloc.id)

    def use(self, *, timeout: float | None = None) -> str:
        """What it is and what it rests on, asked of each server on the way down."""
        request = pb.ToyMessage(use=pb.ToyUseMessage())
        return PROTOCOL.call(self.endpoint, request, timeout=timeout).use.stack

    def free(self, *, timeout: float | None = None) -> None:
        """Give it back; whoever else holds it loses it too."""
        PROTOCOL.call(self.endpoint, pb.ToyMessage(free=pb.ToyFreeMessage()), timeout=timeout)
