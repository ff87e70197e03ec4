"""Extended IPC: buffers of up to 2048 bytes, in pieces that nobody sees."""

import random
from typing import Any

import pytest

from caplab.pd.l4 import EINTR, EINVAL, ENOIPC, ETIMEDOUT, L4_ANYTHREAD, L4Thread, wire
from caplab.pd.l4.numbers import Kind
from caplab.pd.objects import Memory
from l4_system import l4_system

SIZES = (0, 1, wire.FIRST_PIECE, wire.FIRST_PIECE + 1, 1872, 1873, 2048)
"""With the edges between one piece and the next."""


def pattern(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", SIZES)
def test_a_buffer_arrives_byte_by_byte(size: int) -> None:
    with l4_system("a", "b") as (a, b):
        buffer = bytearray(2048)
        sent = a.begins(lambda l4: l4.send_extended(b.tid, 44, pattern(size)))
        assert b.does(lambda l4: l4.receive_extended(L4_ANYTHREAD, buffer)) == 0
        assert sent.result(5) == 0
        assert b.does(lambda l4: (l4.get_tag(), l4.get_sender(), l4.received)) == (44, a.tid, size)
        assert buffer == pattern(size).ljust(2048, b"\0"), "the rest of the buffer is as it was"


@pytest.mark.parametrize("size", SIZES)
def test_a_buffer_comes_back_too(size: int) -> None:
    with l4_system("a", "b", alone=("a",)) as (a, b):
        to, buffer, there = a.id_of("b"), bytearray(2048), bytearray(2048)
        called = a.begins(lambda l4: l4.sendrecv_extended(to, to, 1, buffer))
        assert b.does(lambda l4: l4.receive_extended(L4_ANYTHREAD, there)) == 0
        assert b.does(lambda l4: l4.ipc_return_extended(-4, pattern(size))) == 0
        served = b.begins(lambda l4: l4.receive(timeout=1))
        assert called.result(5) == 0
        assert a.does(lambda l4: (l4.get_retval(), l4.received)) == (-4, size)
        assert bytes(buffer[:size]) == pattern(size)
        b.system.advance(1)
        assert served.result(5) == -ETIMEDOUT
        assert b.does(lambda l4: l4.box.returns) == {}


@pytest.mark.parametrize(("mine", "theirs"), [(2048, 100), (100, 2048), (2048, 1000), (2048, 0)])
def test_the_smaller_of_two_buffers_says_how_much_travels(mine: int, theirs: int) -> None:
    with l4_system("a", "b") as (a, b):
        buffer = bytearray(b"x" * theirs)
        sent = a.begins(lambda l4: l4.send_extended(b.tid, 1, pattern(mine)))
        assert b.does(lambda l4: l4.receive_extended(a.tid, buffer)) == 0
        assert sent.result(5) == 0
        least = min(mine, theirs)
        assert bytes(buffer) == pattern(mine)[:least] + b"x" * (theirs - least)
        assert b.does(lambda l4: l4.received) == least


MIXED: dict[str, tuple[Any, Any]] = {
    "short to extended": (lambda l4, to: l4.send(to, 1), True),
    "full to extended": (lambda l4, to: l4.sendrecv_full(to, to, 1), True),
    "extended to short": (lambda l4, to: l4.send_extended(to, 1, bytes(2048)), False),
    "extended sendrecv to short": (
        lambda l4, to: l4.sendrecv_extended(to, to, 1, bytes(2048)),
        False,
    ),
}


@pytest.mark.parametrize("mixed", MIXED)
def test_extended_mixed_with_another_kind_is_refused_on_both_sides(mixed: str) -> None:
    send, extended = MIXED[mixed]
    with l4_system("a", "b") as (a, b):
        sent = a.begins(lambda l4: send(l4, b.tid))

        def receive(l4: L4Thread) -> int:
            return l4.receive_extended(a.tid, bytearray(9)) if extended else l4.receive()

        assert b.does(receive) == -ENOIPC
        assert sent.result(5) == -ENOIPC


def test_a_return_of_another_kind_is_refused_on_both_sides() -> None:
    with l4_system("a", "b", alone=("a",)) as (a, b):
        to = a.id_of("b")
        called = a.begins(lambda l4: l4.sendrecv(to, to, 1))
        b.does(lambda l4: l4.receive())
        assert b.does(lambda l4: l4.ipc_return_extended(0, b"1")) == -ENOIPC
        assert called.result(5) == -ENOIPC
        called = a.begins(lambda l4: l4.sendrecv_extended(to, to, 1, b""))
        b.does(lambda l4: l4.receive_extended(L4_ANYTHREAD, bytearray(1)))
        assert b.does(lambda l4: l4.ipc_return(0)) == -ENOIPC
        assert called.result(5) == -ENOIPC


def test_the_pieces_of_two_senders_do_not_mix() -> None:
    with l4_system("a", "b", "server") as (a, b, server):
        buffers = {who.tid: pattern(2000 + n) for n, who in enumerate((a, b))}
        sent = [
            who.begins(lambda l4, data=buffers[who.tid]: l4.send_extended(server.tid, 1, data))
            for who in (a, b)
        ]
        for _ in range(2):
            buffer = bytearray(2048)
            assert server.does(lambda l4, buf=buffer: l4.receive_extended(L4_ANYTHREAD, buf)) == 0
            sender, size = server.does(lambda l4: (l4.get_sender(), l4.received))
            assert bytes(buffer[:size]) == buffers.pop(sender)
        assert [one.result(5) for one in sent] == [0, 0]


def test_an_extended_message_is_set_aside_like_any_other() -> None:
    with l4_system("a", "b", "server") as (a, b, server):
        sent = a.begins(lambda l4: l4.send_extended(server.tid, 1, pattern(2048)))
        b.begins(lambda l4: l4.send(server.tid, 2))
        assert server.does(lambda l4: l4.receive(b.tid)) == 0
        buffer = bytearray(2048)
        assert server.does(lambda l4: l4.receive_extended(a.tid, buffer)) == 0
        assert sent.result(5) == 0
        assert buffer == pattern(2048)


def test_a_sender_that_dies_between_two_pieces_is_forgotten() -> None:
    with l4_system("a", "server", alone=("a",)) as (a, server):
        label = wire.label(wire.SEND | Kind.EXTENDED, 2048)
        first = a.begins(lambda l4: l4.env.endpoint("the-server").call(label, bytes(960)))
        waiting = server.begins(
            lambda l4: l4.receive_extended(L4_ANYTHREAD, bytearray(2048), timeout=1)
        )
        assert wire.head(first.result(5).label) == (wire.CONTINUE, Kind(0), 0, 912)
        assert len(server.l4.box.partial) == 1
        a.dies()
        server.system.until(lambda: not server.l4.box.partial)
        server.system.advance(1)
        assert waiting.result(5) == -ETIMEDOUT


@pytest.mark.parametrize("offset", [1, 912, 2048])
def test_a_piece_of_nothing_is_refused(offset: int) -> None:
    with l4_system("a", "server", alone=("a",)) as (a, server):
        label = wire.label(wire.SENDRECV | Kind.EXTENDED, 2048, offset)
        called = a.begins(lambda l4: l4.env.endpoint("the-server").call(label, bytes(960)))
        server.begins(lambda l4: l4.receive_extended(L4_ANYTHREAD, bytearray(2048), timeout=1))
        assert wire.head(called.result(5).label) == (wire.ERROR, Kind(0), EINTR, 0)
        server.system.advance(1)


def test_pieces_of_a_return_are_for_who_was_returned_to() -> None:
    with l4_system("a", "server", alone=("a",)) as (a, server):
        label = wire.label(wire.FETCH, 0, 912)
        called = a.begins(lambda l4: l4.env.endpoint("the-server").call(label))
        server.begins(lambda l4: l4.receive(timeout=1))
        assert wire.head(called.result(5).label) == (wire.ERROR, Kind(0), EINVAL, 0)
        server.system.advance(1)


def test_a_server_that_does_not_receive_again_keeps_the_rest_of_a_return() -> None:
    """The caller's time limit counts for the pieces too."""
    with l4_system("a", "b", alone=("a",)) as (a, b):
        to, buffer = a.id_of("b"), bytearray(2048)
        called = a.begins(lambda l4: l4.sendrecv_extended(to, to, 1, buffer, timeout=2))
        b.does(lambda l4: l4.receive_extended(L4_ANYTHREAD, bytearray(2048)))
        b.does(lambda l4: l4.ipc_return_extended(0, bytes(2048)))
        a.system.until(lambda: a.waits)
        a.system.advance(2)
        assert called.result(5) == -ETIMEDOUT


def test_an_offset_into_a_shared_page_does_what_a_pointer_did() -> None:
    """The seed sends pointers: here both sides have the page, and registers say where in it."""
    with l4_system("client", "server", alone=("client",)) as (client, server):
        to = client.id_of("server")
        page = client.does(lambda l4: l4.env.memory())
        text = pattern(3000)

        def request(l4: L4Thread) -> int:
            with page.map() as window:
                window.write(64, text)
            l4.write_mr(2, 64)
            l4.write_mr(3, len(text))
            return l4.sendrecv(to, to, 1, caps=[page])

        def serve(l4: L4Thread) -> bytes:
            l4.takes_caps = True
            assert l4.receive() == 0
            with l4.env.cap(Memory, l4.slots[0]).map() as window:
                found = window.read(l4.read_mr(2), l4.read_mr(3))
            l4.ipc_return(len(found))
            return found

        called = client.begins(request)
        assert server.does(serve) == text
        assert called.result(5) == 0
        assert client.does(lambda l4: l4.get_retval()) == 3000
