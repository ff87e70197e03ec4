"""The programs of `siege.py`: attackers, who lets them loose, and a victim."""

from functools import partial
from time import perf_counter_ns

from caplab.clients.hostile.attack import Order, attempt
from caplab.clients.hostile.table import BY_NAME
from caplab.pd.env import Env
from caplab.pd.objects import Endpoint
from caplab.scripts.bench.programs import UART, typed
from caplab.scripts.bench.sampling import BODY, p99


def victim(env: Env) -> None:
    """Calls its server for as many seconds as are typed; prints how long the calls took, in
    microseconds: all but one in a hundred, and the longest."""
    trip = partial(env.endpoint("echo").call, 0, BODY)
    trip()
    uart = env.device(UART)
    uart.write(b"ready\n")
    clock = perf_counter_ns
    for line in typed(env):
        samples = []
        now = clock()
        end = now + int(float(line) * 1e9)
        while now < end:
            began = clock()
            trip()
            now = clock()
            samples.append(now - began)
        uart.write(b"took %.3f %.3f\n" % (p99(samples), max(samples) / 1000))


def gate(env: Env, attackers: int, uart: str) -> None:
    """Keeps each attacker waiting until the name of its attack is typed."""
    endpoint = env.endpoint("server")
    held: dict[bytes, int] = {}
    for _ in range(attackers):
        slot = env.slots.alloc()
        held[endpoint.recv().data] = slot
        env.cnode.save_caller(slot)
    console = env.device(uart)
    console.write(b"ready\n")
    for line in typed(env, uart):
        env.cap(Endpoint, held.pop(line.strip())).send(0)
        console.write(b"loose\n")


def attacker(env: Env, attack: str) -> None:
    """Once it is let loose it attacks as long as it lives."""
    what, order = BY_NAME[attack], Order(attack)
    env.endpoint("gate").call(0, attack.encode())
    while True:
        attempt(what, env, order)
