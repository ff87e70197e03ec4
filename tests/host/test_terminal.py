"""The PTY at the end of a line, on real PTYs within this process."""

import errno
import fcntl
import os
import select
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from caplab.kernel.host.terminal import BACKLOG, TIOCGPTPEER, Terminal

KERNEL = 20_736
"""What Linux itself keeps of an unread PTY, as measured."""
TIOCGEXCL = 0x80045440


@pytest.fixture
def terminal(baseline: None) -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


@contextmanager
def reader(terminal: Terminal) -> Iterator[int]:
    """A program that opened the PTY."""
    descriptor = os.open(terminal.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read(descriptor: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        assert select.select([descriptor], [], [], 10)[0], f"only {len(data)} of {size} came"
        data += os.read(descriptor, size - len(data))
    return data


def read_behind(terminal: Terminal, descriptor: int, size: int) -> bytes:
    """As `read`, while the line hands on what it kept."""
    data = b""
    while len(data) < size:
        data += read(descriptor, 1) + (b"" if silent(descriptor) else os.read(descriptor, 65536))
        terminal.pump()
    return data


def silent(descriptor: int) -> bool:
    return not select.select([descriptor], [], [], 0)[0]


def test_the_line_knows_at_every_moment_whether_anybody_has_the_pty_open(
    terminal: Terminal,
) -> None:
    assert not terminal.attended()
    with reader(terminal):
        assert terminal.attended()
        with reader(terminal):
            assert terminal.attended()
        assert terminal.attended()
    assert not terminal.attended()


def test_what_nobody_reads_is_dropped_and_counted(terminal: Terminal) -> None:
    terminal.write(b"x" * 100_000)
    assert (terminal.dropped, terminal.behind) == (100_000, False)


def test_a_reader_gets_every_byte_from_its_opening_on_and_none_from_before(
    terminal: Terminal,
) -> None:
    terminal.write(b"before")
    with reader(terminal) as pts:
        terminal.write(b"after")
        assert read(pts, 5) == b"after"
        assert silent(pts)
    assert terminal.dropped == 6


def test_bytes_pass_as_they_are(terminal: Terminal) -> None:
    everything = bytes(range(256))
    with reader(terminal) as pts:
        terminal.write(everything)
        assert read(pts, 256) == everything
        os.write(pts, everything)
        assert read(terminal.fileno(), 256) == everything


def test_a_reader_that_is_behind_loses_nothing_within_the_backlog(terminal: Terminal) -> None:
    stream = os.urandom(BACKLOG)
    with reader(terminal) as pts:
        for start in range(0, len(stream), 1000):
            terminal.write(stream[start : start + 1000])
        assert terminal.behind
        assert read_behind(terminal, pts, len(stream)) == stream
    assert terminal.dropped == 0


def test_a_reader_that_stays_behind_loses_the_newest_bytes_and_they_are_counted(
    terminal: Terminal,
) -> None:
    stream = os.urandom(BACKLOG * 2)
    with reader(terminal) as pts:
        terminal.write(stream)
        kept = len(stream) - terminal.dropped
        assert BACKLOG <= kept <= BACKLOG + KERNEL
        assert read_behind(terminal, pts, kept) == stream[:kept]
        terminal.write(b"again")
        assert read(pts, 5) == b"again"


def test_a_reader_that_has_made_room_loses_nothing_of_what_is_printed_next(
    terminal: Terminal,
) -> None:
    with reader(terminal) as pts:
        while not terminal.dropped:
            terminal.write(b"x" * 1000)
        before = terminal.dropped
        read(pts, KERNEL // 2)
        terminal.write(b"y" * 1000)
        assert terminal.dropped == before


def test_what_one_reader_left_is_not_the_next_one_s(terminal: Terminal) -> None:
    with reader(terminal):
        terminal.write(b"x" * (BACKLOG + 2 * KERNEL))
        lost = terminal.dropped
    terminal.write(b"nobody")
    # What Linux had taken is not counted: it was delivered, if not read.
    assert BACKLOG - KERNEL <= terminal.dropped - lost - len(b"nobody") <= BACKLOG
    with reader(terminal) as pts:
        assert silent(pts)
        terminal.write(b"new")
        assert read(pts, 3) == b"new"
        assert silent(pts)


def test_input_of_a_program_that_left_at_once_is_not_lost(terminal: Terminal) -> None:
    with reader(terminal) as pts:
        os.write(pts, b"help\r")
    terminal.write(b"something printed between")
    assert terminal.read() == b"help\r"
    assert terminal.read() == b""


def test_settings_of_the_last_reader_are_undone(terminal: Terminal) -> None:
    with reader(terminal) as pts:
        settings = termios.tcgetattr(pts)
        settings[3] |= termios.ECHO | termios.ICANON
        termios.tcsetattr(pts, termios.TCSANOW, settings)
        terminal.write(b"")
    terminal.write(b"this would come back as typed input")
    with reader(terminal) as pts:
        assert not termios.tcgetattr(pts)[3] & (termios.ECHO | termios.ICANON)
    assert terminal.read() == b""


def test_who_finds_the_pty_stopped_by_one_that_left_can_type_all_the_same(
    terminal: Terminal,
) -> None:
    with reader(terminal) as rude:
        terminal.write(b"seen")
        termios.tcflow(rude, termios.TCOOFF)
    terminal.write(b"unseen")
    with reader(terminal) as next_one:
        assert os.write(next_one, b"typed") == 5
        assert terminal.read() == b"typed"


def test_settings_of_a_reader_that_is_there_are_left_alone(terminal: Terminal) -> None:
    with reader(terminal) as pts:
        settings = termios.tcgetattr(pts)
        settings[3] |= termios.ICANON
        termios.tcsetattr(pts, termios.TCSANOW, settings)
        terminal.write(b"line\n")
        assert termios.tcgetattr(pts)[3] & termios.ICANON
        assert read(pts, 5) == b"line\n"


def test_an_exclusive_reader_does_not_lock_out_the_next(terminal: Terminal) -> None:
    with reader(terminal) as pts:
        fcntl.ioctl(pts, termios.TIOCEXCL)
        assert terminal.attended()
        exclusive = fcntl.ioctl(pts, TIOCGEXCL, struct.pack("i", 0))
        assert struct.unpack("i", exclusive) == (0,)


def test_echo_that_a_reader_sets_does_not_type_what_we_print(terminal: Terminal) -> None:
    with reader(terminal) as pts:
        settings = termios.tcgetattr(pts)
        settings[3] |= termios.ECHO | termios.ECHONL | termios.ICANON
        termios.tcsetattr(pts, termios.TCSANOW, settings)
        terminal.write(b"output\n")
        assert read(pts, 7) == b"output\n"
        assert terminal.read() == b""
        os.write(pts, b"typed")
        assert terminal.read() == b"typed"


def test_a_speed_that_a_reader_sets_changes_nothing(terminal: Terminal) -> None:
    with reader(terminal) as pts:
        for speed in (termios.B300, termios.B115200, termios.B0):
            settings = termios.tcgetattr(pts)
            settings[4] = settings[5] = speed
            termios.tcsetattr(pts, termios.TCSANOW, settings)
            terminal.write(b"output")
            assert read(pts, 6) == b"output"


def test_who_locks_us_out_in_the_worst_moment_is_served_and_the_next_one_too(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    ioctl = fcntl.ioctl

    def refuse_once(descriptor: int, request: int, *rest: object) -> object:
        if request == TIOCGPTPEER:
            monkeypatch.undo()
            raise OSError(errno.EBUSY, "locked")
        return ioctl(descriptor, request, *rest)

    with reader(terminal) as pts:
        monkeypatch.setattr(fcntl, "ioctl", refuse_once)
        terminal.write(b"in the moment of locking\n")
        assert read(pts, 25) == b"in the moment of locking\n"
        monkeypatch.setattr(fcntl, "ioctl", refuse_once)
        assert terminal.attended()  # locked out when the lock's owner leaves
    assert terminal.read() == b""
    assert not terminal.attended()
    with reader(terminal) as pts:
        terminal.write(b"next\n")
        assert read(pts, 5) == b"next\n"


def test_the_window_s_size_is_what_programs_at_the_pty_are_told(terminal: Terminal) -> None:
    terminal.resize(50, 132)
    with reader(terminal) as pts:
        assert os.get_terminal_size(pts) == (132, 50)


def test_unread_output_is_known(terminal: Terminal) -> None:
    assert not terminal.unread()
    with reader(terminal) as pts:
        assert not terminal.unread()
        terminal.write(b"last words")
        assert select.select([pts], [], [], 10)[0]
        assert terminal.unread()
        read(pts, 10)
        assert not terminal.unread()
        terminal.write(b"more")
    assert not terminal.unread()
