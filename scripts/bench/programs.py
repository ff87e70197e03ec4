"""The programs of `bench ipc` and `bench kernel`: what anyone writes, on the public API."""

from collections.abc import Iterator
from functools import partial
from time import monotonic_ns

from caplab.pd.env import Env
from caplab.pd.objects import Endpoint
from caplab.scripts.bench.sampling import BODY, counted, p50, sampled

UART = "uart0"
LEAD = 50_000_000
"""Nanoseconds from the word to the start, in which everybody gets going."""


def echo(env: Env) -> None:
    """Answers every call with its own words."""
    endpoint = env.endpoint("server")
    message = endpoint.recv()
    while True:
        message = endpoint.reply_recv(0, message.data)


def caller(env: Env) -> None:
    """Answers every line on its console, a number of calls, with their p50 in microseconds."""
    trip = partial(env.endpoint("echo").call, 0, BODY)
    trip()
    uart = env.device(UART)
    uart.write(b"ready\n")
    for line in typed(env):
        uart.write(b"p50 %.3f\n" % p50(sampled(trip, int(line))))


def starter(env: Env, clients: int) -> None:
    """Lets all clients start at once for the seconds that are typed; prints their calls a second.

    A client says how many calls it has made and is not answered until they are to start again.
    """
    endpoint = env.endpoint("server")
    held = [env.slots.alloc() for _ in range(clients)]

    def gather() -> int:
        calls = 0
        for slot in held:
            calls += endpoint.recv().words[0]
            env.cnode.save_caller(slot)
        return calls

    gather()
    uart = env.device(UART)
    uart.write(b"ready\n")
    for line in typed(env):
        seconds = float(line)
        begin = monotonic_ns() + LEAD
        for slot in held:
            env.cap(Endpoint, slot).send(0, [begin, begin + int(seconds * 1e9)])
        uart.write(b"calls %.3f\n" % (gather() / seconds))


def client(env: Env) -> None:
    """One of those that call the same server as fast as they can, whenever they may start."""
    trip = partial(env.endpoint("echo").call, 0, BODY)
    start = env.endpoint("starter")
    calls = 0
    while True:
        begin, end = start.call(0, [calls]).words
        calls = counted(trip, begin, end)


def typed(env: Env, name: str = UART) -> Iterator[bytes]:
    """The lines that come up the UART; between them the PD waits for the interrupt."""
    uart = env.device(name)
    bell = env.notification()
    interrupt = uart.claim()
    interrupt.set_notification(bell)
    text = b""
    while True:
        *lines, text = (text + uart.read()).split(b"\n")
        yield from lines
        if not lines:
            interrupt.ack()
            bell.wait()
