"""`caps` and `trace` on real processes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import caplab
from caplab.kernel.host.errors import RequestRefused

CALM = """
name: calm
uarts: [uart0]
pds:
  serial: {run: servers.serial}
  idle: {run: clients.idle, uses: [serial]}
  other: {run: clients.idle, uses: {console: serial}}
"""


@pytest.fixture
def calm(tmp_path: Path) -> Path:
    """A serial server and two PDs that hold a capability to it and use it for nothing."""
    path = tmp_path / "calm.yaml"
    path.write_text(CALM)
    return path


def asked(*words: str) -> Any:
    """What a command says in its JSON form."""
    command = [sys.executable, "-m", "caplab", *words, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def named(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in document["slots"] if name in row["names"])


def test_the_capabilities_of_a_running_pd_and_their_derivation(calm: Path) -> None:
    with caplab.System(calm, paranoid=True) as system:
        console = named(asked("caps", "other", "--tree"), "console")
        assert (console["object"], console["rights"], console["from"]) == (
            *("serial/gen0", "-WGP", "serial"),
        )
        (master,) = console["parents"]
        assert (master["pd"], master["badge"]) == ("root", 0)
        (row,) = [
            row
            for row in asked("caps", "root", "--tree")["slots"]
            if row["object"] == "serial/gen0"
        ]
        assert row["slot"] == master["slot"]
        assert {one["pd"] for one in row["derived"]} == {"serial", "idle", "other"}
        system.kill("other")
        (row,) = [
            row for row in system.caps("root", tree=True)["slots"] if row["object"] == "serial/gen0"
        ]
        assert {one["pd"] for one in row["derived"]} == {"serial", "idle"}
        assert system.caps("other")["slots"] == []
        with pytest.raises(RequestRefused, match="no PD 'nobody'"):
            system.caps("nobody")


# -- trace -----------------------------------------------------------------------------------------

BUSY = """
name: busy
uarts: [uart0]
pds:
  serial: {run: servers.serial}
  echo-server: {run: servers.echo}
  echo: {run: clients.echo, args: {count: 1000000}, uses: {console: serial, echo: echo-server}}
  idle: {run: clients.idle, uses: [serial]}
"""


@pytest.fixture
def busy(tmp_path: Path) -> Path:
    """A pair that calls without end, and a PD that waits."""
    path = tmp_path / "busy.yaml"
    path.write_text(BUSY)
    return path


def traced(*words: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "caplab", "trace", *words, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_calls_of_one_pd_as_they_are_answered(busy: Path) -> None:
    with caplab.System(busy):
        _, *lines = traced("echo", "-f", "--limit", "20")
    assert len(lines) == 19
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    for line in lines:
        assert (line["pd"], line["call"], line["target"], line["status"], line["by"]) == (
            *("echo", "Call", "endpoint echo-server/gen0", "OK", "echo-server/gen0"),
        )
        assert 0 < line["seconds"] < 10
        assert line["bytes"] > 0


def test_both_sides_of_each_call_are_in_the_trace_of_all(busy: Path) -> None:
    with caplab.System(busy) as system:
        lines = []
        for line in system.trace():
            lines.append(line)
            if len(lines) == 80:
                break
        told = {(line["pd"], line["call"]) for line in lines}
        assert told >= {("echo", "Call"), ("echo-server", "ReplyRecv")}
        last = system.last_calls(["echo"])
        assert last
        assert {(line["pd"], line["status"]) for line in last} == {("echo", None)}


def test_a_trace_shows_a_death_and_ends_with_the_system(busy: Path) -> None:
    with caplab.System(busy) as system:
        trace = system.trace(["echo", "idle"])
        next(trace)
        system.kill("echo-server")
        line = next(line for line in trace if line["status"] != "OK")
        assert line["status"] in ("DIED_BEFORE_RECV", "DIED_AFTER_RECV")
        # A call made after the death is refused at once, by the kernel.
        assert line["pd"] == "echo"
        assert line["by"] in ("echo-server/gen0", "kernel")
        system.kill("idle")
        line = next(line for line in trace if line["pd"] == "idle")
        assert (line["call"], line["status"], line["by"]) == ("Wait", None, "nobody")
        system.down()
        list(trace)


def test_a_trace_that_is_recorded_or_watched_over_changes_no_hash(
    busy: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with caplab.System(busy, record=log, paranoid=True) as system:
        trace = system.trace()
        for _ in range(30):
            next(trace)
        trace.close()
    done = subprocess.run(
        [sys.executable, "-m", "caplab", "replay", str(log)], capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
