"""The sample server: it lends resources that add two numbers. A start for a server of your own."""

from __future__ import annotations

from dataclasses import dataclass

from caplab.pd.env import Env
from caplab.pd.resource import Call, ResourceServer, on_object, on_rde
from caplab.servers.sample import sample_pb2 as pb
from caplab.servers.sample.protocol import PROTOCOL, NoRoom


def main(env: Env, places: int = 1000) -> None:
    """Serve until the system ends; at most `places` resources at a time."""
    SampleServer(env, places).run()


@dataclass
class Place:
    """What the server keeps for a resource."""

    invoked: int = 0


class SampleServer(ResourceServer[Place]):
    """Answers what sample.proto declares."""

    type_name = "SAMPLE"
    protocol = PROTOCOL

    def __init__(self, env: Env, places: int) -> None:
        super().__init__(env)
        self.places = places

    def init(self) -> None:
        """Work before the first request. There is none."""

    @on_rde("alloc")
    def alloc(
        self, call: Call[Place], message: pb.SampleAllocMessage
    ) -> pb.SampleAllocReturnMessage:
        """A new resource, which the client holds from now on."""
        if len(call.served.objects) >= self.places:
            raise NoRoom(f"all {self.places} places are taken")
        number, slot = call.served.allocate(Place(), call.client)
        return pb.SampleAllocReturnMessage(slot=slot, id=number)

    @on_object("invoke")
    def invoke(
        self, call: Call[Place], message: pb.SampleInvokeMessage
    ) -> pb.SampleInvokeReturnMessage:
        """What the resource is for."""
        call.value.invoked += 1
        return pb.SampleInvokeReturnMessage(result=f"{message.x + message.y:#x}")

    @on_object("free")
    def free(self, call: Call[Place], message: pb.SampleFreeMessage) -> None:
        """The resource is no more, whoever holds it."""
        self.released(call.served.delete(call.object))

    def describe(self, value: Place) -> str:
        """What the model says of a resource."""
        return f"invoked_{value.invoked}"

    def released(self, value: Place) -> None:
        """A resource is gone, freed or given up by its last holder: give back what it stood for."""
