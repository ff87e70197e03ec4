"""What caplab is compared with does the work it claims to do."""

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

import pytest
import zmq

from caplab.scripts.bench import operations, relay, rendezvous, sampling
from caplab.scripts.bench.children import PATIENCE, Children, compiled, hear
from caplab.scripts.bench.hoarders import lasting
from caplab.scripts.bench.sampling import BODY, counted, p50, p99, sampled
from caplab.servers.calc import client_Calc
from caplab.servers.calc.server import main as calc_main
from threaded_system import ThreadedSystem

ADDRESS = "inproc://relay"


def start(role: Callable[[relay.Context, str], None], context: relay.Context) -> Thread:
    def run() -> None:
        try:
            role(context, ADDRESS)
        except zmq.ContextTerminated:
            pass

    thread = Thread(target=run)
    thread.start()
    return thread


def test_the_relay_carries_a_message_to_the_server_and_back() -> None:
    context = zmq.Context()
    threads = [start(relay.relay, context)]
    dealer = relay.connected(context, ADDRESS, relay.CLIENT)
    threads.append(start(relay.server, context))
    dealer.setsockopt(zmq.RCVTIMEO, 10_000)
    assert dealer.recv() == relay.HELLO
    for number in range(3):
        dealer.send(BODY + bytes([number]))
        assert dealer.recv() == BODY + bytes([number])
    dealer.close()
    context.term()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_the_rendezvous_relay_hands_the_server_its_next_request_with_its_reply() -> None:
    context = zmq.Context()
    thread = start(partial(rendezvous.relay, clients=2), context)
    peers = [relay.connected(context, ADDRESS, name) for name in (relay.SERVER, b"a", b"b")]
    for peer in peers:
        peer.setsockopt(zmq.RCVTIMEO, 10_000)
    server, first, second = peers
    assert first.recv() == second.recv() == relay.HELLO
    first.send(b"1")
    assert server.recv() == b"1"
    second.send(b"2")
    server.send(b"reply 1")
    assert first.recv() == b"reply 1"
    assert server.recv() == b"2"
    server.send(b"reply 2")
    assert second.recv() == b"reply 2"
    first.send(b"3")
    assert server.recv() == b"3"
    for peer in peers:
        peer.close()
    context.term()
    thread.join(10)
    assert not thread.is_alive()


def test_the_rendezvous_relay_never_has_the_server_hold_two_requests() -> None:
    context = zmq.Context()
    thread = start(partial(rendezvous.relay, clients=2), context)
    peers = [relay.connected(context, ADDRESS, name) for name in (relay.SERVER, b"a", b"b")]
    for peer in peers:
        peer.setsockopt(zmq.RCVTIMEO, 10_000)
    server, first, second = peers
    first.recv()
    second.recv()
    first.send(b"1")
    server.recv()
    second.send(b"2")
    second.send(b"3")  # no client of the bench does; it is queued behind its own
    server.send(b"reply")
    assert first.recv() == b"reply"  # sent when the others were queued, or before: either way
    assert server.recv() == b"2"
    with pytest.raises(zmq.Again):
        server.recv(zmq.NOBLOCK)
    server.send(b"reply")
    assert second.recv() == b"reply"
    assert server.recv() == b"3"
    for peer in peers:
        peer.close()
    context.term()
    thread.join(10)


def test_trips_are_counted_from_the_beginning_to_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Ticks(monkeypatch)
    assert counted(clock.tick, begin=3, end=7) == 3  # one began too early, one ended too late
    assert clock.now == 7


class Ticks:
    """A clock that only trips move on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0
        monkeypatch.setattr(sampling, "monotonic_ns", lambda: self.now)

    def tick(self) -> None:
        self.now += 1


def test_a_trip_is_delayed_by_what_happened_in_any_part_of_it() -> None:
    samples = [(0, 10), (10, 20), (20, 35), (35, 40), (40, 100)]
    assert lasting(samples, 15, 40) == [10, 15, 5]
    assert lasting(samples, 21, 22) == [15]


def test_the_p99_leaves_out_one_in_a_hundred() -> None:
    assert p99([1000] * 99 + [9000]) == 1.0
    assert p99([1000] * 98 + [8000, 9000]) == 8.0
    assert p99([5000]) == 5.0


def test_every_trip_is_made_and_timed() -> None:
    made: list[int] = []
    samples = sampled(lambda: made.append(1), 25)
    assert len(made) == 25
    assert len(samples) == 25
    assert min(samples) >= 0


def test_the_p50_is_a_sample_that_half_of_them_do_not_exceed() -> None:
    assert p50([4000, 1000, 9000]) == 4.0
    assert p50([1000, 2000, 3000, 90000]) == 2.0
    assert p50([5000]) == 5.0


def test_the_timed_message_has_64_bytes() -> None:
    assert len(BODY) == 64


def test_every_way_of_asking_for_the_operation_adds_and_carries_the_same_bytes() -> None:
    client = {"name": "caller", "uses": {way: way for way in ("stub", "raw", "protobuf")}}
    mains = {"stub": calc_main, "raw": operations.raw, "protobuf": operations.protobuf}
    servers = [
        {"name": name, "main": main, "serves": "endpoint", "role": "server"}
        for name, main in mains.items()
    ]
    with ThreadedSystem(*servers, client) as system:
        env = system.env("caller")
        assert operations.by_protobuf(env)() == operations.LEFT + operations.RIGHT
        stub = client_Calc(env.endpoint("stub"))
        stub.add(1, 1)
        channel: Any = env.utcb().transport
        call, frames = channel.call, []
        channel.call = lambda frame: (frames.append(len(frame)), call(frame))[1]
        assert stub.add(operations.LEFT, operations.RIGHT) == 42
        request = operations._REQUEST.pack(0, operations.LEFT, operations.RIGHT)
        answer = env.endpoint("raw").call(0, request)
        assert frames[0] == frames[-1]
        assert answer.words == (42,)


def test_who_is_started_for_a_start_to_be_timed_keeps_what_python_compiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = "import os; print(os.environ.get('PYTHONDONTWRITEBYTECODE', 'nothing'))"
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    with compiled(), Children() as children:
        child = children.start([sys.executable, "-c", told])
        assert hear(child, time.monotonic() + PATIENCE) == "nothing"
    assert os.environ["PYTHONDONTWRITEBYTECODE"] == "1"
