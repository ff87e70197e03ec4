"""The kernel's side of the lines: their cables, their first words, and their interrupts.

A UART's cable is a socketpair. The line has one end, the driver PD the other, and the kernel keeps
a copy of the driver's: while it stands, the cable outlives its driver; it is what the kernel
watches for the interrupt. An interrupt masks itself, because the end is watched for one event
only; Unmask watches it again. The kernel reads and writes nothing there.

A debug PD's terminal has a line too, made when the PD is and gone with it. Its cable is a PTY.
"""

import array
import fcntl
import json
import os
import select
import signal
import socket
import sys
import termios
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgpack

from caplab.kernel.core.effects import Unmask
from caplab.kernel.host import rundir
from caplab.kernel.host.doorbell import Doorbell
from caplab.kernel.host.processes import Send, filled_pipe
from caplab.kernel.host.pty_cable import Slave, open_pty

STATUS_FD, CABLE_FD = 4, 5
"""Where a line finds its status pipe and its end of the cable; 3 is the spawn pipe."""
STATUS_MAX = 4096


class LineFailed(OSError):
    """A line did not come up; the message says which and why."""


class Line:
    """One UART's line: the process, and the kernel's copy of the driver's end."""

    def __init__(self, uart: str, end: socket.socket | Slave, folder: Path, pd: int = 0) -> None:
        self.uart = uart
        self.folder = folder
        self.end = end
        self.pd = pd
        """The debug PD whose terminal this is; 0 for a UART's."""
        self.tty = self.socket = ""
        self.up = False
        self.hung_up = False
        self.pidfd = -1
        self.ended = False


class Lines:
    """All lines; a UART's number, which is its interrupt's, is its place in the manifest.

    The core thread's, but for what is registered with the doorbell.

    Args:
        interrupt: called in the core thread with the number of a line that became readable.
        changed: called in the core thread when a line has come up or ended.
    """

    def __init__(
        self,
        doorbell: Doorbell,
        to_zygote: Send,
        interrupt: Callable[[int], None],
        changed: Callable[[], None],
    ) -> None:
        self._doorbell = doorbell
        self._to_zygote = to_zygote
        self._interrupt = interrupt
        self._changed = changed
        self._lines: list[Line] = []

    def start(self, uarts: Sequence[str], run_dir: Path) -> None:
        """Ask the zygote for a line per UART, in the folder of its name."""
        for uart in uarts:
            ours, theirs = socket.socketpair()
            self._begin(Line(uart, ours, run_dir / uart), theirs.detach())

    def plug(self, pd: int, name: str, run_dir: Path) -> int:
        """A terminal for a debug PD that is about to start, its line on the way: copy the slave.

        Raises OSError.
        """
        master, slave = open_pty()
        folder = rundir.terminal(run_dir, name)
        self._begin(Line(name, Slave(slave), folder, pd), master, pty=True)
        return slave

    def unplug(self, pd: int) -> None:
        """A PD has ended: its terminal's line gives out what it has, and ends."""
        for line in self._lines:
            if line.pd == pd and line.end.fileno() >= 0:
                line.end.close()

    def _begin(self, line: Line, theirs: int, *, pty: bool = False) -> None:
        number = len(self._lines)
        self._lines.append(line)
        status, write_end = os.pipe()
        spawn = {
            "line": number,
            "uart": line.uart,
            "dir": str(line.folder),
            "status_fd": STATUS_FD,
            "cable_fd": CABLE_FD,
            "pty": pty,
        }
        descriptors = [filled_pipe(msgpack.packb(spawn)), write_end, theirs]
        self._doorbell.call(self._await_status(number, status))
        self._to_zygote({"op": "line", "line": number, "uart": line.uart}, descriptors)

    def started(self, number: int, pidfd: int) -> None:
        self._lines[number].pidfd = pidfd

    def exited(self, number: int) -> None:
        line = self._lines[number]
        line.ended = True
        _remove_link(line)
        if line.pidfd >= 0:
            os.close(line.pidfd)
            line.pidfd = -1
        self._changed()

    def register(self, uart: str) -> int:
        """The driver's end, for a PD that is to drive this UART: copy it."""
        line = next(line for line in self._lines if line.uart == uart and not line.pd)
        if line.up and line.pidfd >= 0:
            _signal(line, signal.SIGWINCH)  # a new driver does not know the window's size
        return line.end.fileno()

    def unmask(self, effect: Unmask) -> None:
        """Say so, once, when there is something to read."""
        line = self._lines[effect.irq]
        if line.hung_up and not _unread(line.end.fileno()):
            return  # its end was told; it would be told for ever
        self._doorbell.await_once(line.end.fileno(), lambda events: self._fired(line, events))

    @property
    def up(self) -> bool:
        """Whether every line is ready for its console clients."""
        return all(line.up for line in self._lines)

    @property
    def ended(self) -> list[str]:
        """The UARTs whose line has ended."""
        return [line.uart for line in self._lines if line.ended and not line.pd]

    @property
    def all_ended(self) -> bool:
        return all(line.ended for line in self._lines)

    def describe(self) -> list[dict[str, str]]:
        """What `info` says of them."""
        uarts = [line for line in self._lines if not line.pd]
        return [{"uart": line.uart, "tty": line.tty, "socket": line.socket} for line in uarts]

    def expected_to_end(self, number: int) -> bool:
        """Whether this line was to end: its PD has."""
        line = self._lines[number]
        return bool(line.pd) and line.end.fileno() < 0

    def hang_up(self) -> None:
        """Let go of every cable: a line whose driver is gone too gives out what it has, and ends.
        With the helper thread at rest or by way of it."""
        for line in self._lines:
            if line.end.fileno() >= 0:
                self._doorbell.forget(line.end.fileno())
                line.end.close()

    def kill_all(self) -> int:
        """SIGKILL for those that have not ended; how many."""
        left = [line for line in self._lines if not line.ended and line.pidfd >= 0]
        for line in left:
            _signal(line, signal.SIGKILL)
        return len(left)

    def _fired(self, line: Line, events: int) -> None:
        line.hung_up = line.hung_up or bool(events & (select.EPOLLHUP | select.EPOLLERR))
        number = self._lines.index(line)
        self._doorbell.post(lambda: self._interrupt(number))

    def _await_status(self, number: int, pipe: int) -> Callable[[], None]:
        """Read what the line says when it is up, in the helper thread."""

        def ready(_events: int) -> None:
            data = os.read(pipe, STATUS_MAX)
            self._doorbell.forget(pipe)
            os.close(pipe)
            self._doorbell.post(lambda: self._came_up(number, data))

        return lambda: self._doorbell.watch(pipe, ready)

    def _came_up(self, number: int, data: bytes) -> None:
        line = self._lines[number]
        status: dict[str, Any] = json.loads(data) if data else {"error": "it ended at once"}
        if not status.get("ready"):
            why = f"the line of {line.uart} did not start: {status.get('error')}"
            if not line.pd:
                raise LineFailed(why)
            print(f"kernel: {why}", file=sys.stderr)
        line.up, line.tty, line.socket = True, status.get("tty", ""), status.get("socket", "")
        self._changed()


def _remove_link(line: Line) -> None:
    """A line that was killed leaves it, and Linux gives its PTY's number to the next program."""
    link = line.folder / "tty"
    try:
        if os.readlink(link) == line.tty:
            link.unlink()
    except OSError:
        pass  # the line has removed it, or somebody the run directory


def _signal(line: Line, number: int) -> None:
    try:
        signal.pidfd_send_signal(line.pidfd, number)
    except ProcessLookupError:
        pass  # ended, not reaped


def _unread(end: int) -> int:
    """Bytes that wait to be read."""
    found = array.array("i", [0])
    fcntl.ioctl(end, termios.FIONREAD, found)
    return found[0]
