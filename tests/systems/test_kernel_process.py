"""The kernel process itself: how it starts, how it ends, and what it does when something breaks."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from caplab.kernel.abi import BODY_MAX
from caplab.kernel.core.kernel import Kernel
from caplab.kernel.host import rundir
from caplab.kernel.host.record import Check, Log, replay
from caplab.kernel.root.task import RootTask
from kernel_process import PATIENCE, KernelProcess, pd, program

IDLE = "def main(env):\n    env.sleep(1000)\n"
WINDOW = (
    "def main(env):\n    memory = env.memory()\n    window = memory.map()\n    env.sleep(1000)\n"
)
NOTHING = {"processes": 0, "segments": 0, "sockets": 0, "files": 0}


@pytest.fixture
def idle(tmp_path: Path) -> dict[str, Any]:
    """A specification: a UART and two PDs that sleep, one with a window."""
    return {
        "name": "test",
        "uarts": ["uart0"],
        "pds": [
            pd("sleeper", **program(tmp_path, IDLE, "sleeper")),
            pd("owner", **program(tmp_path, WINDOW, "owner")),
        ],
    }


def settled(kernel: KernelProcess, count: int = 2) -> list[dict[str, Any]]:
    """The rows, once so many PDs wait in a call."""
    while True:
        rows: list[dict[str, Any]] = kernel.ask("ps")["pds"]
        if sum(row["state"] == "waiting" for row in rows) == count:
            return rows


def descendants(kernel: KernelProcess) -> list[psutil.Process]:
    return psutil.Process(kernel.process.pid).children(recursive=True)


def wait_gone(processes: list[psutil.Process]) -> None:
    gone, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert not alive
    assert gone


# -- start and end ------------------------------------------------------------------------


def test_it_says_what_it_is_and_where_its_uarts_are(idle: dict[str, Any]) -> None:
    with KernelProcess(idle) as kernel:
        info = kernel.ask("info")
        assert info["system"] == "test"
        assert info["kernel_pid"] == kernel.process.pid
        assert info["run_dir"] == str(kernel.run_dir)
        assert psutil.Process(info["zygote_pid"]).ppid() == kernel.process.pid
        (uart,) = info["uarts"]
        assert uart["tty"] == os.readlink(kernel.run_dir / "uart0" / "tty")
        assert uart["socket"] == str(kernel.run_dir / "uart0" / "socket")
        told = json.loads((kernel.run_dir / "run.json").read_text())
        assert told["zygote_pid"] == info["zygote_pid"]
        assert told["launcher_pid"] == os.getpid()
        assert told["shm_prefix"] == kernel.prefix
        with pytest.raises(Exception, match="running already"):
            rundir.hold(kernel.run_dir)


def test_down_takes_everything_apart_before_it_is_answered(idle: dict[str, Any]) -> None:
    with KernelProcess(idle) as kernel:
        settled(kernel)
        processes = descendants(kernel)
        assert len(processes) == 4  # the zygote, two PDs, one line
        assert len(kernel.segments()) == 1
        report = kernel.ask("down")
        assert report["left"] == NOTHING
        assert not any(process.is_running() for process in processes)
        assert kernel.segments() == []
        assert kernel.wait() == 0
        assert kernel.printed == b""
        names = {path.name for path in kernel.run_dir.rglob("*")}
        assert names == {"boot.json", "lock", "uart0", "console.log"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_takes_it_down_in_order(idle: dict[str, Any], number: int) -> None:
    with KernelProcess(idle) as kernel:
        settled(kernel)
        kernel.process.send_signal(number)
        assert kernel.wait() == 0
        assert kernel.segments() == []


def test_a_signal_before_the_system_has_booted_ends_it_all_the_same(idle: dict[str, Any]) -> None:
    slow = "from caplab.kernel.host.lines import Lines\nLines.up = property(lambda self: False)"
    with KernelProcess(idle, slow) as kernel:
        while not (kernel.run_dir / "uart0" / "socket").exists():
            assert kernel.process.poll() is None
        kernel.process.send_signal(signal.SIGTERM)
        assert kernel.wait() == 0


def test_a_kernel_whose_launcher_has_ended_does_not_start(idle: dict[str, Any]) -> None:
    waits = "import select\nselect.select([int(sys.argv[-1])], [], [])\n"
    with KernelProcess(idle, waits) as kernel:
        kernel.channel.close()
        assert kernel.wait() == 2
        assert b"the launcher has ended already" in kernel.printed


def test_a_second_kernel_in_a_run_directory_is_refused(idle: dict[str, Any]) -> None:
    with KernelProcess(idle) as kernel:
        kernel.ask("info")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-P", "-m", "caplab.kernel.host", str(kernel.run_dir)]
        second = subprocess.run(
            [*command, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            capture_output=True,
            check=False,
        )
        assert second.returncode == 2
        assert b"running already" in second.stderr
        assert kernel.ask("info")["system"] == "test"
        ours.close()
        theirs.close()


def test_a_line_that_cannot_start_is_told_and_nothing_runs(idle: dict[str, Any]) -> None:
    with KernelProcess({**idle, "uarts": ["uart0"]}) as kernel:
        # What stands where the line would make its folder.
        (kernel.run_dir / "uart0").write_text("in the way")
        assert kernel.wait() == 1
        assert b"the line of uart0 did not start" in kernel.printed


def test_it_runs_on_the_processors_it_is_told_and_so_does_every_pd(idle: dict[str, Any]) -> None:
    cpu = min(os.sched_getaffinity(0))
    with KernelProcess({**idle, "cpus": [cpu]}) as kernel:
        settled(kernel)
        for process in [psutil.Process(kernel.process.pid), *descendants(kernel)]:
            assert process.cpu_affinity() == [cpu]


def test_a_processor_that_is_not_there_is_refused(idle: dict[str, Any]) -> None:
    with KernelProcess({**idle, "cpus": [1023]}) as kernel:
        assert kernel.wait() == 2
        assert b"cpus: [1023]: of the processors" in kernel.printed


# -- processes ----------------------------------------------------------------------------


def test_a_pd_that_cannot_be_made_ends_with_127_and_others_run(
    idle: dict[str, Any], tmp_path: Path
) -> None:
    idle["pds"].append({**pd("big", **program(tmp_path, IDLE)), "args": {"x": "y" * BODY_MAX}})
    with KernelProcess(idle) as kernel:
        rows = {row["pd"]: row for row in settled(kernel)}
        assert (rows["big"]["state"], rows["big"]["exit_code"]) == ("exited", 127)
        assert kernel.ask("down")["left"] == NOTHING
        kernel.wait()
        assert b"big could not be started" in kernel.printed


def test_a_dead_pd_leaves_no_descriptor_and_no_thread_in_the_kernel(
    idle: dict[str, Any], tmp_path: Path
) -> None:
    idle["pds"].append({**pd("last", **program(tmp_path, IDLE, "last")), "threads": 3})
    count = (
        "from caplab.kernel.host.host import Host\n"
        "Host._info = lambda self: {'ids': len(self.loop._peers)}\n"
    )
    with KernelProcess(idle, count) as kernel:
        settled(kernel, 3)
        assert kernel.ask("info") == {"ids": 5}
        process = psutil.Process(kernel.process.pid)
        threads = process.num_threads()
        before = process.num_fds()
        for name, tcbs in (("last", 3), ("owner", 1), ("sleeper", 1)):
            kernel.ask("kill", pd=name)
            # Its pidfd, and a connection for each TCB, which ZeroMQ closes in its own time.
            while process.num_fds() > before - 1 - tcbs:
                pass
            before = process.num_fds()
        assert process.num_threads() == threads
        open_now = {
            os.readlink(f"/proc/{process.pid}/fd/{fd}")
            for fd in os.listdir(f"/proc/{process.pid}/fd")
        }
        assert not any("shm" in path for path in open_now)
        while kernel.ask("info") != {"ids": 0}:
            pass  # the last connection's end is still on its way to the loop


def test_a_stopped_pd_holds_nobody_up(idle: dict[str, Any]) -> None:
    with KernelProcess(idle) as kernel:
        rows = settled(kernel)
        os.kill(rows[0]["pid"], signal.SIGSTOP)
        assert kernel.ask("ps")
        assert kernel.ask("kill", pd="sleeper")["state"] == "killed"
        assert kernel.ask("down")["left"] == NOTHING


def test_a_pds_output_goes_to_the_launcher(tmp_path: Path) -> None:
    run = program(tmp_path, "def main(env):\n    print('seen')\n")
    with KernelProcess({"name": "test", "pds": [pd("talker", **run)]}) as kernel:
        name, reading = kernel.log()
        with open(reading, "rb", closefd=False) as pipe:
            assert (name, pipe.read()) == ("talker", b"seen\n")


# -- when something breaks ----------------------------------------------------------------


def test_a_bug_in_the_kernel_stops_everything_and_says_what_happened_last(
    idle: dict[str, Any],
) -> None:
    bug = (
        "from caplab.kernel.root import operator\n"
        "operator._COMMANDS['suspend'] = lambda *_: 1 // 0\n"
    )
    with KernelProcess(idle, bug) as kernel:
        settled(kernel)
        processes = descendants(kernel)
        with pytest.raises(Exception, match="ended before it answered"):
            kernel.control.ask("suspend", pd="sleeper")
        assert kernel.wait() == 70
        wait_gone(processes)
        assert kernel.segments() == []
        said = kernel.printed.decode()
        assert "a fault in the kernel itself" in said
        assert "Operator(now=" in said
        assert "'op': 'suspend'" in said
        assert "ZeroDivisionError" in said


def test_a_bug_in_the_helper_thread_stops_everything_too(idle: dict[str, Any]) -> None:
    bug = "from caplab.kernel.host.host import Host\nHost._info = lambda self: {}[0]\n"
    with KernelProcess(idle, bug) as kernel:
        settled(kernel)
        with pytest.raises(Exception, match="ended before it answered"):
            kernel.control.ask("info")
        assert kernel.wait() == 70
        assert b"KeyError" in kernel.printed
        assert kernel.segments() == []


def test_a_broken_invariant_stops_a_paranoid_kernel(idle: dict[str, Any]) -> None:
    bug = (
        "from caplab.kernel.core import invariants\n"
        "real = invariants.violations\n"
        "def violations(k):\n"
        "    return real(k) + ['I99: too many calls'] * (k.event > 20)\n"
        "invariants.violations = violations\n"
    )
    with KernelProcess(idle, bug, ["--paranoid"]) as kernel:
        with pytest.raises((AssertionError, OSError), match=r"I99|ended"):  # noqa: PT012
            while True:
                kernel.ask("ps")
        assert kernel.wait() == 70
        assert b"KernelBug: I99: too many calls" in kernel.printed


def test_when_the_zygote_dies_everything_ends(idle: dict[str, Any]) -> None:
    with KernelProcess(idle) as kernel:
        settled(kernel)
        processes = descendants(kernel)
        os.kill(kernel.ask("info")["zygote_pid"], signal.SIGKILL)
        assert kernel.wait() == 70
        wait_gone(processes)
        assert kernel.printed == b"kernel: the zygote has ended, and everything with it\n"
        assert kernel.segments() == []


def test_a_zygote_that_dies_while_the_lines_drain_does_not_keep_the_answer_back(
    idle: dict[str, Any],
) -> None:
    with KernelProcess(idle) as kernel:
        settled(kernel)
        (line,) = [each for each in descendants(kernel) if each.name().startswith("line")]
        line.suspend()  # so that the draining takes as long as it may
        zygote = kernel.ask("info")["zygote_pid"]
        with kernel.control.begin("down") as down:
            while any(row["pid"] for row in kernel.ask("ps")["pds"]):
                assert kernel.process.poll() is None
            os.kill(zygote, signal.SIGKILL)
            assert down.answer(PATIENCE)["left"]["processes"] == 1  # the line did not end by itself
        assert kernel.wait() == 0


def test_when_the_launcher_hangs_up_everything_ends(idle: dict[str, Any]) -> None:
    with KernelProcess(idle) as kernel:
        settled(kernel)
        processes = descendants(kernel)
        kernel.channel.close()
        assert kernel.wait() == 70
        wait_gone(processes)
        assert b"the launcher has ended" in kernel.printed
        assert kernel.segments() == []


def test_when_the_kernel_is_killed_every_process_dies(idle: dict[str, Any]) -> None:
    with KernelProcess(idle) as kernel:
        settled(kernel)
        processes = descendants(kernel)
        kernel.process.kill()
        wait_gone(processes)
        assert len(kernel.segments()) == 1  # for who comes next
    assert kernel.segments() == []


def test_a_line_that_dies_takes_its_console_and_nothing_else(idle: dict[str, Any]) -> None:
    with KernelProcess(idle) as kernel:
        settled(kernel)
        (line,) = [each for each in descendants(kernel) if each.name().startswith("line")]
        line.kill()
        wait_gone([line])
        assert len(settled(kernel)) == 2
        kernel.ask("down")
        assert kernel.wait() == 0
        assert b"line 0 has ended (-9), and its console" in kernel.printed


# -- the log ------------------------------------------------------------------------------


def test_a_recorded_run_replays_to_the_recorded_state(idle: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "log"
    with KernelProcess(idle, options=["--record", str(path)]) as kernel:
        settled(kernel)
        kernel.ask("kill", pd="owner")
        kernel.ask("down")
        assert kernel.wait() == 0
    _, checks = replay(Log(path), lambda: Kernel(RootTask()))
    assert checks[-1].last
    assert all(check.agrees for check in checks)


def test_the_log_of_a_killed_kernel_replays_to_its_last_whole_record(
    idle: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "log"
    with KernelProcess(idle, options=["--record", str(path)]) as kernel:
        settled(kernel)
        while not any(isinstance(one, Check) for one in Log(path)):
            assert kernel.process.poll() is None  # it hashes once it has been quiet
        kernel.process.kill()
        kernel.process.wait(PATIENCE)
    replayed, checks = replay(Log(path), lambda: Kernel(RootTask()))
    assert len(replayed.tcbs) == 2
    assert checks
    assert all(check.agrees and not check.last for check in checks)


def test_a_log_that_cannot_be_made_is_an_error_before_anything_runs(
    idle: dict[str, Any], tmp_path: Path
) -> None:
    with KernelProcess(idle, options=["--record", str(tmp_path / "no" / "log")]) as kernel:
        assert kernel.wait() == 2
        assert b"No such file or directory" in kernel.printed
