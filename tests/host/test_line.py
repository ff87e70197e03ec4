"""A line process, from the driver's end of the cable to its readers: pyserial and clients."""

import fcntl
import os
import re
import signal
import socket
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import serial

from caplab.kernel.host.terminal import BACKLOG
from caplab.kernel.host.typed import KEPT
from caplab.kernel.host.watcher import InputLost, Lost, Output, Watcher
from caplab.pd.register import Break, WindowSize
from line_process import PATIENCE, LineProcess, running_line

END = b"<end>\n"
TIOCVHANGUP = 0x5437


@pytest.fixture
def line(baseline: None, runtime_dir: Path) -> Iterator[LineProcess]:
    with running_line(runtime_dir / "uart0") as line:
        yield line


def numbered(count: int) -> bytes:
    return b"".join(b"line %d of the output\n" % i for i in range(count))


def rest(watcher: Watcher) -> bytes:
    return b"".join(watcher)


# What the driver prints.


def test_a_line_says_where_it_can_be_reached(line: LineProcess) -> None:
    assert line.status == {
        "ready": True,
        "tty": os.readlink(line.folder / "tty"),
        "socket": str(line.folder / "socket"),
    }
    assert stat.S_ISCHR(os.stat(line.tty).st_mode)
    assert stat.S_IMODE(os.stat(line.socket).st_mode) == 0o600
    assert stat.S_IMODE(line.folder.stat().st_mode) == 0o700


def test_every_reader_sees_everything_in_order(line: LineProcess) -> None:
    text = numbered(2000)
    with Watcher(line.socket) as one, Watcher(line.socket, mode="watch") as two, line.port() as pts:
        line.print(text)
        line.cable.close()
        assert pts.read(len(text)) == text
        assert rest(one) == rest(two) == text
    assert line.process.wait(PATIENCE) == 0
    assert line.log == text


def test_the_log_holds_what_no_reader_was_there_for(line: LineProcess) -> None:
    line.print(numbered(50_000))
    assert line.hang_up() == 0
    assert line.log == numbered(50_000)


def test_a_latecomer_gets_the_scrollback_first_from_the_start_of_a_line(line: LineProcess) -> None:
    text = numbered(10_000)
    with Watcher(line.socket) as early:
        line.print(text + END)
        early.expect(END)
        with Watcher(line.socket) as late:
            line.print(b"live\n")
            past = late.welcome["scrollback"]
            assert isinstance(past, int)
            assert 64_000 < past <= 64 * 1024
            seen = late.expect("live\n").string
            assert seen == (text + END)[-past:] + b"live\n"
            assert seen.startswith(b"line ")
        with Watcher(line.socket, scrollback=False) as uninterested:
            line.print(b"more\n")
            assert uninterested.read(PATIENCE) == b"more\n"


def test_what_nobody_reads_from_the_pty_is_dropped_and_counted(line: LineProcess) -> None:
    with Watcher(line.socket) as watcher:
        line.print(b"x" * 100_000 + END)
        watcher.expect(END)
        assert line.dropped() == 100_000 + len(END)


def test_a_pyserial_reader_that_reads_loses_nothing(
    line: LineProcess,
) -> None:
    text = numbered(100_000)
    with line.port() as pts:
        got = b""
        for start in range(0, len(text), 200_000):
            part = text[start : start + 200_000]
            line.print(part)
            got += pts.read(len(part))
    assert got == text
    assert line.dropped() == 0


def test_a_pyserial_reader_that_does_not_read_costs_the_driver_no_wait(line: LineProcess) -> None:
    text = numbered(200_000)
    with line.port() as pts, Watcher(line.socket) as watcher:
        # In pieces, so that the watcher, who is to say when all is through, loses nothing.
        for start in range(0, len(text), 100_000):
            line.print(text[start : start + 100_000])
            watcher.expect(re.escape(text[min(start + 100_000, len(text)) - 10 :][:10]))
        line.print(END)
        watcher.expect(END)
        dropped = line.dropped()
        assert 0 < dropped < len(text) - BACKLOG
        kept = len(text) + len(END) - dropped
        got = pts.read(kept)
        assert len(got) == kept
        # Where more is missing depends on when Linux made room again.
        assert got[:BACKLOG] == text[:BACKLOG]
        line.print(b"again\n")
        assert pts.readline() == b"again\n"


def test_a_client_that_does_not_read_is_told_where_bytes_are_missing(line: LineProcess) -> None:
    text = numbered(200_000)
    with Watcher(line.socket) as slow, Watcher(line.socket) as quick:
        for start in range(0, len(text), 100_000):
            line.print(text[start : start + 100_000])
            quick.expect(re.escape(text[min(start + 100_000, len(text)) - 10 :][:10]))
        assert quick.lost == 0
        quick.close()
        line.cable.close()
        offset = 0
        while not slow.ended:
            for event in slow.receive():
                if isinstance(event, Output):
                    assert text[offset : offset + len(event.data)] == event.data
                    offset += len(event.data)
                elif isinstance(event, Lost):
                    offset += event.size
        assert offset == len(text)
        assert slow.lost > 0


# What is typed.


def test_input_of_the_pty_and_of_clients_reaches_the_driver(line: LineProcess) -> None:
    with line.port() as pts, Watcher(line.socket) as watcher:
        pts.write(b"from the pty\r\x03\x1d")
        assert line.typed(15) == b"from the pty\r\x03\x1d"
        watcher.send(b"from a client\r\x00\xff")
        assert line.typed(16) == b"from a client\r\x00\xff"


def test_long_input_arrives_whole_when_the_driver_reads(line: LineProcess) -> None:
    text = os.urandom(KEPT)
    with Watcher(line.socket) as watcher:
        watcher.send(text)
        assert line.typed(len(text)) == text
        assert watcher.input_lost == 0


def test_a_megabyte_reaches_a_driver_that_reads_slowly(line: LineProcess) -> None:
    text = os.urandom(1 << 20)
    got = b""
    with Watcher(line.socket) as watcher, ThreadPoolExecutor() as pool:
        pasted = pool.submit(watcher.send, text)
        while len(got) < len(text):
            got += line.typed(min(50_000, len(text) - len(got)))
        pasted.result()
        assert (watcher.status()["input_dropped"], watcher.input_lost) == (0, 0)
    assert got == text


def test_a_megabyte_written_to_the_pty_reaches_a_driver_that_reads_slowly(
    line: LineProcess,
) -> None:
    text = os.urandom(1 << 20)
    with line.port() as pts, ThreadPoolExecutor() as pool:
        pasted = pool.submit(pts.write, text)
        assert line.typed(len(text)) == text
        pasted.result()


def test_input_a_driver_does_not_read_is_bounded_and_its_loss_is_told(line: LineProcess) -> None:
    text = os.urandom(2 << 20)
    with Watcher(line.socket) as watcher:
        watcher.send(text)  # which is held up until the driver is given up
        dropped = watcher.status()["input_dropped"]
        assert isinstance(dropped, int)
        lost = [event.size for event in watcher.receive() if isinstance(event, InputLost)]
        assert sum(lost) == watcher.input_lost == dropped
        assert 0 < dropped < len(text) - KEPT
        assert line.typed(len(text) - dropped) == text[:-dropped]
        watcher.send(b"again")
        assert line.typed(5) == b"again"
    with Watcher(line.socket) as next_one:
        assert next_one.welcome["input_dropped"] == dropped


def test_what_waits_for_a_driver_is_bounded_while_typing_is_held_back(line: LineProcess) -> None:
    waiting: list[int] = []
    with (
        Watcher(line.socket) as watcher,
        Watcher(line.socket, mode="watch") as other,
        ThreadPoolExecutor() as pool,
    ):
        pasted = pool.submit(watcher.send, bytes(2 << 20))
        while not (status := other.status())["input_dropped"]:
            waiting.append(int(str(status["waiting"])))
        pasted.result()
    assert KEPT <= max(waiting) <= 3 * KEPT


def test_breaks_and_the_window_s_size_come_up_the_line_where_they_happened(
    line: LineProcess,
) -> None:
    with Watcher(line.socket, mode="console", size=(24, 80)) as console:
        console.send(b"before\xff")
        console.send_break()
        console.send(b"after")
        console.resize((50, 132))
        console.status()
        assert line.input() == [
            WindowSize(24, 80),
            b"before\xff",
            Break(),
            b"after",
            WindowSize(50, 132),
        ]
        with open(line.folder / "tty", "rb") as pts:
            assert os.get_terminal_size(pts.fileno()) == (132, 50)
        line.process.send_signal(signal.SIGWINCH)  # as when a driver has started
        assert line.input() == [WindowSize(50, 132)]


# The end.


def test_the_last_words_reach_every_reader(line: LineProcess) -> None:
    text = numbered(5000)
    with Watcher(line.socket) as watcher, line.port() as pts:
        line.print(text)
        line.cable.close()
        assert pts.read(len(text)) == text
        assert rest(watcher) == text
        with pytest.raises(serial.SerialException):
            pts.read(1)


def test_a_reader_that_never_reads_delays_the_end_by_a_bound(line: LineProcess) -> None:
    with Watcher(line.socket), line.port():
        line.print(numbered(100_000))
        started = time.monotonic()
        assert line.hang_up() == 0
        assert time.monotonic() - started < 5


def test_sigterm_ends_a_line_as_the_end_of_its_cable_does(line: LineProcess) -> None:
    text = numbered(6000)  # more than one look at the cable brings
    with Watcher(line.socket) as watcher:
        with line.stopped():
            line.print(text)
            line.process.send_signal(signal.SIGTERM)
        assert rest(watcher) == text
        assert line.process.wait(PATIENCE) == 0
    assert line.log == text


def test_a_driver_that_dies_with_input_unread_does_not_take_output_with_it(
    line: LineProcess,
) -> None:
    with Watcher(line.socket) as watcher:
        watcher.send(b"unread")
        assert line.cable.recv(6, socket.MSG_PEEK) == b"unread"
        line.print(b"last words\n")
        line.cable.close()
        assert rest(watcher) == b"last words\n"


def test_a_successor_s_files_are_left_alone(line: LineProcess) -> None:
    for name in ("tty", "socket"):
        (line.folder / name).unlink()
    (line.folder / "tty").symlink_to("/dev/null")
    (line.folder / "socket").touch()
    assert line.hang_up() == 0
    for name in ("tty", "socket"):
        (line.folder / name).unlink()


def test_a_run_directory_that_is_gone_does_not_disturb_the_end(
    baseline: None, runtime_dir: Path
) -> None:
    with LineProcess(runtime_dir / "uart0") as line:
        line.print(b"to a log that is unlinked\n")
        line.left()
        assert line.hang_up() == 0


def test_a_driver_that_no_longer_listens_can_still_print(line: LineProcess) -> None:
    line.cable.shutdown(socket.SHUT_RD)
    with Watcher(line.socket) as watcher:
        watcher.send(b"to nobody")
        line.print(b"still printing\n")
        watcher.expect("still printing\n")
        with Watcher(line.socket) as late:
            assert late.welcome["input_dropped"] == 9


# When something is missing.


def test_a_line_that_cannot_start_says_why_and_leaves_nothing(
    baseline: None, runtime_dir: Path
) -> None:
    blocked = runtime_dir / "uart0"
    blocked.touch()
    with LineProcess(blocked) as line:
        assert line.process.wait(PATIENCE) == 1
    assert line.status["ready"] is False
    assert "uart0" in line.status["error"]
    blocked.unlink()


def test_a_line_whose_socket_cannot_be_made_leaves_no_link(
    baseline: None, runtime_dir: Path
) -> None:
    with LineProcess(runtime_dir / ("u" * 100)) as line:
        assert line.process.wait(PATIENCE) == 1
        assert "too long" in line.status["error"]
        assert line.left() == ["console.log"]


def test_what_a_line_that_was_killed_left_does_not_keep_the_next_from_starting(
    baseline: None, runtime_dir: Path
) -> None:
    folder = runtime_dir / "uart0"
    folder.mkdir()
    for name in ("tty", ".tty.new"):
        (folder / name).symlink_to("/dev/pts/99999")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(folder / "socket"))
    with running_line(folder) as line:
        assert os.readlink(folder / "tty") == line.tty
        Watcher(line.socket).close()


def test_a_full_disk_costs_the_log_and_nothing_else(baseline: None, runtime_dir: Path) -> None:
    folder = runtime_dir / "uart0"
    folder.mkdir()
    (folder / "console.log").symlink_to("/dev/full")
    with LineProcess(folder) as line:
        with Watcher(line.socket) as watcher:
            line.print(b"unlogged\n")
            watcher.expect("unlogged\n")
        with Watcher(line.socket) as watcher:
            assert watcher.welcome["unlogged"] == 9
        assert line.hang_up() == 0
        line.left()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may hang up a terminal")
def test_a_pty_that_is_hung_up_leaves_the_clients_their_console(line: LineProcess) -> None:
    with Watcher(line.socket) as watcher:
        descriptor = os.open(line.tty, os.O_RDWR | os.O_NOCTTY)
        fcntl.ioctl(descriptor, TIOCVHANGUP)
        os.close(descriptor)
        line.print(b"still here\n")
        watcher.expect("still here\n")
        with Watcher(line.socket) as late:
            assert late.tty is None
            late.send(b"typed")
            assert line.typed(5) == b"typed"
        assert not os.path.lexists(line.folder / "tty")
