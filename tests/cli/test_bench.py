"""`caplab bench` as a command: what it prints, writes and exits with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caplab.scripts.bench import suite
from caplab.scripts.bench.report import Report
from caplab.scripts.bench.rows import Row

GOOD = Row("call", 80.0, "µs", "a relay", 75.0, 1.07, 1.05, 1.09, "<=", 1.15, True)
BAD = Row("boot", 20.0, "PDs/s", "as many Pythons", 10.0, 2.0, 1.9, 2.1, ">=", 2.5, False)
HOST = {
    "cpu": "A CPU",
    "cpus": 2,
    "cpus_allowed": 2,
    "load": 0.1,
    "system": "Linux",
    "python": "CPython",
    "pyzmq": "27",
    "libzmq": "4",
}

Caplab = Callable[..., Any]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Let `bench` find these rows; gives the list of what it was asked."""

    def find(*rows: Row) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []

        def bench(name: str, *, full: bool, say: Callable[[str], None]) -> Report:
            asked.append({"name": name, "full": full})
            say("a word meanwhile")
            return Report(name, not full, HOST, rows)

        monkeypatch.setattr(suite, "bench", bench)
        return asked

    return find


def test_a_bench_prints_machine_and_table_and_says_that_it_is_a_sample(
    caplab: Caplab, measured: Callable[..., Any]
) -> None:
    asked = measured(GOOD)
    ran = caplab("bench", "ipc")
    assert ran.status == 0
    assert asked == [{"name": "ipc", "full": False}]
    assert "A CPU" in ran.out
    assert "1.070" in ran.out
    assert "1.050 to 1.090" in ran.out
    assert "Yardstick: a relay." in ran.out
    assert "--full" in ran.out
    assert "meanwhile" in ran.err


def test_a_full_bench_is_no_sample(caplab: Caplab, measured: Callable[..., Any]) -> None:
    asked = measured(GOOD)
    ran = caplab("bench", "ipc", "--full")
    assert asked == [{"name": "ipc", "full": True}]
    assert "sample" not in ran.out


def test_a_missed_target_is_a_bad_answer_unless_it_may_be(
    caplab: Caplab, measured: Callable[..., Any]
) -> None:
    measured(GOOD, BAD)
    assert caplab("bench", "boot").status == 1
    assert "NOT OK" in caplab("bench", "boot").out
    assert caplab("bench", "boot", "--no-fail").status == 0


def test_the_json_file_holds_what_the_table_shows(
    caplab: Caplab, measured: Callable[..., Any], tmp_path: Path
) -> None:
    measured(GOOD, BAD)
    path = tmp_path / "figures.json"
    assert caplab("bench", "boot", "--json", str(path)).status == 1
    document = json.loads(path.read_text())
    assert document["schema"] == 1
    assert document["bench"] == "boot"
    assert document["sample"] is True
    assert document["machine"] == HOST
    assert [row["ratio"] for row in document["rows"]] == [1.07, 2.0]
    assert [row["ok"] for row in document["rows"]] == [True, False]


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(
    caplab: Caplab, measured: Callable[..., Any], tmp_path: Path
) -> None:
    asked = measured(GOOD)
    ran = caplab("bench", "ipc", "--json", str(tmp_path / "missing" / "figures.json"))
    assert ran.status == 2
    assert "No such file" in ran.err
    assert not asked


def test_a_bench_nobody_knows_is_a_wrong_request(caplab: Caplab) -> None:
    ran = caplab("bench", "speed")
    assert ran.status == 2
    assert "There is no bench speed" in ran.err
    assert "ipc, boot" in ran.err
