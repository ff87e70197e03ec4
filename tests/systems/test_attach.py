"""A debug PD and its debugger, as a person at a terminal meets them."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

import caplab
from caplab.kernel.boot.running import Running
from caplab.kernel.confine.level import Level, choose
from caplab.kernel.confine.probe import probe, signs

CAPLAB = [sys.executable, "-m", "caplab"]
PROMPT = r"\(Pdb\) $"
THINKER = """
def main(env, rounds=2):
    total = 0
    for number in range(rounds):
        breakpoint()
        total += number
        total += 10
    env.log(f"total {total}")
    return 0
"""
SERVER = """
def main(env):
    message = env.endpoint("server").recv()
    breakpoint()
    env.reply(message.label + 1)
    env.endpoint("server").recv()
"""
CLIENT = """
def main(env):
    print("answer", env.endpoint("thinker").call(41, timeout=3).label)
"""
LOOKED_INTO = """
import ctypes

PR_GET_DUMPABLE = 3


def main(env, rounds=0):
    env.log(str(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE)))
"""
levels = pytest.mark.parametrize("level", list(Level))


@pytest.fixture
def terminal(runtime_dir: Path) -> Iterator[Callable[..., pexpect.spawn]]:
    """Starts a command at a terminal of its own."""
    env = {**os.environ, "XDG_RUNTIME_DIR": str(runtime_dir), "TERM": "xterm", "NO_COLOR": "1"}
    children: list[pexpect.spawn] = []

    def start(*words: str) -> pexpect.spawn:
        child = pexpect.spawn(
            CAPLAB[0],
            [*CAPLAB[1:], *words],
            env=env,
            encoding="utf-8",
            timeout=30,
            dimensions=(40, 200),
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.close(force=True)


def manifest(folder: Path, level: str = "auto", debug: str = "debug: true") -> Path:
    """One PD that stops at its breakpoints."""
    if level != "auto":
        try:
            choose(level, probe(), signs())
        except Exception as error:  # noqa: BLE001  # this host has less
            pytest.skip(str(error))
    (folder / "thinker.py").write_text(THINKER)
    path = folder / "debugged.yaml"
    path.write_text(
        f"confinement: {level}\npds:\n  thinker:\n    run: ./thinker.py\n    {debug}\n"
        "  other: {run: ./other.py, role: server, serves: endpoint}\n"
    )
    (folder / "other.py").write_text("def main(env):\n    env.endpoint('server').recv()\n")
    return path


def asked(child: pexpect.spawn, line: str) -> str:
    """What is shown between a line and the next prompt."""
    child.sendline(line)
    child.expect(PROMPT)
    return str(child.before).replace("\r", "")


def past_the_breakpoint(child: pexpect.spawn, shown: str) -> str:
    """What is shown at the line behind it; from Python 3.13 on, one stops at the breakpoint."""
    if sys.version_info < (3, 13):
        return shown
    assert "-> breakpoint()" in shown
    return asked(child, "next")


def left(child: pexpect.spawn) -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CAPLAB, *words], capture_output=True, text=True, timeout=60)


@levels
def test_a_breakpoint_opens_at_each_level_and_what_is_typed_there_happens(
    tmp_path: Path, terminal: Callable[..., pexpect.spawn], level: str
) -> None:
    up = terminal("up", str(manifest(tmp_path, level)))
    up.expect("thinker is at a breakpoint: caplab attach thinker")
    debugger = terminal("attach", "thinker")
    debugger.expect("Ctrl-] then: q leaves")
    debugger.expect(PROMPT)
    assert "-> total += number" in past_the_breakpoint(debugger, str(debugger.before))
    assert "(0, 0)" in asked(debugger, "p number, total")
    debugger.send("p tota\x1b[D\x1b[D\x1b[C\x1b[C")  # left and right again
    assert "\n0\n" in asked(debugger, "l")
    debugger.send("\x1b[A")  # up: the line again
    assert "p total\n0\n" in asked(debugger, "")
    assert "-> total += 10" in asked(debugger, "next")
    asked(debugger, "total = 100")
    assert "env.py" not in asked(debugger, "p env.now() > 0")
    again = asked(debugger, "continue")
    assert "-> total += number" in past_the_breakpoint(debugger, again)
    debugger.sendline("continue")
    debugger.expect("thinker has ended")
    assert left(debugger) == 0
    up.expect(r"thinker +\| total 121")
    up.expect("nothing is left behind")
    assert left(up) == 0


def test_who_leaves_finds_the_prompt_again_and_nobody_is_disturbed_meanwhile(
    tmp_path: Path, terminal: Callable[..., pexpect.spawn]
) -> None:
    with caplab.System(manifest(tmp_path)) as system:
        first = terminal("attach", "thinker")
        first.expect(PROMPT)
        first.send("\x1dq")
        assert left(first) == 0
        ps = command("ps")
        assert "at a breakpoint: caplab attach thinker" in ps.stdout
        assert "thinker has a debugger's terminal: it is dumpable" in ps.stderr
        assert system.pd("other").state == "waiting"
        again = terminal("attach", "thinker")
        again.expect(PROMPT)
        assert "(0, 0)" in asked(again, "p number, total")


def test_a_pd_killed_under_its_debugger_gives_the_terminal_back(
    tmp_path: Path, terminal: Callable[..., pexpect.spawn]
) -> None:
    with caplab.System(manifest(tmp_path)) as system:
        shell = pexpect.spawn("sh", env={**os.environ, "PS1": "sh> "}, encoding="utf-8", timeout=30)
        shell.expect("sh> ")
        before = stty(shell)
        shell.sendline(" ".join([*CAPLAB, "attach", "thinker"]))
        shell.expect(PROMPT)
        system.kill("thinker")
        shell.expect("thinker has ended")
        shell.expect("sh> ")
        shell.sendline("echo status $?")
        shell.expect("status 0")
        shell.expect("sh> ")
        assert stty(shell) == before
        shell.close(force=True)
        ended = command("attach", "thinker")
        assert ended.returncode == 2
        assert "thinker has ended: killed" in ended.stderr


def test_the_debugger_of_a_pd_that_is_restarted_is_the_next_generation_s(
    tmp_path: Path, terminal: Callable[..., pexpect.spawn]
) -> None:
    again = "debug: true\n    restart: {policy: on-failure, backoff: 0.01, max: 1}"
    with caplab.System(manifest(tmp_path, debug=again)) as system:
        debugger = terminal("attach", "thinker")
        debugger.expect(PROMPT)
        asked(debugger, "total = 100")
        debugger.send("half")
        debugger.expect("half")
        system.kill("thinker")
        why = "thinker was killed: SIGKILL by operator"
        debugger.expect_exact(f"\r\n[caplab] thinker has ended and is restarted: {why}")
        debugger.expect("thinker/gen1 has started\r\n.*thinker on /dev/pts")
        debugger.expect(PROMPT)
        assert "(0, 0)" in asked(debugger, "p number, total")
        system.kill("thinker")
        debugger.expect("thinker has ended and is not restarted: thinker/gen1 was killed")
        assert left(debugger) == 0
        system.restart("thinker")
        debugger = terminal("attach", "thinker")
        debugger.expect(PROMPT)
        system.down()
        debugger.expect("thinker has ended, and the system with it")
        assert left(debugger) == 0


def stty(shell: pexpect.spawn) -> str:
    shell.sendline("stty -a")
    shell.expect("sh> ")
    return str(shell.before)


def test_a_pd_without_debug_is_not_attached_to_and_passes_its_breakpoints_over(
    tmp_path: Path,
) -> None:
    with caplab.System(manifest(tmp_path, debug="threads: 1")) as system:
        system.wait(30)
        assert system.logs("thinker").count(b"is passed over: under `thinker:`") == 2
        ran = command("attach", "other")
        assert ran.returncode == 2
        assert "Under `other:` in the manifest write  debug: true" in ran.stderr
        assert command("attach", "nobody").returncode == 2


def test_debug_may_be_asked_for_on_the_command_line(
    tmp_path: Path, terminal: Callable[..., pexpect.spawn]
) -> None:
    path = manifest(tmp_path, debug="threads: 1")
    refused = command("up", str(path), "--debug", "thinkr")
    assert refused.returncode == 2
    assert "There is no PD thinkr to debug" in refused.stderr
    up = terminal("up", str(path), "--debug", "thinker")
    up.expect("at a breakpoint")
    debugger = terminal("attach", "thinker")
    debugger.expect(PROMPT)
    debugger.sendline("quit")
    debugger.expect("thinker has ended")
    up.expect("thinker was ended at its debugger's prompt")
    up.expect("nothing is left behind")
    assert left(up) == 1


def test_a_caller_with_a_time_limit_waits_for_a_server_at_its_breakpoint(
    tmp_path: Path, terminal: Callable[..., pexpect.spawn]
) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "client.py").write_text(CLIENT)
    path = tmp_path / "limits.yaml"
    path.write_text(
        "pds:\n  thinker: {run: ./server.py, serves: endpoint, debug: true}\n"
        "  clock: {run: ./clock.py}\n"
        "  client: {run: ./client.py, uses: [thinker]}\n"
    )
    (tmp_path / "clock.py").write_text("def main(env):\n    env.sleep(4)\n")
    with caplab.System(path) as system:
        debugger = terminal("attach", "thinker")
        debugger.expect(PROMPT)
        over = threading.Event()
        watcher = threading.Thread(target=_await_end, args=(system, "clock", over))
        watcher.start()
        assert over.wait(30)  # others' time goes on: more of it than the client has
        watcher.join()
        assert system.pd("client").alive
        debugger.sendline("continue")
        assert system.wait(30)["failed"] == []
        assert b"answer 42" in system.logs("client")


def _await_end(system: Running, name: str, over: threading.Event) -> None:
    for event in system.watch():
        if event["pd"] == name and event["state"] == "exited":
            over.set()
            return


@levels
def test_a_debug_pd_is_dumpable_so_that_other_debuggers_attach_too(
    tmp_path: Path, level: str
) -> None:
    path = manifest(tmp_path, level)
    (tmp_path / "thinker.py").write_text(LOOKED_INTO)
    kept = "0" if level == Level.STRICT else "1"
    assert "thinker | 1" in command("up", str(path)).stderr
    path.write_text(path.read_text().replace("debug: true", "debug: false"))
    assert f"thinker | {kept}" in command("up", str(path)).stderr
