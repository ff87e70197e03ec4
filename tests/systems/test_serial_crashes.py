"""What a crash of a client, the server or the kernel loses under each buffering, on processes; many
clients at once; and a megabyte each way. Moment by moment: `tests/servers/serial/`."""

import hashlib
import os
import re
import signal
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from caplab import System
from caplab.servers.serial.buffering import KINDS
from caplab.servers.serial.protocol import WINDOW_MAX
from caplab.servers.serial.rings import ROUND

PRELUDE = """
import hashlib
from caplab.servers.serial import *
from caplab import *

def main(env):
    out = Serial.connect(env.endpoint("console"))
"""
HEAD = """
name: case
uarts: [uart0]
pds:
  serial: {run: servers.serial, args: {colour: false}%s}
"""
CLIENT = "  %s: {run: ./%s.py, uses: {console: serial}, console: {buffering: %s}}\n"

Boot = Callable[..., System]


@pytest.fixture
def boot(tmp_path: Path) -> Boot:
    """A system of clients with their kind of buffering, not started yet."""

    def boot(clients: dict[str, str], server: str = "", **programs: str) -> System:
        for name, body in programs.items():
            text = PRELUDE + textwrap.indent(textwrap.dedent(body), "    ")
            (tmp_path / f"{name}.py").write_text(text)
        lines = [CLIENT % (name, next(iter(programs)), kind) for name, kind in clients.items()]
        (tmp_path / "system.yaml").write_text(HEAD % server + "".join(lines))
        return System(tmp_path / "system.yaml")

    return boot


def console_log(system: System) -> bytes:
    return (system.run_dir / "uart0" / "console.log").read_bytes()


def numbers(printed: bytes, name: str) -> list[int]:
    """The numbers of the whole lines of a client, in the order in which they were printed."""
    return [int(n) for n in re.findall(rb"^%s (\d+) x+\r$" % name.encode(), printed, re.MULTILINE)]


def test_a_client_that_is_killed_loses_its_own_buffer_and_nothing_else(boot: Boot) -> None:
    program = """
        out.printf("%s before\\n", env.name)
        out.flush()
        for number in range(20):
            out.printf("%s after %d\\n", env.name, number)
        env.log("written")
        env.notification().wait()
    """
    clients = {"calls": "call", "backs": "write-back", "rings": "ring"}
    with boot(clients, program=program) as system:
        while not all(b"written" in system.logs(name) for name in clients):
            system.ps()
        for name in clients:
            assert system.kill(name)["pending"] == []
            system.assert_nothing_left_of(name)
        system.console.expect(rb"rings after 19\r\n|calls after 19\r\n")
        assert system.wait(timeout=20)["finished"]
        printed = console_log(system)
    for name, lines in (("calls", 20), ("backs", 0), ("rings", 20)):
        assert printed.count(b"%s before\r\n" % name.encode()) == 1
        assert printed.count(b"%s after" % name.encode()) == lines


STEADY = """
    for number in range(3000):
        while True:
            try:
                out.printf("%s %d %s\\n", env.name, number, "x" * (number % 60 + 1))
                break
            except PeerDied as died:
                out.reconnect(timeout=20)
                if out.unsent == 0 and died.when.name == "DIED_AFTER_RECV":
                    env.log(f"in doubt {number}")
                    break
    while True:
        try:
            out.flush()
            break
        except PeerDied:
            out.reconnect(timeout=20)
    out.disconnect()
"""


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_killed_loses_nothing_and_repeats_a_share_at_most(
    boot: Boot, kind: str
) -> None:
    restart = ", restart: {policy: on-failure, backoff: 0, max: 50}"
    with boot({"a": kind}, restart, program=STEADY) as system:
        for number in (200, 900, 1700):
            system.console.expect(rb"a %d x+\r\n" % number, timeout=30)
            system.kill("serial")
        assert system.wait(timeout=60)["failed"] == []
        printed, log = console_log(system), system.logs("a").decode()
    seen = numbers(printed, "a")
    in_doubt = {int(n) for n in re.findall(r"in doubt (\d+)", log)}
    assert set(range(3000)) - set(seen) <= in_doubt
    repeated = [(at, n) for at, n in enumerate(seen[1:], 1) if n <= seen[at - 1]]
    assert len(repeated) <= 3
    if kind == "call":
        assert not repeated
    share = {"call": 0, "write-back": WINDOW_MAX, "ring": ROUND}[kind]
    for at, number in repeated:
        again = range(number, seen[at - 1] + 1)
        assert sum(len(f"a {n} {'x' * (n % 60 + 1)}\n") for n in again) <= share


def test_a_kernel_that_is_killed_leaves_the_beginning_of_what_each_client_printed(
    boot: Boot,
) -> None:
    forever = STEADY.replace("range(3000)", "range(1 << 30)")
    with boot(dict(zip("abc", KINDS, strict=True)), program=forever) as system:
        for name in "abc":
            system.console.expect(rb"%s \d+ x+\r\n" % name.encode())
        log = system.run_dir / "uart0" / "console.log"
        os.kill(system.info()["kernel_pid"], signal.SIGKILL)
        printed = b""
        while (now := log.read_bytes()) != printed:
            printed = now
    whole, _, _ = printed.rpartition(b"\r\n")
    for name in "abc":
        seen = numbers(whole + b"\r\n", name)
        assert seen == list(range(len(seen)))
        assert seen


def many(boot: Boot, lines: int) -> None:
    """20 clients of all kinds, some in pieces: every line is whole, and there once."""
    program = f"""
        for number in range({lines}):
            text = "%s %d %s\\n" % (env.name, number, "x" * (number * 7 % 70 + 1))
            half = len(text) // 2 if env.console["buffering"] != "call" else len(text)
            out.write(text[:half])
            out.write(text[half:])
        out.disconnect()
    """
    clients = {f"c{n}": KINDS[n % 3] for n in range(20)}
    with boot(clients, program=program) as system:
        assert system.wait(timeout=280)["failed"] == []
        printed = console_log(system)
    assert printed.count(b"\n") == 20 * lines
    for name in clients:
        assert numbers(printed, name) == list(range(lines))


def test_twenty_clients_print_every_line_whole_and_once(boot: Boot) -> None:
    many(boot, 50)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_twenty_clients_print_a_thousand_lines_each_whole_and_once(boot: Boot) -> None:
    many(boot, 1000)


def pasted(boot: Boot, size: int) -> None:
    """Pasted text comes to a reader of lines and to a raw one, byte by byte as it was typed."""
    lines = """
        digest, size = hashlib.sha256(), 0
        while size < SIZE:
            line = out.read_line("" if size else "ready> ")
            digest.update(line.encode() + b"\\r")
            size += len(line) + 1
        env.log(f"lines {digest.hexdigest()}")
        out.write("now raw\\n")
        digest, size = hashlib.sha256(), 0
        while size < SIZE:
            data = out.read()
            digest.update(data)
            size += len(data)
        env.log(f"raw {digest.hexdigest()}")
    """.replace("SIZE", str(size))
    text = b"".join(b"%d is what was pasted here\r" % n for n in range(size))[: size - 1] + b"\r"
    raw = bytes(n * n % 255 for n in range(size))
    with boot({"a": "call"}, program=lines) as system:
        system.console.expect(b"ready> ")
        system.console.send(text)
        system.console.expect(b"now raw\r\n", timeout=200)
        system.console.send(raw)
        assert system.wait(timeout=200)["failed"] == []
        told = system.logs("a").decode()
    assert f"lines {hashlib.sha256(text).hexdigest()}" in told
    assert f"raw {hashlib.sha256(raw).hexdigest()}" in told


def test_what_is_pasted_arrives(boot: Boot) -> None:
    pasted(boot, 1 << 15)


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_megabyte_that_is_pasted_arrives(boot: Boot) -> None:
    pasted(boot, 1 << 20)
