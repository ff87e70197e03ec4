"""Messages with descriptors, against the other end of a socketpair."""

import os
import socket
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pytest

from caplab.kernel.host.channel import Channel
from caplab.kernel.host.doorbell import Doorbell


class Ends:
    """A channel and the socket it talks to; the helper thread runs only when told."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.descriptors: list[int] = []
        self.ended = 0
        inbox: deque[Callable[[], None]] = deque()
        self.doorbell = Doorbell(inbox, lambda: None)
        mine, self.other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.other.setblocking(False)
        self.channel = Channel(mine, self.doorbell, self._message, self._end)

    def _message(self, message: dict[str, Any], descriptors: list[int]) -> None:
        self.messages.append(message)
        self.descriptors += descriptors

    def _end(self) -> None:
        self.ended += 1

    def turn(self) -> None:
        """One round of the helper thread, in this one."""
        self.doorbell.turn(1)

    def receive(self) -> tuple[dict[str, Any], list[int]]:
        data, descriptors, _, _ = socket.recv_fds(self.other, 1 << 16, 8)
        self.descriptors += descriptors
        return msgpack.unpackb(data), descriptors


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.channel.close()
    ends.other.close()
    for descriptor in ends.descriptors:
        os.close(descriptor)
    ends.doorbell.close()


def pipe_with(text: bytes) -> int:
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    return reading


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_message_takes_its_descriptors_along_and_closes_its_own_copies(ends: Ends) -> None:
    descriptor = pipe_with(b"hello")
    ends.channel.send({"op": "spawn"}, [descriptor])
    assert not is_open(descriptor)
    message, (arrived,) = ends.receive()
    assert message == {"op": "spawn"}
    assert os.read(arrived, 10) == b"hello"


def test_what_finds_no_room_waits_and_arrives_whole_and_in_order(ends: Ends) -> None:
    sent = [pipe_with(bytes([n])) for n in range(200)]
    filler = b"x" * 8000  # some fill the socket's buffer long before the last
    for n, descriptor in enumerate(sent):
        ends.channel.send({"n": n, "filler": filler}, [descriptor])
    assert any(is_open(descriptor) for descriptor in sent)
    arrived = []
    while len(arrived) < len(sent):
        try:
            arrived.append(ends.receive())
        except BlockingIOError:
            ends.turn()
    assert [message["n"] for message, _ in arrived] == list(range(200))
    assert [os.read(fd, 2) for _, (fd,) in arrived] == [bytes([n]) for n in range(200)]


def test_a_message_from_the_other_end_comes_with_its_descriptors(ends: Ends) -> None:
    descriptor = pipe_with(b"pid")
    socket.send_fds(ends.other, [msgpack.packb({"op": "started"})], [descriptor])
    os.close(descriptor)
    ends.turn()
    assert ends.messages == [{"op": "started"}]
    assert os.read(ends.descriptors[0], 10) == b"pid"
    assert not os.get_inheritable(ends.descriptors[0])


def test_the_end_is_told_once_whether_it_is_read_or_written_to(ends: Ends) -> None:
    descriptor = pipe_with(b"")
    ends.other.close()
    ends.channel.send({"op": "spawn"}, [descriptor])
    ends.channel.send({"op": "spawn"})
    ends.turn()
    assert ends.ended == 1
    ends.channel.close()
    assert not is_open(descriptor)


def test_closing_it_ourselves_is_no_news(ends: Ends) -> None:
    ends.channel.close()
    assert ends.ended == 0
    assert ends.other.recv(1) == b""
