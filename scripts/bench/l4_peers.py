"""The programs of `bench l4`: servers of each kind, and a caller that is told whom to ask."""

from collections.abc import Callable, Mapping
from functools import partial

from caplab.pd import stubs
from caplab.pd.env import Env
from caplab.pd.l4 import L4_ANYTHREAD, MR_TOTAL, L4Thread, check
from caplab.pd.l4.wire import SHORT
from caplab.scripts.bench.programs import UART, typed
from caplab.scripts.bench.sampling import p50, sampled

RAW, L4, SEED = "raw", "l4", "seed"
"""Servers: raw stubs, `reply_receive`, and the seed's loop of receive and ipc_return."""
WORDS = SHORT.pack(*range(MR_TOTAL))
"""What every call carries: the registers of a short IPC."""


def raw_server(env: Env) -> None:
    """Answers every call with its own words, by raw stubs."""
    transport, slot = env.utcb().transport, env.endpoint("server").slot
    answer = stubs.recv(transport, slot)
    while True:
        answer = stubs.reply_recv(transport, slot, 0, answer.data)


def l4_server(env: Env) -> None:
    """Returns to every sendrecv, and receives the next in the same call."""
    l4 = L4Thread(env)
    check(l4.receive(L4_ANYTHREAD))
    while True:
        check(l4.reply_receive(0))


def seed_server(env: Env) -> None:
    """The loop of seed 003: receive, then return."""
    l4 = L4Thread(env)
    while True:
        check(l4.receive(L4_ANYTHREAD))
        check(l4.ipc_return(0))


def caller(env: Env) -> None:
    """Answers `WHO TRIPS` on its console with the p50 of so many calls, in microseconds."""
    l4 = L4Thread(env)
    transport = env.utcb().transport
    trips: Mapping[str, Callable[[], object]] = {
        RAW: partial(stubs.call, transport, env.endpoint(RAW).slot, 0, WORDS),
        **{who: partial(_sendrecv, l4, l4.thread_id(who)) for who in (L4, SEED)},
    }
    uart = env.device(UART)
    uart.write(b"ready\n")
    for line in typed(env):
        who, count = line.decode().split()
        uart.write(b"p50 %.3f\n" % p50(sampled(trips[who], int(count))))


def _sendrecv(l4: L4Thread, to: int) -> int:
    return check(l4.sendrecv(to, to, 1))
