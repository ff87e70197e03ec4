"""`caplab replay`: what is shown of a log, and of one that is damaged, cut off or no log."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caplab.kernel.abi import Sys
from caplab.kernel.core.events import Boot, Exited, Operator, Started, Syscall
from caplab.kernel.core.kernel import Kernel
from caplab.kernel.host import record
from caplab.kernel.host.record import Recorder
from caplab.kernel.root.task import RootTask
from lab import encode

PD: dict[str, Any] = {"run": {}, "args": {}, "path": [], "devices": [], "threads": 1}
SPEC: dict[str, Any] = {
    "name": "pair",
    "semantics": "lab",
    "uarts": [],
    "shm_prefix": "cl.0badc0de.",
    "pds": [
        {**PD, "name": "fs", "role": "server", "serves": "endpoint"},
        {**PD, "name": "app", "role": "client", "uses": {"fs": "fs"}},
    ],
}
CALLED = 5
"""The event at which `app` waits for the reply of `fs`."""


class Run:
    """A recorded kernel; time moves by a millisecond each event."""

    def __init__(self, path: Path) -> None:
        self.root = RootTask()
        self.kernel = Kernel(self.root)
        self.recorder = Recorder(path, self.kernel, SPEC)
        self.now = 0
        self.hashes = [self.kernel.state_hash()]

    def happen(self, kind: type, *fields: Any) -> None:
        self.now += 1_000_000
        self.recorder.step(kind(self.now, *fields))
        self.hashes.append(self.kernel.state_hash())


def lived(path: Path) -> Run:
    """Boot, a call that is received, an idle moment (which is hashed), an operator, a death."""
    run = Run(path)
    run.happen(Boot, SPEC)
    for number in (1, 2):
        run.happen(Started, number, 1000 + number)
    fs, app = run.root.pds[1], run.root.pds[2]
    server, client = fs.names["server"].slot, app.names["fs"].slot
    run.happen(Syscall, fs.tcbs[0].number, encode(Sys.RECV, server))
    run.happen(Syscall, app.tcbs[0].number, encode(Sys.CALL, client, b"open"))
    run.now += record.IDLE
    run.recorder.rest(run.now)
    run.happen(Operator, 1, {"op": "ps"})
    run.happen(Exited, 1, 9)
    return run


@pytest.fixture
def log(tmp_path: Path) -> tuple[Path, Run]:
    """A whole log, and the run it is of."""
    path = tmp_path / "events.log"
    run = lived(path)
    run.recorder.close()
    return path, run


def test_the_last_line_has_both_hashes_at_the_last_checkpoint(
    caplab: Callable, log: tuple[Path, Run]
) -> None:
    path, run = log
    ran = caplab("replay", str(path))
    assert (ran.status, ran.err) == (0, "")
    same = run.hashes[7]
    assert ran.out.splitlines()[-1] == f"replayed {same} recorded {same} at event 7"
    assert ran.out.startswith("pair (semantics: lab) after 7 events")
    assert "SIGKILL" in ran.out


def test_until_shows_the_state_at_that_event(caplab: Callable, log: tuple[Path, Run]) -> None:
    path, run = log
    ran = caplab("replay", str(path), "--until", str(CALLED))
    assert (ran.status, ran.err) == (0, "")
    _, _, fs, app, _, *tcbs, last = ran.out.splitlines()
    assert fs.split()[:5] == ["fs", "0", "1001", "server", "running"]
    assert fs.endswith("cnode 1, endpoint 1, notification 1, tcb 1, untyped 1, pd 1")
    assert app.split()[:5] == ["app", "0", "1002", "client", "waiting"]
    assert "reply from fs/gen0" in app
    assert [line.split()[:2] for line in tcbs] == [["fs", "running"], ["app", "waiting"]]
    same = run.hashes[CALLED]
    assert last == f"replayed {same} recorded {same} at event {CALLED}"


def test_the_json_form_has_exactly_the_keys_that_are_promised(
    caplab: Callable, log: tuple[Path, Run]
) -> None:
    path, run = log
    document = json.loads(caplab("replay", str(path), "--format", "json", "--until", "6").out)
    promised = "schema system semantics event seconds jobs whole pds checks replayed recorded"
    assert list(document) == [*promised.split(), "at_event", "hash"]
    assert (document["schema"], document["event"], document["whole"]) == (1, 6, False)
    assert document["at_event"] == CALLED
    assert document["replayed"] == document["recorded"] == run.hashes[CALLED]
    assert document["hash"] == run.hashes[6]
    assert document["seconds"] == pytest.approx(0.055)
    assert document["pds"][0]["holds"] == {
        "cnode": 1,
        "endpoint": 1,
        "notification": 1,
        "tcb": 1,
        "untyped": 1,
        "pd": 1,
    }
    assert json.loads(caplab("replay", str(path), "--format", "json").out)["whole"] is True


def test_every_event_can_be_looked_at(caplab: Callable, log: tuple[Path, Run]) -> None:
    path, run = log
    for event, expected in enumerate(run.hashes):
        ran = caplab("replay", str(path), "--until", str(event), "--format", "json")
        assert ran.status == 0
        assert json.loads(ran.out)["hash"] == expected


def test_before_the_first_checkpoint_there_is_no_recorded_hash(
    caplab: Callable, log: tuple[Path, Run]
) -> None:
    path, run = log
    ran = caplab("replay", str(path), "--until", "2")
    assert ran.status == 0
    assert ran.out.splitlines()[-1] == f"replayed {run.hashes[2]} recorded none at event 2"


def test_an_event_beyond_the_end_is_said_not_to_be_there(
    caplab: Callable, log: tuple[Path, Run]
) -> None:
    ran = caplab("replay", str(log[0]), "--until", "8")
    assert ran.status == 0
    assert ran.err == f"caplab: {log[0]} has 7 events; there is no event 8\n"


def test_a_replay_that_comes_to_another_state_exits_1_and_says_where(
    caplab: Callable, log: tuple[Path, Run]
) -> None:
    path, run = log
    data = path.read_bytes()
    path.write_bytes(data.replace(run.hashes[7].encode(), b"sha256:" + b"0" * 64))
    ran = caplab("replay", str(path))
    assert ran.status == 1
    other = "sha256:" + "0" * 64
    assert ran.out.splitlines()[-1] == f"replayed {run.hashes[7]} recorded {other} at event 7"
    assert "they differ at event 7" in ran.err


def test_one_hash_that_differs_on_the_way_is_enough(
    caplab: Callable, log: tuple[Path, Run]
) -> None:
    path, run = log
    data = path.read_bytes()
    path.write_bytes(data.replace(run.hashes[CALLED].encode(), b"sha256:" + b"0" * 64))
    ran = caplab("replay", str(path))
    assert ran.status == 1
    same = run.hashes[7]
    assert ran.out.splitlines()[-1] == f"replayed {same} recorded {same} at event 7"
    assert f"they differ at event {CALLED}" in ran.err


def test_a_log_that_is_cut_off_is_replayed_to_its_last_whole_record(
    caplab: Callable, log: tuple[Path, Run]
) -> None:
    path, run = log
    path.write_bytes(path.read_bytes()[:-1])  # of the last hash
    ran = caplab("replay", str(path))
    assert ran.status == 0
    assert ran.err == (
        f"caplab: {path} is cut off; its last whole record is reached after event 7\n"
    )
    same = run.hashes[CALLED]
    assert ran.out.splitlines()[-1] == f"replayed {same} recorded {same} at event {CALLED}"


@pytest.mark.parametrize("content", [None, b"", b"name: hello\npds: {}\n", b"caplab event log\n"])
def test_what_is_no_log_exits_2_with_a_sentence(
    caplab: Callable, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "manifest.yaml"
    if content is not None:
        path.write_bytes(content)
    for name in (str(path), str(tmp_path)):
        ran = caplab("replay", name)
        assert (ran.status, ran.out) == (2, "")
        assert f"caplab: {name}: " in ran.err
        assert "[not-a-log]\n  `caplab up --record LOG` writes one." in ran.err


def test_a_record_that_cannot_be_is_damage_and_exits_2(
    caplab: Callable, log: tuple[Path, Run]
) -> None:
    path, _ = log
    path.write_bytes(path.read_bytes() + record.LENGTH.pack(2) + b"\x91\x63")
    ran = caplab("replay", str(path))
    assert ran.status == 2
    assert "a record nobody wrote" in ran.err


def test_an_event_that_stops_the_kernel_is_named_with_how_to_look_before_it(
    caplab: Callable, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    run = Run(path)
    run.happen(Boot, SPEC)
    broken = {**SPEC, "pds": [{"name": "lost"}, {"name": "lost", "uses": {"a": "nobody"}}]}
    with pytest.raises(KeyError):
        run.happen(Boot, broken)
    run.recorder.abandon()
    ran = caplab("replay", str(path))
    assert (ran.status, ran.out) == (1, "")
    assert f"Event 2 of {path} stops the kernel: KeyError: 'nobody'. [kernel-failed]" in ran.err
    assert "`--until 1` shows the state before it." in ran.err
    assert caplab("replay", str(path), "--until", "1").status == 0
