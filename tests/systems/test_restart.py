"""Restart of real PDs: by policy, by an operator, and what their users see of it."""

import csv
import io
import subprocess
import sys
import time
from pathlib import Path

import pytest

import caplab
from caplab.kernel.host.errors import RequestRefused

DEADLINE = 30.0
CLEAN = {"processes": 0, "segments": 0, "sockets": 0, "files": 0}
CLIENT = """
from caplab import PeerDied
from caplab.pd import stubs

def main(env):
    old = env.endpoint("echo")
    old.call(1, b"before")
    while True:
        try:
            old.call(1, b"x")
        except PeerDied as died:
            assert (died.pd, died.generation) == ("echo", 0), died
            break
        env.yield_()
    new = env.endpoint("echo")
    while True:
        try:
            assert new.call(1, b"after").data == b"after"
            break
        except PeerDied:
            new = env.endpoint("echo")
    assert new.slot == old.slot
    try:
        old.call(1, b"again")
    except PeerDied:
        env.exit(0)
    env.exit(3)
"""
BRIEF = """
def main(env, code=0):
    env.exit(code)
"""


def system(folder: Path, text: str, **programs: str) -> caplab.System:
    for name, program in programs.items():
        (folder / f"{name}.py").write_text(program)
    (folder / "again.yaml").write_text(text)
    return caplab.System(folder / "again.yaml", paranoid=True)


def until(running: caplab.System, pd: str, generation: int, *states: str) -> None:
    """Wait until a generation of a PD is in one of these states."""
    end = time.monotonic() + DEADLINE
    while (row := running.pd(pd)).generation != generation or row.state not in states:
        assert time.monotonic() < end, row


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_a_new_generation_is_in_the_same_slot_and_an_old_object_stays_dead(
    tmp_path: Path, how: str
) -> None:
    text = (
        "pds:\n  echo: {run: servers.echo, serves: endpoint, restart: {backoff: 0}}\n"
        "  client: {run: ./client.py, uses: [echo]}\n"
    )
    with system(tmp_path, text, client=CLIENT) as running:
        end = time.monotonic() + DEADLINE
        while running.pd("client").calls < 4:  # it has been answered
            assert time.monotonic() < end
        report = getattr(running, how)("echo")
        assert report["generation"] == 0
        assert [one["action"] for one in report["actions"]][-1] == "restart"
        running.wait(DEADLINE)
        row = running.pd("client")
        assert (row.state, row.exit_code) == ("exited", 0), running.logs("client").decode()
        assert running.pd("echo").generation == 1
        assert running.down()["left"] == CLEAN


def test_restarts_end_at_their_bound_and_an_operator_may_go_on(tmp_path: Path) -> None:
    text = "pds: {idle: {run: clients.idle, restart: {policy: on-failure, backoff: 0, max: 2}}}"
    with system(tmp_path, text) as running:
        for generation in range(3):
            until(running, "idle", generation, "waiting")
            running.kill("idle")
        row = running.pd("idle")
        assert (row.generation, row.state) == (2, "killed")
        assert row.reason.endswith("(restarted 2 times, and no more)")
        assert running.restart("idle")["restarted"] == 3
        until(running, "idle", 3, "waiting")
        assert running.down()["left"] == CLEAN


@pytest.mark.parametrize(
    ("policy", "code", "last"),
    [("no", 1, 0), ("on-failure", 0, 0), ("on-failure", 1, 2), ("always", 0, 2)],
)
def test_a_policy_says_which_ends_are_followed_by_another_start(
    tmp_path: Path, policy: str, code: int, last: int
) -> None:
    text = (
        f"pds: {{brief: {{run: ./brief.py, args: {{code: {code}}}, "
        f"restart: {{policy: {policy}, backoff: 0, max: 2}}}}, idle: {{run: clients.idle}}}}"
    )
    with system(tmp_path, text, brief=BRIEF) as running:
        until(running, "brief", last, "exited")
        assert running.pd("brief").exit_code == code
        assert running.down()["left"] == CLEAN


def test_nobody_is_restarted_who_is_not_there(tmp_path: Path) -> None:
    with system(tmp_path, "pds: {idle: {run: clients.idle}}") as running:
        with pytest.raises(RequestRefused, match="There is no PD 'idel'"):
            running.restart("idel")
        assert running.pd("idle").generation == 0


def command(*words: str) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-m", "caplab", *words]
    return subprocess.run(run, capture_output=True, text=True, timeout=DEADLINE, check=False)


def test_the_commands_do_what_the_lesson_of_the_chain_says(tmp_path: Path) -> None:
    with caplab.System("chain", name="chain-lesson") as running:
        end = time.monotonic() + DEADLINE
        while len(list(running.graph().nodes("RESOURCE"))) < 4 + 1 + 6:  # threads, CPU, toys
            assert time.monotonic() < end
        ran = command("graph", "-n", "chain-lesson", "--format", "csv", "--from", "app")
        rows = list(csv.DictReader(io.StringIO(ran.stdout)))
        assert {row["DATA"] for row in rows if row["NODE_TYPE"] == "PD"} >= {"app", "db", "block"}
        ran = command(
            "kill", "block", "-n", "chain-lesson", "--pd-depth", "1", "--space-depth", "2"
        )
        assert ran.returncode == 0, ran.stderr
        lines = [line.split(". ", 1)[-1].strip() for line in ran.stdout.splitlines()]
        marks = [line for line in lines if line.startswith(("mark", "kill "))]
        assert marks[0].startswith("kill             block")
        assert "mark pd          file (distance 1)" in marks
        assert "mark space       BLOCK_SPACE_10 (distance 0)" in marks
        assert "mark space       DB_SPACE_12 (distance 2)" in marks
        assert marks.index("kill             file (SIGKILL)") > marks.index(
            "mark pd          file (distance 1)"
        )
        ran = command("restart", "block", "-n", "chain-lesson")
        assert (ran.returncode, "block is block/gen1 now" in ran.stderr) == (0, True), ran.stderr
        assert running.down()["left"] == CLEAN


CONSOLE = """
from caplab import PeerDied
from caplab.servers.serial import Serial

def main(env):
    while True:
        try:
            with Serial.connect(env.endpoint("console")) as console:
                while True:
                    line = console.read_line(f"gen {console.endpoint.renewal}> ")
                    console.printf("you typed %s\\n", line)
        except PeerDied:
            env.yield_()
"""


@pytest.mark.parametrize("how", ["crash", "restart"])
def test_a_restarted_serial_server_drives_its_uart_again_both_ways(
    tmp_path: Path, how: str
) -> None:
    text = (
        "uarts: [uart0]\npds:\n"
        "  serial: {run: servers.serial, restart: {policy: on-failure, backoff: 0}}\n"
        "  reader: {run: ./reader.py, uses: {console: serial}}\n"
    )
    with system(tmp_path, text, reader=CONSOLE) as running:
        for generation in range(2):
            running.console.expect(rf"gen {generation}> ")
            running.console.send(f"line {generation}\n")
            running.console.expect(rf"you typed line {generation}")
            if not generation:
                getattr(running, how)("serial")
        assert running.down()["left"] == CLEAN
