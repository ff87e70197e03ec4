"""What caplab is compared with does the work it claims to do."""

from collections.abc import Callable
from threading import Thread

import zmq

from caplab.scripts.bench import relay
from caplab.scripts.bench.sampling import BODY, p50, sampled

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
