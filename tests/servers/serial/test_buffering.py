"""Printing by calls, from a buffer, and through a ring: what is printed when, and what a death of
either side loses or prints twice. On processes: `tests/systems/test_serial_crashes.py`."""

from collections.abc import Iterator
from typing import Any

import pytest

from caplab.pd.errors import CapError, PeerDied, Revoked
from caplab.pd.ring import HEAD, RingWriter
from caplab.servers.serial import BrokenRing, InvalidArgument, NotConnected, Serial, ShmemTooLarge
from caplab.servers.serial import protocol as wire
from caplab.servers.serial.buffering import KINDS
from caplab.servers.serial.exchange import exchange, request
from caplab.servers.serial.protocol import RING_MAX, RING_PAGES, Function, Option
from threaded_system import PATIENCE, Hand, ThreadedSystem, Uart, client_pd, serial_pd


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    """A server without colours, and clients a and b."""
    with ThreadedSystem(
        serial_pd(colour=False), client_pd("a"), client_pd("b", threads=2)
    ) as system:
        ready(system)
        yield system


@pytest.fixture
def uart(system: ThreadedSystem) -> Uart:
    return system.uarts["uart0"]


def ready(system: ThreadedSystem) -> None:
    system.until(lambda: system.root.latest["serial"].received)


def connect(system: ThreadedSystem, buffering: str, name: str = "a", **more: Any) -> Serial:
    return Serial.connect(system.env(name).endpoint("console"), buffering=buffering, **more)


def kill_server(system: ThreadedSystem) -> None:
    system.operate(op="kill", pd="serial")
    system.operate(op="restart", pd="serial")
    ready(system)


def silence(system: ThreadedSystem) -> None:
    """Keep the server from doing anything until it is killed, once it has nothing to do."""
    system.until(lambda: system.blocked("serial"))
    system.operate(op="suspend", pd="serial")


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


def index(value: int) -> bytes:
    return value.to_bytes(8, "little") + (value ^ (1 << 64) - 1).to_bytes(8, "little")


def test_a_ring_whose_indices_cannot_be_is_refused_or_dropped(
    system: ThreadedSystem, uart: Uart
) -> None:
    with pytest.raises(BrokenRing) as info:
        ring_by_hand(system, _0=index(1 << 40))
    assert info.value.code == 21
    endpoint, window = ring_by_hand(system, _0=index(0), _64=index(0))
    writer = RingWriter(window, RING_MAX)
    system.until(lambda: system.blocked("serial"))
    writer._publish(HEAD, 1 << 40)
    with pytest.raises(BrokenRing):
        request(endpoint, Function.SYNC, 1)
    with pytest.raises(NotConnected):
        request(endpoint, Function.SYNC, 1)
    assert uart.read_all() == b"[serial: the ring of a is broken]\r\n"
    with connect(system, "call", "b") as other:
        other.write("fine\n")


def test_a_server_that_writes_what_cannot_be_is_not_believed(system: ThreadedSystem) -> None:
    out = connect(system, "ring")
    out._out.window.write(64, index(1 << 40))
    with pytest.raises(BrokenRing):
        out.flush()
    with pytest.raises(BrokenRing):
        out.write_all(b"x" * RING_MAX)


# -- what a client's death loses ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "printed"),
    [("call", b"1\r\n2\r\n3"), ("write-back", b"1\r\n"), ("ring", b"1\r\n2\r\n3")],
)
def test_a_client_that_dies_loses_what_stands_in_its_own_buffer_alone(
    system: ThreadedSystem, uart: Uart, kind: str, printed: bytes
) -> None:
    out = connect(system, kind)
    out.write("1\n")
    out.flush()
    system.until(lambda: system.blocked("serial"))
    system.operate(op="suspend", pd="serial")
    if kind == "call":
        system.operate(op="resume", pd="serial")
    out.write("2\n3")
    if kind != "call":
        system.operate(op="resume", pd="serial")
    report = system.operate(op="kill", pd="a")
    assert report["pending"] == []
    system.until(lambda: system.blocked("serial"))
    assert uart.read_all() == printed
    assert not system.segments


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_ends_well_has_everything_printed(
    system: ThreadedSystem, uart: Uart, kind: str
) -> None:
    out = connect(system, kind)
    out.write("no newline")
    system.env("a").leave()
    assert uart.expect(b"line") == b"no newline"
    system.env("a").leave()


# -- what a server's death loses -------------------------------------------------------------------


def test_by_call_a_writer_is_told_whether_its_text_may_have_been_printed(
    system: ThreadedSystem, uart: Uart
) -> None:
    out = connect(system, "call")
    out.write("printed\n")
    silence(system)
    hand = Hand(system, "a")
    waiting = hand.begin(lambda env: out.write("in doubt or not\n"))
    system.until(lambda: system.blocked("a"))
    kill_server(system)
    with pytest.raises(PeerDied) as info:
        waiting.result(PATIENCE)
    assert info.value.when.name == "DIED_BEFORE_RECV"
    with pytest.raises(PeerDied):
        hand.do(lambda env: out.write("too late\n"))
    hand.do(lambda env: out.reconnect())
    hand.do(lambda env: out.write("again\n"))
    assert uart.read_all() == b"printed\r\nagain\r\n"
    hand.do(lambda env: out.disconnect())


@pytest.mark.parametrize("kind", ["write-back", "ring"])
def test_what_was_kept_comes_to_the_next_server_once(
    system: ThreadedSystem, uart: Uart, kind: str
) -> None:
    out = connect(system, kind)
    out.write("before\n")
    out.flush()
    silence(system)
    out.write("kept\n")
    kill_server(system)
    out.write("later\n")
    with pytest.raises(PeerDied):
        out.flush()
    assert out.unsent == len("kept\nlater\n")
    out.reconnect()
    assert out.unsent == 0
    assert uart.read_all() == b"before\r\nkept\r\nlater\r\n"
    out.write("after\n")
    out.disconnect()
    assert uart.read_all() == b"after\r\n"


def test_a_server_that_died_between_printing_and_saying_so_prints_that_share_twice(
    system: ThreadedSystem, uart: Uart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one thing a ring may do: at least once, at most a share twice."""
    from caplab.pd import ring

    out = connect(system, "ring")
    system.until(lambda: system.blocked("serial"))
    plain = ring.RingReader.advance

    def dies(reader: ring.RingReader, length: int) -> None:
        monkeypatch.setattr(ring.RingReader, "advance", plain)
        raise OSError("the server dies here")

    monkeypatch.setattr(ring.RingReader, "advance", dies)
    out.write("twice\n")
    system.until(lambda: system.root.latest["serial"].state == "dead")
    system.operate(op="restart", pd="serial")
    ready(system)
    out.write("once\n")
    out.reconnect()
    assert uart.read_all() == b"twice\r\ntwice\r\nonce\r\n"
    out.disconnect()


def test_parting_from_a_dead_server_with_text_unsent_is_an_error(system: ThreadedSystem) -> None:
    out = connect(system, "write-back")
    out.write("lost")
    kill_server(system)
    with pytest.raises(PeerDied):
        out.disconnect()
    assert not out.connected
    assert out.unsent == 0
    other = connect(system, "write-back", "b")
    kill_server(system)
    other.disconnect()


def test_a_server_that_was_killed_by_a_client_is_not_connected_with_again(
    system: ThreadedSystem,
) -> None:
    out, other = connect(system, "ring"), connect(system, "call", "b")
    out.write("printed before\n")
    out.kill()
    with pytest.raises(Revoked):
        other.reconnect()
    assert system.uarts["uart0"].read_all() == b"printed before\r\n"


def test_reconnecting_gives_up_when_no_server_comes() -> None:
    with ThreadedSystem(serial_pd(colour=False), client_pd("a")) as system:
        ready(system)
        out = connect(system, "ring")
        system.operate(op="kill", pd="serial")
        with pytest.raises(PeerDied):
            out.reconnect(timeout=0.01)


def test_going_down_prints_what_was_published(uart: Uart, system: ThreadedSystem) -> None:
    out = connect(system, "ring")
    out.write("wake\n")
    uart.expect(b"\n")
    system.until(lambda: system.blocked("serial"))
    out._out._bell = None  # type: ignore[attr-defined]
    out.write("published, and not signalled\n")
    system.operate(op="restart", pd="serial")
    assert uart.expect(b"\n") == b"published, and not signalled\r\n"


def test_a_signal_wakes_the_server_and_is_all_that_a_bell_is_good_for(
    system: ThreadedSystem,
) -> None:
    connect(system, "ring").disconnect()
    used = system.env("a").slots.used()
    out: Any = connect(system, "ring")
    with pytest.raises(CapError):
        out._out._bell.poll()
    out.disconnect()
    assert system.env("a").slots.used() == used
