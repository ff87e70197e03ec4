"""Reading lines: prompts, turns, time limits, and readers that are gone."""

import socket
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from caplab.pd.env import Env
from caplab.pd.errors import IpcTimeout
from caplab.servers.serial import LineDown, NotConnected, ReadReplaced, Serial, TooLong
from caplab.servers.serial.buffering import KINDS
from caplab.servers.serial.reading import GRACE
from threaded_system import PATIENCE, Hand, ThreadedSystem, Uart, serial_system


class Client:
    """A connected client, on a thread of its own."""

    def __init__(self, system: ThreadedSystem, name: str) -> None:
        self.system, self.name = system, name
        self.hand = Hand(system, name)
        self.out: Serial = self.hand.do(lambda env: Serial.connect(env.endpoint("console")))

    def asks(self, prompt: str = "", **more: Any) -> "Future[str | None]":
        """Start reading, and wait until the server has taken note (or refused)."""
        line = self.hand.begin(lambda env: self.out.read_line(prompt, **more))
        reply = self.system.root.latest[self.name].tcbs[0].reply
        self.system.until(lambda: reply.slot is not None or line.done())
        return line


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    with serial_system("a", "b", colour=False) as system:
        yield system


@pytest.fixture
def uart(system: ThreadedSystem) -> Uart:
    return system.uarts["uart0"]


@pytest.fixture
def a(system: ThreadedSystem) -> Client:
    return Client(system, "a")


@pytest.fixture
def b(system: ThreadedSystem) -> Client:
    return Client(system, "b")


def test_a_line_is_edited_echoed_and_delivered(a: Client, uart: Uart) -> None:
    line = a.asks("$ ")
    uart.type(b"hellp\x7fo\r")
    assert line.result(PATIENCE) == "hello"
    assert uart.read_all() == b"$ hellp\b \bo\r\n"


def test_an_interrupt_by_hand_that_means_nothing_does_no_harm(
    system: ThreadedSystem, a: Client, uart: Uart
) -> None:
    line = a.asks("$ ")
    for _ in range(3):
        assert system.operate(op="irq", irq=0)["pd"] == "serial"
    uart.type(b"still here\r")
    assert line.result(PATIENCE) == "still here"


def test_the_attribute_is_the_prompt_when_none_is_given(a: Client, uart: Uart) -> None:
    a.out.prompt = "> "
    line = a.hand.begin(lambda env: a.out.read_line())
    uart.expect(b"> ")
    uart.type(b"\r")
    assert line.result(PATIENCE) == ""


def test_what_is_typed_early_is_kept(a: Client, uart: Uart) -> None:
    uart.type(b"one\rtwo\r")
    assert [a.asks().result(PATIENCE) for _ in range(2)] == ["one", "two"]
    assert uart.read_all() == b"one\r\ntwo\r\n"


def test_ctrl_d_is_the_end_of_the_file(a: Client, uart: Uart) -> None:
    line = a.asks()
    uart.type(b"\x04")
    assert line.result(PATIENCE) is None


def test_a_password_is_not_shown(a: Client, uart: Uart) -> None:
    line = a.asks("password: ", echo=False)
    uart.type(b"secret\r")
    assert line.result(PATIENCE) == "secret"
    assert uart.read_all() == b"password: \r\n"


def test_a_line_in_another_alphabet_arrives(a: Client, uart: Uart) -> None:
    line = a.asks()
    for byte in "héllo 語\r".encode():
        uart.type(bytes([byte]))
    assert line.result(PATIENCE) == "héllo 語"


def test_the_input_is_the_first_readers_until_he_leaves(a: Client, b: Client, uart: Uart) -> None:
    first, second = a.asks("a> "), b.asks("b> ")
    uart.type(b"1\r2\r")
    assert first.result(PATIENCE) == "1"
    assert a.asks("a> ").result(PATIENCE) == "2"
    a.hand.do(lambda env: a.out.disconnect())
    uart.type(b"3\r")
    assert second.result(PATIENCE) == "3"
    assert uart.read_all() == (
        b"a> \r\n[serial: b waits for input, which goes to a]\r\na> 1\r\na> 2\r\n"
        b"[serial: input goes to b]\r\nb> 3\r\n"
    )


def test_a_reader_that_gives_up_keeps_the_input_and_what_was_typed(
    system: ThreadedSystem, a: Client, uart: Uart
) -> None:
    server = system.root.latest["serial"]
    held = server.caps, system.env("serial").slots.used()
    first = a.asks("a> ", timeout=1.0)
    uart.type(b"half")
    uart.expect(b"half")
    system.advance(1.5)
    with pytest.raises(IpcTimeout):
        first.result(PATIENCE)
    system.until(lambda: (server.caps, system.env("serial").slots.used()) == held)
    second = a.asks("a> ")
    uart.type(b" done\r")
    assert second.result(PATIENCE) == "half done"
    assert uart.read_all() == b" done\r\n"
    assert (server.caps, system.env("serial").slots.used()) == held


@pytest.mark.parametrize("limit", [{}, {"timeout": None}, {"timeout": float("inf")}])
def test_a_reader_without_a_time_limit_waits_for_ever(
    system: ThreadedSystem, a: Client, uart: Uart, limit: dict[str, Any]
) -> None:
    line = a.asks("$ ", **limit)
    system.advance(100_000.0)
    uart.type(b"at last\r")
    assert line.result(PATIENCE) == "at last"


def test_a_line_finished_when_its_reader_had_given_up_is_the_next_readers(
    system: ThreadedSystem, a: Client, uart: Uart
) -> None:
    """The place outlives its reader a little, and the server learns of it from the failed reply."""
    used = system.env("serial").slots.used()
    line = a.asks(timeout=1.0)
    system.advance(1 + GRACE / 2)
    with pytest.raises(IpcTimeout):
        line.result(PATIENCE)
    uart.type(b"late\r")
    uart.expect(b"late\r\n")
    assert a.asks().result(PATIENCE) == "late"
    assert system.env("serial").slots.used() == used


def test_a_reader_that_dies_frees_its_place(
    system: ThreadedSystem, a: Client, b: Client, uart: Uart
) -> None:
    a.asks("a> ")
    line = b.asks("b> ")
    system.operate(op="kill", pd="a")
    uart.type(b"for b\r")
    assert line.result(PATIENCE) == "for b"


def test_printing_goes_on_while_somebody_reads(a: Client, b: Client, uart: Uart) -> None:
    line = a.asks()
    assert b.hand.do(lambda env: b.out.write("meanwhile\n")) == 10
    uart.type(b"x\r")
    assert line.result(PATIENCE) == "x"
    assert uart.read_all() == b"meanwhile\r\nx\r\n"


def test_what_nobody_reads_is_bounded_and_rings(a: Client, uart: Uart) -> None:
    uart.type(b"x" * 4000)
    uart.type(b"y" * 200)
    assert uart.expect(b"\a") == b"\a"
    line = a.asks()
    uart.type(b"\x15ok\r")
    assert line.result(PATIENCE) == "ok"


def test_a_prompt_longer_than_a_message_is_refused(a: Client) -> None:
    with pytest.raises(TooLong, match="A prompt has at most 928 bytes, this one has 929"):
        a.asks("x" * 929).result(PATIENCE)


def test_killing_the_server_frees_who_reads(a: Client, b: Client) -> None:
    line = a.asks()
    b.hand.do(lambda env: b.out.kill())
    with pytest.raises(NotConnected):
        line.result(PATIENCE)


def test_disconnecting_from_another_thread_frees_who_reads() -> None:
    told: list[object] = []

    def second(env: Env, _arg: int) -> None:
        try:
            connections[0].read_line()
        except NotConnected as exc:
            told.append(exc)

    connections: list[Serial] = []
    with serial_system("a", threads=2) as system:
        env = system.env("a")
        connections.append(Serial.connect(env.endpoint("console")))
        env.thread(second)
        system.until(lambda: system.root.latest["a"].tcbs[1].reply.slot is not None)
        connections[0].disconnect()
        system.until(lambda: system.blocked("a", 1))
    assert len(told) == 1


def test_a_second_thread_of_a_client_takes_the_firsts_place() -> None:
    told: list[object] = []

    def second(env: Env, _arg: int) -> None:
        try:
            told.append(connections[0].read_line("2> "))
        except ReadReplaced as exc:
            told.append(exc)

    connections: list[Serial] = []
    with serial_system("a", threads=2) as system:
        hand = Hand(system, "a")
        connections.append(hand.do(lambda env: Serial.connect(env.endpoint("console"))))
        hand.do(lambda env: env.thread(second))
        system.uarts["uart0"].expect(b"2> ")
        line = hand.begin(lambda env: connections[0].read_line("1> "))
        system.uarts["uart0"].expect(b"1> ")
        system.uarts["uart0"].type(b"mine\r")
        assert line.result(PATIENCE) == "mine"
        system.until(lambda: told)  # the second thread parks again once it has heard
    assert [type(one) for one in told] == [ReadReplaced]


def test_a_line_that_is_closed_is_told_to_readers_and_writers(
    a: Client, b: Client, uart: Uart
) -> None:
    line = a.asks()
    uart.end.shutdown(socket.SHUT_RDWR)
    uart.interrupt()
    for refused in (line, a.asks(), b.hand.begin(lambda env: b.out.write("x"))):
        with pytest.raises(LineDown) as info:
            refused.result(PATIENCE)
        assert info.value.code == 17


def test_a_line_that_is_closed_is_found_by_who_writes(
    system: ThreadedSystem, a: Client, b: Client, uart: Uart
) -> None:
    line = a.asks()
    uart.end.shutdown(socket.SHUT_RDWR)
    for refused in (b.hand.begin(lambda env: b.out.write("x")), line):
        with pytest.raises(LineDown):
            refused.result(PATIENCE)


@pytest.mark.parametrize("kind", KINDS)
def test_however_a_client_prints_it_reads(system: ThreadedSystem, uart: Uart, kind: str) -> None:
    hand = Hand(system, "a")
    out = hand.do(lambda env: Serial.connect(env.endpoint("console"), buffering=kind))
    hand.do(lambda env: out.write("who? "))
    line = hand.begin(lambda env: out.read_line("> "))
    assert uart.expect(b"> ").startswith(b"who? ")
    uart.type(b"me\r")
    assert line.result(PATIENCE) == "me"
