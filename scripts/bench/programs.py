"""The programs of `bench ipc`: what anyone writes, on the public API."""

from collections.abc import Iterator
from functools import partial

from caplab.pd.env import Env
from caplab.scripts.bench.sampling import BODY, p50, sampled

UART = "uart0"


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


def typed(env: Env) -> Iterator[bytes]:
    """The lines that come up the UART; between them the PD waits for the interrupt."""
    uart = env.device(UART)
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
