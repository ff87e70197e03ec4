"""`caplab up` from outside: its streams, its exit status, its signals, and what it leaves."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from caplab.kernel.boot.running import Running
from caplab.kernel.host import rundir

CAPLAB = [sys.executable, "-m", "caplab"]
NOTHING = "nothing is left behind: no process, segment, socket or file"
PROGRAMS = {
    "talker": (
        "import sys\n"
        "def main(env):\n"
        "    print('one\\x1b[2J', flush=True)\n"
        "    print('two', file=sys.stderr, flush=True)\n"
    ),
    "failing": "def main(env):\n    raise ValueError('on purpose')\n",
    "leaving": "def main(env):\n    env.exit(7)\n",
    "waiting": "def main(env):\n    env.notification().wait()\n",
    "spinning": "def main(env):\n    print('spinning', flush=True)\n    while True: pass\n",
    "deaf": ("def main(env):\n    env.endpoint('server').recv()\n    env.notification().wait()\n"),
    "calling": "def main(env):\n    env.endpoint('deaf').call()\n",
    "serving": "def main(env):\n    env.endpoint('server').recv()\n",
}
Manifest = Callable[..., Path]
Up = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Writes a system of these programs: `manifest("talker", calling="uses: [deaf]")`."""

    def write(*plain: str, **keyed: str) -> Path:
        lines = ["pds:"]
        for name, keys in {**dict.fromkeys(plain, ""), **keyed}.items():
            (tmp_path / f"{name}.py").write_text(PROGRAMS[name])
            lines.append(f"  {name}: {{run: ./{name}.py, {keys}}}")
        path = tmp_path / "sample.yaml"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture
def up(nothing_left: None) -> Iterator[Up]:
    """Starts `caplab up …` with pipes."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str | Path) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [*CAPLAB, "up", *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def caplab(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CAPLAB, *words], capture_output=True, text=True, timeout=60)


def until(process: subprocess.Popen[str], wanted: str) -> str:
    """Read its standard error up to the line with this in it."""
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if wanted in line:
            return seen
    raise AssertionError(f"{wanted!r} did not come:\n{seen}")


def test_the_demonstration_prints_says_what_is_left_and_exits_0(up: Up) -> None:
    process = up("hello")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.count("Hello") >= 3
    assert "\x1b" not in out
    assert "\r" not in out
    first = err.splitlines()[0]
    assert re.match(r"caplab: hello: \d+ PDs, confinement (strict|basic|none)", first)
    assert NOTHING in err
    assert "try next: `caplab up shell --console`" in err


def test_what_pds_print_is_shown_by_name_and_cannot_drive_the_terminal(
    up: Up, manifest: Manifest
) -> None:
    out, err = up(manifest("talker")).communicate(timeout=60)
    assert "talker | one\N{REPLACEMENT CHARACTER}[2J\n" in err
    assert "talker | two\n" in err
    assert out == ""


def test_a_pd_that_fails_is_announced_and_up_exits_1(up: Up, manifest: Manifest) -> None:
    process = up(manifest("failing"))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "caplab: failing faulted: ValueError: on purpose" in err
    assert NOTHING in err


def test_the_exit_code_may_be_a_pds(up: Up, manifest: Manifest) -> None:
    process = up(manifest("leaving", "waiting"), "--exit-code-from", "leaving")
    until(process, "leaving exited: exit code 7")
    assert caplab("kill", "waiting").returncode == 0
    process.communicate(timeout=60)
    assert process.returncode == 7


def test_the_exit_code_of_a_killed_pd_is_128_and_the_signal(up: Up, manifest: Manifest) -> None:
    process = up(manifest("waiting"), "--exit-code-from", "waiting")
    until(process, "from another terminal")
    wait_for_system()
    assert caplab("kill", "waiting", "-s", "KILL").returncode == 0
    process.communicate(timeout=60)
    assert process.returncode == 137


def test_an_exit_code_from_nobody_is_refused(up: Up, manifest: Manifest) -> None:
    process = up(manifest("waiting"), "--exit-code-from", "nobody")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "The PDs are waiting." in err


def test_when_the_time_is_over_it_says_who_waits_for_whom_and_exits_1(
    up: Up, manifest: Manifest
) -> None:
    process = up(manifest(deaf="serves: endpoint", calling="uses: [deaf]"), "--timeout", "3")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "sample has not finished within 3 s. [out-of-time]" in err
    assert "calling (client) is waiting: reply from deaf/gen0" in err
    assert NOTHING in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_system_in_order_and_exits_130(
    up: Up, manifest: Manifest, number: signal.Signals
) -> None:
    process = up(manifest("waiting"))
    until(process, "from another terminal")
    wait_for_system()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "going down in reverse order; once more kills" in err
    assert NOTHING in err


def test_a_second_signal_kills_what_does_not_stop(up: Up, manifest: Manifest) -> None:
    process = up(manifest("spinning"))
    until(process, "spinning | spinning")
    process.send_signal(signal.SIGINT)
    until(process, "once more kills")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "killing everything" in err
    assert NOTHING in err


def test_a_pd_that_does_not_stop_is_killed_after_two_seconds(up: Up, manifest: Manifest) -> None:
    process = up(manifest("spinning"))
    until(process, "spinning | spinning")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "spinning was killed: SIGKILL: did not stop within 2 s" in err
    assert NOTHING in err


def test_the_same_name_twice_is_refused_naming_the_kernel(up: Up, manifest: Manifest) -> None:
    path = manifest("waiting")
    until(up(path), "from another terminal")
    kernel = wait_for_system()
    second = up(path)
    _, err = second.communicate(timeout=60)
    assert second.returncode == 2
    assert f"its kernel is process {kernel}" in err
    assert caplab("ps").returncode == 0
    assert caplab("down").returncode == 0


def test_another_name_lets_it_run_twice(up: Up, manifest: Manifest) -> None:
    path = manifest("waiting")
    for name in ("one", "two"):
        until(up(path, "--name", name), "from another terminal")
    assert caplab("up", str(path), "-d").returncode == 0
    assert [run.name for run in rundir.list_running()] == ["one", "sample", "two"]
    for name in ("one", "two", "sample"):
        assert caplab("down", "-n", name).returncode == 0


def test_down_from_elsewhere_ends_the_foreground_with_0(up: Up, manifest: Manifest) -> None:
    process = up(manifest(serving="serves: endpoint"))
    until(process, "from another terminal")
    wait_for_system()
    down = caplab("down")
    assert down.returncode == 0
    assert "nothing is left behind" in down.stderr
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert NOTHING in err


@pytest.mark.parametrize("detached", [[], ["-d"]])
def test_a_system_that_has_no_time_to_start_is_said_to_be_starting(
    manifest: Manifest, detached: list[str]
) -> None:
    began = time.monotonic()
    ran = caplab("up", str(manifest("waiting")), "--timeout", "0", *detached)
    assert time.monotonic() - began < 9  # its launcher gives a kernel ten to end by itself
    assert ran.returncode == 1
    assert "within 0 s. [out-of-time]\n  sample is still starting: its kernel" in ran.stderr
    assert rundir.list_running() == []


def test_detached_it_returns_when_ready_and_runs_until_down(manifest: Manifest) -> None:
    path = manifest(deaf="serves: endpoint", calling="uses: [deaf]")
    started = caplab("up", str(path), "-d")
    assert started.returncode == 0, started.stderr
    assert "it is ready" in started.stderr
    assert "calling" in caplab("ps").stdout
    down = caplab("down")
    assert down.returncode == 0
    assert "2 PDs stopped" in down.stderr
    assert "nothing is left behind" in down.stderr
    assert caplab("ps").returncode == 3


def test_detached_a_server_that_fails_is_told_with_what_it_printed(manifest: Manifest) -> None:
    started = caplab("up", str(manifest(failing="serves: endpoint")), "-d")
    assert started.returncode == 1
    assert "sample did not get ready: failing faulted ValueError: on purpose." in started.stderr
    assert "in main" in started.stderr  # its own traceback
    assert caplab("ps").returncode == 3


def test_a_killed_cli_takes_its_system_down(up: Up, manifest: Manifest) -> None:
    process = up(manifest("waiting"))
    until(process, "from another terminal")
    run = rundir.find("sample")
    assert run is not None
    wait_for_system()
    launcher = os.pidfd_open(rundir.read_info(run.path)["launcher_pid"])
    process.kill()
    wait_for_end(launcher)
    assert rundir.list_running() == []
    assert not run.path.exists()


def test_a_killed_kernel_ends_everything_and_up_says_so(up: Up, manifest: Manifest) -> None:
    process = up(manifest("waiting", serving="serves: endpoint"))
    until(process, "from another terminal")
    os.kill(wait_for_system(), signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "The kernel of sample was ended by signal 9. [system-failed]" in err
    assert re.search(r"cleared what it could not clear itself: .*\d sockets", err)
    assert NOTHING in err


def test_a_killed_launcher_ends_everything_and_up_says_so(up: Up, manifest: Manifest) -> None:
    process = up(manifest("waiting"))
    until(process, "from another terminal")
    wait_for_system()
    run = rundir.find("sample")
    assert run is not None
    os.kill(run.info["launcher_pid"], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "The launcher of sample has ended, and everything with it." in err
    assert not run.path.exists()


def test_ls_clears_what_is_left_when_launcher_and_kernel_are_killed(manifest: Manifest) -> None:
    assert caplab("up", str(manifest("waiting")), "-d").returncode == 0
    run = rundir.find("sample")
    assert run is not None
    for pid in (run.info["launcher_pid"], run.info["kernel_pid"]):
        descriptor = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        wait_for_end(descriptor)
    ls = caplab("ls")
    assert ls.returncode == 0
    assert re.search(r"cleared what sample had left when it was killed: .*sockets", ls.stderr)
    assert not run.path.exists()


def test_a_reader_that_has_seen_enough_takes_the_system_down(manifest: Manifest) -> None:
    command = f"{sys.executable} -m caplab up hello | head -1"
    ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert "Hello" in ran.stdout
    assert NOTHING in ran.stderr
    assert "Traceback" not in ran.stderr


def test_at_a_terminal_the_console_keeps_its_colours_and_no_color_takes_them() -> None:
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        terminal = pexpect.spawn(
            sys.executable,
            ["-m", "caplab", "up", "hello"],
            env={**os.environ, **environment},
            timeout=60,
        )
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == 0
        assert (b"\x1b[" in terminal.before) is coloured


def test_ctrl_c_at_a_terminal_reaches_no_pd(manifest: Manifest) -> None:
    terminal = pexpect.spawn(
        sys.executable, ["-m", "caplab", "up", str(manifest("waiting"))], timeout=60
    )
    terminal.expect("from another terminal")
    wait_for_system()
    terminal.send("\x03")
    terminal.expect("going down in reverse order")
    terminal.expect(NOTHING)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    assert b"KeyboardInterrupt" not in terminal.before


def test_with_a_console_one_types_to_the_shell_and_leaving_ends_the_system() -> None:
    terminal = pexpect.spawn(
        sys.executable, ["-m", "caplab", "up", "shell", "--console"], timeout=60
    )
    terminal.expect("caplab> ")
    terminal.send("echo hello there\r")
    terminal.expect("echo hello there\r+\n")
    terminal.expect("hello there\r+\n")
    terminal.send("\x1dq")
    terminal.expect("you have left: going down in reverse order")
    terminal.expect(NOTHING)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0


def wait_for_system(name: str = "sample") -> int:
    """Until the system answers; its kernel's pid."""
    run = rundir.find(name)
    assert run is not None
    running = Running(name, run.path)
    while True:
        try:
            running.control.ask("ready")
        except Exception:
            if not rundir.is_running(run.path):
                raise
            continue
        return int(rundir.read_info(run.path)["kernel_pid"])


def wait_for_end(descriptor: int) -> None:
    from caplab.kernel.boot.control import readable

    assert readable(descriptor, 30)
    os.close(descriptor)
