"""The measured systems run, the yardsticks too, and nothing of either stays."""

import os
import sys
import time
from pathlib import Path

import pytest

import strict_host
from caplab.kernel.boot.system import System
from caplab.kernel.host.errors import HostError
from caplab.scripts.bench import (
    boot,
    confinement,
    crowd,
    idl,
    ipc,
    jobs,
    kernel,
    resources,
    siege,
    stage,
    throng,
)
from caplab.scripts.bench.children import Children, hear
from caplab.scripts.bench.rounds import Budget, Setup
from caplab.scripts.bench.rows import Row
from caplab.scripts.bench.suite import measured

BUSY = """
import sys, time
while time.process_time() < 0.2: pass
print(time.process_time(), flush=True)
sys.stdin.read()
"""
needs_strict = strict_host.needed
QUICK = 0.0
"""Seconds that allow one round."""


def rows(setups: list[Setup]) -> list[Row]:
    return measured(setups, Budget(QUICK, time.monotonic), lambda text: None)


def test_calls_and_relay_are_timed_on_one_core_and_on_two() -> None:
    found = rows(ipc.setups(False))
    assert len(found) == min(2, len(os.sched_getaffinity(0)))
    for row in found:
        assert row.yardstick_value is not None
        # A round trip is some system calls and switches: longer than a microsecond, or it was none.
        assert 5 < row.value < 1e6
        assert 5 < row.yardstick_value < 1e6


def test_an_operation_is_asked_through_its_stub_raw_and_through_protobuf() -> None:
    found = rows(idl.setups(False)[:1])
    assert [row.target for row in found] == [idl.ADDED, idl.BEATEN]
    for row in found:
        assert row.yardstick_value is not None
        assert 5 < row.value < 1e6
        assert 5 < row.yardstick_value < 1e6


def test_every_process_of_the_call_runs_where_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = max(os.sched_getaffinity(0))
    placed: dict[int, set[int]] = {}
    real = stage.pin

    def pin(pid: int, where: int) -> None:
        real(pid, where)
        placed[pid] = set.union(
            *(os.sched_getaffinity(int(task)) for task in os.listdir(f"/proc/{pid}/task"))
        )

    monkeypatch.setattr(stage, "pin", pin)
    with ipc.calls(stage.Place("one core", cpu, cpu), False):
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


@needs_strict
def test_confined_pds_are_started_and_ended_beside_unconfined_ones() -> None:
    start, end = rows([confinement.starts(3)])
    assert start.yardstick_value is not None
    assert 0 < start.value < 30
    assert 0 < start.yardstick_value < 30
    assert end.name.startswith("7 processes")
    assert 0 < end.value < 5


@needs_strict
def test_confined_calls_are_timed_beside_unconfined_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = []
    real = stage.Caller

    def caller(system: System, place: stage.Place) -> stage.Caller:
        levels.append(system.info()["confinement"]["level"])
        return real(system, place)

    monkeypatch.setattr(confinement, "Caller", caller)
    (row,) = rows([confinement.calls(stage.places()[0], False)])
    assert levels == ["strict", "none"]
    assert row.yardstick_value is not None
    assert 5 < row.yardstick_value < 1e6
    assert 5 < row.value < 1e6


@needs_strict
def test_the_worst_of_all_attacks_and_what_they_cost_the_kernel_is_told() -> None:
    p99, longest, grown = rows([siege.siege(["garbage", "endless-parts", "fork"])])
    assert p99.name.endswith("of 3 attacks")
    assert p99.yardstick_value is not None
    assert 5 < p99.yardstick_value < 1e6
    assert 5 < p99.value < 1e6
    assert 0 < longest.value < 60_000
    assert 0 < grown.value < 512


def test_every_attack_of_a_sample_is_one_that_can_be_made_alone() -> None:
    assert set(siege.LOUD) <= set(siege.all_attacks())


def test_a_process_that_is_missing_is_an_error_and_no_figure() -> None:
    with stage.booted("gone", stage.CALLING) as system:
        with pytest.raises(HostError, match="5 processes are there, not 6"):
            confinement.seconds_to_end(system.info()["kernel_pid"], 6)
        assert system.pd("echo").alive


def test_a_crowd_has_what_its_row_says() -> None:
    few = crowd.Crowd(pds=3, endpoints=2, capabilities=100)
    (row,) = rows([crowd.crowded(few, False)])
    assert row.name == "call, 3 idle PDs, 300 capabilities, 6 endpoints"
    assert row.yardstick_value is not None
    assert 5 < row.value < 1e6
    assert 5 < row.yardstick_value < 1e6


def test_recorded_calls_are_timed_beside_unrecorded_ones() -> None:
    (row,) = rows([crowd.recorded(False)])
    assert row.yardstick_value is not None
    assert 5 < row.yardstick_value < 1e6
    assert 5 < row.value < 1e6


def test_a_recorded_system_writes_a_log_and_the_other_none() -> None:
    with stage.booted("log", stage.CALLING, record=True) as system:
        command = Path(f"/proc/{system.info()['kernel_pid']}/cmdline").read_bytes()
        assert b"record" in command
    with stage.booted("log", stage.CALLING) as system:
        command = Path(f"/proc/{system.info()['kernel_pid']}/cmdline").read_bytes()
        assert b"record" not in command


def test_many_clients_are_counted_beside_a_rendezvous_relay() -> None:
    (row,) = rows([throng.throng(stage.places()[-1], False)])
    assert row.yardstick_value is not None
    assert 100 < row.value < 1e6
    assert 100 < row.yardstick_value < 1e6


def made(system: System, pd: str) -> int:
    """Capabilities to what was made of a PD's untyped memory."""
    slots = system.caps(pd, tree=True)["slots"]
    (derived,) = (
        len(slot["derived"]) + slot["more_derived"] for slot in slots if "untyped" in slot["names"]
    )
    return int(derived)


def test_a_hoarder_has_what_is_revoked_and_loses_it() -> None:
    with stage.booted("hoard", jobs.members(["hoarder0"]), jobs.UARTS) as system:
        hoards = jobs.Hoards(system)
        hoards.direct("hoarder0", jobs.FILL, 1000)
        full = made(system, "hoarder0")
        assert full == 1003  # a part for the CNode, the CNode, a part for the endpoints
        began, ended = hoards.direct("hoarder0", jobs.REVOKE)
        assert began < ended
        assert made(system, "hoarder0") == 3
        hoards.direct("hoarder0", jobs.FILL, 1000)
        hoards.direct("hoarder0", jobs.DELETE)
        assert made(system, "hoarder0") == 2
        hoards.direct("hoarder0", jobs.FILL, 2000)
        assert made(system, "hoarder0") == 2003
        began, ended = hoards.kill("hoarder0")
        assert began < ended
        assert not system.pd("hoarder0").alive


def test_the_cpu_time_of_another_process_is_what_it_has_computed() -> None:
    with Children() as children:
        busy = children.start([sys.executable, "-c", BUSY])
        own = float(hear(busy, time.monotonic() + 30))
        assert stage.cpu_time(busy.pid) / 1e9 == pytest.approx(own, abs=0.02)
        gone = busy.pid
    with pytest.raises(OSError):
        stage.cpu_time(gone)
    assert stage.cpu_time(os.getpid()) <= time.process_time_ns()


def test_long_work_is_timed_and_so_are_the_calls_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SAMPLE", 2000)
    monkeypatch.setattr(jobs, "QUIET", 0.05)
    found = rows([jobs.revoking(False), *(jobs.delays(job, False) for job in jobs.JOBS)])
    assert len(found) == 4
    for row in found:
        assert "2,000" in row.name
        assert row.yardstick_value is not None
        assert 0 < row.yardstick_value < 1e5
    assert found[0].value > 0.1  # microseconds: less, and nothing was revoked


def test_the_kernel_s_bench_measures_everything_that_was_promised() -> None:
    places = len(stage.places())
    assert len(kernel.setups(True)) == places + 3 + len(jobs.JOBS) + 1


def test_servers_are_killed_and_their_callers_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "CLIENTS", 5)
    killed, freed = rows([resources.deaths(100)])
    assert killed.yardstick_value is not None
    assert 0.1 < killed.yardstick_value < 1e4
    assert 0.1 < killed.value < 1e4
    assert 0.1 < freed.value < 1e4


def test_models_are_gathered_while_others_call() -> None:
    model, others = rows([resources.models(200)])
    assert model.yardstick_value is not None
    assert 0.1 < model.yardstick_value < 1e4
    assert model.value > model.yardstick_value  # ten times as much is read
    assert others.yardstick_value is not None
    assert others.yardstick_value > 0


def test_a_model_with_another_number_of_resources_is_no_figure() -> None:
    with resources.models(50) as case:
        assert isinstance(case, resources.Models)
        case._shown = 60
        with pytest.raises(ValueError, match="a model of 50 resources, not 60"):
            case.round(False)


def test_an_attacker_that_ends_while_it_is_to_be_killed_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with stage.booted("ended", stage.CALLING) as system:
        alive = system.pd("caller")
        system.kill("caller")
        monkeypatch.setattr(system, "pd", lambda _: alive)
        siege.end(system, "caller")
        with pytest.raises(HostError):
            siege.end(system, "nobody")
