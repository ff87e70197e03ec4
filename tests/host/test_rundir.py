"""The run directory: who may use it, who lives in it, and what of a dead run is removed."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from caplab.kernel.host import rundir
from caplab.kernel.host.errors import HostError

pytestmark = pytest.mark.usefixtures("baseline")
SHM = Path("/dev/shm")


@contextmanager
def claimed(name: str, uarts: tuple[str, ...] = ()) -> Iterator[rundir.Claim]:
    """A run directory whose launcher is this test."""
    claim = rundir.create(name, uarts)
    try:
        yield claim
    finally:
        os.close(claim.lock)
        rundir.reap_stale()


def leave_a_dead_run(name: str, token: str = "0badc0de", uarts: tuple[str, ...] = ()) -> Path:
    """What a killed kernel and a killed launcher leave: sockets, a segment, unlocked locks."""
    claim = rundir.create(name, uarts)
    (claim.path / "boot.json").write_text(json.dumps({"shm_prefix": f"cl.{token}."}))
    os.close(rundir.hold(claim.path))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(claim.path / "control.sock"))
    (SHM / f"cl.{token}.1").touch(0o600)
    os.close(claim.lock)
    return claim.path


def test_the_base_is_made_private_in_the_runtime_directory(runtime_dir: Path) -> None:
    assert rundir.base() == runtime_dir / "caplab"
    assert (runtime_dir / "caplab").stat().st_mode & 0o7777 == 0o700


def test_without_a_runtime_directory_the_base_is_under_tmp(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert rundir.base() == Path(f"/tmp/caplab-{os.geteuid()}")


def test_a_base_open_to_others_is_refused_with_the_command_that_closes_it(
    runtime_dir: Path,
) -> None:
    (runtime_dir / "caplab").mkdir()
    (runtime_dir / "caplab").chmod(0o755)
    with pytest.raises(HostError, match=r"open to other users \(mode 0755\)") as refused:
        rundir.base()
    assert refused.value.status == 2
    assert f"chmod 700 {runtime_dir}/caplab" in refused.value.fix


def test_a_base_that_is_a_link_is_refused(runtime_dir: Path) -> None:
    (runtime_dir / "elsewhere").mkdir(0o700)
    (runtime_dir / "caplab").symlink_to(runtime_dir / "elsewhere")
    with pytest.raises(HostError, match="is not a directory"):
        rundir.base()
    (runtime_dir / "elsewhere").rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_base_of_another_user_is_refused_naming_the_user(runtime_dir: Path) -> None:
    (runtime_dir / "caplab").mkdir(0o700)
    os.chown(runtime_dir / "caplab", 12345, 12345)
    with pytest.raises(HostError, match=r"another user \(uid 12345\)"):
        rundir.base()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_runtime_directory_of_another_user_is_passed_over(runtime_dir: Path) -> None:
    os.chown(runtime_dir, 12345, 12345)
    assert rundir.base() == Path(f"/tmp/caplab-{os.geteuid()}")


def test_a_new_run_directory_is_private_and_counts_as_running_from_the_start() -> None:
    with claimed("hello") as claim:
        assert claim.path.stat().st_mode & 0o7777 == 0o700
        assert [run.name for run in rundir.list_running()] == ["hello"]
        assert rundir.reap_stale() == []
    assert rundir.list_running() == []


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "-n", "~x", "a" * 65, "a\n"])
def test_a_name_that_is_no_plain_file_name_is_refused(name: str) -> None:
    with pytest.raises(HostError, match="cannot name a system") as refused:
        rundir.create(name)
    assert refused.value.status == 2
    assert rundir.find(name) is None


def test_a_second_system_of_the_same_name_is_refused_naming_the_kernel() -> None:
    with claimed("hello") as claim:
        (claim.path / "run.json").write_text(json.dumps({"kernel_pid": 4242}))
        with pytest.raises(HostError, match="process 4242") as refused:
            rundir.create("hello")
        assert refused.value.status == 2
        assert claim.path.is_dir()


def test_a_run_whose_launcher_died_is_running_while_its_kernel_holds_the_lock() -> None:
    claim = rundir.create("hello")
    kernel = rundir.hold(claim.path)
    os.close(claim.lock)
    assert rundir.find("hello") is not None
    assert rundir.reap_stale() == []
    os.close(kernel)
    assert rundir.find("hello") is None
    assert [cleared.name for cleared in rundir.reap_stale()] == ["hello"]


def test_only_one_kernel_gets_the_lock() -> None:
    with claimed("hello") as claim:
        kernel = rundir.hold(claim.path)
        with pytest.raises(HostError, match="running already"):
            rundir.hold(claim.path)
        os.close(kernel)


def test_looking_for_systems_never_disturbs_a_kernel_that_takes_its_lock() -> None:
    with claimed("hello") as claim:
        lock = os.open(claim.path / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_SH)  # any look at it that locks exclusively would wait here
        assert rundir.is_running(claim.path)
        os.close(lock)


def test_a_stale_run_is_cleared_with_its_sockets_and_segments_and_nothing_else(
    runtime_dir: Path,
) -> None:
    leave_a_dead_run("dead")
    bystanders = [SHM / "cl.0badc0df.1", runtime_dir / "caplab" / "notes.txt"]
    for bystander in bystanders:
        bystander.touch()
    [cleared] = rundir.reap_stale()
    assert cleared[:3] == ("dead", 1, 1)
    assert not (SHM / "cl.0badc0de.1").exists()
    assert not (runtime_dir / "caplab" / "dead").exists()
    for bystander in bystanders:
        bystander.unlink()  # raises when it was touched


def test_creating_a_system_clears_the_dead_one_of_the_same_name() -> None:
    leave_a_dead_run("hello")
    with claimed("hello") as claim:
        assert list(claim.path.iterdir()) == []
    assert not (SHM / "cl.0badc0de.1").exists()


@pytest.mark.parametrize("prefix", ["", "cl.", "*", "../x", 7, None, "cl.0badc0de"])
def test_a_prefix_that_is_not_a_runs_own_removes_no_segment(prefix: object) -> None:
    with claimed("hello") as claim:
        (claim.path / "boot.json").write_text(json.dumps({"shm_prefix": prefix}))
        assert rundir.prefix_of(claim.path) == ""
        assert rundir.segments("") == []


def test_a_link_inside_a_dead_run_is_removed_and_not_followed(runtime_dir: Path) -> None:
    treasure = runtime_dir / "treasure"
    treasure.mkdir()
    (treasure / "gold").touch()
    run_dir = leave_a_dead_run("dead")
    (run_dir / "logs").symlink_to(treasure)
    rundir.reap_stale()
    (treasure / "gold").unlink()
    treasure.rmdir()


def test_a_truncated_run_file_does_not_keep_a_run_from_being_listed() -> None:
    with claimed("hello") as claim:
        (claim.path / "run.json").write_text('{"kernel_p')
        [run] = rundir.list_running()
        assert run.info == {}


def test_where_a_socket_path_would_be_too_long_a_short_directory_is_linked(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = runtime_dir / ("d" * 80)
    deep.mkdir(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    with claimed("hello", ("uart0",)) as claim:
        assert (deep / "caplab" / "hello").resolve() == claim.path
        assert rundir.name_of(claim.path) == "hello"
        (claim.path / "uart0").mkdir()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(claim.path / "uart0" / "socket"))
        found = rundir.find("hello")
        assert found is not None
        assert found.path == claim.path
    assert not claim.path.exists()
    assert not os.path.lexists(deep / "caplab" / "hello")
    (deep / "caplab").rmdir()
    deep.rmdir()


def test_a_path_of_exactly_the_longest_length_is_not_shortened(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket_name = "/caplab/hello/control.sock"
    room = rundir.SOCKET_PATH_MAX - len(str(runtime_dir)) - 1 - len(socket_name)
    deep = runtime_dir / ("d" * room)
    deep.mkdir(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    with claimed("hello") as claim:
        assert claim.path == deep / "caplab" / "hello"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(claim.path / "control.sock"))
    (deep / "caplab").rmdir()
    deep.rmdir()


def test_a_short_directory_nothing_links_to_is_cleared_as_stale(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = runtime_dir / ("d" * 80)
    deep.mkdir(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    run_dir = leave_a_dead_run("dead", "0badc0d1", ("uart0",))
    (deep / "caplab" / "dead").unlink()
    [cleared] = rundir.reap_stale()
    assert cleared.name == "dead"
    assert not run_dir.exists()
    assert not (SHM / "cl.0badc0d1.1").exists()
    (deep / "caplab").rmdir()
    deep.rmdir()
