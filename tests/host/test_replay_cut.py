"""A recorded run of the kernel, cut off anywhere, replays to the state it had at that event."""

from pathlib import Path

import pytest

from caplab.kernel.abi import SLOT_TCB, ObjectType
from caplab.kernel.core.events import Event
from caplab.kernel.core.kernel import Kernel
from caplab.kernel.host.record import LENGTH, MAGIC, Check, Log, Recorder, replay
from caplab.kernel.root.task import RootTask
from lab import Lab, ok


def busy(**spec: str) -> list[Event]:
    """A run with transfers, time, jobs, faults, suspends and deaths."""
    uses = {"uses": {"fs": "fs"}}
    pds = {
        "fs": {"serves": "endpoint", "threads": 2},
        "app": {**uses, "faults": "fs", "threads": 2},
        "boss": {**uses, "rdes": ["pd"], "manages": ["app"]},
    }
    lab = Lab(pds, checked=False, **spec)
    fs, app, boss = lab["fs"], lab["app"], lab["boss"]
    app.alloc(ObjectType.FRAME, 20)
    app.call("fs", b"page", caps=[20, SLOT_TCB])
    ok(fs.recv(slot=40))
    ok(fs.save_caller(41))
    boss.call("fs", timeout=1)
    lab.pass_time(1)
    boss.woken()
    lab["app.1"].recv(300)
    ok(fs.recv())
    ok(boss.pd_call("suspend", "pd:app"))
    fs.send(41, b"mapped")  # under sel4 the suspend has taken the caller out of its wait
    ok(boss.pd_call("resume", "pd:app"))
    app.mail.clear()
    boss.create("child", 30, threads=2).recv(99)
    boss.alloc(ObjectType.ENDPOINT, 31)
    for slot in range(100, 400):
        ok(boss.copy(31, slot))
    boss.revoke(31)
    lab.ask("kill", pd="child")
    lab.die("child")
    lab.exited("app", 11)
    lab.ask("down")
    lab.die("boss", 0)
    lab.die("fs", 0)
    assert lab.k.finished
    return lab.events


@pytest.fixture(scope="module", params=["lab", "sel4"])
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """The log of a run, and the state hash after each number of events."""
    events = busy(semantics=request.param)
    path = tmp_path_factory.mktemp("log") / "whole"
    kernel = Kernel(RootTask())
    recorder = Recorder(path, kernel, {"name": "lab"})
    hashes = [kernel.state_hash()]
    for event in events:
        recorder.step(event)
        hashes.append(kernel.state_hash())
    recorder.close()
    return path, hashes


def replayed(path: Path, until: int | None = None) -> tuple[Kernel, list[Check]]:
    return replay(Log(path), lambda: Kernel(RootTask()), until)


def boundaries(whole: bytes) -> list[int]:
    """Where each record ends; the first is the header."""
    ends, at = [], len(MAGIC)
    while at < len(whole):
        (length,) = LENGTH.unpack_from(whole, at)
        at += LENGTH.size + length
        ends.append(at)
    assert ends[-1] == len(whole)
    return ends


def test_the_whole_run_ends_in_the_identical_hash(recorded: tuple[Path, list[str]]) -> None:
    path, hashes = recorded
    kernel, checks = replayed(path)
    assert kernel.state_hash() == hashes[-1]
    assert checks == [Check(len(hashes) - 1, hashes[-1], hashes[-1], True)]


def test_cut_between_two_records_it_replays_to_the_state_it_had_then(
    recorded: tuple[Path, list[str]], tmp_path: Path
) -> None:
    path, hashes = recorded
    whole = path.read_bytes()
    ends = boundaries(whole)
    assert len(ends) == len(hashes) + 1  # the header, the events, the end
    for events in (*range(0, len(hashes), 9), *range(len(hashes) - 12, len(hashes))):
        cut = tmp_path / "cut"
        cut.write_bytes(whole[: ends[events]])
        kernel, checks = replayed(cut)
        assert kernel.state_hash() == hashes[events], events
        assert not checks


def test_cut_within_a_record_it_replays_to_the_one_before(
    recorded: tuple[Path, list[str]], tmp_path: Path
) -> None:
    path, hashes = recorded
    whole = path.read_bytes()
    ends = boundaries(whole)
    for events in range(0, len(hashes), 29):
        size = ends[events + 1] - ends[events]
        for more in {1, LENGTH.size - 1, LENGTH.size, size // 2, size - 1}:
            cut = tmp_path / "cut"
            cut.write_bytes(whole[: ends[events] + more])
            kernel, _ = replayed(cut)
            assert kernel.state_hash() == hashes[events], (events, more)


def test_stopped_after_any_event_it_has_the_state_of_that_event(
    recorded: tuple[Path, list[str]],
) -> None:
    path, hashes = recorded
    for events in (1, 2, 3, 17, len(hashes) // 2, len(hashes) - 2, len(hashes) - 1):
        assert replayed(path, events)[0].state_hash() == hashes[events]
