"""picocom, minicom, screen, tmux and pyserial at a line's PTY, as users run them."""

import fcntl
import os
import shlex
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pexpect
import pytest
import serial

from caplab.kernel.host.watcher import Watcher
from caplab.pd.register import WindowSize
from console_user import program as attached
from line_process import PATIENCE, LineProcess, running_line
from terminal_programs import needed


@pytest.fixture
def line(baseline: None, runtime_dir: Path) -> Iterator[LineProcess]:
    with running_line(runtime_dir / "uart0") as line:
        yield line


def spawned(folder: Path, command: str, *arguments: str) -> pexpect.spawn:
    """The program in a terminal, with nothing of the user's own settings."""
    env = {**os.environ, "TERM": "xterm", "HOME": str(folder), "LC_ALL": "C"}
    env |= {"SCREENDIR": str(folder / "screens"), "LINES": "24", "COLUMNS": "80"}
    return pexpect.spawn(command, list(arguments), env=env, timeout=PATIENCE, encoding="utf-8")


class Program(NamedTuple):
    """How one is started at a PTY, what it says when it is there, and how it is left."""

    name: str
    arguments: tuple[str, ...]
    ready: str
    leave: tuple[str, ...]
    """What is typed, and before each but the first what is waited for."""

    def start(self, line: LineProcess, folder: Path) -> pexpect.spawn:
        (folder / "screens").mkdir(mode=0o700)
        words = [line.tty if word == "TTY" else word for word in self.arguments]
        terminal = spawned(folder, self.name, *words)
        terminal.expect_exact(self.ready)
        terminal.send("!")  # when that has come through it has set its modes, and flushed
        assert line.typed(1) == b"!"
        return terminal

    def quit(self, terminal: pexpect.spawn) -> None:
        terminal.send(self.leave[0])
        for asked, answer in zip(self.leave[1::2], self.leave[2::2], strict=True):
            terminal.expect_exact(asked)
            terminal.send(answer)
        terminal.expect(pexpect.EOF)


PROGRAMS = [
    Program("picocom", ("TTY",), "Terminal ready", ("\x01\x18",)),
    Program("minicom", ("-o", "-D", "TTY"), "CTRL-A Z", ("\x01x", "Leave Minicom", "\r")),
    Program("screen", ("-S", "caplab", "TTY", "115200"), "\x1b[", ("\x01:quit\r",)),
]
each_program = pytest.mark.parametrize(
    "program", [pytest.param(one, marks=needed(one.name), id=one.name) for one in PROGRAMS]
)


@each_program
def test_a_program_at_the_pty_shows_and_types_and_disturbs_nobody(
    line: LineProcess, tmp_path: Path, program: Program
) -> None:
    with Watcher(line.socket) as watcher:
        with program.start(line, tmp_path) as terminal:
            for turn in range(3):
                line.print(b"printed %d\r\n" % turn)
                terminal.expect(f"printed {turn}")
                terminal.send(f"typed {turn}")
                assert line.typed(7) == b"typed %d" % turn
            program.quit(terminal)
        line.print(b"behind its back\r\n")
        watcher.expect("behind its back")
        assert watcher.lost == 0
        with line.port() as pts:  # and the next one finds a terminal as new
            assert not termios.tcgetattr(pts.fileno())[3] & (termios.ECHO | termios.ICANON)
            line.print(b"next\r\n")
            assert pts.readline() == b"next\r\n"
        assert watcher.status()["typed"] == 22


@each_program
def test_a_program_that_is_killed_leaves_the_line_to_the_next(
    line: LineProcess, tmp_path: Path, program: Program
) -> None:
    with program.start(line, tmp_path) as terminal:
        line.print(b"printed\r\n")
        terminal.expect("printed")
        for process in holders(line):
            os.kill(process, signal.SIGKILL)
        terminal.close(force=True)
    with line.port() as pts:
        line.print(b"next\r\n")
        assert pts.readline() == b"next\r\n"


def holders(line: LineProcess) -> set[int]:
    """Processes that have the PTY open, the line left out."""
    found = set()
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if descriptor.readlink() == Path(line.tty):
                found.add(int(descriptor.parts[2]))
        except OSError:
            continue
    return found - {line.process.pid}


@needed("tmux")
def test_a_console_in_tmux_is_typed_into_captured_and_resized(
    line: LineProcess, tmp_path: Path
) -> None:
    def tmux(*words: str) -> str:
        command = ["tmux", "-f", "/dev/null", "-S", str(tmp_path / "socket"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def shown(text: str) -> bool:
        end = time.monotonic() + PATIENCE
        while text not in tmux("capture-pane", "-p"):
            assert time.monotonic() < end, f"{text!r} is not shown"
        return True

    tmux("new-session", "-d", "-x", "100", "-y", "30", shlex.join(attached(line, {})))
    try:
        assert shown("Ctrl-] then: q leaves")
        assert line.input() == [WindowSize(30, 100)]
        tmux("send-keys", "typed", "Enter", "C-c")
        assert line.typed(7) == b"typed\r\x03"
        line.print(b"printed\r\n")
        assert shown("printed")
        tmux("resize-window", "-x", "120", "-y", "40")
        assert line.input() == [WindowSize(40, 120)]
        with line.port() as pts:
            assert os.get_terminal_size(pts.fileno()) == (120, 40)
        with Watcher(line.socket) as watcher:
            assert watcher.writer is not None
            tmux("kill-session")  # its terminal hangs up
            while watcher.status()["writer"] is not None:
                watcher.receive()
    finally:
        subprocess.run(["tmux", "-S", str(tmp_path / "socket"), "kill-server"], check=False)


def test_a_reader_may_come_and_go_while_a_flood_is_printed(line: LineProcess) -> None:
    with Watcher(line.socket) as watcher:
        for turn in range(30):
            line.print(b"flood %d\n" % turn * 100)
            with line.port() as pts:
                line.print(b"printed to %d\n" % turn)
                assert b"printed to %d\n" % turn in iter(pts.readline, b"")
            watcher.expect(b"printed to %d\n" % turn)
        assert watcher.lost == 0


def test_exclusive_hung_up_and_reset_ports_cost_nobody_anything(line: LineProcess) -> None:
    with Watcher(line.socket) as watcher:
        for speed in (300, 9600, 115200, 4_000_000):
            with serial.Serial(
                line.tty, speed, timeout=PATIENCE, xonxoff=True, bytesize=7, parity="E", stopbits=2
            ) as port:
                fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
                port.reset_input_buffer()
                port.send_break(0)
                termios.tcflow(port.fileno(), termios.TCOON)
                line.print(b"at %d baud\n" % speed)
                assert port.readline() == b"at %d baud\n" % speed
                port.write(b"typed")
                assert line.typed(5) == b"typed"
            watcher.expect(f"at {speed} baud")
        assert watcher.status()["behind"] == 0
