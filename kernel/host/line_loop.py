"""The line's loop: the cable, the PTY, the clients, and never a wait for any of them."""

import signal
import socket
import time
from pathlib import Path

from caplab.kernel.host.interest import READ, WRITE, Interests
from caplab.kernel.host.line_clients import Clients, Console
from caplab.kernel.host.line_files import LineFiles
from caplab.kernel.host.pty_cable import Master
from caplab.kernel.host.seat import CHUNK, Size
from caplab.kernel.host.terminal import Terminal
from caplab.kernel.host.typed import BREAK, Typed, size_mark

FAREWELL = 1.0
"""Seconds the readers have to take the last words."""
SIGNALS_MAX = 64
CABLE_HOLDS = 512 * 1024
"""More bytes than a cable holds, as Linux counts them."""
GLANCE = 0.005
"""Seconds between two looks at the PTY's last reader: Linux does not tell when it is through."""


class Line:
    """One loop over the cable, the PTY, the listening socket and the clients.

    Args:
        cable: a UART's, whose input is marked, or the master of a debug PD's terminal.
    """

    def __init__(self, uart: str, folder: Path, cable: socket.socket | Master) -> None:
        cable.setblocking(False)
        self._uart = uart
        self._cable = cable
        self._marked = not isinstance(cable, Master)
        self._typed = Typed(marked=self._marked)
        self._written = 0
        self._size: Size | None = None
        self._ended = False
        terminal = Terminal()
        self.tty = terminal.path
        try:
            self._files = LineFiles(folder, self.tty)
        except OSError:
            terminal.close()
            raise
        self._terminal: Terminal | None = terminal
        self._interests = Interests()
        self._interests.add(cable, self._on_cable)
        self._interests.add(terminal, self._on_terminal)
        console = Console(
            uart, self._type, self._send_break, self._resize, self._status, self._catch_up
        )
        self._clients = Clients(console, self._files.door, self._interests)

    @property
    def address(self) -> str:
        return self._files.address

    # What the driver prints.

    def _on_cable(self, events: int) -> None:
        if events & WRITE:
            self._pump_typed()
        if events & READ:
            self._hear_cable()
        self._rearm()

    def _hear_cable(self) -> bool:
        """Take one chunk. Returns whether there was one."""
        try:
            data = self._cable.recv(CHUNK)
        except BlockingIOError:
            return False
        except OSError:  # the driver died with input unread: Linux reports that once, as a reset
            data = b""
        if not data:
            self._ended = True
            return False
        self._written += len(data)
        self._files.log.add(data)  # first: who has seen it finds it there
        self._clients.show(data)
        self._show(data)
        return True

    def _catch_up(self) -> None:
        """Take all that is in the cable by now; a driver that prints on is not waited for."""
        for _ in range(CABLE_HOLDS // CHUNK):
            if not self._hear_cable():
                return

    # The PTY.

    def _show(self, data: bytes) -> None:
        if self._terminal is not None:
            try:
                self._terminal.write(data)
            except OSError:
                self._unplug()
            self._rearm_terminal()

    def _on_terminal(self, events: int) -> None:
        if self._terminal is None:
            return
        try:
            if events & WRITE:
                self._terminal.pump()
            if events & READ:
                self._type(self._terminal.read())
        except OSError:
            self._unplug()
        self._rearm_terminal()

    def _unplug(self) -> None:
        """Go on without a PTY whose slave was taken from us; the clients have the console."""
        if self._terminal is not None:
            self._interests.drop(self._terminal)
            self._terminal.close()
            self._terminal = None
            self._files.remove_link()

    # What is typed.

    def _type(self, data: bytes) -> int:
        """Send input to the driver. Returns how many bytes of it are dropped."""
        self._pump_typed()
        lost = self._typed.put(data, time.monotonic())
        self._pump_typed()
        self._rearm()
        return lost

    def _send_break(self) -> None:
        if self._marked:
            self._typed.mark(BREAK, time.monotonic())
            self._pump_typed()
            self._rearm()

    def _resize(self, size: Size) -> None:
        """Whoever has the keyboard has a window of this size."""
        if size != self._size:
            self._size = size
            self.tell_size()

    def tell_size(self) -> None:
        """Tell both ends of the line the size of the console's window, if there is one."""
        if self._size is None:
            return
        try:
            if self._terminal is not None:
                self._terminal.resize(*self._size)
            if isinstance(self._cable, Master):
                self._cable.resize(*self._size)
        except OSError:
            pass  # an end that is closed is noticed where it is read
        if self._marked:
            self._typed.mark(size_mark(*self._size), time.monotonic())
            self._pump_typed()
            self._rearm()

    def _pump_typed(self) -> None:
        while self._typed:
            try:
                sent = self._cable.send(self._typed.head(CHUNK), socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError:  # nobody is left to read it; the end comes as the end of output
                self._typed.abandon()
                return
            self._typed.advance(sent, time.monotonic())

    # What is asked.

    def _status(self) -> dict[str, object]:
        terminal = self._terminal
        return {
            "uart": self._uart,
            "tty": self.tty if terminal is not None else None,
            "written": self._written,
            "typed": self._typed.typed,
            "waiting": len(self._typed),
            "writer": self._clients.writer,
            "consoles": self._clients.count,
            "dropped": terminal.dropped if terminal is not None else 0,
            "behind": terminal.behind_dropped if terminal is not None else 0,
            "input_dropped": self._typed.dropped,
            "unlogged": self._files.log.unlogged,
        }

    # The loop.

    def _rearm(self) -> None:
        """Hear those who type only while there is room, or nobody to wait for."""
        self._interests.want(self._cable, read=True, write=bool(self._typed))
        self._clients.hold_back(self._typed.full)
        self._rearm_terminal()

    def _rearm_terminal(self) -> None:
        if self._terminal is not None:
            heard = not self._typed.full
            self._interests.want(self._terminal, read=heard, write=self._terminal.behind)

    def _turn(self, timeout: float | None) -> None:
        limit = self._typed.give_up_at()
        if limit is not None:
            left = max(0.0, limit - time.monotonic())
            timeout = left if timeout is None else min(left, timeout)
        self._interests.turn(timeout)
        if limit is not None:
            self._typed.look(time.monotonic())
            self._rearm()

    def serve(self, signals: int) -> None:
        """Run until the cable ends, or SIGTERM comes; `signals` is where their numbers are read."""
        with open(signals, "rb", buffering=0) as pipe:
            self._interests.add(pipe, lambda _events: self._on_signals(pipe.read(SIGNALS_MAX)))
            while not self._ended:
                self._turn(None)
            self._interests.drop(pipe)
        self._farewell()

    def _on_signals(self, numbers: bytes | None) -> None:
        self._ended = self._ended or signal.SIGTERM in (numbers or b"")
        if signal.SIGWINCH in (numbers or b""):
            self.tell_size()

    def _farewell(self) -> None:
        """Let nobody in, take what is left in the cable, and give the readers time for it."""
        end = time.monotonic() + FAREWELL
        self._clients.shut()
        self._files.close_door()
        while time.monotonic() < end and self._hear_cable():
            pass
        self._interests.drop(self._cable)
        looks = 2  # Linux hands output on to a PTY's reader in parts, with nothing in between
        while (left := end - time.monotonic()) > 0:
            looks = 2 if self._unread() else looks - 1
            if looks <= 0 and not self._clients.behind:
                return
            self._turn(min(left, GLANCE))

    def _unread(self) -> bool:
        """Whether a reader of the PTY has output to take."""
        if self._terminal is None:
            return False
        try:
            return self._terminal.unread()
        except OSError:
            self._unplug()
            return False

    def close(self) -> None:
        """Hang up, and remove what is ours."""
        self._clients.close()
        self._unplug()
        self._files.close()
        self._interests.close()
        self._cable.close()
