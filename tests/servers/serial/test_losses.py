"""What a death of either side loses or prints twice, for each way of printing. On processes:
`tests/systems/test_serial_crashes.py`."""

from typing import Any

import pytest

from buffered import connect, kill_server, ready, silence
from caplab.kernel.abi import Rights
from caplab.pd.errors import CapError, PeerDied, Revoked
from caplab.servers.serial.buffering import KINDS
from threaded_system import PATIENCE, Hand, ThreadedSystem, Uart, client_pd, serial_pd

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


def test_of_input_a_server_that_dies_loses_what_it_had_taken_and_no_more(
    system: ThreadedSystem, uart: Uart
) -> None:
    out = connect(system, "call")
    hand = Hand(system, "a")
    waiting = hand.begin(lambda env: out.read_line("> "))
    uart.type(b"begun, ")
    uart.expect(b"begun, ")
    system.operate(op="kill", pd="serial")
    with pytest.raises(PeerDied):
        waiting.result(PATIENCE)
    uart.type(b"typed meanwhile\r")
    system.operate(op="restart", pd="serial")
    ready(system)
    hand.do(lambda env: out.reconnect())
    assert hand.do(lambda env: out.read_line("> ")) == "typed meanwhile"


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
    bell = system.root.latest["a"].cspace.slots[out._out._bell.slot].cap
    assert bell is not None
    assert bell.rights == Rights.WRITE
    out.disconnect()
    assert system.env("a").slots.used() == used
