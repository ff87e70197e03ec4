"""The kernel's side of the lines: interrupts and first words, with this test as line and driver."""

import os
import select
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from caplab.kernel.core.effects import Unmask
from caplab.kernel.host.doorbell import Doorbell
from caplab.kernel.host.lines import LineFailed, Lines
from caplab.kernel.host.pty_cable import Master


class Bench:
    """Lines whose processes are played by the test; the helper thread runs only when told."""

    def __init__(self) -> None:
        self.interrupts: list[int] = []
        self.changes = 0
        self.inbox: deque[Callable[[], None]] = deque()
        self.doorbell = Doorbell(self.inbox, lambda: None)
        self.sent: list[tuple[dict[str, Any], list[int]]] = []
        self.lines = Lines(
            self.doorbell,
            lambda message, fds: self.sent.append((message, list(fds))),
            self.interrupts.append,
            self._changed,
        )
        self.ends: list[socket.socket | Master] = []

    def _changed(self) -> None:
        self.changes += 1

    def start(self, *uarts: str) -> None:
        self.lines.start(uarts, self.run_dir)
        self.ends = [socket.socket(fileno=fds[2]) for _, fds in self.sent]
        self.turn()

    def say(self, number: int, data: bytes) -> None:
        """What the line says when it is up."""
        status = self.sent[number][1][1]
        os.write(status, data)
        os.close(status)
        self.turn()

    def turn(self) -> None:
        self.doorbell.turn(0.05)
        while self.inbox:
            self.inbox.popleft()()

    def close(self) -> None:
        self.lines.hang_up()
        for number in range(len(self.sent)):
            self.lines.exited(number)
        for message, (spawn_pipe, status, _) in self.sent:
            os.close(spawn_pipe)
            if message["line"] not in self.said:
                os.close(status)
        for end in self.ends:
            end.close()
        self.doorbell.close()

    said: tuple[int, ...] = ()
    run_dir = Path("/run/test")


UP = b'{"ready": true, "tty": "/dev/pts/7", "socket": "/run/test/uart0/socket"}\n'


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def up(bench: Bench, *uarts: str) -> None:
    bench.start(*uarts)
    for number in range(len(uarts)):
        bench.say(number, UP)
    bench.said = tuple(range(len(uarts)))


def test_a_line_is_told_where_its_ends_are(bench: Bench) -> None:
    bench.start("uart0")
    message, (spawn_pipe, _, _) = bench.sent[0]
    assert message == {"op": "line", "line": 0, "uart": "uart0"}
    assert msgpack.unpackb(os.read(spawn_pipe, 4096)) == {
        "line": 0,
        "uart": "uart0",
        "dir": "/run/test/uart0",
        "status_fd": 4,
        "cable_fd": 5,
        "pty": False,
    }


def test_lines_are_up_when_the_last_one_has_said_so(bench: Bench) -> None:
    bench.start("uart0", "uart1")
    assert not bench.lines.up
    bench.say(0, UP)
    assert not bench.lines.up
    descriptors = len(os.listdir("/proc/self/fd"))
    bench.say(1, UP)
    bench.said = (0, 1)
    assert len(os.listdir("/proc/self/fd")) == descriptors - 2  # both ends of its status pipe
    assert bench.lines.up
    assert bench.changes == 2
    assert bench.lines.describe()[0] == {
        "uart": "uart0",
        "tty": "/dev/pts/7",
        "socket": "/run/test/uart0/socket",
    }


def test_a_system_without_uarts_has_its_lines_up(bench: Bench) -> None:
    assert bench.lines.up
    assert bench.lines.all_ended


@pytest.mark.parametrize(
    ("said", "why"),
    [(b'{"ready": false, "error": "no PTY"}\n', "no PTY"), (b"", "ended at once")],
)
def test_a_line_that_does_not_come_up_fails_with_its_reason(
    bench: Bench, said: bytes, why: str
) -> None:
    bench.start("uart0")
    bench.said = (0,)
    with pytest.raises(LineFailed, match=f"the line of uart0 did not start: .*{why}"):
        bench.say(0, said)


def test_input_interrupts_once_until_it_is_unmasked_again(bench: Bench) -> None:
    up(bench, "uart0", "uart1")
    bench.ends[1].send(b"typed")
    bench.turn()
    assert bench.interrupts == []  # masked from the start
    for count in (1, 2):
        bench.lines.unmask(Unmask(1))
        bench.turn()
        bench.turn()
        assert bench.interrupts == [1] * count


def test_no_input_no_interrupt(bench: Bench) -> None:
    up(bench, "uart0")
    bench.lines.unmask(Unmask(0))
    bench.turn()
    assert bench.interrupts == []
    bench.ends[0].send(b"typed")
    bench.turn()
    assert bench.interrupts == [0]


def test_the_end_of_a_line_interrupts_until_its_last_bytes_are_read_and_no_more(
    bench: Bench,
) -> None:
    up(bench, "uart0")
    driver = socket.socket(fileno=os.dup(bench.lines.register("uart0")))
    bench.ends[0].send(b"last")
    bench.ends[0].close()
    for _ in range(2):
        bench.lines.unmask(Unmask(0))
        bench.turn()
    assert bench.interrupts == [0, 0]
    assert driver.recv(10) == b"last"
    for _ in range(3):
        bench.lines.unmask(Unmask(0))
        bench.turn()
    assert bench.interrupts == [0, 0]
    driver.close()


def test_hanging_up_ends_the_cable_once_the_driver_has_let_go_too(bench: Bench) -> None:
    up(bench, "uart0")
    driver = socket.socket(fileno=os.dup(bench.lines.register("uart0")))
    bench.lines.hang_up()
    ready = select.poll()
    ready.register(bench.ends[0], select.POLLIN)
    assert not ready.poll(0)
    driver.close()
    assert bench.ends[0].recv(1) == b""


def test_who_has_not_ended_is_killed_and_counted(bench: Bench) -> None:
    up(bench, "uart0", "uart1")
    pid = os.fork()
    if pid == 0:
        signal.pause()
    pidfd = os.pidfd_open(pid)
    bench.lines.started(0, pidfd)
    assert bench.lines.kill_all() == 1
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert bench.lines.kill_all() == 1  # which finds nobody any more
    changes = bench.changes
    bench.lines.exited(0)
    assert bench.changes == changes + 1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(pidfd)
    assert bench.lines.ended == ["uart0"]
    assert not bench.lines.all_ended
    assert bench.lines.kill_all() == 0


@pytest.mark.parametrize(("tty", "left"), [("/dev/pts/7", False), ("/dev/pts/8", True)])
def test_a_line_that_was_killed_leaves_no_link_to_a_pty_that_may_be_another_s(
    bench: Bench, tmp_path: Path, tty: str, left: bool
) -> None:
    bench.run_dir = tmp_path
    up(bench, "uart0")
    link = tmp_path / "uart0" / "tty"
    link.parent.mkdir()
    link.symlink_to(tty)
    bench.lines.exited(0)
    assert link.is_symlink() is left


def test_a_line_is_told_that_a_driver_starts(bench: Bench) -> None:
    up(bench, "uart0")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
    pid = os.fork()
    if pid == 0:
        os._exit(0 if signal.sigtimedwait([signal.SIGWINCH], 5.0) else 1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGWINCH])
    bench.lines.started(0, os.pidfd_open(pid))
    bench.lines.register("uart0")
    assert os.waitpid(pid, 0)[1] == 0


def test_the_terminal_of_a_debug_pd_is_a_pty_whose_line_ends_with_the_pd(bench: Bench) -> None:
    up(bench, "uart0")
    slave = bench.lines.plug(7, "thinker", Path("/run/test"))
    bench.turn()
    message, (spawn_pipe, _, master) = bench.sent[1]
    bench.ends.append(Master(master))
    bench.said = (0, 1)
    assert message == {"op": "line", "line": 1, "uart": "thinker"}
    told = msgpack.unpackb(os.read(spawn_pipe, 4096))
    assert (told["dir"], told["pty"]) == ("/run/test/debug.d/thinker", True)
    bench.say(1, UP)
    assert [one["uart"] for one in bench.lines.describe()] == ["uart0"]
    assert os.isatty(slave)
    os.write(slave, b"prompt\n")
    assert bench.ends[1].recv(100) == b"prompt\r\n"
    assert not bench.lines.expected_to_end(1)
    bench.lines.unplug(8)
    bench.ends[1].send(b"answer\x03\n")
    assert os.read(slave, 100) == b"answer\x03\n", "a key is no signal"
    bench.lines.unplug(7)
    bench.lines.unplug(7)
    assert bench.lines.expected_to_end(1)
    bench.lines.exited(1)
    assert bench.lines.ended == []
    bench.ends[1].recv(100)  # what was echoed
    with pytest.raises(OSError, match="Input/output"):
        bench.ends[1].recv(100)


def test_a_line_that_does_not_come_up_for_a_debug_pd_is_told_and_ends_nothing(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.start("uart0")
    bench.lines.plug(7, "thinker", Path("/run/test"))
    bench.turn()
    bench.ends.append(Master(bench.sent[1][1][2]))
    bench.said = (1,)
    bench.say(1, b'{"ready": false, "error": "no PTY"}\n')
    assert "the line of thinker did not start: no PTY" in capsys.readouterr().err
