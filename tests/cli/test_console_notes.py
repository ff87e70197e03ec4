"""Where notes stand in an attached console, and what is left behind its text."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console_user import BANNER, ESC, leave, program, user
from line_process import PATIENCE, LineProcess, running_line

NEWS = """
import functools
class News:
    ended = False
    def __init__(self):
        self._told = os.open({told!r}, os.O_RDWR)
        self._heard = os.open({heard!r}, os.O_RDWR)
    def fileno(self):
        return self._told
    def receive(self):
        text = os.read(self._told, 1000).decode()
        os.write(self._heard, b".")
        return text.splitlines()
console.attach = functools.partial(console.attach, news=News())
"""


class Teller:
    """Has something told in a window."""

    def __init__(self, folder: Path) -> None:
        paths = folder / "told", folder / "heard"
        for path in paths:
            os.mkfifo(path)
        self._told, self._heard = (os.open(path, os.O_RDWR) for path in paths)
        self.prelude = NEWS.format(told=str(paths[0]), heard=str(paths[1]))

    def tell(self, text: str) -> None:
        """Returns once the window has heard of it."""
        os.write(self._told, text.encode())
        os.read(self._heard, 1)

    def close(self) -> None:
        os.close(self._told)
        os.close(self._heard)


@contextmanager
def telling(folder: Path) -> Iterator[Teller]:
    teller = Teller(folder)
    yield teller
    teller.close()


@pytest.fixture
def line(baseline: None, runtime_dir: Path) -> Iterator[LineProcess]:
    with running_line(runtime_dir / "uart0") as line:
        yield line


def test_a_note_begins_a_line_and_leaves_none_empty(line: LineProcess, tmp_path: Path) -> None:
    with telling(tmp_path) as teller, user(line, teller.prelude) as terminal:
        terminal.expect(BANNER + r".*\r\n")
        line.print(b"half a line")
        terminal.expect("half a line")
        teller.tell("first")
        terminal.expect_exact("\r\n[caplab] first\r\n")
        assert terminal.before == ""
        line.print(b"\x1b[32ma whole line\n\x1b[0m")
        terminal.expect_exact("a whole line\r\n\x1b[0m")
        teller.tell("second\nthird")
        terminal.expect_exact("[caplab] second\r\n[caplab] third\r\n")
        assert terminal.before == ""
        leave(terminal)


def test_what_was_printed_before_a_note_is_shown_before_it(
    line: LineProcess, tmp_path: Path
) -> None:
    with telling(tmp_path) as teller, user(line, teller.prelude) as terminal:
        terminal.expect(BANNER + r".*\r\n")
        with line.stopped():  # the last words of a driver wait there, and the news of its death
            line.print(b"last words\n")
            teller.tell("it has died")
        terminal.expect_exact("last words\r\n[caplab] it has died\r\n")
        leave(terminal)


def test_a_note_waits_for_the_answer_to_a_question(line: LineProcess, tmp_path: Path) -> None:
    asking = """
console.attach = functools.partial(console.attach, switch=lambda to: dict(
    focus="shell", clients=[dict(pd="shell", reading=True, focus=True)]))
"""
    with telling(tmp_path) as teller, user(line, teller.prelude + asking) as terminal:
        terminal.expect(BANNER)
        terminal.send(ESC + "s")
        terminal.expect("to: ")
        os.write(teller._told, b"news")
        terminal.send("shell\r")
        terminal.expect_exact(
            "shell\r\n[caplab] input goes to shell, as before\r\n[caplab] news\r\n"
        )
        leave(terminal)


def test_where_output_is_no_terminal_notes_go_to_standard_error(
    line: LineProcess, tmp_path: Path
) -> None:
    with (
        telling(tmp_path) as teller,
        subprocess.Popen(
            program(line, {}, teller.prelude),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as window,
    ):
        line.print(b"half a line")
        teller.tell("it has died")
        out, err = window.communicate(timeout=PATIENCE)
    assert out.endswith(b"\nhalf a lineending: input ended\n")
    assert err.splitlines()[1:] == [b"[caplab] it has died"]


def test_who_leaves_behind_a_line_s_text_is_brought_to_the_next(line: LineProcess) -> None:
    with user(line) as terminal:
        terminal.expect(BANNER + r".*\r\n")
        line.print(b"prompt> \x1b[0m")
        terminal.expect("prompt> ")
        terminal.send(ESC + "q")
        terminal.expect_exact("\x1b[0m\r\nending: left")
    with user(line) as terminal:
        line.print(b"\nwhole\n")
        terminal.expect("whole\r\n")
        terminal.send(ESC + "q")
        terminal.expect("ending: left")
        assert "\n" not in terminal.before


def test_a_system_that_ends_behind_a_line_s_text_says_so_below_it(line: LineProcess) -> None:
    with user(line) as terminal:
        terminal.expect(BANNER)
        line.print(b"last words")
        line.cable.close()
        terminal.expect_exact(
            "last words\r\n[caplab] the system has gone down\r\nending: system ended"
        )
