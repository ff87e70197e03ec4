"""Toy servers, one on top of another: each resource rests on one of the server below.

For watching cleanup (seed 000's toy block, file and database servers, which its tests of cleanup
policies use). What a toy is called is the type of the space that its server manages.
"""

from __future__ import annotations

from typing import NamedTuple

from caplab.pd.env import Env
from caplab.pd.errors import CapError, MissingCap
from caplab.pd.objects import Endpoint
from caplab.pd.resource import Below, Call, ResourceError, ResourceServer, on_object, on_rde
from caplab.servers.toy import toy_pb2 as pb
from caplab.servers.toy.client import Toy
from caplab.servers.toy.protocol import PROTOCOL


def main(env: Env, on: str | None = None) -> None:
    """Serve until the system ends; `on` is the name of the server below in `uses`."""
    ToyServer(env, on).run()


class Thing(NamedTuple):
    """What a toy rests on."""

    below: Toy | None
    space: int = 0


class ToyServer(ResourceServer[Thing]):
    """Answers what toy.proto declares."""

    type_name = "TOY"
    protocol = PROTOCOL

    def __init__(self, env: Env, on: str | None) -> None:
        super().__init__(env)
        self.on = on
        self.kind = str(self.default.space.info()["type_name"])
        self.mapped = 0
        """The space this one is built on; another after a restart of its server."""

    def init(self) -> None:
        """Map the own space onto the one below; without it, `alloc` will be refused."""
        try:
            self._ground()
        except Below as gone:
            self.env.log(str(gone))

    @on_rde("alloc")
    def alloc(self, call: Call[Thing], message: pb.ToyAllocMessage) -> pb.ToyAllocReturnMessage:
        """A new toy, on a new one of the server below."""
        rde, space = self._ground()
        thing = Thing(Toy.alloc(rde), space) if rde is not None else Thing(None)
        try:
            number, slot = call.served.allocate(thing, call.client)
        except BaseException:
            self.released(thing)
            raise
        return pb.ToyAllocReturnMessage(slot=slot, id=number)

    @on_object("use")
    def use(self, call: Call[Thing], message: pb.ToyUseMessage) -> pb.ToyUseReturnMessage:
        """The toy's name, before that of what it rests on."""
        stack = f"{self.kind} {call.object}"
        if call.value.below is not None:
            stack += f" on {call.value.below.use()}"
        return pb.ToyUseReturnMessage(stack=stack)

    @on_object("free")
    def free(self, call: Call[Thing], message: pb.ToyFreeMessage) -> None:
        """The toy is no more, nor is what it rests on."""
        self.released(call.served.delete(call.object))

    def maps(self, value: Thing) -> list[tuple[int, int]]:
        """What the model says it rests on."""
        return [(value.space, value.below.id)] if value.below is not None else []

    def released(self, value: Thing) -> None:
        """Give back what a toy rested on, if that is still there."""
        if value.below is None:
            return
        try:
            value.below.free()
        except (CapError, ResourceError) as gone:
            self.env.log(f"{value.below.id} below is gone already: {gone}")
        value.below.endpoint.delete()

    def _ground(self) -> tuple[Endpoint | None, int]:
        """The RDE of the space below, onto which the own one is mapped, and its number.

        By name each time, so that it is that of a restarted server's new generation. Errors: Below
        """
        if self.on is None:
            return None, 0
        try:
            rde = self.env.endpoint(self.on)
            spaces = {row["slot"]: int(row["space"]) for row in self.env.pd.rdes()}
            space = spaces.get(rde.slot, 0)
            if space != self.mapped:
                self.default.space.map(space)
                self.mapped = space
        except (CapError, MissingCap) as gone:
            raise Below(f"{self.env.name} has nothing to build on: {gone}") from None
        return rde, space
