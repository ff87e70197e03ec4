"""Printing by calls, from a buffer, and through a ring: what is printed when. What a death loses:
`test_losses.py`."""

import socket
from typing import Any

import pytest

from buffered import connect
from caplab.kernel.abi import PAGE_SIZE
from caplab.pd.objects import Memory
from caplab.pd.ring import HEAD, RingWriter
from caplab.servers.serial import (
    BrokenRing,
    InvalidArgument,
    InvalidCapability,
    LineDown,
    NotConnected,
    Serial,
    ShmemTooLarge,
    buffering,
)
from caplab.servers.serial import protocol as wire
from caplab.servers.serial.buffering import KINDS
from caplab.servers.serial.exchange import exchange, request
from caplab.servers.serial.protocol import RING_MAX, RING_PAGES, Function, Option
from threaded_system import PATIENCE, Hand, ThreadedSystem, Uart, client_pd, serial_pd


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_printed_in_its_order_and_once(
    system: ThreadedSystem, uart: Uart, kind: str
) -> None:
    with connect(system, kind) as out:
        for number in range(100):
            assert out.printf("line %d\n", number) == len(f"line {number}\n")
        out.flush()
        assert out.unsent == 0
        assert uart.read_all() == b"".join(b"line %d\r\n" % n for n in range(100))
        assert out.flush() == 0
        out.write("the end\n")
    assert uart.read_all() == b"the end\r\n"


@pytest.mark.parametrize("kind", KINDS)
def test_text_of_any_length_is_printed_in_pieces_that_end_with_a_line(
    system: ThreadedSystem, uart: Uart, kind: str
) -> None:
    text = b"".join(b"%d %s\n" % (n, b"x" * (n % 200)) for n in range(900))
    hand = Hand(system, "a")
    out = hand.do(lambda env: connect(system, kind))
    done = hand.begin(lambda env: (out.write_all(text), out.flush()))
    printed = b""
    while len(printed) < len(text) + 900:
        printed += uart.expect(b"\n")
    assert done.result(PATIENCE)[0] == len(text)
    hand.do(lambda env: out.disconnect())
    assert printed == text.replace(b"\n", b"\r\n")


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_text_is_cut_behind_its_lines(
    system: ThreadedSystem, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    out, pieces = connect(system, kind), []

    def write(text: bytes, timeout: float | None) -> int:
        pieces.append(text)
        return len(text)

    monkeypatch.setattr(out._out, "write", write)
    lines = [b"x" * 99 + b"\n"] * (out._out.piece // 100 + 1)
    assert out.write_all(b"".join(lines)) == 100 * len(lines)
    assert len(pieces) == 2
    assert pieces[0].endswith(b"\n")
    monkeypatch.undo()
    out.disconnect()


def test_the_manifest_says_how_a_client_prints() -> None:
    client = client_pd("a") | {"console": {"buffering": "write-back"}}
    with ThreadedSystem(serial_pd(colour=False), client) as system:
        out = Serial.connect(system.env("a").endpoint("console"))
        out.write("kept")
        assert out.unsent == 4
        out.disconnect()


def test_write_back_prints_at_a_flush_a_read_and_when_the_buffer_is_full(
    system: ThreadedSystem, uart: Uart
) -> None:
    out = connect(system, "write-back")
    out.write("a line\nand a beginning")
    calls = system.root.latest["a"].calls
    assert uart.read_all() == b""
    assert out.flush() == 22
    assert system.root.latest["a"].calls == calls + 1
    out.write("x" * 90 + "\n" + "y" * 3900)
    assert uart.read_all() == b"a line\r\nand a beginning"
    out.write("z" * 150)
    assert uart.read_all() == b"x" * 90 + b"\r\n"
    assert out.unsent == 4050
    uart.type(b"answer\r")
    assert out.read_line("? ") == "answer"
    assert uart.read_all() == b"y" * 3900 + b"z" * 150 + b"? answer\r\n"
    out.disconnect()


def test_through_a_ring_lines_are_printed_with_a_signal_for_many_and_no_call(
    system: ThreadedSystem, uart: Uart
) -> None:
    out = connect(system, "ring")
    out.write("wakes\n")
    assert uart.expect(b"\n") == b"wakes\r\n"
    system.until(lambda: system.blocked("serial"))
    system.operate(op="suspend", pd="serial")
    out.write("signals\n")
    calls = system.root.latest["a"].calls
    for number in range(50):
        out.printf("%d\n", number)
    assert system.root.latest["a"].calls == calls
    system.operate(op="resume", pd="serial")
    assert uart.expect(b"49\r\n").count(b"\n") == 51
    out.disconnect()


def test_an_unfinished_line_waits_in_the_ring_for_its_end(
    system: ThreadedSystem, uart: Uart
) -> None:
    out = connect(system, "ring")
    out.write("one\ntw")
    assert uart.expect(b"\n") == b"one\r\n"
    other = connect(system, "call", "b")
    other.write("other\n")
    out.write("o\n")
    assert uart.expect(b"two\r\n") == b"other\r\ntwo\r\n"
    out.write("asked for")
    out.flush()
    assert uart.read_all() == b"asked for"
    out.disconnect()


def test_a_line_longer_than_the_ring_is_printed_in_pieces(
    system: ThreadedSystem, uart: Uart
) -> None:
    hand = Hand(system, "a")
    out = hand.do(lambda env: connect(system, "ring"))
    done = hand.begin(lambda env: (out.write_all(b"x" * 100_000), out.flush()))
    printed = b""
    while len(printed) < 100_000:
        printed += uart.expect(b"x" * 1000)
    assert done.result(PATIENCE)[0] == 100_000
    assert printed == b"x" * 100_000
    hand.do(lambda env: out.disconnect())


def test_a_ring_of_more_pages_than_allowed_is_refused(system: ThreadedSystem) -> None:
    with pytest.raises(ShmemTooLarge):
        connect(system, "ring", pages=128)
    assert not system.segments


def test_a_window_is_used_as_what_it_was_connected_as(system: ThreadedSystem) -> None:
    ring, window = connect(system, "ring"), connect(system, "call", "b")
    with pytest.raises(InvalidArgument):
        request(ring.endpoint, Function.WRITE, 1)
    with pytest.raises(InvalidArgument):
        ring.flush(1)
    with pytest.raises(InvalidArgument):
        request(window.endpoint, Function.SYNC, 1)


def ring_by_hand(system: ThreadedSystem, **writes: bytes) -> tuple[Any, Any]:
    """A ring made by hand: the endpoint and the window, connected."""
    env = system.env("a")
    endpoint, memory = env.endpoint("console"), env.memory(pages=RING_PAGES)
    window = memory.map()
    for place, data in writes.items():
        window.write(int(place[1:]), data)
    asked = wire.encode(Function.CONNECT, RING_MAX, Option.RING)
    exchange(endpoint, asked, [memory], None, env.slots.alloc())
    return endpoint, window


def test_a_ring_must_be_as_large_as_it_is_said_to_be_and_writable(
    system: ThreadedSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    env, plain = system.env("a"), Memory.map

    def granted_for_reading(memory: Memory) -> Any:
        window = plain(memory)
        window.writable = memory.env.name != "serial"
        return window

    def ask(memory: Memory, size: int) -> None:
        asked = wire.encode(Function.CONNECT, size, Option.RING)
        exchange(env.endpoint("console"), asked, [memory], None, env.slots.alloc())

    with pytest.raises(InvalidCapability):
        ask(env.memory(pages=2), 3 * PAGE_SIZE)
    monkeypatch.setattr(Memory, "map", granted_for_reading)
    with pytest.raises(InvalidCapability):
        ask(env.memory(pages=2), 2 * PAGE_SIZE)


def index(value: int) -> bytes:
    return value.to_bytes(8, "little") + (value ^ (1 << 64) - 1).to_bytes(8, "little")


def test_a_ring_whose_indices_cannot_be_is_refused_or_dropped(
    system: ThreadedSystem, uart: Uart
) -> None:
    with pytest.raises(BrokenRing) as info:
        ring_by_hand(system, _0=index(1 << 40))
    assert info.value.code == 21
    endpoint, window = ring_by_hand(system, _0=index(0), _64=index(0))
    writer = RingWriter(window.mapping())
    system.until(lambda: system.blocked("serial"))
    writer._publish(HEAD, 1 << 40)
    with pytest.raises(BrokenRing):
        request(endpoint, Function.SYNC, 1)
    with pytest.raises(NotConnected):
        request(endpoint, Function.SYNC, 1)
    assert uart.read_all() == b"[serial: the ring of a is broken]\r\n"
    with connect(system, "call", "b") as other:
        other.write("fine\n")


@pytest.mark.parametrize("kind", ["write-back", "ring"])
def test_what_a_line_that_is_down_does_not_take_stays_with_its_client(
    system: ThreadedSystem, uart: Uart, kind: str
) -> None:
    out = connect(system, kind)
    system.until(lambda: system.blocked("serial"))
    uart.end.shutdown(socket.SHUT_RDWR)
    uart.interrupt()
    system.until(lambda: system.blocked("serial"))
    out.write("kept\n")
    with pytest.raises(LineDown):
        out.flush()
    assert out.unsent == len("kept\n")
    system.operate(op="kill", pd="a")
    system.until(lambda: system.blocked("serial"))
    with pytest.raises(LineDown):  # the server has got over it
        connect(system, "call", "b").write("x")


def test_a_flush_through_a_ring_asks_for_nothing_that_is_printed_anyway(
    system: ThreadedSystem, uart: Uart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffering, "NAPS", (0.001,) * 10_000)
    out = connect(system, "ring")
    system.until(lambda: system.blocked("serial"))
    calls = system.root.latest["a"].calls
    out.write("a line\n")
    out.flush()
    assert uart.read_all() == b"a line\r\n"
    assert system.root.latest["a"].calls == calls + 1  # the signal
    monkeypatch.setattr(buffering, "NAPS", (-1.0,))  # which nobody sleeps
    out.write("no line")
    out.flush()
    assert uart.read_all() == b"no line"
    out.disconnect()


def test_a_client_that_gives_its_ring_away_is_told_and_does_not_fault(
    system: ThreadedSystem,
) -> None:
    out = connect(system, "ring")
    out.write("before\n")
    out.flush()
    Hand(system, "a").do(lambda env: out._out.memory.unmap())
    for ask in (lambda: out.write("behind\n"), out.flush, lambda: out.unsent):
        with pytest.raises(BrokenRing):
            ask()


def test_a_server_that_writes_what_cannot_be_is_not_believed(system: ThreadedSystem) -> None:
    out = connect(system, "ring")
    out._out.window.write(64, index(1 << 40))
    with pytest.raises(BrokenRing):
        out.flush()
    with pytest.raises(BrokenRing):
        out.write_all(b"x" * RING_MAX)
