"""Whose the input is, seen by clients, by the operator, and on the console; and several UARTs."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from caplab.kernel.abi import MARK, MARK_BREAK, MARK_SIZE
from caplab.pd.errors import IpcTimeout
from caplab.servers.serial import Event, MayNotFocus, NoSuchUart, NotAClient, Serial
from caplab.servers.serial.console import ASKS_AGAIN
from caplab.servers.serial.readers import TYPE_AHEAD_MAX, WAITED_FOR
from threaded_system import PATIENCE, Hand, ThreadedSystem, Uart, client_pd, serial_pd


class Client:
    """A connected client, on a thread of its own."""

    def __init__(self, system: ThreadedSystem, name: str, **more: Any) -> None:
        self.system, self.name = system, name
        self.hand = Hand(system, name)
        self.out: Serial = self.do(lambda env: Serial.connect(env.endpoint("console"), **more))

    def do(self, what: Any) -> Any:
        return self.hand.do(what)

    def begin(self, what: str, *args: Any, **more: Any) -> "Future[Any]":
        """Start a blocking call, and wait until the server has taken note (or refused)."""
        future = self.hand.begin(lambda env: getattr(self.out, what)(*args, **more))
        reply = self.system.root.latest[self.name].tcbs[0].reply
        self.system.until(lambda: reply.slot is not None or future.done())
        return future


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    may = client_pd("boss") | {"console": {"focus": True}}
    with ThreadedSystem(serial_pd(colour=False), may, client_pd("b")) as system:
        system.until(lambda: system.root.latest["serial"].received)
        yield system


@pytest.fixture
def uart(system: ThreadedSystem) -> Uart:
    return system.uarts["uart0"]


@pytest.fixture
def boss(system: ThreadedSystem) -> Client:
    return Client(system, "boss")


@pytest.fixture
def b(system: ThreadedSystem) -> Client:
    return Client(system, "b")


def focus(system: ThreadedSystem, to: str | None, uart: str = "uart0") -> dict[str, Any]:
    return system.operate(op="focus", uart=uart, to=to)


def test_the_operator_gives_the_input_to_a_client_by_name(
    system: ThreadedSystem, boss: Client, b: Client, uart: Uart
) -> None:
    first = boss.begin("read_line", "boss> ")
    assert focus(system, None) == {
        "uart": "uart0",
        "focus": "boss",
        "clients": [
            {"pd": "boss", "reading": True, "focus": True},
            {"pd": "b", "reading": False, "focus": False},
        ],
    }
    assert focus(system, "b")["focus"] == "b"
    line = b.begin("read_line", "b> ")
    uart.type(b"for b\r")
    assert line.result(PATIENCE) == "for b"
    assert focus(system, "boss")["focus"] == "boss"
    uart.type(b"for the boss\r")
    assert first.result(PATIENCE) == "for the boss"
    assert uart.read_all() == (
        b"boss> \r\n[serial: input goes to b]\r\nb> for b\r\n"
        b"[serial: input goes to boss]\r\nboss> for the boss\r\n"
    )
    assert focus(system, "serial")["error"]["code"] == "not-a-client"
    assert "boss, b" in focus(system, "client 99")["error"]["message"]


def test_a_client_that_may_takes_the_input_and_gives_it_away(
    boss: Client, b: Client, uart: Uart
) -> None:
    waiting = b.begin("read_line", "b> ")
    uart.expect(b"b> ")
    boss.do(lambda env: boss.out.focus())
    assert boss.do(lambda env: boss.out.status()).focused
    uart.type(b"mine\r")
    assert boss.begin("read_line").result(PATIENCE) == "mine"
    boss.do(lambda env: boss.out.focus("b"))
    uart.type(b"yours\r")
    assert waiting.result(PATIENCE) == "yours"
    with pytest.raises(NotAClient, match="boss, b"):
        boss.do(lambda env: boss.out.focus("nobody"))


def test_a_client_that_may_not_is_told_what_would_let_it(boss: Client, b: Client) -> None:
    boss.do(lambda env: boss.out.focus())
    with pytest.raises(MayNotFocus, match="focus: true") as info:
        b.do(lambda env: b.out.focus())
    assert info.value.code == 18


def test_a_client_learns_of_gaining_and_losing_the_input_while_it_reads(
    system: ThreadedSystem, boss: Client, b: Client, uart: Uart
) -> None:
    boss.begin("read_line")
    news = b.begin("read_event")
    focus(system, "b")
    assert news.result(PATIENCE) is Event.FOCUS_GAINED
    news = b.begin("read_event")
    uart.type(b"\x1b[A\xfe")
    assert news.result(PATIENCE) == b"\x1b[A\xfe"
    news = b.begin("read_event")
    focus(system, "boss")
    assert news.result(PATIENCE) is Event.FOCUS_LOST


def test_raw_input_is_what_was_typed_and_no_more_at_once_than_asked_for(
    boss: Client, uart: Uart
) -> None:
    read = boss.begin("read", 3)
    uart.type(bytes(range(8)))
    assert read.result(PATIENCE) == b"\0\1\2"
    assert boss.begin("read", 0).result(PATIENCE) == b"\3"
    assert boss.begin("read", -1).result(PATIENCE) == b"\4"
    assert boss.begin("read", 1 << 60).result(PATIENCE) == b"\5\6\7"
    assert uart.read_all() == b""


def test_a_raw_read_gives_up_when_its_time_is_over(system: ThreadedSystem, boss: Client) -> None:
    read = boss.begin("read", timeout=1.0)
    system.advance(1.5)
    with pytest.raises(IpcTimeout):
        read.result(PATIENCE)


def test_status_says_who_has_the_input_and_what_is_kept_and_lost(
    system: ThreadedSystem, boss: Client, b: Client, uart: Uart
) -> None:
    assert boss.do(lambda env: boss.out.status())[:5] == ("uart0", "", False, True, 0)
    boss.do(lambda env: boss.out.focus())
    assert b.do(lambda env: b.out.status())[:5] == ("uart0", "boss", False, False, 0)
    uart.type(b"x" * TYPE_AHEAD_MAX)
    uart.type(b"yyy")
    uart.expect(b"\a")
    status = boss.do(lambda env: boss.out.status())
    assert status == ("uart0", "boss", True, True, TYPE_AHEAD_MAX, 3, 0, 0)


def test_a_break_and_the_windows_size_are_told_to_the_owner_of_the_input(
    boss: Client, uart: Uart
) -> None:
    boss.do(lambda env: boss.out.focus())
    assert boss.begin("read_event").result(PATIENCE) is Event.FOCUS_GAINED
    news = boss.begin("read_event")
    uart.type(bytes([MARK, MARK_BREAK, 0]))
    assert news.result(PATIENCE) is Event.BREAK
    news = boss.begin("read_event")
    uart.type(bytes([MARK, MARK_SIZE, 24, 0, 80, 0]))
    assert news.result(PATIENCE) is Event.RESIZED
    assert boss.do(lambda env: boss.out.status())[6:] == (24, 80)
    news = boss.begin("read_event")
    uart.type(b"a\xff\xffb")
    assert news.result(PATIENCE) == b"a\xffb"


def test_a_client_that_reads_on_is_waited_for_and_loses_nothing(
    system: ThreadedSystem, boss: Client, uart: Uart
) -> None:
    """A megabyte goes the same way (`tests/systems/test_serial_crashes.py`)."""
    line = boss.begin("read_line")
    uart.type(b"".join(b"line %d\r" % number for number in range(1000)))
    for number in range(1000):
        assert line.result(PATIENCE) == f"line {number}"
        uart.expect(b"\r\n")
        line = boss.begin("read_line")


def test_a_client_that_reads_no_more_is_waited_for_a_while_only(
    system: ThreadedSystem, boss: Client, uart: Uart
) -> None:
    uart.type(b"first\r")
    assert boss.begin("read_line").result(PATIENCE) == "first"
    uart.read_all()
    uart.type(b"x" * 3000)
    assert boss.do(lambda env: boss.out.status()).kept == 3000
    uart.type(b"x" * (TYPE_AHEAD_MAX - 3000) + b"y" * 10)
    assert boss.do(lambda env: boss.out.status())[4:6] == (TYPE_AHEAD_MAX, 0)
    system.advance(WAITED_FOR)
    assert uart.expect(b"\a") == b"\a"
    assert boss.do(lambda env: boss.out.status()).dropped == 10


def test_the_next_input_interrupts_when_who_was_given_some_asks_again_or_after_a_while(
    system: ThreadedSystem, boss: Client, uart: Uart
) -> None:
    for answered in (True, False):
        read = boss.begin("read")
        system.until(lambda: not uart.masked)
        uart.type(b"key")
        assert read.result(PATIENCE) == b"key"
        system.until(lambda: system.blocked("serial"))
        assert uart.masked
        if answered:
            continue
        system.advance(ASKS_AGAIN)
        system.until(lambda: not uart.masked)


def test_what_was_typed_before_the_input_was_switched_is_the_former_owners(
    system: ThreadedSystem, boss: Client, b: Client, uart: Uart
) -> None:
    uart.type(b"first\r")
    assert boss.begin("read_line").result(PATIENCE) == "first"
    uart.type(b"x" * TYPE_AHEAD_MAX)
    uart.type(b"y" * 5000)
    assert focus(system, "boss")["focus"] == "boss"
    assert boss.do(lambda env: boss.out.status()).dropped == 0
    line = b.begin("read_line")
    focus(system, "b")
    uart.type(b"for b\r")
    assert line.result(PATIENCE) == "for b"
    assert b.do(lambda env: b.out.status()).dropped == 5000


def test_a_server_with_nothing_to_do_waits_without_a_time_limit(
    system: ThreadedSystem, boss: Client, uart: Uart
) -> None:
    uart.type(b"line\r")
    assert boss.begin("read_line").result(PATIENCE) == "line"
    system.until(lambda: system.blocked("serial"))
    system.advance(WAITED_FOR)
    system.until(lambda: system.blocked("serial") and not uart.masked)
    assert system.kernel.next_deadline is None


# -- several UARTs --------------------------------------------------------------------------------


@pytest.fixture
def two() -> Iterator[ThreadedSystem]:
    """One server for two UARTs, and a client that knows it by three names."""
    names = {"console": "serial", "uart1": "serial", "other": "serial"}
    server = serial_pd(colour=False) | {"devices": ["uart0", "uart1"]}
    clients = (
        {"name": "a", "uses": names, "console": {"focus": True}},
        client_pd("b"),
    )
    with ThreadedSystem(server, *clients, uarts=("uart0", "uart1")) as system:
        system.until(lambda: system.root.latest["serial"].received)
        yield system


def test_a_client_chooses_its_uart_by_its_name_for_the_server_or_by_an_argument(
    two: ThreadedSystem,
) -> None:
    env = two.env("a")
    outs = [
        Serial.connect(env.endpoint("console")),
        Serial.connect(env.endpoint("uart1")),
        Serial.connect(env.endpoint("other"), uart="uart1"),
    ]
    for number, out in enumerate(outs):
        out.printf("%d\n", number)
    assert two.uarts["uart0"].read_all() == b"0\r\n"
    assert two.uarts["uart1"].read_all() == b"1\r\n2\r\n"
    assert [out.status().uart for out in outs] == ["uart0", "uart1", "uart1"]
    server = two.root.latest["serial"]
    held = server.caps, two.env("serial").slots.used()
    with pytest.raises(NoSuchUart, match="it drives uart0, uart1") as info:
        Serial.connect(env.endpoint("other"), uart="uart2")
    assert info.value.code == 19
    assert (server.caps, two.env("serial").slots.used()) == held
    outs[2].write("still there\n")


def test_each_uart_has_its_own_input_and_its_own_owner(two: ThreadedSystem) -> None:
    a, b = Client(two, "a", uart="uart1"), Client(two, "b")
    lines = [a.begin("read_line", "a> "), b.begin("read_line", "b> ")]
    assert focus(two, None, "uart0")["focus"] == "b"
    assert focus(two, None, "uart1")["focus"] == "a"
    assert focus(two, "b", "uart1")["error"]["code"] == "not-a-client"
    two.uarts["uart1"].type(b"one\r")
    two.uarts["uart0"].type(b"nought\r")
    assert [line.result(PATIENCE) for line in lines] == ["one", "nought"]
    assert two.uarts["uart0"].read_all() == b"b> nought\r\n"
    assert two.uarts["uart1"].read_all() == b"a> one\r\n"


def test_of_a_pd_with_two_connections_the_one_that_reads_is_given_the_input(
    two: ThreadedSystem,
) -> None:
    b, a = Client(two, "b"), Client(two, "a")
    b.begin("read_line", "b> ")
    a.out = a.do(lambda env: Serial.connect(env.endpoint("other"), uart="uart0"))
    line = a.begin("read_line", "a> ")
    assert focus(two, "a")["focus"] == "a"
    two.uarts["uart0"].type(b"here\r")
    assert line.result(PATIENCE) == "here"


def test_who_takes_the_input_without_a_name_takes_it_for_itself(two: ThreadedSystem) -> None:
    b, a = Client(two, "b"), Client(two, "a")
    a.do(lambda env: a.out.focus())
    assert a.do(lambda env: a.out.status()).focused
    assert not b.do(lambda env: b.out.status()).focused


def test_a_client_gives_the_input_to_clients_of_its_own_uart_alone(two: ThreadedSystem) -> None:
    a, b = Client(two, "a", uart="uart1"), Client(two, "b")
    with pytest.raises(NotAClient, match="no client 'b' here; there are a"):
        a.do(lambda env: a.out.focus("b"))
    assert b.do(lambda env: b.out.status()).owner == ""


def test_a_client_that_connects_anew_keeps_the_input_and_what_was_typed_for_it(
    boss: Client, b: Client, uart: Uart
) -> None:
    uart.type(b"one\rtwo\r")
    assert boss.begin("read_line").result(PATIENCE) == "one"
    b.begin("read_line")
    boss.do(lambda env: Serial.connect(boss.out.endpoint))
    assert boss.do(lambda env: boss.out.status()).focused
    assert boss.begin("read_line").result(PATIENCE) == "two"


def test_a_client_that_connects_to_another_uart_leaves_the_first(two: ThreadedSystem) -> None:
    a, b = Client(two, "a"), Client(two, "b")
    two.uarts["uart0"].type(b"one\rtwo\r")
    assert a.begin("read_line").result(PATIENCE) == "one"
    a.do(lambda env: Serial.connect(a.out.endpoint, uart="uart1"))
    assert focus(two, None, "uart0")["focus"] is None
    assert [one["pd"] for one in focus(two, None, "uart0")["clients"]] == ["b"]
    assert [one["pd"] for one in focus(two, None, "uart1")["clients"]] == ["a"]
    assert b.begin("read_line").result(PATIENCE) == "two"


def test_two_uarts_are_bound_or_none() -> None:
    second = serial_pd() | {"name": "second", "devices": ["uart1", "uart0"]}
    with ThreadedSystem(serial_pd(), client_pd(), uarts=("uart0", "uart1")) as system:
        system.until(lambda: system.root.latest["serial"].received)
        assert system.root.machine.devices["uart1"].irq.refs == 0
    with ThreadedSystem(second, serial_pd(), uarts=("uart0", "uart1")) as system:
        system.until(lambda: system.faults)
        loser = next(iter(system.faults))
        refs = [system.root.machine.devices[name].irq.refs for name in ("uart0", "uart1")]
        assert refs == ([1, 0] if loser == "second" else [1, 1])
