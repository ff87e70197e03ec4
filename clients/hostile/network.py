"""Attacks over the network, and over sockets of the host."""

from __future__ import annotations

import errno
import os
import socket
from functools import partial

from caplab import Env
from caplab.clients.hostile.attack import Contained, Order, each
from caplab.clients.hostile.link import own

FAMILIES = ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_ALG", "AF_VSOCK")
HOST_SOCKETS = ("/dev/log", "/run/systemd/notify", "/run/systemd/journal/socket")


def other_families(env: Env, order: Order) -> None:
    """Open sockets to the network and to parts of Linux."""
    known = {name: getattr(socket, name) for name in FAMILIES if hasattr(socket, name)}
    each({name: partial(_open, family) for name, family in known.items()})


def _open(family: int) -> None:
    kind = socket.SOCK_SEQPACKET if family == getattr(socket, "AF_ALG", -1) else socket.SOCK_DGRAM
    socket.socket(family, kind).close()


def abstract_name(env: Env, order: Order) -> None:
    """Listen under an abstract name, which needs no file system."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind("\0caplab-was-here")


def datagram_pair(env: Env, order: Order) -> None:
    """Reach sockets of the host from half a socket pair, which may send to any address."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    folder = run_directory(env)
    places = (*HOST_SOCKETS, f"{folder}/control.sock", "\0caplab-was-here")
    with ours, theirs:
        each({place: partial(_send, ours, place) for place in places})


def _send(sender: socket.socket, place: str) -> None:
    try:
        sender.sendto(b"", place)
    except OSError as error:
        if error.errno == errno.EPROTOTYPE:
            return  # it is there, and of another kind: one of the right kind would have got it
        raise


def run_directory(env: Env) -> str:
    """Where the kernel's own socket lies on the host, as the connection to it tells."""
    with own(env) as connection:
        return os.path.dirname(str(connection.getpeername()))


def control_socket(env: Env, order: Order) -> None:
    """Connect to the operators' socket of this system, and ask for its end."""
    folder = run_directory(env)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as operator:
        operator.connect(f"{folder}/control.sock")
        # An operator would now send a line with "op": "down".


def descriptor_flood(env: Env, order: Order) -> None:
    """Send descriptors over the spawn channel, for the kernel to keep."""
    channel = socket.socket(fileno=os.dup(env.info.channel))
    channel.setblocking(False)
    sent = 0
    with channel:
        try:
            for _ in range(100):
                socket.send_fds(channel, [b"take these"], [0] * 100)
                sent += 100
        except BlockingIOError:
            pass
    raise Contained(f"{sent} were sent, none was taken")


def false_words(env: Env, order: Order) -> None:
    """Say over the spawn channel that other threads are its own, and fill it."""
    channel = socket.socket(fileno=os.dup(env.info.channel))
    channel.setblocking(False)
    with channel:
        try:
            for number in range(10_000):
                channel.send(b"\x82\xa3tcb\x00\xa3tid" + b"\xce" + number.to_bytes(4, "big"))
        except BlockingIOError:
            pass
    raise Contained("they concern nobody but itself")
