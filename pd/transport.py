"""The way to the kernel: an object with one method, `call(frame) -> frame`.

The one file of `pd` that imports zmq. Each TCB has a transport of its own, used by its own
thread only, with one call outstanding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import zmq


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

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str, routing_id: bytes):
        self.socket = context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.ROUTING_ID, routing_id)
        self.socket.setsockopt(zmq.LINGER, 0)
        # One call is outstanding, so no queue is ever longer than one; 0 means that no limit
        # can turn a send into a wait.
        self.socket.setsockopt(zmq.SNDHWM, 0)
        self.socket.setsockopt(zmq.RCVHWM, 0)
        # Nothing is queued before there is a connection, so that POLLOUT says there is one.
        self.socket.setsockopt(zmq.IMMEDIATE, 1)
        # Fifty PDs that start at once may find the listening queue full.
        self.socket.setsockopt(zmq.RECONNECT_IVL, 5)
        self.socket.connect(address)
        # The methods of the base class: the subclass's `send` parses keywords we never give,
        # and costs a third of a microsecond each way.
        self._send = super(zmq.Socket, self.socket).send
        self._recv = super(zmq.Socket, self.socket).recv

    def call(self, frame: bytes, /) -> bytes:
        self._send(frame)
        return self._recv()

    def await_connection(self) -> None:
        """Until the kernel has answered the greeting: from then on no socket need be opened."""
        self.socket.poll(flags=zmq.POLLOUT)

    def close(self) -> None:
        self.socket.close()


def connect(address: str, ids: Sequence[bytes]) -> list[ZmqTransport]:
    """The transports of a whole PD, all of them connected, because later it may open no sockets."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    transports = [ZmqTransport(context, address, routing_id) for routing_id in ids]
    for transport in transports:
        transport.await_connection()
    return transports
