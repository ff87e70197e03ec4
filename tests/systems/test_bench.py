"""The measured systems run, the yardsticks too, and nothing of either stays."""

import os
import time
from pathlib import Path

import pytest

from caplab.kernel.host.errors import HostError
from caplab.scripts.bench import boot, ipc
from caplab.scripts.bench.children import Children, hear
from caplab.scripts.bench.rounds import Budget
from caplab.scripts.bench.rows import Row
from caplab.scripts.bench.suite import measured

QUICK = 0.0
"""Seconds that allow one round."""


def rows(setups: list[ipc.Setup]) -> list[Row]:
    return measured(setups, Budget(QUICK, time.monotonic), lambda text: None)


def test_calls_and_relay_are_timed_on_one_core_and_on_two() -> None:
    found = rows(ipc.setups(False))
    assert len(found) == min(2, len(os.sched_getaffinity(0)))
    for row in found:
        assert row.yardstick_value is not None
        # A round trip is some system calls and switches: longer than a microsecond, or it was none.
        assert 5 < row.value < 1e6
        assert 5 < row.yardstick_value < 1e6


def test_every_process_of_the_call_runs_where_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = max(os.sched_getaffinity(0))
    placed: dict[int, set[int]] = {}
    real = ipc.pin

    def pin(pid: int, where: int) -> None:
        real(pid, where)
        placed[pid] = set.union(
            *(os.sched_getaffinity(int(task)) for task in os.listdir(f"/proc/{pid}/task"))
        )

    monkeypatch.setattr(ipc, "pin", pin)
    with ipc.calls(ipc.Place("one core", cpu, cpu), False):
        pass
    assert len(placed) == 6  # kernel, echo, caller; relay, server, client
    assert all(where == {cpu} for where in placed.values())


def test_booted_pds_have_been_answered_and_are_weighed_alive(tmp_path: Path) -> None:
    path = tmp_path / "boot.yaml"
    path.write_text(boot.manifest(3))
    seen = boot.booted(path)
    assert 0 < seen.seconds < 30
    assert 0.5 < seen.pss < 100


def test_as_many_pythons_are_started_and_weighed() -> None:
    seen = boot.popened(3)
    assert 0 < seen.seconds < 30
    assert 2 < seen.pss < 100


def test_a_yardstick_that_dies_is_an_error_and_no_figure() -> None:
    with Children() as children:
        process = children.start(["/bin/sh", "-c", "exit 3"])
        with pytest.raises(HostError, match="has ended"):
            hear(process, time.monotonic() + 10)


def test_a_yardstick_that_says_nothing_is_not_waited_for_for_ever() -> None:
    with Children() as children:
        process = children.start(["/bin/sh", "-c", "read line"])
        with pytest.raises(HostError, match="in time"):
            hear(process, time.monotonic() + 0.05)
