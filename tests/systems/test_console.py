"""A real system's console: attached through restarts, until the end, to one UART or another."""

import hashlib
import os
import signal
import sys
from pathlib import Path

import pytest
import serial

from caplab import System
from console_user import ESC, at_a_terminal

DRIVER = '''
from caplab import Env
from caplab.pd.register import WindowSize


def main(env: Env, name: str) -> None:
    """Says what comes up the line."""
    uart = env.device(name)
    bell = env.notification()
    interrupt = uart.claim()
    interrupt.set_notification(bell)
    uart.write(b"generation %d drives %s\\r\\n" % (env.generation, name.encode()))
    while True:
        for part in uart.receive():
            said = "%d x %d" % part if isinstance(part, WindowSize) else str(part)
            uart.write(f"<{said}>\\r\\n".encode())
        interrupt.ack()
        bell.wait()
'''
MANIFEST = """
name: driven
uarts: [uart0, uart1]
pds:
  driver:
    run: ./driver.py
    role: server
    devices: [uart0]
    args: {name: uart0}
    restart: {policy: always, backoff: 0.01}
  other:
    run: ./driver.py
    role: server
    devices: [uart1]
    args: {name: uart1}
"""
SHELL = """
name: served
uarts: [uart0]
pds:
  serial:
    run: servers.serial
    restart: {policy: on-failure, backoff: 0.01}
  shell:
    run: clients.shell
    uses: {console: serial}
    restart: {policy: on-failure, backoff: 0.01}
"""
COUNTER = """
import hashlib
from caplab.servers.serial import Serial


def main(env, size):
    with Serial.connect(env.endpoint("console")) as console:
        while True:
            console.write("ready\\n")
            seen, left = hashlib.sha256(), size
            while left:
                data = console.read(timeout=20)
                seen.update(data)
                left -= len(data)
            console.write(f"{seen.hexdigest()}\\n")
"""
COUNTING = """
name: counting
uarts: [uart0]
pds:
  serial: {run: servers.serial}
  counter:
    run: ./counter.py
    uses: {console: serial}
    args: {size: 1048576}
"""
READER = """
from caplab.servers.serial import Serial


def main(env):
    with Serial.connect(env.endpoint("console")) as console:
        while (line := console.read_line(f"{env.name}> ")) is not None:
            console.printf("%s got %s\\n", env.name, line)
"""
READERS = """
name: readers
uarts: [uart0]
pds:
  serial: {run: servers.serial, args: {colour: false}}
  one: {run: ./reader.py, uses: {console: serial}}
  two: {run: ./reader.py, uses: {console: serial}}
"""
CAPLAB = [sys.executable, "-m", "caplab"]
BANNER = r"\[caplab\] uart0 on /dev/pts/\d+\. Ctrl-\] then: q leaves"


@pytest.fixture
def manifest(tmp_path: Path, runtime_dir: Path) -> Path:
    (tmp_path / "driver.py").write_text(DRIVER)
    path = tmp_path / "driven.yaml"
    path.write_text(MANIFEST)
    return path


def test_a_console_stays_attached_while_its_driver_dies_and_comes_back(manifest: Path) -> None:
    with System(manifest) as system, at_a_terminal([*CAPLAB, "console"]) as terminal:
        terminal.expect(BANNER)
        terminal.expect("generation 0 drives uart0")
        terminal.expect("<24 x 80>")
        for generation in (1, 2):
            system.kill("driver")
            dead = f"driver/gen{generation - 1}"
            terminal.expect_exact(f"[caplab] the driver of uart0 has died ({dead})\r\n")
            # What the new one prints may be there before or after the note; it is told, too.
            wanted = [
                f"[caplab] driver/gen{generation} drives uart0\r\n",
                f"generation {generation} drives uart0",
                "<24 x 80>",
            ]
            while wanted:
                wanted.pop(terminal.expect_exact(wanted))
            terminal.send(f"key {generation}")
            terminal.expect(f"<b'key {generation}'>")
        terminal.send(ESC + "b")
        terminal.expect_exact("<Break()>")
        terminal.send(ESC + "n")
        terminal.expect(r"uart1 on /dev/pts/\d+")
        terminal.expect("generation 0 drives uart1")
        terminal.send("x")
        terminal.expect("<b'x'>")
        system.kill("other")
        terminal.expect(r"the driver of uart1 has died \(other/gen0\) and is not restarted")
        terminal.send(ESC + "nn")
        terminal.expect("uart0 on")
        terminal.send(ESC + "n")
        terminal.expect("uart1 on")
        terminal.expect(r"the driver of uart1 has died \(other/gen0\)")  # who comes late is told
        terminal.send(ESC + "n")
        terminal.expect("generation 2 drives uart0")
        terminal.send(ESC + "q")
    assert terminal.code == 0


def test_a_console_stays_attached_while_the_serial_server_is_started_anew(
    tmp_path: Path, runtime_dir: Path
) -> None:
    (tmp_path / "served.yaml").write_text(SHELL)
    with (
        System(tmp_path / "served.yaml") as system,
        at_a_terminal([*CAPLAB, "console"]) as terminal,
    ):
        terminal.expect("caplab> ")
        terminal.send("half")
        terminal.expect("half")
        system.kill("serial")
        terminal.expect_exact("\r\n[caplab] the driver of uart0 has died (serial/gen0)\r\n")
        assert terminal.before == ""
        terminal.expect("serial/gen1 drives uart0")
        terminal.expect("This is a PD.*caplab> ")
        terminal.send("echo still here\r")
        terminal.expect(r"still here\r+\n.*still here")
        terminal.send(ESC + "q")
    assert terminal.code == 0


@pytest.mark.parametrize("how", ["down", "kernel", "launcher"])
def test_the_terminal_is_restored_when_the_system_ends(manifest: Path, how: str) -> None:
    with System(manifest) as system, at_a_terminal([*CAPLAB, "console"]) as terminal:
        terminal.expect("<24 x 80>")
        if how == "down":
            system.down()
        else:
            assert system._launched is not None
            process = system._launched.process.pid
            os.kill(system.info()["kernel_pid"] if how == "kernel" else process, signal.SIGKILL)
        terminal.expect("the system has gone down")
    assert terminal.code == 0


def test_up_with_a_console_shows_one_uart_after_the_other_and_ends_the_system(
    manifest: Path,
) -> None:
    with at_a_terminal([*CAPLAB, "up", str(manifest), "-c", "--escape", "ctrl-a"]) as terminal:
        terminal.expect(r"uart0 on /dev/pts/\d+. Ctrl-A then: q leaves")
        terminal.expect("generation 0 drives uart0")
        terminal.send("\x01n")
        terminal.expect("generation 0 drives uart1")
        terminal.send("\x01q")
        terminal.expect("nothing is left behind")
    assert terminal.code == 0


def test_every_key_but_the_escape_is_the_system_s_which_goes_on_when_we_leave(
    manifest: Path,
) -> None:
    with System(manifest) as system:
        with at_a_terminal([*CAPLAB, "console"]) as terminal:
            terminal.expect("<24 x 80>")
            terminal.send(ESC + ESC)
            terminal.expect_exact("<b'\\x1d'>")
            terminal.sendeof()  # which is a key like any other
            terminal.expect_exact("<b'\\x04'>")
            terminal.send(ESC + "q")
        system.console.expect("x04")
        assert system.pd("driver").alive


def test_a_megabyte_that_is_pasted_reaches_a_client_that_reads(
    tmp_path: Path, runtime_dir: Path
) -> None:
    (tmp_path / "counter.py").write_text(COUNTER)
    (tmp_path / "counting.yaml").write_text(COUNTING)
    pasted = os.urandom(1 << 20)
    told = hashlib.sha256(pasted).hexdigest()
    with System(tmp_path / "counting.yaml") as system:
        console = system.console["uart0"]
        console.expect("ready")
        while not all(client["reading"] for client in system.focus("uart0")["clients"]):
            continue  # what comes before its first read is nobody's, of which little is kept
        console.send(pasted)
        console.expect(told, timeout=60)
        with serial.Serial(str(system.uart_path()), timeout=60, write_timeout=60) as port:
            console.expect("ready")
            port.write(pasted)
            console.expect(told, timeout=60)
            assert told.encode() in port.read_until(told.encode())
        assert console.status()["input_dropped"] == 0


def test_the_input_goes_to_whom_the_user_names(tmp_path: Path, runtime_dir: Path) -> None:
    (tmp_path / "reader.py").write_text(READER)
    (tmp_path / "readers.yaml").write_text(READERS)
    with System(tmp_path / "readers.yaml") as system:
        while [c["reading"] for c in system.focus("uart0")["clients"]] != [True, True]:
            continue  # they have yet to connect, and to read
        with at_a_terminal([*CAPLAB, "console", "--to", "two"]) as terminal:
            terminal.expect("the input of uart0 goes to two")
            terminal.expect(BANNER)
            terminal.send("first\r")
            terminal.expect("two got first")
            terminal.send(ESC + "s")
            terminal.expect("one reading")
            terminal.expect("to: ")
            terminal.send("o\t\r")
            terminal.expect("input goes to one")
            terminal.send("second\r")
            terminal.expect("one got second")
            assert "input goes" not in terminal.before  # once is enough
            terminal.send(ESC + "sthree\r")
            terminal.expect("no PD `three`")
            terminal.send(ESC + "q")
        assert terminal.code == 0
        with at_a_terminal([*CAPLAB, "console", "--to", "serial"]) as terminal:
            terminal.expect(r"\[not-a-client\]")
        assert terminal.code == 2
