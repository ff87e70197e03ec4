"""The event log: what is written, what a replay makes of it, and of a log that is damaged."""

import os
import stat
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from caplab.kernel.abi import REQUEST, VERSION, Sys
from caplab.kernel.core.effects import Resume, Spawn
from caplab.kernel.core.events import Boot, Event, Exited, Operator, Started, Syscall
from caplab.kernel.core.kernel import Kernel
from caplab.kernel.host import record
from caplab.kernel.host.record import Check, Log, LogError, Recorder, replay
from caplab.kernel.root.task import RootTask

PD: dict[str, Any] = {"run": {}, "args": {}, "path": [], "devices": [], "threads": 1}
SPEC: dict[str, Any] = {
    "name": "test",
    "semantics": "lab",
    "uarts": ["uart0"],
    "shm_prefix": "cl.0badc0de.",
    "pds": [
        {**PD, "name": "fs", "role": "server", "serves": "endpoint"},
        {**PD, "name": "app", "role": "client", "uses": {"fs": "fs"}},
    ],
}


def make() -> Kernel:
    return Kernel(RootTask())


class Run:
    """A recorded kernel and what was done to it; `now` moves by a millisecond each event."""

    def __init__(self, path: Path) -> None:
        self.kernel = make()
        self.recorder = Recorder(path, self.kernel, SPEC)
        self.now = 0
        self.hashes = [self.kernel.state_hash()]

    def happen(self, kind: type, *fields: Any) -> list[Any]:
        self.now += 1_000_000
        effects = self.recorder.step(kind(self.now, *fields))
        self.hashes.append(self.kernel.state_hash())
        return effects

    def idle(self) -> None:
        self.now += record.IDLE
        assert self.recorder.rest(self.now) is None


def lived(path: Path) -> Run:
    """A life: boot, a served call, an idle moment, an operator, a death."""
    run = Run(path)
    spawned = [effect for effect in run.happen(Boot, SPEC) if isinstance(effect, Spawn)]
    fs, app = (effect.spec["tcbs"][0] for effect in spawned)
    for effect in spawned:
        run.happen(Started, effect.pd, 1000 + effect.pd)
    pds = run.kernel.root.pds  # type: ignore[attr-defined]
    server, client = pds[1].names["server"].slot, pds[2].names["fs"].slot
    run.happen(Syscall, fs, REQUEST.pack(VERSION, Sys.RECV, 0, 0, server, 0, 0))
    (woken,) = run.happen(
        Syscall, app, REQUEST.pack(VERSION, Sys.CALL, 0, 4, client, 7, 0) + b"\0\xff\n!"
    )
    assert isinstance(woken, Resume)
    run.idle()
    run.happen(Operator, 1, {"op": "ps", "odd": [None, 1.5, "é", {"nested": True}]})
    run.happen(Exited, 1, 9)
    return run


def test_a_replay_comes_to_the_recorded_state(tmp_path: Path) -> None:
    run = lived(tmp_path / "log")
    run.recorder.close()
    kernel, checks = replay(Log(tmp_path / "log"), make)
    assert kernel.state_hash() == run.kernel.state_hash()
    assert [(check.event, check.last, check.agrees) for check in checks] == [
        (5, False, True),
        (7, True, True),
    ]
    assert checks[0].recorded == run.hashes[5]


def test_a_replay_can_stop_after_any_event(tmp_path: Path) -> None:
    run = lived(tmp_path / "log")
    run.recorder.close()
    for until, expected in enumerate(run.hashes):
        kernel, checks = replay(Log(tmp_path / "log"), make, until)
        assert kernel.state_hash() == expected
        assert all(check.agrees for check in checks)


def test_a_replay_that_goes_another_way_is_found_out(tmp_path: Path) -> None:
    lived(tmp_path / "log").recorder.close()

    class Forgetful(Kernel):
        def step(self, event: Event) -> list[Any]:
            return [] if isinstance(event, Exited) else super().step(event)

    _, checks = replay(Log(tmp_path / "log"), lambda: Forgetful(RootTask()))
    assert [check.agrees for check in checks] == [True, False]


def test_every_event_comes_back_as_it_was(tmp_path: Path) -> None:
    lived(tmp_path / "log").recorder.close()
    log = Log(tmp_path / "log")
    events = [one for one in log if not isinstance(one, Check)]
    assert log.spec == SPEC
    assert [type(event) for event in events] == [
        *(Boot, Started, Started, Syscall, Syscall, Operator, Exited)
    ]
    assert events[4].frame.endswith(b"\0\xff\n!")  # type: ignore[union-attr]
    assert events[5].command["odd"] == [None, 1.5, "é", {"nested": True}]  # type: ignore[union-attr]


def test_a_log_cut_off_anywhere_replays_to_its_last_whole_record(tmp_path: Path) -> None:
    path = tmp_path / "log"
    run = lived(path)
    run.recorder.close()
    whole = path.read_bytes()
    cut = tmp_path / "cut"
    reached = []
    for length in range(len(record.MAGIC), len(whole)):
        cut.write_bytes(whole[:length])
        try:
            log = Log(cut)
        except LogError:
            assert not reached, "a log that could be read cannot become unreadable by more bytes"
            continue
        events = sum(not isinstance(one, Check) for one in log)
        if not reached or events > reached[-1]:
            kernel, checks = replay(log, make)
            assert kernel.state_hash() == run.hashes[events]
            assert all(check.agrees and not check.last for check in checks)
            reached.append(events)
    assert reached == list(range(8))


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda data: b"", "not an event log"),
        (lambda data: b"name: hello\nuarts: []\n", "not an event log"),
        (lambda data: data[: len(record.MAGIC)], "not a log of this format"),
        (lambda data: data[:-70] + b"\xff" * 70, r"byte \d+: a record of \d+ bytes"),
        (lambda data: data[:-80] + b"\1\0\0\0\xc1", r"byte \d+: no msgpack"),
    ],
)
def test_what_is_no_log_or_damaged_is_an_error_that_says_where(
    tmp_path: Path, damage: Any, why: str
) -> None:
    path = tmp_path / "log"
    lived(path).recorder.close()
    whole = path.read_bytes()
    # The last record has a known length: damage begins where one record ends.
    body = whole[: whole.rindex(b"sha256:")]
    path.write_bytes(damage(whole if why.startswith("not") else body[:-9] + b"x" * 80))
    with pytest.raises(LogError, match=why):
        replay(Log(path), make)


def test_a_record_nobody_wrote_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lived(path).recorder.close()
    for nonsense in (b"\x92\x63\x01", b"\x91\x00", b"\x07", b"\x92\xa1x\x01"):
        whole = path.read_bytes()
        (tmp_path / "odd").write_bytes(whole + record.LENGTH.pack(len(nonsense)) + nonsense)
        with pytest.raises(LogError, match="a record nobody wrote"):
            replay(Log(tmp_path / "odd"), make)


def test_the_event_that_kills_the_kernel_is_in_the_log(tmp_path: Path) -> None:
    run = lived(tmp_path / "log")

    def bug(event: Event) -> list[Any]:
        raise ZeroDivisionError

    run.kernel.step = bug  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        run.recorder.step(Started(run.now, 2, 77))
    run.recorder.abandon()
    *_, last = Log(tmp_path / "log")
    assert last == Started(run.now, 2, 77)


def test_nothing_is_hashed_or_written_before_it_has_been_quiet(tmp_path: Path) -> None:
    path = tmp_path / "log"
    run = Run(path)
    written = path.stat().st_size
    run.happen(Boot, SPEC)
    assert run.recorder.rest(run.now + 1) == record.IDLE - 1
    assert path.stat().st_size == written
    assert run.recorder.rest(run.now + record.IDLE) is None
    assert path.stat().st_size > written
    assert run.recorder.rest(run.now + 9 * record.IDLE) is None
    assert [one.event for one in Log(path) if isinstance(one, Check)] == [1]
    run.recorder.abandon()


def test_a_state_that_is_dear_to_hash_is_hashed_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = count(step=10_000_000)  # so a hash takes 10 ms, and the next may be taken after 500
    monkeypatch.setattr(record.time, "monotonic_ns", lambda: next(clock))
    run = Run(tmp_path / "log")
    for event in (Boot, Boot, Boot):
        run.happen(event, {**SPEC, "pds": []})
        run.idle()
        run.now += 3 * record.IDLE
    run.now += 10 * record.IDLE
    run.happen(Started, 9, 9)
    run.idle()
    run.recorder.abandon()
    assert [one.event for one in Log(tmp_path / "log") if isinstance(one, Check)] == [1, 4]


def test_a_state_that_is_never_quiet_is_hashed_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "EVENTS_MAX", 3)
    monkeypatch.setattr(record, "SHARE", 0)
    lived(tmp_path / "log").recorder.close()
    checks = [one.event for one in Log(tmp_path / "log") if isinstance(one, Check)]
    assert checks == [3, 5, 7]


def test_a_full_disk_ends_the_recording_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = Path("/dev/full")
    if not full.exists() or not stat.S_ISCHR(full.stat().st_mode):
        pytest.skip("no /dev/full here")
    kernel = make()
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="space"):
        Recorder(full, kernel, SPEC)
    recorder = Recorder(tmp_path / "log", kernel, SPEC)
    assert recorder._log is not None
    with full.open("wb") as disk:
        os.dup2(disk.fileno(), recorder._log.fileno())
    recorder.step(Boot(1, SPEC))
    recorder.rest(1 + record.IDLE)
    assert "the recording to" in capsys.readouterr().err
    recorder.step(Started(2, 1, 77))
    assert kernel.root.pds[1].pid == 77  # type: ignore[attr-defined]
    recorder.close()
    assert os.listdir("/proc/self/fd") == before
