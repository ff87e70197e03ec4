"""What the watchdog sees of the kernel's process."""

import mmap
import os
import socket

import zmq

from caplab.kernel.host.gauge import Gauge, Sender
from caplab.kernel.host.links import Peer
from caplab.kernel.host.watchdog import ALERT, MIB


def test_the_gauge_sees_memory_that_no_object_of_pythons_explains() -> None:
    gauge = Gauge(lambda: 0)
    before = gauge.growth()
    with mmap.mmap(-1, 32 * MIB) as taken:  # from the system, never what was given back before
        taken.write(bytes(32 * MIB))
        assert 31 * MIB <= gauge.growth() - before <= 40 * MIB
    gauge.close()


def test_the_gauge_takes_many_small_objects_for_what_they_are() -> None:
    gauge = Gauge(lambda: 0)
    before = gauge.growth()
    objects = [(number,) for number in range(300_000)]
    assert gauge.growth() - before < ALERT
    assert len(objects) == 300_000
    gauge.close()


def test_the_gauge_knows_whose_bytes_are_unread_and_leaves_connections_alone() -> None:
    gauge = Gauge(lambda: 0)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert Sender(os.getpid(), 0) not in gauge.unread()
        theirs.sendall(b"unread")
        assert gauge.unread()[Sender(os.getpid(), 0)] == 6
        assert ours.recv(10) == b"unread"
        assert Sender(os.getpid(), 0) not in gauge.unread()
    gauge.close()


def test_the_gauge_knows_which_tcb_a_connection_is_of() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        gauge = Gauge(lambda: 0, {ours.fileno(): Peer(3, 7)}.get)
        theirs.sendall(b"unread")
        assert gauge.unread()[Sender(os.getpid(), 7)] == 6
        gauge.close()


def test_the_gauge_counts_the_time_of_the_thread_that_reads_connections() -> None:
    context = zmq.Context()
    gauge = Gauge(lambda: 0)
    with context.socket(zmq.DEALER) as dealer:
        before = gauge.work()
        # Each attempt to reach nobody is that thread's work.
        dealer.setsockopt(zmq.RECONNECT_IVL, 1)
        dealer.connect("ipc:///nobody/is/here")
        while gauge.work() - before < 0.001:
            os.sched_yield()
    gauge.close()
    context.term()
