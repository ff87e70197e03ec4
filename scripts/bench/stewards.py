"""The programs of `bench resources`: who manages resources, who holds them, who is blocked."""

from time import monotonic_ns
from typing import NamedTuple

from caplab.pd.env import Env
from caplab.pd.errors import CapError
from caplab.pd.objects import Endpoint, Space
from caplab.pd.resource import ResourceServer
from caplab.scripts.bench.programs import UART, typed
from caplab.servers.toy.protocol import PROTOCOL

GIVE, HOLD = 1, 2
FOR_EVER = 1e6


def steward(env: Env) -> None:
    """Makes resources and gives them to PDs, as it is told; lets callers wait for ever.

    Of those half wait for an answer; then it receives no more, and the others wait to be received.
    """
    endpoint = env.endpoint("server")
    space = env.cap(Space, env.pd.names()["space"].slot)
    held = 0
    message = endpoint.recv()
    while True:
        if message.label == GIVE:
            count, first, clients = message.words
            for number in range(count):
                space.give(space.create(), first + number % clients)
            message = endpoint.reply_recv(0)
            continue
        held += 1
        if held > message.words[0] // 2:
            env.sleep(FOR_EVER)
        env.cnode.save_caller(env.slots.alloc())
        message = endpoint.recv()


def blocked(env: Env, clients: int) -> None:
    """Whenever it may start, calls the steward, who answers nobody; then says when it was freed."""
    collector = env.endpoint("collector")
    freed = 0
    while True:
        collector.call(0, [freed])
        try:
            env.endpoint("steward").call(HOLD, [clients])
        except CapError:
            freed = monotonic_ns()


def collector(env: Env, clients: int) -> None:
    """Does what is typed: `give COUNT FIRST` has the steward give COUNT resources to PDs from
    number FIRST on; `block` lets all clients start, and prints when each was freed.
    """
    endpoint = env.endpoint("server")
    held = [env.slots.alloc() for _ in range(clients)]

    def gather() -> list[int]:
        freed = []
        for slot in held:
            freed.append(endpoint.recv().words[0])
            env.cnode.save_caller(slot)
        return freed

    gather()
    uart = env.device(UART)
    uart.write(b"ready\n")
    for line in typed(env):
        word, *numbers = line.decode().split()
        if word == "give":
            env.endpoint("steward").call(GIVE, [*map(int, numbers), clients])
            uart.write(b"given\n")
        else:
            for slot in held:
                env.cap(Endpoint, slot).send(0)
            uart.write(b"freed %s\n" % b" ".join(b"%d" % each for each in gather()))


class Described(NamedTuple):
    """What a model says of a resource."""

    number: int


class Librarian(ResourceServer[Described]):
    """Manages very many resources, which it describes when it is asked."""

    type_name = "VOLUME"
    protocol = PROTOCOL

    def describe(self, value: Described) -> str:
        return f"volume_{value.number}"


def librarian(env: Env, count: int) -> None:
    """Serve a library of so many volumes."""
    server = Librarian(env)
    for number in range(count):
        server.default.create(Described(number))
    server.run()
