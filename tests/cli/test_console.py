"""`attach` in a real terminal, driven as a user would, and between pipes."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from caplab.scripts.cli import window
from caplab.scripts.cli.console import Ending, Watcher, attach
from console_user import BANNER, leave, program, settings, user
from line_process import PATIENCE, LineProcess, running_line

BREAK = """
def broken(self): raise RuntimeError("broken")
console.Window._hear = broken
"""


@pytest.fixture
def line(baseline: None, runtime_dir: Path) -> Iterator[LineProcess]:
    with running_line(runtime_dir / "uart0") as line:
        yield line


def test_the_banner_says_how_to_leave_and_leaving_works(line: LineProcess) -> None:
    with user(line) as terminal:
        terminal.expect(BANNER)
        leave(terminal)
    assert terminal.code == 0


def test_the_scrollback_comes_first_then_what_is_printed(line: LineProcess) -> None:
    line.print(b"before\r\n")
    with user(line) as terminal:
        terminal.expect(BANNER)
        terminal.expect(r"before\r+\n")
        line.print(b"after\r\n")
        terminal.expect(r"after\r+\n")
        leave(terminal)


def test_a_bare_newline_begins_a_line_at_the_margin(line: LineProcess) -> None:
    with user(line) as terminal:
        terminal.expect(BANNER)
        line.print(b"one\ntwo\n")
        terminal.expect_exact("one\r\ntwo\r\n")
        leave(terminal)


def test_every_key_reaches_the_system_and_is_not_echoed(line: LineProcess) -> None:
    keys = "ps\r\x03\x04\x1a\x1c\x11\x13\x16\x7f"
    with user(line) as terminal:
        terminal.expect(BANNER)
        terminal.send(keys)
        assert line.typed(len(keys)) == keys.encode()
        line.print(b"<end>")
        terminal.expect("<end>")
        assert "ps" not in terminal.before
        leave(terminal)


def test_the_escape_key_twice_sends_one_and_its_help_is_shown(line: LineProcess) -> None:
    with user(line, escape="ctrl-a") as terminal:
        terminal.expect(r"Ctrl-A then: q leaves")
        terminal.send("\x01\x01\x01?x")
        terminal.expect(r"Ctrl-A then: q leaves, b sends a break, Ctrl-A sends one, \? shows this")
        assert line.typed(2) == b"\x01x"
        terminal.send("\x01q")
        terminal.expect("ending: left")


def test_the_window_closes_when_the_system_goes_down(line: LineProcess) -> None:
    with user(line) as terminal:
        terminal.expect(BANNER)
        line.print(b"last words")
        line.cable.close()
        terminal.expect("last words")
        terminal.expect("the system has gone down")
        terminal.expect("ending: system ended")


def test_typing_while_the_system_goes_down_is_no_error(line: LineProcess) -> None:
    with user(line) as terminal:
        terminal.expect(BANNER)
        os.kill(terminal.attached, signal.SIGSTOP)
        line.print(b"last words")
        assert line.hang_up() == 0
        terminal.send("typed too late")
        os.kill(terminal.attached, signal.SIGCONT)
        terminal.expect("ending: system ended")
    assert terminal.code == 0


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT], ids=lambda n: n.name
)
def test_a_deadly_signal_restores_the_terminal_and_then_kills(
    line: LineProcess, number: signal.Signals
) -> None:
    with user(line) as terminal:
        terminal.expect(BANNER)
        os.kill(terminal.attached, number)
    # The shell's word for a death by signal; SIGINT has become Python's KeyboardInterrupt.
    assert terminal.code == 128 + number


def stopped(process: int) -> bool:
    status = Path(f"/proc/{process}/stat").read_text()
    return status.rpartition(")")[2].split()[0] == "T"


def test_who_is_stopped_leaves_the_terminal_as_it_was_and_comes_back(line: LineProcess) -> None:
    with user(line, job_control=True) as terminal:
        terminal.expect(BANNER)
        os.kill(terminal.attached, signal.SIGTSTP)
        terminal.expect("stopped, and the terminal says")
        terminal.expect("going on")
        assert settings(terminal.before) == terminal.settings
        terminal.send("typed")
        assert line.typed(5) == b"typed"
        line.print(b"no echo")
        terminal.expect("no echo")
        assert "typed" not in terminal.before
        leave(terminal)


def test_an_error_of_ours_restores_the_terminal(line: LineProcess) -> None:
    with user(line, prelude=BREAK) as terminal:
        terminal.expect(BANNER)
        terminal.send("x")
        terminal.expect("RuntimeError.*broken")  # newer Pythons colour it
    assert terminal.code == 1


def test_two_windows_see_the_same(line: LineProcess) -> None:
    with user(line) as one, user(line) as two:
        one.expect(BANNER)
        two.expect(BANNER)
        one.send("typed in one")
        assert line.typed(12) == b"typed in one"
        line.print(b"seen in both")
        one.expect("seen in both")
        two.expect("seen in both")
        leave(one)
        leave(two)


def test_a_watching_window_sends_nothing_and_can_be_left(line: LineProcess) -> None:
    with user(line, mode="watch") as terminal:
        terminal.expect(BANNER)
        terminal.send("ignored")
        line.print(b"shown")
        terminal.expect("shown")
        leave(terminal)
    line.cable.shutdown(1)
    line.process.wait(PATIENCE)
    assert line.cable.recv(1) == b""


def run(line: LineProcess, stdin: bytes, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        program(line, options), input=stdin, capture_output=True, timeout=PATIENCE, check=True
    )


def test_without_a_terminal_the_scrollback_is_shown_and_that_is_all(line: LineProcess) -> None:
    line.print(b"past\r\n")
    done = run(line, b"")
    assert b"past\r\n" in done.stdout
    assert b"ending: input ended" in done.stdout
    assert b"Ctrl-]" not in done.stderr


def test_a_script_s_input_is_sent_byte_for_byte_and_its_answer_shown(line: LineProcess) -> None:
    def answer() -> None:
        assert line.typed(5) == b"ps\n\x1dq"
        line.print(b"the answer\n")

    driver = threading.Thread(target=answer)
    driver.start()
    with Watcher(line.socket, mode="console"):  # which has the keyboard
        done = run(line, b"ps\n\x1dq")
    driver.join()
    assert b"the answer\n" in done.stdout


def test_a_script_leaves_a_console_that_is_never_quiet(
    line: LineProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "ANSWER", 0.2)
    line.cable.setblocking(True)
    with (
        subprocess.Popen(["yes"], stdout=line.cable) as chatter,
        open("/dev/null", "rb") as nothing,
        open("/dev/null", "wb") as out,
    ):
        try:
            ending = attach(line.socket, stdin_fd=nothing.fileno(), stdout_fd=out.fileno())
        finally:
            chatter.kill()
    assert ending is Ending.INPUT_ENDED


def test_plain_output_has_no_colours_and_no_carriage_returns(line: LineProcess) -> None:
    line.print(b"\x1b[32mgreen\x1b[0m\r\nunfinished\r")
    done = run(line, b"", plain=True)
    assert b"green\nunfinished\r" in done.stdout
    assert b"\x1b" not in done.stdout


def test_a_reader_of_our_output_that_leaves_ends_it_quietly(line: LineProcess) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    line.print(b"output\n")
    with open("/dev/null", "rb") as nothing:
        assert attach(line.socket, stdin_fd=nothing.fileno(), stdout_fd=writing) is Ending.LEFT
    os.close(writing)


def test_output_that_somebody_made_non_blocking_is_waited_for(
    line: LineProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    full = os.write(writing, b"x" * (1 << 20))
    seen: list[bytes] = []

    def make_room(*waiting: list[int]) -> None:
        assert waiting == ([], [writing], [])
        seen.append(os.read(reading, 1 << 20))

    monkeypatch.setattr(window.select, "select", make_room)
    line.print(b"output\n")
    with Watcher(line.socket) as watcher, open("/dev/null", "rb") as nothing:
        watcher.expect("output\n")
        attach(line.socket, stdin_fd=nothing.fileno(), stdout_fd=writing)
    os.close(writing)
    with open(reading, "rb") as shown:
        assert b"".join(seen) + shown.read() == b"x" * full + b"output\n"


def test_what_a_slow_window_missed_is_said(line: LineProcess) -> None:
    text = b"".join(b"line %d\n" % i for i in range(500_000))
    with (
        Watcher(line.socket, mode="watch") as barrier,
        subprocess.Popen(
            program(line, {"mode": "watch"}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as window,
    ):
        assert window.stdout is not None
        assert window.stderr is not None
        assert window.stdout.readline().startswith(b"pid")
        assert window.stderr.readline().startswith(b"[caplab] uart0")
        shown = 0
        while shown < len(text):  # the window's output is not read meanwhile, and it stalls
            line.print(text[shown : shown + 100_000])
            shown += len(text[shown : shown + 100_000])
            barrier.expect(re.escape(text[shown - 10 : shown]))
        barrier.close()
        line.cable.close()
        out, err = window.communicate(timeout=PATIENCE)
    missing = sum(map(int, re.findall(rb"(\d+) bytes are missing here", err)))
    assert missing > 0
    assert len(out) + missing == len(text) + len(b"ending: system ended\n")


def test_input_that_nobody_reads_is_said(
    line: LineProcess, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "input").write_bytes(bytes(1 << 20))
    with open(tmp_path / "input", "rb") as script:
        assert attach(line.socket, stdin_fd=script.fileno()) is Ending.INPUT_ENDED
    assert re.search(
        r"\d+ bytes of input were dropped: nobody in the system reads", capfd.readouterr().err
    )


def test_a_bad_escape_key_is_refused_before_anything_is_touched(line: LineProcess) -> None:
    with pytest.raises(ValueError, match="is not an escape key"):
        attach(line.socket, escape="f1")
