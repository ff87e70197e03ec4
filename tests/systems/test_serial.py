"""The serial server on real processes: CLI_PROC_001–005, concurrency, deaths, two UARTs."""

import json
import os
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import serial as pyserial

from caplab import System
from caplab.kernel.host.errors import SystemFailed

MANIFEST = """
name: case
uarts: [uart0]
pds:
  serial:
    run: servers.serial
    args: {colour: false}
  client:
    run: ./client.py
    uses: {console: serial}
"""
PRELUDE = """
from caplab.servers.serial import *
from caplab import *

def main(env):
    endpoint = env.endpoint("console")
"""

HOLDER = """
def main(env):
    env.device("uart0").claim()
    late = env.rde("pd").create("late", "servers.serial", devices=["uart0"], serves="endpoint")
    late.start()
    while late.info()["state"] != "faulted":
        env.sleep(0.02)
"""

Boot = Callable[..., System]


@pytest.fixture
def boot(tmp_path: Path) -> Boot:
    """A system from a manifest and the bodies of its programs, not started yet."""

    def boot(manifest: str = MANIFEST, **programs: str) -> System:
        for name, body in programs.items():
            text = PRELUDE + textwrap.indent(textwrap.dedent(body), "    ")
            (tmp_path / f"{name}.py").write_text(text)
        (tmp_path / "system.yaml").write_text(manifest)
        return System(tmp_path / "system.yaml")

    return boot


def console_log(system: System, uart: str = "uart0") -> bytes:
    """Everything that was printed, as the line wrote it down."""
    return (system.run_dir / uart / "console.log").read_bytes()


CASES = {
    "CLI_PROC_001: a client connects": (
        "Serial.connect(endpoint)",
        b"",
    ),
    "CLI_PROC_002: it prints with printf": (
        """
        out = Serial.connect(endpoint)
        assert out.printf("%s\\n", "Hello, world!") == 14
        """,
        b"Hello, world!\r\n",
    ),
    "CLI_PROC_003: it prints with write": (
        """
        out = Serial.connect(endpoint)
        assert out.write(b"Hello, world!\\n") == 14
        """,
        b"Hello, world!\r\n",
    ),
    "CLI_PROC_004: it disconnects and connects again": (
        """
        for _ in range(2):
            out = Serial.connect(endpoint)
            assert out.printf("Hello, world!\\n") == 14
            assert out.write(b"Hello, world!\\n") == 14
            out.disconnect()
        """,
        b"Hello, world!\r\n" * 4,
    ),
    "the whole window at once, and not a byte more": (
        """
        out = Serial.connect(endpoint)
        assert out.write(b"x" * 4096) == 4096
        try:
            out.write(b"y" * 4097)
        except TooLong as refused:
            assert refused.code == -4
            out.write("!")
        """,
        b"x" * 4096 + b"!",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_client_process(boot: Boot, case: str) -> None:
    """SERSERV_CLI_PROC_001, SERSERV_CLI_PROC_002, SERSERV_CLI_PROC_003, SERSERV_CLI_PROC_004: a
    client process connects; prints with printf, and with write, as many bytes as it is told; does
    both, disconnects, connects again and does both again."""
    body, printed = CASES[case]
    with boot(client=body) as system:
        assert system.wait(timeout=20) == {"finished": True, "failed": []}
        if printed:
            system.console.expect(re.escape(printed))
        system.assert_nothing_left_of("client")


def test_a_client_disconnects_and_another_kills(boot: Boot) -> None:
    """SERSERV_CLI_PROC_005: the client parts, and somebody else who is connected kills."""
    manifest = """
name: case
uarts: [uart0]
pds:
  serial: {run: servers.serial, args: {colour: false}}
  killer: {run: ./killer.py, uses: {console: serial}, serves: endpoint}
  client: {run: ./client.py, uses: {console: serial, killer: killer}}
"""
    client = """
        out = Serial.connect(endpoint)
        out.printf("bye\\n")
        out.disconnect()
        env.endpoint("killer").call()
        try:
            Serial.connect(endpoint)
        except CapError as refused:
            env.log(f"{refused.code.name} by {refused.pd}")
    """
    killer = """
        out = Serial.connect(endpoint)
        env.endpoint("server").recv()
        out.kill()
        env.reply()
    """
    with boot(manifest, client=client, killer=killer) as system:
        assert system.wait(timeout=20)["failed"] == []
        assert console_log(system) == b"bye\r\n"
        assert system.logs("client") == b"REVOKED by serial\n"
        assert system.pd("serial").state == "suspended"


def test_many_clients_at_once_never_tear_a_line(boot: Boot) -> None:
    clients, lines = 8, 40
    manifest = MANIFEST.split("  client:")[0] + "".join(
        f"  c{n}: {{run: ./client.py, uses: {{console: serial}}}}\n" for n in range(clients)
    )
    body = f"""
        with Serial.connect(endpoint) as out:
            for number in range({lines}):
                out.printf("%s:%d:%s\\n", env.name, number, env.name * number)
    """
    with boot(manifest, client=body) as system:
        assert system.wait(timeout=60)["failed"] == []
        printed = console_log(system).decode().split("\r\n")
    assert printed.pop() == ""
    assert len(printed) == clients * lines
    for n in range(clients):
        name = f"c{n}"
        mine = [line for line in printed if line.startswith(f"{name}:")]
        assert mine == [f"{name}:{number}:{name * number}" for number in range(lines)]


def test_a_client_killed_while_it_prints_leaves_whole_lines_and_nothing_else(boot: Boot) -> None:
    manifest = MANIFEST + "  other: {run: ./other.py, uses: {console: serial}}\n"
    forever = """
        out = Serial.connect(endpoint)
        number = 0
        while True:
            out.printf("line %d\\n", number)
            number += 1
    """
    once = """
        env.sleep(0)
        with Serial.connect(endpoint) as out:
            out.printf("other\\n")
    """
    with boot(manifest, client=forever, other=once) as system:
        system.console.expect(rb"line 20\r\n")
        report = system.kill("client")
        assert report["pending"] == []
        system.assert_nothing_left_of("client")
        assert [row["pd"] for row in system.wait(timeout=20)["failed"]] == ["client"]
        printed = console_log(system).split(b"\r\n")
    assert printed.pop() == b""
    numbers = [int(line.split()[1]) for line in printed if line != b"other"]
    assert numbers == list(range(len(numbers)))
    assert printed.count(b"other") == 1


def test_clients_of_a_server_that_dies_are_told_at_once(boot: Boot) -> None:
    waits = """
        out = Serial.connect(endpoint)
        try:
            out.read_line("ready> ")
        except PeerDied as died:
            env.log(f"{died.when.name} {died.pd}")
    """
    with boot(client=waits) as system:
        system.console.expect(b"ready> ")
        system.kill("serial")
        failed = system.wait(timeout=20)["failed"]
        assert [row["pd"] for row in failed] == ["serial"], system.logs("client")
        assert system.logs("client") == b"DIED_AFTER_RECV serial\n"
        system.assert_nothing_left_of("serial")


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSTOP"])
def test_a_line_is_read_by_the_survivor(boot: Boot, how: str) -> None:
    """A reader that is killed keeps nobody from the next line; of one that is suspended the
    operator takes the input."""
    manifest = MANIFEST + "  second: {run: ./second.py, uses: {console: serial}}\n"
    reads = """
        with Serial.connect(endpoint) as out:
            line = out.read_line(f"{env.name}> ")
            out.printf("%s got %s\\n", env.name, line)
    """
    with boot(manifest, client=reads, second=reads) as system:
        first = system.console.expect(rb"(client|second)> ")[1].decode()
        other = {"client": "second", "second": "client"}[first]
        if how == "SIGSTOP":
            while len(system.focus("uart0")["clients"]) < 2:
                continue  # the other has yet to connect
            system.suspend(first)
            system.console.send("to the suspended\r")
            system.console.expect(b"to the suspended\r\n")
            assert system.focus("uart0", other)["focus"] == other
            system.console.expect(f"{other}> ".encode())
            system.console.send("hello\r")
            system.console.expect(f"{other} got hello".encode())
            system.resume(first)
            system.console.expect(f"{first} got to the suspended".encode())
            assert system.wait(timeout=20)["failed"] == []
        else:
            system.kill(first)
            system.console.expect(f"{other}> ".encode())
            system.console.send("hello\r")
            system.console.expect(f"{other} got hello".encode())


def test_a_terminal_on_the_pty_reads_and_types(boot: Boot) -> None:
    asks = """
        with Serial.connect(endpoint) as out:
            out.printf("You typed %s.\\n", out.read_line("your name: "))
    """
    with boot(client=asks) as system:
        system.console.expect(b"your name: ")
        # pyserial discards what was printed before it opened the PTY, so the prompt may be missing.
        with pyserial.Serial(str(system.uart_path()), timeout=30) as terminal:
            terminal.write(b"Ada\x7fa\r")
            shown = terminal.read_until(b".\r\n").removeprefix(b"your name: ")
            assert shown == b"Ada\b \ba\r\nYou typed Ada.\r\n"
        assert system.wait(timeout=20)["failed"] == []


def test_a_uart_that_is_taken_is_told_as_a_bind_failure_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "holder.py").write_text(HOLDER)
    manifest = "pds: {holder: {run: ./holder.py, devices: [uart0], rdes: [pd]}}\n"
    (tmp_path / "case.yaml").write_text(f"uarts: [uart0]\n{manifest}")
    with System(tmp_path / "case.yaml") as system:
        assert system.wait(timeout=20)["finished"]
        taken = "BindFailed: Device 'uart0' is held by holder: give this server another one, or"
        assert system.pd("late").reason == f"{taken} kill that PD."
        assert system.logs("late").decode() == f"{taken} kill that PD.\n"


def test_a_server_that_cannot_start_is_told_once(boot: Boot) -> None:
    server = "{run: servers.serial, args: {device: uart7}}"
    with pytest.raises(SystemFailed, match="serial faulted BindFailed: There is no device") as told:
        boot(f"uarts: [uart0]\npds:\n  serial: {server}\n").start()
    assert told.value.fix == ""  # what it printed has been said


def test_the_demonstration_prints_every_line_once() -> None:
    with System("hello") as system:
        assert system.wait(timeout=30) == {"finished": True, "failed": []}
        text = re.sub(rb"\x1b\[[0-9;]*m", b"", console_log(system))
    lines = sorted(line for line in text.decode().split("\r\n") if line)
    assert lines == sorted(
        [
            "Hello world from world.",
            *["Hello world from John Doe."] * 3,
            *["Hello world from the third client."] * 2,
            "100 of 100 messages came back as they were sent.",
        ]
    )


def test_the_parent_system_serves_two_uarts_in_two_ways() -> None:
    with System("parent") as system:
        for uart in ("uart0", "uart1"):
            system.console[uart].expect(f"parent serves {uart}.".encode())
            system.console[uart].expect(f"Hello world from the client on {uart}.".encode())
        assert system.wait(timeout=20)["failed"] == []


def test_no_segment_outlives_its_window(boot: Boot) -> None:
    reconnects = """
        for _ in range(50):
            with Serial.connect(endpoint) as out:
                out.printf(".")
        env.notification().wait()
    """
    with boot(client=reconnects) as system:
        system.console.expect(rb"\.{50}")
        prefix = json.loads((system.run_dir / "boot.json").read_text())["shm_prefix"]
        left = [name for name in os.listdir("/dev/shm") if name.startswith(prefix)]
        assert len(left) <= 1
