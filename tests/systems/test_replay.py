"""Whole runs on real processes, recorded, come to the identical state when they are replayed."""

from pathlib import Path

import caplab
from replays import identical, replayed


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
