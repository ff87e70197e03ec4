"""The commands against a system with set answers: forms, exit statuses, error messages."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from caplab import __version__
from caplab.kernel.boot.control import Control
from caplab.kernel.host import rundir
from caplab.kernel.host.errors import NotRunning
from caplab.scripts.cli.main import COMMANDS
from stand_in_control import ROW


def test_the_version_is_the_packages(caplab: Callable) -> None:
    assert caplab("--version") == (0, f"caplab {__version__}\n", "")


def test_without_a_command_there_is_an_overview_of_all(caplab: Callable) -> None:
    ran = caplab()
    assert ran.status == 0
    for command in COMMANDS:
        assert f"  {command.name} " in ran.out


def test_every_command_has_help_that_names_its_options(caplab: Callable) -> None:
    ran = caplab("kill", "--help")
    assert ran.status == 0
    assert "-s, --signal SIGNAL" in ran.out
    assert "--after N" in ran.out


def test_an_unknown_command_is_refused_with_the_one_that_was_meant(caplab: Callable) -> None:
    ran = caplab("kil")
    assert ran.status == 2
    assert "Did you mean `caplab kill`?" in ran.err


@pytest.mark.parametrize(
    "words",
    [["ps", "--nonsense"], ["kill"], ["kill", "a", "--after", "0"], ["ls", "--format", "x"]],
)
def test_a_wrong_option_or_argument_exits_2_and_points_to_the_help(
    caplab: Callable, words: list[str]
) -> None:
    ran = caplab(*words)
    assert ran.status == 2
    assert f"See `caplab {words[0]} --help`." in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    "words",
    [["ps"], ["down"], ["logs"], ["console"], ["kill", "x"], ["crash", "x"], ["suspend", "x"]],
)
def test_every_command_exits_3_when_no_system_runs(caplab: Callable, words: list[str]) -> None:
    ran = caplab(*words)
    assert ran.status == 3
    assert "No system is running. [not-running]\n  Start one with `caplab up`." in ran.err


def test_a_system_that_does_not_run_is_named_with_those_that_do(
    caplab: Callable, stand_in: Callable
) -> None:
    stand_in("one")
    ran = caplab("ps", "-n", "two")
    assert ran.status == 3
    assert "No system called two is running." in ran.err
    assert "Running: one." in ran.err


def test_with_several_systems_one_must_be_named(caplab: Callable, stand_in: Callable) -> None:
    stand_in("one")
    stand_in("two")
    ran = caplab("ps")
    assert ran.status == 2
    assert "Several systems are running: one, two." in ran.err
    assert caplab("ps", "-n", "two").status == 0


def test_the_system_can_be_named_before_the_command_and_by_the_environment(
    caplab: Callable, stand_in: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in("one")
    two = stand_in("two")
    monkeypatch.setenv("CAPLAB_SYSTEM", "two")
    assert caplab("ps").status == 0
    monkeypatch.setenv("CAPLAB_SYSTEM", "none")
    assert caplab("-n", "two", "ps").status == 0
    assert len(two.requests) == 2


def test_ps_shows_a_line_for_each_pd_and_for_whom_it_waits(
    caplab: Callable, stand_in: Callable
) -> None:
    stand_in()
    ran = caplab("ps")
    heads, line = ran.out.splitlines()
    assert (
        heads == "PD      GEN  PID  ROLE    STATE    WHY                     CALLS  CAPS  PSS  CPU"
    )
    assert line.split()[:5] == ["hello1", "1", "-", "client", "waiting"]
    assert "reply from serial/gen1" in line


def test_ps_in_json_has_exactly_the_keys_that_are_promised(
    caplab: Callable, stand_in: Callable
) -> None:
    stand_in(ps={"pds": [{**ROW, "pid": os.getpid()}, {**ROW, "pid": 2**22 - 1}]})
    document = json.loads(caplab("ps", "--format", "json").out)
    assert list(document) == [
        "schema",
        "system",
        "kernel_pid",
        "zygote_pid",
        "run_dir",
        "confinement",
        "pds",
        "uarts",
    ]
    assert document["schema"] == 1
    alive, gone = document["pds"]
    promised = "pd generation pid role state reason exit_code calls caps pss cpu confinement tcbs"
    assert set(alive) == set(gone) == set(promised.split())
    assert alive["pss"] > 1_000_000
    assert alive["cpu"] > 0
    assert (gone["pss"], gone["cpu"]) == (None, None)
    assert alive["confinement"] == "none"


def test_control_characters_in_a_reason_never_reach_the_terminal(
    caplab: Callable, stand_in: Callable
) -> None:
    stand_in(ps={"pds": [{**ROW, "reason": "\x1b[2Jgone"}]})
    assert "\x1b" not in caplab("ps").out


def test_ls_lists_systems_and_starts_none(caplab: Callable, stand_in: Callable) -> None:
    stand_in("one")
    ran = caplab("ls")
    assert ran.out.splitlines()[1].split()[:3] == ["one", str(2**22 - 3), "test.yaml"]
    document = json.loads(caplab("ls", "--format", "json").out)
    assert document["schema"] == 1
    assert [system["system"] for system in document["systems"]] == ["one"]


def test_ls_clears_what_a_killed_system_left_and_says_so(caplab: Callable) -> None:
    claim = rundir.create("dead")
    (claim.path / "boot.json").write_text('{"shm_prefix": "cl.0badc0d4."}')
    Path("/dev/shm/cl.0badc0d4.1").touch(0o600)
    os.close(claim.lock)
    ran = caplab("ls")
    assert ran.status == 0
    assert "cleared what dead had left when it was killed: 1 segment" in ran.err
    assert not Path("/dev/shm/cl.0badc0d4.1").exists()


def test_suspend_and_resume_say_what_the_pd_is_now(caplab: Callable, stand_in: Callable) -> None:
    stand_in(suspend={**ROW, "state": "suspended", "reason": ""}, resume=ROW)
    assert caplab("suspend", "hello1").err == "caplab: hello1 is suspended\n"
    assert "hello1 is waiting: reply from serial/gen1" in caplab("resume", "hello1").err


def test_a_system_that_ends_in_the_middle_of_a_request_exits_3(
    caplab: Callable, stand_in: Callable
) -> None:
    stand_in(kill=None)
    ran = caplab("kill", "hello1")
    assert ran.status == 3
    assert "test ended before it answered `kill`." in ran.err


def test_logs_show_what_is_kept_with_the_older_part_first(
    caplab: Callable, stand_in: Callable
) -> None:
    system = stand_in()
    (system.run_dir / "logs" / "hello1.log.1").write_bytes(b"one\ntw")
    (system.run_dir / "logs" / "hello1.log").write_bytes(b"o\nthree \x1b[31mred\nhalf")
    assert (
        caplab("logs", "hello1").out == "one\ntwo\nthree \N{REPLACEMENT CHARACTER}[31mred\nhalf\n"
    )
    assert caplab("logs", "hello1", "--tail", "1").out == "half\n"
    assert caplab("logs", "--tail", "0").out == ""


def test_logs_of_several_pds_begin_with_their_names(caplab: Callable, stand_in: Callable) -> None:
    system = stand_in(ps={"pds": [ROW, {**ROW, "pd": "x"}]})
    (system.run_dir / "logs" / "hello1.log").write_bytes(b"one\n")
    (system.run_dir / "logs" / "x.log").write_bytes(b"two\n")
    assert caplab("logs").out == "hello1 | one\nx      | two\n"


def test_logs_of_an_unknown_pd_are_refused(caplab: Callable, stand_in: Callable) -> None:
    stand_in()
    ran = caplab("logs", "nobody")
    assert ran.status == 2
    assert "[no-such-pd]" in ran.err


def test_followed_logs_show_what_is_added_through_a_rotation_until_the_system_ends(
    stand_in: Callable,
) -> None:
    system = stand_in()
    log = system.run_dir / "logs" / "hello1.log"
    log.write_bytes(b"one\n")
    command = [sys.executable, "-m", "caplab", "logs", "-f", "hello1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "one\n"
        with log.open("ab") as file:
            file.write(b"two\nthr")
        assert follower.stdout.readline() == "two\n"
        with log.open("ab") as file:
            file.write(b"ee\n")
        log.rename(log.with_suffix(".log.1"))
        log.write_bytes(b"four")
        assert follower.stdout.readline() == "three\n"
        system.hang_up()
        assert follower.stdout.read() == "four\n"
        assert follower.wait(20) == 0


def test_console_path_is_where_the_uarts_link_points(caplab: Callable, stand_in: Callable) -> None:
    system = stand_in()
    (system.run_dir / "uart0").mkdir()
    (system.run_dir / "uart0" / "console.log").touch()
    (system.run_dir / "uart0" / "tty").symlink_to("/dev/pts/77")
    assert caplab("console", "--path").out == "/dev/pts/77\n"
    ran = caplab("console", "uart1", "--path")
    assert ran.status == 2
    assert "Did you mean uart0?" in ran.err
    (system.run_dir / "uart0" / "tty").unlink()
    ran = caplab("console", "--path")
    assert (ran.status, ran.out) == (3, "")
    assert "uart0 has no PTY. [not-running]" in ran.err


def test_a_system_without_a_uart_says_where_its_output_is(
    caplab: Callable, stand_in: Callable
) -> None:
    stand_in()
    for words in (["console"], ["console", "--path"], ["send-keys", "x"], ["expect", "x"]):
        ran = caplab(*words)
        assert ran.status == 2
        assert "caplab: test has no UART. [no-such-uart]" in ran.err
        assert "`caplab logs`" in ran.err


def test_a_console_that_is_gone_is_no_fault_of_caplab(caplab: Callable, stand_in: Callable) -> None:
    system = stand_in()
    (system.run_dir / "uart0").mkdir()
    (system.run_dir / "uart0" / "console.log").touch()
    ran = caplab("console")
    assert ran.status == 3
    assert "The console uart0 is not there" in ran.err
    assert caplab("console", "--escape", "nonsense").status == 2


def test_a_fault_of_caplab_is_one_line_and_no_traceback(
    caplab: Callable, stand_in: Callable
) -> None:
    stand_in(ps={"nonsense": 1})
    ran = caplab("ps")
    assert ran.status == 1
    assert "fault in caplab: KeyError: 'pds'\n" in ran.err
    assert "Traceback" not in ran.err


def test_output_that_nobody_reads_to_its_end_is_no_error() -> None:
    command = f"{sys.executable} -m caplab --help | head -1"
    ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    assert ran.stdout.startswith("Usage")


def test_explain_knows_statuses_and_words_and_says_what_was_meant(caplab: Callable) -> None:
    assert "a status of a call" in caplab("explain", "REVOKED").out
    ran = caplab("explain", "bage")
    assert ran.status == 2
    assert "did you mean `badge`?" in ran.err
    assert "ETIMEDOUT" in caplab("explain", "-110").out  # no option, but L4's number
    assert caplab("explain", "--help").out.startswith("Usage: caplab explain")


def test_check_names_place_and_fix_and_exits_2(caplab: Callable, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("pds: {a: {rum: clients.hello}}\n")
    ran = caplab("check", str(bad))
    assert ran.status == 2
    assert f"{bad}:1:" in ran.out
    document = json.loads(caplab("check", str(bad), "--format", "json").out)
    assert document["schema"] == 1
    assert document["files"][0]["ok"] is False
    assert document["files"][0]["problems"][0]["line"] == 1


def test_check_of_a_folder_looks_at_every_manifest_in_it(caplab: Callable, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yml"
    good.write_text("pds: {a: {run: clients.idle}}\n")
    bad.write_text("pds: {a: {rum: clients.idle}}\n")
    ran = caplab("check", str(tmp_path))
    assert ran.status == 2
    assert f"{good}: fine, 1 PD\n" in ran.out
    assert f"{bad}:1:" in ran.out
    bad.unlink()
    assert caplab("check", str(tmp_path)) == (0, f"{good}: fine, 1 PD\n", "")
    good.unlink()
    assert "is a folder without a manifest" in caplab("check", str(tmp_path)).out


def test_up_of_a_folder_with_several_manifests_starts_none(
    caplab: Callable, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("pds: {a: {run: clients.idle}}\n")
    ran = caplab("up", str(tmp_path))
    assert ran.status == 2
    assert "with 2 manifests: a.yaml and b.yaml [CL002]" in ran.err
    assert rundir.list_running() == []


def test_a_system_whose_kernel_does_not_listen_yet_is_not_said_to_have_ended(
    caplab: Callable,
) -> None:
    claim = rundir.create("early")
    ran = caplab("ps")
    os.close(claim.lock)
    rundir.reap_stale()
    assert ran.status == 3
    assert "early is just starting, or just ending: its kernel does not listen." in ran.err


def test_a_system_that_has_ended_is_said_to_have_ended(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="gone is not running, or has just ended"):
        Control("gone", tmp_path / "gone" / "control.sock").ask("ps")


def test_check_prints_the_schema_for_editors(caplab: Callable) -> None:
    assert "pds" in json.loads(caplab("check", "--schema").out)["properties"]


def test_up_of_a_bad_manifest_starts_nothing_and_exits_2(caplab: Callable, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("pds: {a: {rum: clients.hello}}\n")
    ran = caplab("up", str(bad))
    assert ran.status == 2
    assert f"{bad}:1:" in ran.err
    assert rundir.list_running() == []


def test_options_that_exclude_each_other_are_refused(caplab: Callable) -> None:
    ran = caplab("up", "-d", "-c")
    assert ran.status == 2
    assert "exclude each other" in ran.err


@pytest.mark.parametrize("log", ["", "nowhere/log"])
def test_a_log_that_could_not_be_written_is_refused_before_anything_starts(
    caplab: Callable, tmp_path: Path, log: str
) -> None:
    ran = caplab("up", "hello", "--record", str(tmp_path / log))
    assert ran.status == 2
    assert "[bad-request]" in ran.err
    assert rundir.list_running() == []


def test_a_console_of_a_system_without_a_uart_is_refused(caplab: Callable, tmp_path: Path) -> None:
    manifest = tmp_path / "silent.yaml"
    manifest.write_text("pds: {idle: {run: clients.idle}}\n")
    ran = caplab("up", str(manifest), "--console")
    assert ran.status == 2
    assert "silent has no UART to type into. [no-such-uart]" in ran.err
