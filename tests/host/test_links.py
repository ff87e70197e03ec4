"""Whose connection a descriptor is, while ZeroMQ closes connections in a thread of its own."""

import os
import socket

import pytest

from caplab.kernel.host import links
from caplab.kernel.host.links import Links, Peer

PEER = Peer(pd=3, tcb=5)


def test_a_connection_is_its_peers_until_its_descriptor_is_closed() -> None:
    known = Links()
    ours, theirs = socket.socketpair()
    fd = ours.fileno()
    with theirs:
        known.add(fd, os.getpid(), PEER)
        assert known.of(fd) == PEER
        assert known.hung_up(fd) == []
        ours.close()
        assert known.hung_up(fd) == [PEER.pd]


@pytest.mark.parametrize("when", ["before", "between"])
def test_who_hangs_up_while_he_is_being_introduced_is_missed_nevertheless(
    when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = socket.socketpair()
    fd = ours.fileno()
    real = links._peer_pid

    def then_closed(descriptor: int) -> int:
        pid = real(descriptor)
        ours.close()
        return pid

    if when == "before":
        ours.close()
    else:
        monkeypatch.setattr(links, "_peer_pid", then_closed)
    with theirs:
        known = Links()
        known.add(fd, os.getpid(), PEER)
        assert known.hung_up(fd) == [PEER.pd]
