"""The launcher on real processes, with a stand-in for the kernel (tests/support)."""

import os
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest

import strict_host
from caplab.kernel.host import drain, rundir
from started_launcher import Started

pytestmark = pytest.mark.usefixtures("baseline")


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[Started]:
    system = Started(*request.param)
    yield system
    system.close()
    assert not system.run_dir.exists()


def with_kernel(mode: str, *kinds: str) -> pytest.MarkDecorator:
    """A launcher whose kernel does this; plain, or of each of these kinds."""
    marks = {"plain": (), "machine": (strict_host.needed,)}
    params = [pytest.param((mode, kind), marks=marks[kind]) for kind in kinds or ("plain",)]
    return pytest.mark.parametrize("started", params, indirect=True, ids=list(kinds) or None)


@with_kernel("prints", "plain", "machine")
def test_losing_the_cli_ends_the_system_and_clears_it(started: Started) -> None:
    started.ready()
    started.cli.close()
    assert started.process.wait(20) == 0
    assert rundir.list_running() == []


@with_kernel("prints", "plain", "machine")
def test_after_detach_the_system_outlives_the_cli(started: Started) -> None:
    started.ready()
    started.say("detach")
    assert started.message("detached")
    assert started.cli.recv(100) == b""
    started.cli.close()
    assert [run.name for run in rundir.list_running()] == ["test"]
    os.kill(started.process.pid, signal.SIGTERM)
    assert started.process.wait(20) == 0


@with_kernel("prints", "plain", "machine")
def test_the_launcher_and_its_kernel_have_no_terminal_and_a_session_of_their_own(
    started: Started,
) -> None:
    assert os.getsid(started.process.pid) == os.getsid(started.kernel) == started.process.pid
    for pid in (started.process.pid, started.kernel):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        assert fields[4] == "0"  # tty_nr


@with_kernel("prints", "plain", "machine")
def test_what_a_pd_prints_is_shown_and_kept(started: Started) -> None:
    assert started.message("log") == {"log": "pd1", "data": b"one\ntwo\n"}
    assert (started.run_dir / "logs" / "pd1.log").read_bytes() == b"one\ntwo\n"


@with_kernel("prints")
def test_a_cli_that_wants_quiet_is_sent_no_logs(started: Started) -> None:
    started.ready()
    started.say("quiet")
    os.kill(started.kernel, signal.SIGTERM)
    assert "ended" in msgpack.unpackb(started.cli.recv(1 << 20))


@with_kernel("exits", "plain", "machine")
def test_the_end_is_told_with_the_kernels_status_and_nothing_left(started: Started) -> None:
    ended = started.message("ended")
    assert ended["ended"] == 0
    assert ended["left"] == {"processes": 0, "segments": 0, "files": 0}
    assert ended["cleared"] == {"processes": 0, "segments": 0, "sockets": 0}
    assert started.cli.recv(100) == b""


@with_kernel("prints", "plain", "machine")
def test_a_killed_kernel_is_reported_and_its_segments_and_sockets_are_cleared(
    started: Started,
) -> None:
    (started.run_dir / "boot.json").write_text('{"shm_prefix": "cl.0badc0d2."}')
    Path("/dev/shm/cl.0badc0d2.1").touch(0o600)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(started.run_dir / "control.sock"))
    started.say("kill")
    ended = started.message("ended")
    assert os.WTERMSIG(ended["ended"]) == signal.SIGKILL
    assert ended["cleared"]["segments"] == 1
    assert ended["cleared"]["sockets"] == 1
    assert ended["left"] == {"processes": 0, "segments": 0, "files": 0}
    assert not Path("/dev/shm/cl.0badc0d2.1").exists()


@with_kernel("stubborn", "plain", "machine")
def test_a_kernel_that_does_not_go_down_in_time_is_killed(started: Started) -> None:
    started.ready()
    os.kill(started.process.pid, signal.SIGTERM)
    assert os.WTERMSIG(started.message("ended")["ended"]) == signal.SIGKILL


@with_kernel("daemon")
def test_a_daemon_that_a_pd_left_behind_is_ended_with_the_system(started: Started) -> None:
    assert started.message("log")["data"] == b"here"
    os.kill(started.kernel, signal.SIGTERM)
    ended = started.message("ended")
    assert ended["cleared"]["processes"] == 2
    assert ended["left"]["processes"] == 0


@with_kernel("prints")
def test_the_kernel_dies_with_its_launcher(started: Started) -> None:
    started.ready()
    started.process.kill()
    started.process.wait(20)
    # Our own child now (the baseline adopts orphans): its status says what ended it.
    assert os.WTERMSIG(os.waitpid(started.kernel, 0)[1]) == signal.SIGKILL
    assert [cleared.name for cleared in rundir.reap_stale()] == ["test"]


@with_kernel("asks")
def test_asked_for_the_logs_the_launcher_takes_down_all_that_was_printed(started: Started) -> None:
    assert started.message("ended")["ended"] == 0


@with_kernel("floods")
def test_a_pd_that_floods_is_never_blocked_and_its_log_stays_small(started: Started) -> None:
    # Nobody reads here, and yet 64 MB pass through a pipe of 64 KiB.
    kernel = os.pidfd_open(started.kernel)
    assert select.select([kernel], [], [], 60)[0]
    os.close(kernel)
    assert started.message("lost")["lost"] > 0
    assert started.message("ended")["ended"] == 0


def test_a_flood_is_cut_to_the_rate_and_says_so_in_the_log(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    output = drain.Drain("pd", reading, tmp_path)
    kept = b""
    for _ in range(200):
        os.write(writing, b"y" * 65536)
        kept += output.read().data
    os.close(writing)
    last = output.read()
    output.close()
    assert last.ended
    assert drain.BURST <= kept.count(b"y") < 200 * 65536
    assert b"bytes of output dropped here" in kept + last.data


def test_a_log_is_rotated_once_and_both_halves_stay_within_bounds(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    output = drain.Drain("pd", reading, tmp_path)
    for number in range(12):
        os.write(writing, bytes([97 + number]) * 65536)
        output.read()
    os.close(writing)
    output.close()
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes.keys() == {"pd.log", "pd.log.1"}
    assert max(sizes.values()) <= drain.LOG_MAX
    assert (tmp_path / "pd.log").read_bytes().endswith(b"l" * 65536)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", "é", "x" * 300])
def test_whatever_a_pd_is_called_its_log_stays_in_the_folder(tmp_path: Path, name: str) -> None:
    assert drain.log_path(tmp_path, name).parent == tmp_path
    drain.log_path(tmp_path, name).touch()


@with_kernel("fails")
def test_the_traceback_of_a_failing_kernel_outlives_the_run(started: Started) -> None:
    ended = started.message("ended")
    assert ended["last"] == "RuntimeError: invariant 3"
    words = Path(ended["words"])
    assert "Traceback" in words.read_text()
    words.unlink()


@with_kernel("refuses")
def test_the_last_line_of_a_kernel_that_gives_up_is_told_and_nothing_is_kept(
    started: Started,
) -> None:
    assert started.message("said")["data"].startswith(b"kernel: there is no terminal left")
    ended = started.message("ended")
    assert os.waitstatus_to_exitcode(ended["ended"]) == 2
    assert (ended["last"], ended["words"]) == ("kernel: there is no terminal left", None)
