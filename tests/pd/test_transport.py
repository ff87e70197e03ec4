"""A TCB's channel to the kernel, over real sockets."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from caplab.kernel.abi import FRAME_MAX
from caplab.pd.transport import ZmqTransport, connect


@pytest.fixture
def context() -> Iterator[zmq.Context]:
    made = zmq.Context()
    yield made
    made.term()  # hangs, and so fails, when a message lingers


@pytest.fixture
def router(context: zmq.Context, runtime_dir: Path) -> Iterator[zmq.Socket]:
    with context.socket(zmq.ROUTER) as socket:
        socket.linger = 0
        socket.bind(f"ipc://{runtime_dir}/k")
        yield socket


def test_a_call_goes_under_the_given_id_and_brings_its_answer(context, router) -> None:
    transport = ZmqTransport(context, router.last_endpoint.decode(), b"\1" * 16)
    got: list[bytes] = []
    frame = os.urandom(FRAME_MAX)
    thread = threading.Thread(target=lambda: got.append(transport.call(frame)))
    thread.start()
    assert router.recv_multipart() == [b"\1" * 16, frame]
    router.send_multipart([b"\1" * 16, b"answer"])
    thread.join()
    assert got == [b"answer"]
    transport.close()


def test_all_tcbs_of_a_pd_are_connected_at_once(router) -> None:
    ids = [bytes([n]) * 16 for n in (1, 2, 3)]
    transports = connect(router.last_endpoint.decode(), ids)
    for transport in transports:
        transport.socket.send(b"")
    assert {router.recv_multipart()[0] for _ in ids} == set(ids)
    context = transports[0].socket.context
    for transport in transports:
        transport.close()
    context.term()


def test_a_signal_does_not_end_the_wait(context, router, runtime_dir: Path) -> None:
    transport = ZmqTransport(context, router.last_endpoint.decode(), b"\1" * 16)
    handled: list[int] = []

    def serve() -> None:
        who, _ = router.recv_multipart()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        router.send_multipart([who, b"answer"])

    before = signal.signal(signal.SIGUSR1, lambda number, frame: handled.append(number))
    try:
        thread = threading.Thread(target=serve)
        thread.start()
        assert transport.call(b"x") == b"answer"
        thread.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert handled == [signal.SIGUSR1]
    transport.close()


def test_a_request_nobody_took_does_not_keep_the_process(context, router) -> None:
    transport = ZmqTransport(context, router.last_endpoint.decode(), b"\1" * 16)
    for _ in range(5000):  # more than the kernel's queue and the socket's buffers take
        transport.socket.send(b"unheard")
    transport.close()


def test_it_waits_for_a_kernel_that_listens_late(context, runtime_dir: Path) -> None:
    address = f"ipc://{runtime_dir}/late"
    transport = ZmqTransport(context, address, b"\1" * 16)
    connected = threading.Event()

    def wait() -> None:
        transport.await_connection()
        connected.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not connected.is_set()
    with context.socket(zmq.ROUTER) as late:
        late.linger = 0
        late.bind(address)
        thread.join()
        assert connected.is_set()
        transport.close()
