"""The programs of `bench kernel`'s jobs: who has very much to revoke, and who calls meanwhile."""

from collections.abc import Callable
from functools import partial
from select import POLLIN, poll
from time import monotonic_ns

from caplab.kernel.abi import RETYPE_MAX, ObjectType
from caplab.pd.env import Env
from caplab.pd.errors import SlotsExhausted, refusal
from caplab.pd.invocations import untyped_retype
from caplab.pd.objects import Untyped
from caplab.pd.objects.capability import Capability
from caplab.scripts.bench.programs import UART, typed
from caplab.scripts.bench.sampling import BODY, p99

RADIX = 17
"""log2 of the slots of a hoard."""
CNODE_BITS = RADIX + 5
SOURCE_BITS = 21
"""log2 of the bytes that a hoard's endpoints are made of."""
FILL, REVOKE, DELETE = 1, 2, 3
DIRECTOR_UART = "uart1"


def hoarder(env: Env) -> None:
    """Fills a CNode, revokes and deletes, as it is told; answers when that began and ended."""
    hoard = Hoard(env)
    acts: dict[int, Callable[[int], None]] = {
        FILL: hoard.fill,
        REVOKE: lambda _: hoard.source.revoke(),
        DELETE: lambda _: hoard.delete(),
    }
    endpoint = env.endpoint("server")
    message = endpoint.recv()
    while True:
        began = monotonic_ns()
        acts[message.label](message.words[0])
        message = endpoint.reply_recv(0, [began, monotonic_ns()])


class Hoard:
    """A CNode and the endpoints in it, all made from one untyped."""

    def __init__(self, env: Env) -> None:
        untyped = env.untyped()
        (place,) = untyped.retype(ObjectType.UNTYPED, size_bits=CNODE_BITS)
        (source,) = untyped.retype(ObjectType.UNTYPED, size_bits=SOURCE_BITS)
        assert isinstance(place, Untyped)
        assert isinstance(source, Untyped)
        self.source = source
        self._env = env
        self._place = place
        self._node: Capability | None = None

    def fill(self, count: int) -> None:
        """So many new endpoints in the CNode, and no free slot in the own half of the CSpace."""
        if self._node is None:
            (self._node,) = self._place.retype(ObjectType.CNODE, size_bits=RADIX)
        transport = self._env.utcb().transport
        kind, source, node = ObjectType.ENDPOINT, self.source.slot, self._node.slot
        for first in range(0, count, RETYPE_MAX):
            batch = min(RETYPE_MAX, count - first)
            answer = untyped_retype(transport, source, kind, 0, 0, 0, first, batch, node)
            if answer.status:
                raise refusal(answer.status, "Untyped_Retype", source, answer.data)
        try:
            while True:
                self._env.endpoint("server").copy()
        except SlotsExhausted:
            pass  # as it should be

    def delete(self) -> None:
        """Delete the CNode with all that is in it."""
        assert self._node is not None
        self._node.delete()
        self._node = None


def director(env: Env, hoarders: list[str]) -> None:
    """Hands on what is typed, `HOARDER LABEL NUMBER`, and prints when that began and ended."""
    found = {name: env.endpoint(name) for name in hoarders}
    uart = env.device(DIRECTOR_UART)
    uart.write(b"ready\n")
    for line in typed(env, DIRECTOR_UART):
        name, label, number = line.decode().split()
        began, ended = found[name].call(int(label), [int(number)]).words
        uart.write(b"took %d %d\n" % (began, ended))


def watcher(env: Env) -> None:
    """Calls from the line `watch` to the next, `BEGIN END`; prints the p99 of what lay between."""
    trip = partial(env.endpoint("echo").call, 0, BODY)
    trip()
    uart = env.device(UART)
    typing = poll()
    typing.register(uart, POLLIN)
    uart.write(b"ready\n")
    samples: list[tuple[int, int]] = []
    for line in typed(env):
        if line == b"watch":
            uart.write(b"watching\n")
            samples = watched(trip, lambda: bool(typing.poll(0)))
        else:
            begin, end = map(int, line.split())
            met = lasting(samples, begin, end)
            uart.write(b"p99 %.3f of %d\n" % (p99(met), len(met)))


def watched(trip: Callable[[], object], over: Callable[[], bool]) -> list[tuple[int, int]]:
    """When each trip began and ended, in nanoseconds."""
    samples = []
    while not over():
        began = monotonic_ns()
        trip()
        samples.append((began, monotonic_ns()))
    return samples


def lasting(samples: list[tuple[int, int]], begin: int, end: int) -> list[int]:
    """How long each of those trips took that any part of this time fell into."""
    return [ended - began for began, ended in samples if ended > begin and began < end]
