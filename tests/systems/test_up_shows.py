"""In which order and under whose name a foreground `caplab up` shows what happens."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import psutil
import pytest

from caplab.kernel.boot.control import readable
from caplab.kernel.boot.running import Running
from caplab.kernel.host import rundir
from caplab.kernel.host.errors import HostError
from console_user import at_a_terminal

PATIENCE = 30.0
NOTHING = "nothing is left behind: no process, segment, socket or file"
MOMENT = 0.3
"""Seconds in which an end would be told, did it not wait; much less than it waits at most."""
LATE = """
from caplab import PeerDied
from caplab.servers.serial import Serial


def main(env):
    with Serial.connect(env.endpoint("console")) as console:
        try:
            env.endpoint("gate").call()
        except PeerDied:
            print("said by itself", flush=True)
            console.write("said on the console\\n")
            print("unfinished", end="", flush=True)
"""
GATE = """
def main(env):
    env.endpoint("server").recv()
    env.notification().wait()
"""
LAST_WORDS = """
name: last-words
uarts: [uart0]
pds:
  serial: {run: servers.serial}
  gate: {run: ./gate.py, role: server, serves: endpoint}
  late: {run: ./late.py, uses: {console: serial, gate: gate}}
"""
SEVERAL = """
name: several
uarts: [uart0, uart1]
pds:
  one: {run: servers.serial, devices: [uart0]}
  two: {run: servers.serial, devices: [uart1]}
  hello1: {run: clients.hello, uses: {console: one}, args: {count: 3}}
  hello2: {run: clients.hello, uses: {console: two}, args: {count: 3, name: "you"}}
  brief: {run: ./brief.py, restart: {policy: on-failure, backoff: 0, max: 1}}
"""


def written(folder: Path, manifest: str, **programs: str) -> str:
    """Where a manifest lies, and its programs beside it."""
    for name, program in programs.items():
        (folder / f"{name}.py").write_text(program)
    path = folder / "sample.yaml"
    path.write_text(manifest)
    return str(path)


@contextmanager
def up(folder: Path, manifest: str, **programs: str) -> Iterator[subprocess.Popen[bytes]]:
    """`caplab up`, with standard output and error in one pipe."""
    with subprocess.Popen(
        [sys.executable, "-m", "caplab", "up", written(folder, manifest, **programs)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def running(name: str) -> Running:
    """The system, as soon as it can be asked."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            found = Running.attach(name)
            found.control.ask("ready", timeout=PATIENCE)
            return found
        except HostError:
            assert time.monotonic() < end


def line_of(system: Running, uart: str) -> int:
    """The process that keeps the UART's log."""
    log = str(system.run_dir / uart / "console.log")
    launcher = psutil.Process(rundir.read_info(system.run_dir)["launcher_pid"])
    for process in launcher.children(recursive=True):
        held = {os.path.realpath(fd) for fd in Path(f"/proc/{process.pid}/fd").iterdir()}
        if log in held:
            return int(process.pid)
    raise AssertionError(f"nobody keeps {log}")


def heard(process: subprocess.Popen[bytes], seconds: float = PATIENCE) -> str:
    """What it says within this time, or until it ends."""
    assert process.stdout is not None
    end = time.monotonic() + seconds
    said = b""
    while readable(process.stdout, max(0.0, end - time.monotonic())):
        data = os.read(process.stdout.fileno(), 65536)
        if not data:
            break
        said += data
    return said.decode()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def until(system: Running, pd: str, state: str, reason: str = "") -> None:
    end = time.monotonic() + PATIENCE
    while not ((row := system.pd(pd)).state == state and reason in row.reason):
        assert time.monotonic() < end, row


@pytest.mark.parametrize("slow", ["line", "launcher"])
def test_the_last_words_of_a_pd_are_shown_before_its_end_is_told(tmp_path: Path, slow: str) -> None:
    with up(tmp_path, LAST_WORDS, late=LATE, gate=GATE) as process:
        system = running("last-words")
        until(system, "late", "waiting", "reply from gate")
        launcher = rundir.read_info(system.run_dir)["launcher_pid"]
        with stopped(line_of(system, "uart0") if slow == "line" else launcher):
            system.kill("gate")
            until(system, "late", "exited")
            early = heard(process, MOMENT)
            assert "late exited" not in early
        shown = (early + heard(process)).splitlines()
        assert process.wait(PATIENCE) == 1  # the gate was killed
    assert NOTHING in shown[-1]
    assert not [line for line in shown if "[system-failed]" in line]
    ended = shown.index("caplab: late exited")
    assert set(shown[:ended]) >= {
        "late | said by itself",
        "late | unfinished",
        "said on the console",
        "caplab: gate was killed: SIGKILL by operator",
    }


def test_at_a_console_too_a_pd_s_last_words_come_first(tmp_path: Path) -> None:
    path = written(tmp_path, LAST_WORDS, late=LATE, gate=GATE)
    with at_a_terminal([sys.executable, "-m", "caplab", "up", path, "-c"]) as terminal:
        terminal.expect("Ctrl-. then: q leaves")
        system = running("last-words")
        until(system, "late", "waiting", "reply from gate")
        with stopped(line_of(system, "uart0")):
            system.kill("gate")
            until(system, "late", "exited")
            terminal.expect("said by itself")
            assert terminal.expect([pexpect.TIMEOUT, "late exited"], timeout=MOMENT) == 0
        terminal.expect(r"said on the console\r+\n")
        terminal.expect_exact("late exited\r\n")
        terminal.expect(NOTHING)


def test_lines_of_several_uarts_say_whose_they_are_and_pds_that_come_back_that_they_do(
    tmp_path: Path,
) -> None:
    with up(tmp_path, SEVERAL, brief="def main(env):\n    env.exit(1)\n") as process:
        shown = heard(process).splitlines()
        process.wait(PATIENCE)
    for line in ("uart0 | Hello world from world.", "uart1 | Hello world from you."):
        assert shown.count(line) == 3
    assert not [line for line in shown if not line.startswith(("uart0 | ", "uart1 | ", "caplab: "))]
    assert [line for line in shown if "brief" in line and "`" not in line] == [
        "caplab: brief exited: exit code 1",
        "caplab: brief/gen1 has started",
        "caplab: brief/gen1 exited: exit code 1",
    ]
