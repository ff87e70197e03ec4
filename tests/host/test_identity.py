"""Who may speak under a routing id, and what becomes of bytes that are no ZMTP at all."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from caplab.kernel.core.events import BadFrame, Syscall
from loop_lab import FakeKernel, LoopLab, echo
from raw_zmtp import GREETING, LONG, MORE, RawPeer, frame, ready

IMPOSSIBLE = 1 << 62
UNSPOILT = {
    "no greeting": b"GET / HTTP/1.1\r\nHost: kernel\r\n\r\n" * 4,
    "a greeting of another mechanism": GREETING.replace(b"NULL", b"CURV") + ready(b"x" * 16),
    "a frame of 2**62 bytes": GREETING + ready(b"x" * 16) + b"\x02" + IMPOSSIBLE.to_bytes(8, "big"),
    "a READY that lies about its lengths": GREETING + frame(b"\x05READY\xff", 4),
    "reserved flags": GREETING + ready(b"x" * 16) + bytes([0xF8, 3]) + b"abc",
    "a message before READY": GREETING + frame(b"hello"),
}


@pytest.fixture
def lab(runtime_dir: Path) -> Iterator[LoopLab]:
    with LoopLab(runtime_dir, FakeKernel(echo)) as lab:
        yield lab


def heard(lab: LoopLab) -> list[bytes]:
    return [event.frame for event in lab.kernel.events if isinstance(event, Syscall)]


def test_a_second_connection_under_the_same_id_is_never_heard(lab: LoopLab) -> None:
    (one,), (two,) = lab.pd(1, 1), lab.pd(2, 2)
    owner, neighbour = lab.peer(one), lab.peer(two)
    owner.send(b"mine")
    assert owner.recv() == b"mine"
    impostor = lab.peer(one)
    impostor.send(b"as if I were it")
    for _ in range(20):
        owner.send(b"mine")
        assert owner.recv() == b"mine"  # with HANDOVER the impostor would be told it
        neighbour.send(b"other")
        assert neighbour.recv() == b"other"
    assert set(heard(lab)) == {b"mine", b"other"}
    assert not impostor.poll(0)


def test_a_second_connection_is_not_heard_even_when_the_first_has_ended(lab: LoopLab) -> None:
    (one,), (two,) = lab.pd(1, 1), lab.pd(2, 2)
    owner, neighbour = lab.peer(one), lab.peer(two)
    owner.send(b"mine")
    assert owner.recv() == b"mine"
    with RawPeer(lab.address, one).introduce() as impostor:
        neighbour.send(b"other")  # from here on the loop has seen the second connection
        assert neighbour.recv() == b"other"
        owner.close()
        for _ in range(20):
            impostor.send(frame(b"as if I were it"))
            neighbour.send(b"other")
            assert neighbour.recv() == b"other"
    assert set(heard(lab)) == {b"mine", b"other"}


def test_an_id_that_is_stolen_before_its_owner_speaks_is_a_fault_of_the_owner(
    lab: LoopLab,
) -> None:
    (stolen,) = lab.pd(1, 1, pid=os.getppid())
    thief = lab.peer(stolen)
    thief.send(b"I came first")
    (bad,) = lab.kernel.seen(BadFrame)
    assert (bad.tcb, bad.reason) == (1, "another process has used its routing id")
    assert heard(lab) == []
    assert not thief.poll(0)


@pytest.mark.parametrize("data", UNSPOILT.values(), ids=UNSPOILT)
def test_bytes_that_are_no_zmtp_end_their_connection_and_nothing_else(
    lab: LoopLab, data: bytes
) -> None:
    (one,) = lab.pd(1, 1)
    honest = lab.peer(one)
    honest.send(b"before")
    assert honest.recv() == b"before"
    with RawPeer(lab.address, b"x" * 16) as raw:
        raw.send(data)
        honest.send(b"during")
        assert honest.recv() == b"during"
        raw.socket.shutdown(1)
        assert raw.gone()
    honest.send(b"after")
    assert honest.recv() == b"after"
    assert {event.tcb for event in lab.kernel.events if isinstance(event, Syscall)} == {1}


def test_a_peer_that_speaks_zmtp_by_hand_is_heard_like_any_other(lab: LoopLab) -> None:
    (one,) = lab.pd(1, 1)
    with RawPeer(lab.address, one).introduce() as raw:
        raw.send(frame(b"by hand"))
        (call,) = lab.kernel.seen(Syscall)
        assert (call.tcb, call.frame) == (1, b"by hand")


def test_who_speaks_the_first_zmtp_is_nobody_whatever_its_id(lab: LoopLab) -> None:
    (one,), (two,) = lab.pd(1, 1), lab.pd(2, 2)
    honest = lab.peer(two)
    for routing_id in (b"", b"x", one):
        with RawPeer(lab.address, b"") as raw:
            for part in (routing_id, b"of no process", b"x", one, two):
                raw.send(bytes([len(part) + 1, 0]) + part)  # ZMTP 1.0 has no greeting
            raw.half_close()
            assert raw.gone()
        for _ in range(10):
            honest.send(b"mine")
            assert honest.recv() == b"mine"
    assert {event.tcb for event in lab.kernel.seen(BadFrame)} == {1}
    assert set(heard(lab)) == {b"mine"}


def test_an_unfinished_message_is_not_heard_and_keeps_nobody_waiting(lab: LoopLab) -> None:
    (one,), (two,) = lab.pd(1, 1), lab.pd(2, 2)
    honest = lab.peer(two)
    with RawPeer(lab.address, one).introduce() as raw:
        for _ in range(50):
            raw.send(frame(b"part", MORE) + frame(b"p" * 300, MORE | LONG))
            honest.send(b"mine")
            assert honest.recv() == b"mine"
    assert {call.tcb for call in lab.kernel.seen(Syscall)} == {2}
