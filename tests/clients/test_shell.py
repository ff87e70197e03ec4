"""The shell: what it does to what it manages, and what it cannot do."""

from collections.abc import Iterator

import pytest

from caplab.clients.idle.main import main as idle
from caplab.clients.shell.main import main as shell
from threaded_system import ThreadedSystem, Uart, client_pd, serial_pd

PROMPT = b"caplab> "


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    with ThreadedSystem(
        serial_pd(colour=False),
        client_pd("shell", main=shell, manages=["victim", "second"]),
        {"name": "victim", "main": idle},
        {"name": "second", "main": idle},
        {"name": "other", "main": idle},
    ) as system:
        for name in ("victim", "second", "other"):
            system.until(lambda name=name: system.blocked(name))
        yield system


@pytest.fixture
def uart(system: ThreadedSystem) -> Uart:
    uart = system.uarts["uart0"]
    uart.expect(PROMPT)
    return uart


def asked(uart: Uart, line: str) -> str:
    """What the shell says to a line."""
    uart.type(line.encode() + b"\r")
    answer = uart.expect(PROMPT).decode().replace("\r\n", "\n")
    assert answer.startswith(line + "\n")
    return answer.removeprefix(line + "\n").removesuffix(PROMPT.decode())


def test_help_lists_every_command(uart: Uart) -> None:
    text = asked(uart, "help")
    assert [line.split()[0] for line in text.splitlines()] == [
        "help",
        "ps",
        "echo",
        "kill",
        "crash",
        "exit",
    ]


def test_ps_shows_what_it_manages_and_nothing_else(uart: Uart) -> None:
    lines = asked(uart, "ps").splitlines()
    assert lines[0].split() == ["PD", "STATE", "CALLS", "CAPS", "REASON"]
    assert [line.split()[:2] for line in lines[1:]] == [
        ["victim", "waiting"],
        ["second", "waiting"],
    ]


def test_echo_prints_its_words(uart: Uart) -> None:
    assert asked(uart, "echo  hello   world ") == "hello world\n"


def test_kill_ends_a_pd_and_says_what_was_cleaned_up(system: ThreadedSystem, uart: Uart) -> None:
    assert asked(uart, "kill victim").startswith("victim is gone: 1 × ")
    assert system.root.latest["victim"].ended == "killed"
    assert asked(uart, "kill victim") == "kill: victim has ended already: killed SIGKILL by shell\n"
    assert ["victim", "killed"] in [line.split()[:2] for line in asked(uart, "ps").splitlines()]


def test_what_it_does_not_manage_it_cannot_touch(system: ThreadedSystem, uart: Uart) -> None:
    for command in ("kill other", "crash other segv"):
        assert "no capability to other, it manages victim, second" in asked(uart, command)
    assert "manages: [victim, second, serial]" in asked(uart, "kill serial")
    assert not system.root.latest["other"].ended


def test_bad_commands_are_answered(uart: Uart) -> None:
    assert asked(uart, "") == ""
    assert asked(uart, "   ") == ""
    assert asked(uart, "rm -rf /") == "rm: there is no command rm; `help` lists those there are\n"
    assert asked(uart, "kill") == "kill: write it so: kill PD\n"
    assert asked(uart, "ps now") == "ps: write it so: ps\n"
    assert "there is no way to fail called nicely" in asked(uart, "crash victim nicely")
    assert asked(uart, "crash victim exit:x").startswith(
        "crash: PD_Crash(how='exit:x') on pd:victim"
    )


@pytest.mark.parametrize("end", [b"exit\r", b"\x04"])
def test_the_shell_ends_with_exit_or_the_end_of_the_file(
    system: ThreadedSystem, uart: Uart, end: bytes
) -> None:
    uart.type(end)
    system.until(lambda: system.root.latest["shell"].ended == "exited")
    assert system.root.latest["shell"].exit_code == 0
