"""Which connection belongs to whom, by the descriptor that ZeroMQ has of it."""

import os
import socket
import struct
from typing import NamedTuple

_CREDENTIALS = struct.Struct("3i")


class Peer(NamedTuple):
    """Whom a routing id was made for."""

    pd: int
    tcb: int


class Links:
    """The connections of introduced peers.

    A descriptor's number is soon used again, an inode's is not: the two together are a connection.
    """

    def __init__(self) -> None:
        self._peers: dict[tuple[int, int], Peer] = {}

    def add(self, fd: int, pid: int, peer: Peer) -> None:
        """The peer's first message came over `fd`, from a process with this pid."""
        # Of a connection that has been closed meanwhile the descriptor may be another's, or
        # nobody's, even since the line before: no connection has the inode 0.
        self._peers[fd, max(inode(fd), 0) if _peer_pid(fd) == pid else 0] = peer

    def of(self, fd: int) -> Peer | None:
        """Whose connection this is now."""
        return self._peers.get((fd, inode(fd)))

    def hung_up(self, fd: int) -> list[int]:
        """The PDs, not yet forgotten, that have lost a connection that had this descriptor."""
        now = inode(fd)
        return [peer.pd for link, peer in self._peers.items() if link[0] == fd and link[1] != now]

    def forget(self, pd: int) -> None:
        for link in [link for link, peer in self._peers.items() if peer.pd == pd]:
            del self._peers[link]


def inode(fd: int) -> int:
    """Which connection this descriptor is now; -1 if none."""
    try:
        return os.fstat(fd).st_ino
    except OSError:
        return -1


def _peer_pid(fd: int) -> int:
    try:
        with socket.socket(fileno=os.dup(fd)) as connection:
            found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError:
        return -1
    return int(_CREDENTIALS.unpack(found)[0])
