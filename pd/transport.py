"""The way to the kernel: an object with one method, `call(frame) -> frame`.

The one file of `pd` that imports zmq. Each TCB has a transport of its own, used by its own
thread only, with one call outstanding.

Contexts and sockets are those of pyzmq's backend. The classes that pyzmq builds on them cost every
PD a quarter of a megabyte of pages that it would otherwise share with the zygote, a third of a
millisecond at its start, and a third of a microsecond with each message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import zmq
from zmq.backend import Context, Socket, zmq_poll


class Transport(Protocol):
    """One TCB's channel to the kernel."""

    def call(self, frame: bytes, /) -> bytes:
        """Send one request and block until its answer."""
        ...


class ZmqTransport:
    """A DEALER connected to the kernel's ROUTER under the id that the kernel made up for the TCB.

    A signal does not end the wait: pyzmq takes an interrupted `recv` up again.
    """

    __slots__ = ("_recv", "_send", "socket")

    def __init__(self, context: Context, address: str, routing_id: bytes):
        self.socket = Socket(context, zmq.DEALER)
        self.socket.set(zmq.ROUTING_ID, routing_id)
        self.socket.set(zmq.LINGER, 0)
        # One call is outstanding, so no queue is ever longer than one; 0 means that no limit
        # can turn a send into a wait.
        self.socket.set(zmq.SNDHWM, 0)
        self.socket.set(zmq.RCVHWM, 0)
        # Nothing is queued before there is a connection, so that POLLOUT says there is one.
        self.socket.set(zmq.IMMEDIATE, 1)
        # Fifty PDs that start at once may find the listening queue full.
        self.socket.set(zmq.RECONNECT_IVL, 5)
        self.socket.connect(address)
        self._send = self.socket.send
        self._recv = self.socket.recv

    def call(self, frame: bytes, /) -> bytes:
        self._send(frame)
        return self._recv()

    def await_connection(self) -> None:
        """Until the kernel has answered the greeting: from then on no socket need be opened."""
        zmq_poll([(self.socket, zmq.POLLOUT)])

    def close(self) -> None:
        self.socket.close()


def connect(address: str, ids: Sequence[bytes]) -> list[ZmqTransport]:
    """The transports of a whole PD, all of them connected, because later it may open no sockets."""
    context = Context()
    transports = [ZmqTransport(context, address, routing_id) for routing_id in ids]
    for transport in transports:
        transport.await_connection()
    return transports
