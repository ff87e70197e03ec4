"""Kill or crash each PD at each of its first system calls, and look at what remains.

The suite runs a sample; `nox -s crash` runs every point (marker `crash`).
"""

import re
from pathlib import Path

import pytest

import caplab
from caplab.kernel.host.watcher import ConsoleEnded

DEADLINE = 30.0
POINTS = range(1, 21)
HOWS = ("SIGKILL", "segv", "exception", "exit:3")
HELLO_LINES = {"hello1": ("world", 1), "hello2": ("John Doe", 3), "hello3": ("the third client", 2)}
PDS = ("serial", "echo-server", "hello1", "hello2", "hello3", "echo")
SAMPLE = [
    ("serial", "SIGKILL", 1),
    ("serial", "segv", 12),
    ("serial", "exception", 17),
    ("serial", "exit:3", 20),
    ("echo-server", "SIGKILL", 3),
    ("echo-server", "exception", 1),
    ("hello1", "SIGKILL", 2),
    ("hello1", "segv", 4),
    ("hello2", "exception", 5),
    ("hello2", "exit:3", 3),
    ("hello3", "SIGKILL", 6),
    ("echo", "segv", 9),
    ("echo", "SIGKILL", 20),
]
ACKER = """
from caplab.servers.serial import Serial

def main(env, count=12):
    with Serial.connect(env.endpoint("console")) as out:
        for number in range(count):
            out.printf("%s says %d.\\n", env.name, number)
            print(f"acknowledged {number}", flush=True)
"""


def armed(manifest: str | Path, victim: str, how: str, after: int) -> caplab.System:
    system = caplab.System(manifest, paranoid=True)
    if how.startswith("SIG"):
        return system.arm(victim, "kill", how, after=after)
    return system.arm(victim, "crash", how, after=after)


def everything(system: caplab.System) -> str:
    """What stands on the console once the system is down, without colours."""
    text = b""
    try:
        while part := system.console.read(DEADLINE):
            text += part
    except ConsoleEnded:
        pass
    return re.sub(rb"\x1b\[[0-9;]*m", b"", text).decode()


def run_to_the_end(manifest: str | Path, victim: str, how: str, after: int) -> tuple[dict, str]:
    """Boot with one armed crash; the ends of all PDs, and what the console shows."""
    with armed(manifest, victim, how, after) as system:
        system.wait(DEADLINE)
        rows = {row.pd: row for row in system.ps()}
        if not rows[victim].alive:
            system.assert_nothing_left_of(victim)
        report = system.down()
        shown = everything(system)
    assert report["left"] == {"processes": 0, "segments": 0, "sockets": 0, "files": 0}
    return rows, shown


def check_hello(victim: str, how: str, after: int) -> bool:
    """One point of the demonstration; false when the victim ended before it was reached."""
    rows, shown = run_to_the_end("hello", victim, how, after)
    reached = rows[victim].calls >= after and rows[victim].state != "exited"
    reached = reached or rows[victim].exit_code == 3
    for name, (who, count) in HELLO_LINES.items():
        times = shown.count(f"Hello world from {who}.\r\n")
        assert times <= count, f"{name} printed {count} lines, {times} stand there"
        if rows[name].state == "exited" and rows[name].exit_code == 0:
            assert times == count, f"{name} had {count} lines acknowledged, {times} stand there"
    survivors = set(rows) - {victim}
    if victim not in ("serial", "echo-server"):
        ended_well = {name for name in survivors if rows[name].exit_code in (0, None)}
        assert ended_well == survivors, rows
    return reached


@pytest.mark.parametrize(("victim", "how", "after"), SAMPLE)
def test_a_crash_at_a_point_of_the_demonstration_harms_nobody_else(
    victim: str, how: str, after: int
) -> None:
    check_hello(victim, how, after)


@pytest.mark.crash
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("victim", PDS)
@pytest.mark.parametrize("how", HOWS)
def test_every_crash_point_of_the_demonstration_harms_nobody_else(victim: str, how: str) -> None:
    reached = [check_hello(victim, how, after) for after in POINTS]
    assert any(reached)


@pytest.fixture
def ackers(tmp_path: Path) -> Path:
    """Two clients that note in their logs which lines were acknowledged."""
    (tmp_path / "acker.py").write_text(ACKER)
    path = tmp_path / "ackers.yaml"
    path.write_text(
        "name: ackers\nuarts: [uart0]\npds:\n"
        "  serial: {run: servers.serial, devices: [uart0]}\n"
        "  one: {run: ./acker.py, uses: {console: serial}}\n"
        "  two: {run: ./acker.py, uses: {console: serial}}\n"
    )
    return path


@pytest.mark.parametrize(
    ("victim", "how", "after"),
    [("serial", "SIGKILL", 20), ("serial", "segv", 33), ("one", "SIGKILL", 9), ("two", "bus", 11)],
)
def test_each_acknowledged_line_stands_on_the_console_exactly_once(
    ackers: Path, victim: str, how: str, after: int
) -> None:
    with armed(ackers, victim, how, after) as system:
        system.wait(DEADLINE)
        said = {name: system.logs(name).decode() for name in ("one", "two")}
        assert not system.pd(victim).alive
        system.down()
        shown = everything(system)
    for name, log in said.items():
        acknowledged = re.findall(r"^acknowledged (\d+)$", log, re.MULTILINE)
        if name != victim:
            assert acknowledged or victim == "serial"
        for number in acknowledged:
            assert shown.count(f"{name} says {number}.\r\n") == 1
