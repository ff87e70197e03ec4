"""What the escape key offers at an attached console, in real terminals, as users type it."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pexpect
import pytest

from caplab.kernel.host.watcher import Watcher
from caplab.pd.register import Break, Input, WindowSize
from caplab.scripts.cli.question import Question
from caplab.scripts.cli.traces import SOBER, Traces
from console_user import BANNER, ESC, leave, program, user
from line_process import PATIENCE, LineProcess, running_line

SWITCH = """
import functools
from caplab.kernel.host.errors import RequestRefused
def switch(to):
    if to not in (None, "hello", "shell"):
        raise RequestRefused("no-such-pd", "no PD `" + to + "`")
    names = ["shell", "hello"]
    clients = [{"pd": name, "reading": name == "shell", "focus": name == "shell"} for name in names]
    return {"uart": "uart0", "focus": to or "shell", "clients": clients}
console.attach = functools.partial(console.attach, switch=switch, more=True)
"""


@pytest.fixture
def line(baseline: None, runtime_dir: Path) -> Iterator[LineProcess]:
    with running_line(runtime_dir / "uart0") as line:
        yield line


def asked(terminal: pexpect.spawn) -> None:
    terminal.expect(BANNER)
    terminal.send(ESC + "s")
    terminal.expect(r"shell reading \(has it\)\r\n  hello\r\nto: ")


def test_the_input_is_given_to_a_client_by_name(line: LineProcess) -> None:
    with user(line, prelude=SWITCH) as terminal:
        asked(terminal)
        terminal.send("shx\x7f\x15he\tX\x7f\r")
        terminal.send("typed")
        assert line.typed(5) == b"typed"
        line.print(b"[serial: input goes to hello]\n")  # as the server tells everybody
        terminal.expect("input goes to hello")
        assert "hello" in terminal.before  # as it was typed
        assert "input" not in terminal.before  # the server says it, and nobody else
        leave(terminal)


def test_who_has_the_input_already_is_said(line: LineProcess) -> None:
    with user(line, prelude=SWITCH) as terminal:
        asked(terminal)
        terminal.send("shell\r")
        terminal.expect_exact("shell\r\n[caplab] input goes to shell, as before\r\n")
        leave(terminal)


def test_a_question_that_is_left_changes_nothing_and_output_waits_for_it(line: LineProcess) -> None:
    with user(line, prelude=SWITCH) as terminal, Watcher(line.socket) as other:
        asked(terminal)
        line.print(b"printed meanwhile")
        other.expect("meanwhile")
        terminal.send("hello\x1btyped")
        terminal.expect_exact("left as it is")
        assert "printed" not in terminal.before
        terminal.expect("printed meanwhile")
        assert line.typed(5) == b"typed"
        leave(terminal)


def test_who_cannot_have_the_input_is_said(line: LineProcess) -> None:
    with user(line, prelude=SWITCH) as terminal:
        asked(terminal)
        terminal.send("nobody\r")
        terminal.expect_exact("[caplab] no PD `nobody`")
        leave(terminal)


def test_the_next_uart_is_a_key_away(line: LineProcess) -> None:
    with user(line, prelude=SWITCH) as terminal:
        terminal.expect(BANNER)
        terminal.send(ESC + "?")
        terminal.expect_exact("s gives the input to another client, b sends a break, n shows the")
        terminal.send(ESC + "n")
        terminal.expect("ending: next")


def test_a_key_of_the_menu_that_means_nothing_here_shows_what_there_is(line: LineProcess) -> None:
    with user(line, mode="watch") as terminal:
        terminal.expect(BANNER)
        for key in "nstb":
            terminal.send(ESC + key)
            terminal.expect_exact("q leaves, Ctrl-] sends one")
        leave(terminal)


def test_a_break_reaches_the_driver(line: LineProcess) -> None:
    with user(line) as terminal:
        terminal.expect(BANNER)
        terminal.send("a" + ESC + "bc")
        came: list[Input] = []
        while b"c" not in came:
            came += line.input()
        assert [one for one in came if not isinstance(one, WindowSize)] == [b"a", Break(), b"c"]
        leave(terminal)


def test_the_second_console_watches_until_it_takes_the_keyboard(line: LineProcess) -> None:
    with user(line) as one, user(line, prelude="") as two:
        one.expect(BANNER)
        two.expect(rf"you watch: process {one.attached} on pts/\d+ types here")
        two.send("not typed")
        one.send("typed")
        assert line.typed(5) == b"typed"
        two.send(ESC + "b")
        two.expect("you watch")
        two.send(ESC + "t")
        two.expect("you have the keyboard now")
        one.expect(rf"you watch: process {two.attached} on pts/\d+ types here")
        two.send("taken")
        assert line.typed(5) == b"taken"
        leave(two)
        one.expect("you have the keyboard now")
        one.send("again")
        assert line.typed(5) == b"again"
        leave(one)


def test_the_keyboard_may_be_taken_on_the_way_in(line: LineProcess) -> None:
    with user(line) as one:
        one.expect(BANNER)
        with user(line, take=True) as two:
            two.expect(BANNER)
            two.send("taken")
            assert line.typed(5) == b"taken"
            one.expect("you watch")
            leave(two)
        leave(one)


def test_the_size_of_the_window_is_passed_through(line: LineProcess) -> None:
    with user(line) as terminal:
        terminal.expect(BANNER)
        assert line.input() == [WindowSize(24, 80)]
        terminal.setwinsize(50, 132)
        assert line.input() == [WindowSize(50, 132)]
        with open(line.tty, "rb") as pts:
            assert os.get_terminal_size(pts.fileno()) == (132, 50)
        terminal.setwinsize(24, 80)  # as it was, which is looked at in the end
        assert line.input() == [WindowSize(24, 80)]
        leave(terminal)


def test_a_megabyte_pasted_at_a_terminal_arrives(line: LineProcess) -> None:
    text = b"".join(b"%07d\r" % number for number in range(1 << 17))
    with user(line) as terminal, ThreadPoolExecutor() as pool:
        terminal.expect(BANNER)
        pasted = pool.submit(terminal.send, text.decode())
        assert line.typed(len(text)) == text
        pasted.result()
        leave(terminal)


def test_a_megabyte_from_a_file_arrives_at_a_driver_that_reads_slowly(line: LineProcess) -> None:
    text = os.urandom(1 << 20)
    with subprocess.Popen(
        program(line, {}), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as script:
        assert script.stdin is not None
        with ThreadPoolExecutor() as pool, script.stdin as pipe:
            pasted = pool.submit(pipe.write, text)
            got = b"".join(line.typed(1 << 15) for _ in range(1 << 5))
            pasted.result()
        assert script.wait(PATIENCE) == 0
    assert got == text


def test_what_a_console_leaves_in_a_terminal_is_undone() -> None:
    def left(*shown: bytes) -> bytes:
        traces = Traces()
        for part in shown:
            traces.shown(part)
        return traces.undo()

    assert left(b"text\r\n", b"more") == b""
    assert left(b"\x1b[1;31", b"mred") == SOBER
    full = left(b"\x1b[?1049h\x1b[?25l", b"editor")
    assert full.startswith(b"\x1b[?1049l")
    assert b"\x1b[?25h" in full
    assert b"1049" not in left(b"\x1b[?10", b"49h", b"\x1b[?1049l")
    assert b"\x0f" in left(b"\x0e")


def test_a_killed_editor_gives_the_screen_back(line: LineProcess) -> None:
    with user(line) as terminal:
        terminal.expect(BANNER)
        line.print(b"\x1b[?1049h\x1b[?25lscreen")
        terminal.expect("screen")
        terminal.send(ESC + "q")
        terminal.expect_exact("\x1b[?1049l")
        terminal.expect_exact("\x1b[?25h")
        terminal.expect("ending: left")


def test_an_answer_is_edited_and_what_is_no_text_is_left_out() -> None:
    question = Question(["one", "other"])
    shown = question.feed("ö".encode()[:1])
    shown += question.feed("ö".encode()[1:] + b"\x01\xff\xff\xff\xffn\x7f\x7fo\tt\t")
    assert (question.answer, question.done) == ("other", False)
    assert shown.endswith("other"[2:])
    question.feed(b"\rrest")
    assert (question.done, question.cancelled, question.rest) == (True, False, b"rest")
