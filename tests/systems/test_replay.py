"""Whole runs on real processes, recorded, come to the identical state when they are replayed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import caplab


def replayed(log: Path, *options: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "caplab", "replay", str(log), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.returncode, done.stdout


def identical(log: Path) -> dict[str, Any]:
    """The last line says so, at the very end; the state in JSON."""
    status, text = replayed(log)
    document: dict[str, Any] = json.loads(replayed(log, "--format", "json")[1])
    assert status == 0
    assert document["whole"]
    assert document["at_event"] == document["event"] > 0
    same = document["hash"]
    assert len(same) == len("sha256:") + 64
    last = f"replayed {same} recorded {same} at event {document['event']}"
    assert text.splitlines()[-1] == last
    assert all(check["replayed"] == check["recorded"] for check in document["checks"])
    return document


def test_the_whole_demonstration_ends_in_the_identical_hash(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with caplab.System("hello", record=log) as system:
        assert system.wait(60)["failed"] == []
        lived = {row.pd: row for row in system.ps()}
    state = identical(log)
    assert state["system"] == "hello"
    rows = {row["pd"]: row for row in state["pds"]}
    assert rows.keys() == lived.keys()
    for name, row in rows.items():
        if row["role"] == "client":
            assert (row["state"], row["calls"]) == ("exited", lived[name].calls)


def test_a_run_with_kills_and_crashes_ends_in_the_identical_hash(tmp_path: Path) -> None:
    log = tmp_path / "log"
    system = caplab.System("hello", record=log).arm("hello2", "kill", after=4)
    with system.arm("hello3", "crash", "segv", after=6):
        system.wait(60)
        system.kill("serial")
        system.kill("echo-server", signal="TERM")
    state = identical(log)
    rows = {row["pd"]: row for row in state["pds"]}
    assert (rows["hello2"]["state"], rows["hello2"]["calls"]) == ("killed", 4)
    assert rows["hello3"]["state"] == "faulted"
    assert rows["serial"]["state"] == rows["echo-server"]["state"] == "killed"
    assert replayed(log, "--until", "1")[0] == 0
