"""What a line does, one step after another: in this process, without its loop."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from caplab.kernel.host.interest import READ, WRITE
from caplab.kernel.host.line_loop import Line
from caplab.kernel.host.pty_cable import Master, open_pty
from caplab.kernel.host.typed import BREAK, KEPT, size_mark


class Uart(NamedTuple):
    """A line, and the driver's end of its cable."""

    line: Line
    driver: socket.socket


@pytest.fixture
def folder(baseline: None, runtime_dir: Path) -> Iterator[Path]:
    """Where a line keeps its files; removed as the run directory is."""
    folder = runtime_dir / "uart0"
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def uart(folder: Path) -> Iterator[Uart]:
    driver, cable = socket.socketpair()
    driver.setblocking(False)
    line = Line("uart0", folder, cable)
    with driver:
        yield Uart(line, driver)
        line.close()


def test_what_a_client_is_shown_is_in_the_log_already(
    uart: Uart, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, logged = folder / "console.log", []
    monkeypatch.setattr(uart.line._clients, "show", lambda _: logged.append(log.read_bytes()))
    uart.driver.send(b"printed")
    uart.line._hear_cable()
    assert logged == [b"printed"]


def test_a_size_is_told_when_it_is_another_or_a_driver_has_started(uart: Uart) -> None:
    line, driver = uart
    line.tell_size()
    for size in ((24, 80), (24, 80), (25, 80)):
        line._resize(size)
    assert driver.recv(100) == size_mark(24, 80) + size_mark(25, 80)
    line.tell_size()
    assert driver.recv(100) == size_mark(25, 80)
    line._send_break()
    assert driver.recv(100) == BREAK


def test_a_debugged_pd_is_told_the_size_by_its_terminal_and_reads_no_marks(folder: Path) -> None:
    master, slave = open_pty()
    line = Line("pd", folder, Master(master))
    line._resize((24, 80))
    line._send_break()
    assert os.get_terminal_size(slave) == (80, 24)
    line._type(b"\xff\n")
    assert os.read(slave, 100) == b"\xff\n"
    os.close(slave)
    line.close()


def test_the_pty_is_not_heard_while_the_driver_has_no_room(uart: Uart) -> None:
    line, driver = uart
    while not line._typed.full:
        line._type(b"x" * KEPT)
    heard, terminal = line._interests._selector.get_map(), line._terminal
    assert terminal is not None
    assert terminal.fileno() not in heard
    driver.recv(1 << 20)
    line._on_cable(WRITE)
    assert heard[terminal.fileno()].events == READ


def test_what_a_slow_program_at_the_pty_misses_is_in_the_status(uart: Uart) -> None:
    line = uart.line
    reader = os.open(line.tty, os.O_RDONLY | os.O_NOCTTY)
    for _ in range(3):
        line._show(b"x" * (1 << 20))
    missed = line._status()["behind"]
    assert line._status()["dropped"] == missed
    assert isinstance(missed, int)
    assert 1 << 20 < missed < 2 << 20
    os.close(reader)


def test_nobody_is_let_in_when_the_end_has_come(uart: Uart) -> None:
    uart.driver.shutdown(socket.SHUT_WR)
    uart.line._farewell()
    with socket.socket(socket.AF_UNIX) as late, pytest.raises(FileNotFoundError):
        late.connect(uart.line.address)
