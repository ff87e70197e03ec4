"""Attacks on the wire: what no library would send, over the own connection or another one."""

from __future__ import annotations

import os
import socket
from functools import partial
from typing import Any

from caplab import Env
from caplab.clients.hostile.attack import Contained, GotThrough, Order, each
from caplab.clients.hostile.link import COMMAND, LONG, MORE, PATIENCE, frame, greeted, own, silence
from caplab.kernel.abi import Inv, Sys
from caplab.pd import stubs

ENDLESS_BYTES = 256 << 20
"""A bound, should nobody stop it."""
FLOOD = 20_000
UNREAD = 50_000
PINGS, BATCHES = 3000, 200
"""In one batch as many as a message could be long; and how many batches, should nobody stop it."""
MANY = 50_000

_PING = frame(b"\x04PING\x00\x00", COMMAND)


def stolen_id(env: Env, order: Order) -> None:
    """Open a second connection under an id that may be somebody's, and make a call."""
    _second(env, b"\x01" + os.urandom(15))


def duplicate_id(env: Env, order: Order) -> None:
    """Open a second connection under an id that is in use, and wait for what its owner is told."""
    _second(env, env.info.ids[0])


def _second(env: Env, routing_id: bytes) -> None:
    with greeted(env, routing_id) as second:
        second.sendall(frame(stubs.request(Sys.YIELD, 0)))
        env.yield_()
        try:
            answer = second.recv(4096)
        except TimeoutError:
            raise Contained("never answered") from None
    if not answer:
        raise Contained("the kernel hung up")
    raise GotThrough(f"it was answered {len(answer)} bytes")


def garbage(env: Env, order: Order) -> None:
    """Send bytes that are no ZMTP."""
    _say(env, bytes(range(255, -1, -1)) * 16)


def huge_header(env: Env, order: Order) -> None:
    """Announce a frame of 2**62 bytes."""
    _say(env, bytes([LONG]) + (1 << 62).to_bytes(8, "big") + b"and so on")


def long_message(env: Env, order: Order) -> None:
    """Send a message of three mebibytes."""
    _say(env, frame(bytes(3 << 20)))


def endless_parts(env: Env, order: Order) -> None:
    """Send parts of a message that never ends."""
    connection = own(env)
    several = frame(bytes(16 << 10), MORE) * 16
    for _ in range(ENDLESS_BYTES // len(several)):
        connection.sendall(several)
    raise GotThrough(f"the kernel took {ENDLESS_BYTES >> 20} MiB")


def message_flood(env: Env, order: Order) -> None:
    """Make a great many calls and wait for no answer."""
    connection = own(env)
    connection.sendall(frame(stubs.request(Sys.YIELD, 0)) * FLOOD)
    transport: Any = env.utcb().transport
    for _ in range(FLOOD):
        transport.socket.recv()
    raise Contained(f"{FLOOD} were answered in their turn")


def calls_at_once(env: Env, order: Order) -> None:
    """Make calls while one is waiting."""
    _say(env, frame(stubs.request(Sys.SLEEP, 0, timeout=1.0)) * 2)


def unread_answers(env: Env, order: Order) -> None:
    """Make calls and read no answer, so that somebody may have to wait for room."""
    connection = own(env)
    silence(env)
    calls = frame(stubs.request(Sys.YIELD, 0)) * 100
    for _ in range(UNREAD // 100):
        connection.sendall(calls)
    raise GotThrough(f"{UNREAD} answers are kept for it")


def ping_flood(env: Env, order: Order) -> None:
    """Ask the kernel's ZeroMQ for signs of life, again and again."""
    connection = own(env)
    for _ in range(BATCHES):
        connection.sendall(_PING * PINGS)
    raise GotThrough(f"{PINGS * BATCHES} were answered")


def hidden_flood(env: Env, order: Order) -> None:
    """The same, with an honest call now and then."""
    connection = own(env)
    for _ in range(BATCHES):
        connection.sendall(_PING * PINGS)
        env.yield_()
    raise GotThrough(f"{PINGS * BATCHES} were answered between calls")


def nested_body(env: Env, order: Order) -> None:
    """Invoke an object with a body that is nested deeply, or says that it is huge."""
    bodies = {
        "nested": b"\x91" * MANY,
        "a huge map": b"\xdf\xff\xff\xff\xff",
        "a huge string": b"\xdb\xff\xff\xff\xff",
        "a huge list of lists": b"\xdd\xff\xff\xff\xff" * 100,
    }
    each({name: partial(_look_up, env, body) for name, body in bodies.items()})


def old_protocol(env: Env, order: Order) -> None:
    """Speak the ZMTP of 2010, whose messages say nothing of who sent them."""
    with greeted(env, b"") as second:
        second.getpeername()

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as old:
        old.settimeout(PATIENCE)
        old.connect(env.info.address.removeprefix("ipc://"))
        for part in (b"", b"a message of nobody", b"x"):
            old.sendall(bytes([len(part) + 1, 0]) + part)
        env.yield_()
    env.yield_()
    raise Contained("not heard")


def _look_up(env: Env, body: bytes) -> None:
    answer = stubs.call(env.utcb().transport, env.pd.slot, int(Inv.PD_LOOKUP), body)
    env.pd.checked(answer, "PD_Lookup")


def _say(env: Env, data: bytes) -> None:
    """Write into the own connection, then see whether the kernel still answers."""
    own(env).sendall(data)
    env.sleep(PATIENCE)
    env.yield_()
