"""`caplab.System`: the control API on real systems."""

import os
import signal
import threading
from pathlib import Path

import pytest

import caplab
from caplab.kernel.boot.problems import ManifestError
from caplab.kernel.host import rundir
from caplab.kernel.host.errors import (
    HostError,
    NotRunning,
    OutOfTime,
    RequestRefused,
    SystemFailed,
)

CALM = """
uarts: [uart0]
pds:
  serial: {run: servers.serial}
  idle: {run: clients.idle}
  other: {run: clients.idle}
"""


@pytest.fixture
def calm(tmp_path: Path) -> Path:
    """A serial server and two PDs that wait to be killed."""
    path = tmp_path / "calm.yaml"
    path.write_text(CALM)
    return path


def test_a_system_boots_prints_and_leaves_nothing() -> None:
    with caplab.System("hello", paranoid=True) as system:
        assert system.wait(30) == {"finished": True, "failed": []}
        shown = b""
        while shown.count(b"Hello world from ") < 6:
            shown += system.console.read()
        report = system.down()
    assert report["left"] == {"processes": 0, "segments": 0, "sockets": 0, "files": 0}
    assert rundir.list_running() == []


def test_rows_have_pids_of_real_processes_and_say_what_each_does(calm: Path) -> None:
    with caplab.System(calm) as system:
        row = system.pd("serial")
        assert row.role == "server"
        assert row.state == "waiting"
        assert row.pid is not None
        assert os.path.exists(f"/proc/{row.pid}")
        assert [one.pd for one in system.ps()] == ["serial", "idle", "other"]


def test_a_killed_pd_is_reaped_when_kill_returns(calm: Path) -> None:
    with caplab.System(calm) as system:
        pid = system.pd("idle").pid
        report = system.kill("idle")
        assert (report["state"], report["pending"]) == ("killed", [])
        assert not os.path.exists(f"/proc/{pid}")
        assert system.assert_nothing_left_of("idle").state == "killed"
        assert system.pd("other").alive


def test_a_pd_that_lives_is_something_left(calm: Path) -> None:
    with caplab.System(calm) as system, pytest.raises(AssertionError, match="of idle there is"):
        system.assert_nothing_left_of("idle", timeout=0.1)


@pytest.mark.parametrize(
    ("how", "state"), [("segv", "faulted"), ("exception", "faulted"), ("exit:3", "exited")]
)
def test_a_crash_ends_the_pd_as_asked(calm: Path, how: str, state: str) -> None:
    with caplab.System(calm) as system:
        assert system.crash("idle", how)["state"] == state
        assert system.assert_nothing_left_of("idle").exit_code != 0


def test_what_is_armed_happens_at_that_call_and_start_does_not_mind() -> None:
    system = caplab.System("hello").arm("hello2", "kill", after=3)
    system.arm("serial", "crash", "segv", after=1)
    with system:
        answer = system.wait(30)
        assert {one["pd"] for one in answer["failed"]} >= {"serial", "hello2"}
        assert system.pd("serial").calls == 1


def test_suspended_a_pd_makes_no_call_until_it_is_resumed(calm: Path) -> None:
    with caplab.System(calm) as system:
        assert system.suspend("serial").state == "suspended"
        assert system.pd("serial").state == "suspended"
        assert system.resume("serial").state == "waiting"


def test_what_runs_out_of_time_says_who_waits_for_what(calm: Path) -> None:
    with caplab.System(calm) as system:
        with pytest.raises(OutOfTime, match=r"has not finished within 0\.2 s") as late:
            system.wait(0.2)
        assert "serial (server) is waiting: recv" in late.value.fix


def test_one_may_wait_in_one_thread_and_kill_in_another(calm: Path) -> None:
    with caplab.System(calm) as system:
        waiter = threading.Thread(target=lambda: answers.append(system.wait(30)))
        answers: list[dict] = []
        waiter.start()
        system.kill("idle")
        system.kill("other", signal="TERM")
        waiter.join()
        assert [one["pd"] for one in answers[0]["failed"]] == ["idle", "other"]


def test_an_unknown_pd_is_refused_with_a_suggestion(calm: Path) -> None:
    with caplab.System(calm) as system:
        for request in (system.pd, system.kill, system.crash, system.suspend, system.logs):
            with pytest.raises(RequestRefused, match="no PD 'idel'") as refused:
                request("idel")
            assert "Did you mean idle?" in refused.value.fix


def test_a_dead_pd_is_not_killed_again(calm: Path) -> None:
    with caplab.System(calm) as system:
        system.kill("idle")
        with pytest.raises(RequestRefused, match="has ended"):
            system.kill("idle")


def test_a_bad_manifest_starts_nothing(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("pds: {a: {run: clients.nonsense}}\n")
    with pytest.raises(ManifestError, match=f"{bad}:1:"):
        caplab.System(bad).start()
    assert rundir.list_running() == []


def test_a_server_that_is_never_ready_is_an_error_that_quotes_it(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def main(env):\n    raise OSError('no such thing')\n")
    manifest = tmp_path / "s.yaml"
    manifest.write_text("pds: {broken: {run: ./broken.py, serves: endpoint}}\n")
    with pytest.raises(SystemFailed, match="broken faulted OSError: no such thing") as failed:
        caplab.System(manifest).start()
    assert "in main" in failed.value.fix


def test_a_server_that_never_receives_runs_out_of_the_time_to_start(tmp_path: Path) -> None:
    (tmp_path / "deaf.py").write_text("def main(env):\n    env.sleep(1000)\n")
    manifest = tmp_path / "s.yaml"
    manifest.write_text("pds: {deaf: {run: ./deaf.py, serves: endpoint}}\n")
    with pytest.raises(OutOfTime, match=r"is not ready within 2 s") as late:
        caplab.System(manifest).start(timeout=2)
    assert "deaf (server) is waiting: sleep" in late.value.fix


def test_a_killed_kernel_is_an_error_and_leaves_nothing(calm: Path) -> None:
    with caplab.System(calm) as system:
        os.kill(rundir.read_info(system.run_dir)["kernel_pid"], signal.SIGKILL)
        with pytest.raises(NotRunning):
            system.wait(30)
    assert not system.run_dir.exists()


def test_the_same_system_twice_needs_two_names(calm: Path) -> None:
    with caplab.System(calm):
        with pytest.raises(HostError, match="running already"):
            caplab.System(calm).start()
        with caplab.System(calm, name="second") as second:
            assert second.name == "second"
            assert second.pd("idle").alive


def test_a_program_may_attach_to_what_another_has_started(calm: Path) -> None:
    from caplab.kernel.boot.running import Running

    system = caplab.System(calm).start()
    system.detach()
    found = Running.attach()
    assert found.name == "calm"
    found.kill("idle")
    assert found.down()["left"]["processes"] == 0
    with pytest.raises(NotRunning):
        Running.attach()


def test_each_uart_has_a_console_and_a_path() -> None:
    with caplab.System("parent") as system:
        assert list(system.console) == ["uart0", "uart1"]
        assert system.console["uart1"].expect("Hello world")
        assert system.uart_path("uart1").is_char_device()
        assert system.uarts() == ["uart0", "uart1"]


def test_typing_reaches_the_shell() -> None:
    with caplab.System("shell") as system:
        system.console.expect("caplab> ")
        system.console.send("kill victim\r")
        system.console.expect("victim is gone")
        system.assert_nothing_left_of("victim")
        system.console.send("exit\r")
        system.wait(30)


def test_what_a_pd_prints_is_in_its_log(tmp_path: Path) -> None:
    (tmp_path / "talker.py").write_text("def main(env):\n    print('a' * 10)\n")
    manifest = tmp_path / "s.yaml"
    manifest.write_text("pds: {talker: {run: ./talker.py}}\n")
    with caplab.System(manifest) as system:
        system.wait(30)
        assert system.logs("talker") == b"a" * 10 + b"\n"


def test_every_change_is_announced(calm: Path) -> None:
    with caplab.System(calm) as system, system.control.watch() as changes:
        system.kill("idle")
        event = next(changes.events())
        assert (event["pd"], event["state"]) == ("idle", "killed")
