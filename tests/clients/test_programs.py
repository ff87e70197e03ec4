"""The shipped programs, on the real kernel by threads."""

from collections.abc import Callable
from typing import Any

import pytest

from caplab.clients.echo.main import main as echo
from caplab.clients.hello.main import main as hello
from caplab.clients.idle.main import main as idle
from caplab.clients.parent.main import main as parent
from caplab.servers.echo import Echo
from caplab.servers.echo.server import main as echo_server
from threaded_system import ThreadedSystem, client_pd, serial_pd

ECHO = {"name": "echo-server", "main": echo_server, "serves": "endpoint", "role": "server"}


def ended(system: ThreadedSystem, *names: str) -> Callable[[], bool]:
    return lambda: all(system.root.latest[name].ended for name in names)


def test_hello_prints_its_lines() -> None:
    args = {"name": "John Doe", "count": 3}
    with ThreadedSystem(
        serial_pd(colour=False), client_pd("hello", main=hello, args=args)
    ) as system:
        system.until(ended(system, "hello"))
        assert system.uarts["uart0"].read_all() == b"Hello world from John Doe.\r\n" * 3
        assert system.root.latest["hello"].exit_code == 0


def test_hello_says_that_the_server_died_and_exits_with_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ThreadedSystem(serial_pd(), client_pd("hello")) as system:
        system.until(lambda: system.root.latest["serial"].received)
        system.operate(op="suspend", pd="serial")
        system.start("hello", hello)
        system.until(lambda: system.blocked("hello"))
        system.operate(op="kill", pd="serial")
        system.until(ended(system, "hello"))
        assert system.root.latest["hello"].exit_code == 1
    assert "hello: the console is gone: Call on console" in capsys.readouterr().err


def test_the_echo_pair_agrees() -> None:
    client = client_pd("echo", main=echo, args={"count": 7})
    client["uses"]["echo"] = "echo-server"
    with ThreadedSystem(serial_pd(colour=False), dict(ECHO), client) as system:
        system.uarts["uart0"].expect(b"7 of 7 messages came back as they were sent.\r\n")
        system.until(ended(system, "echo"))
        assert system.root.latest["echo"].exit_code == 0


def test_an_echo_server_that_answers_wrongly_is_noticed() -> None:
    def wrong(env: Any) -> None:
        endpoint = env.endpoint("server")
        message = endpoint.recv()
        while True:
            message = endpoint.reply_recv(0, [message.words[0] & 1, message.words[1]])

    client = client_pd("echo", main=echo, args={"count": 4})
    client["uses"]["echo"] = "echo-server"
    with ThreadedSystem(serial_pd(colour=False), ECHO | {"main": wrong}, client) as system:
        system.uarts["uart0"].expect(b"2 of 4 messages")
        system.until(ended(system, "echo"))
        assert system.root.latest["echo"].exit_code == 1


def test_echo_answers_with_label_and_words() -> None:
    client = {"name": "client", "uses": {"echo": "echo-server"}}
    with ThreadedSystem(dict(ECHO), client) as system:
        message = Echo(system.env("client").endpoint("echo")).echo([1, 2, 3], label=9)
        assert (message.label, message.words) == (9, (1, 2, 3))


def test_idle_waits_until_it_is_stopped() -> None:
    with ThreadedSystem({"name": "idle", "main": idle}) as system:
        system.until(lambda: system.blocked("idle"))
        system.operate(op="down")
        assert system.root.latest["idle"].ended == "exited"


def test_the_parent_serves_two_uarts_in_two_ways() -> None:
    entry = {
        "name": "parent",
        "main": parent,
        "threads": 2,
        "devices": ["uart0", "uart1"],
        "rdes": ["pd"],
    }
    with ThreadedSystem(entry, uarts=("uart0", "uart1")) as system:
        for name in ("uart0", "uart1"):
            uart = system.uarts[name]
            assert b"parent serves %s." % name.encode() in uart.expect(b".\r\n")
            uart.expect(b"Hello world from the client on %s." % name.encode())
        system.until(lambda: "parent-uart1" in system.root.latest)
        system.until(ended(system, "parent-uart0", "parent-uart1"))
        system.advance(1)
        system.until(ended(system, "parent"))
        assert system.root.latest["parent"].exit_code == 0
        system.until(lambda: system.root.latest["parent-serial"].tcbs[0].suspended)
