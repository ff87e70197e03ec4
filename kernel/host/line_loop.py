"""The line's loop: the cable, the PTY, the clients, and never a wait for any of them."""

import selectors
import socket
import time
from collections.abc import Callable
from pathlib import Path

from caplab.kernel.host import console_wire
from caplab.kernel.host.backlog import Backlog
from caplab.kernel.host.console_wire import DATA, JSON, Frame, FramingError
from caplab.kernel.host.line_files import LineFiles
from caplab.kernel.host.pty_cable import Master
from caplab.kernel.host.scrollback import Scrollback
from caplab.kernel.host.seat import CHUNK, Gone, Seat
from caplab.kernel.host.terminal import Terminal

TYPED = 64 * 1024
"""Bytes of input a driver may leave unread before the line drops more of it."""
SEATS = 64
"""Console clients at once: a limit that is told, rather than descriptors that run out."""
FAREWELL = 1.0
"""Seconds the readers have to take the last words."""
GLANCE = 0.005
"""Seconds between two looks at the PTY's last reader: Linux does not tell when it is through."""

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
Handler = Callable[[int], None]


class Line:
    """One loop over the cable, the PTY, the listening socket and the clients."""

    def __init__(self, uart: str, folder: Path, cable: socket.socket | Master) -> None:
        cable.setblocking(False)
        self._uart = uart
        self._cable = cable
        self._typed = Backlog(TYPED)
        self._scrollback = Scrollback()
        self._seats: list[Seat] = []
        self._ended = False
        terminal = Terminal()
        self.tty = terminal.path
        try:
            self._files = LineFiles(folder, self.tty)
        except OSError:
            terminal.close()
            raise
        self._terminal: Terminal | None = terminal
        self._selector = selectors.DefaultSelector()
        self._selector.register(cable, READ, self._on_cable)
        self._selector.register(terminal, READ, self._on_terminal)
        self._selector.register(self._files.door, READ, self._on_door)

    @property
    def address(self) -> str:
        return self._files.address

    # What the driver prints.

    def _on_cable(self, events: int) -> None:
        if events & WRITE:
            self._pump_typed()
        if events & READ:
            self._hear_cable()
        self._rearm_cable()

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
        self._files.record(data)
        self._scrollback.add(data)
        self._show(data)
        frame = console_wire.encode(DATA, data)
        for seat in [seat for seat in self._seats if seat.mode]:
            seat.outbox.data(frame)
            self._pump(seat)
        return True

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
            self._selector.unregister(self._terminal)
            self._terminal.close()
            self._terminal = None
            self._files.remove_link()

    # The console clients.

    def _on_door(self, _events: int) -> None:
        try:
            connection, _ = self._files.door.accept()
        except OSError:
            return
        seat = Seat(connection)
        if len(self._seats) == SEATS:
            seat.refuse("full", f"{SEATS} consoles are attached to {self._uart} already")
            return
        self._seats.append(seat)
        self._selector.register(seat, READ, lambda events: self._on_seat(seat, events))

    def _on_seat(self, seat: Seat, events: int) -> None:
        try:
            if events & READ:
                for frame in seat.hear():
                    self._attend(seat, frame)
        except FramingError as error:
            self._forget(seat)
            seat.refuse("protocol", str(error))
        except Gone:
            self._leave(seat)
        else:
            self._pump(seat)

    def _attend(self, seat: Seat, frame: Frame) -> None:
        if not seat.mode:
            if frame.kind != JSON:
                raise FramingError('the first frame must be J {"mode": …}')
            self._welcome(seat, seat.sit_down(frame.payload))
        elif frame.kind != DATA or seat.mode != "console":
            raise FramingError(f"a client in mode {seat.mode} may not send {frame.kind!r} frames")
        elif lost := self._type(frame.payload):
            seat.outbox.mark("input_lost", lost)

    def _welcome(self, seat: Seat, scrollback: bool) -> None:
        past = self._scrollback.replay() if scrollback else b""
        welcome = {
            "uart": self._uart,
            "tty": self.tty if self._terminal is not None else None,
            "dropped": self._terminal.dropped if self._terminal is not None else 0,
            "input_dropped": self._typed.dropped,
            "unlogged": self._files.unlogged,
            "scrollback": len(past),
        }
        seat.outbox.control(console_wire.encode_json(welcome))
        if past:
            seat.outbox.control(console_wire.encode(DATA, past))

    def _pump(self, seat: Seat) -> None:
        try:
            seat.pump()
        except Gone:
            self._leave(seat)
        else:
            self._rearm(seat, bool(seat.outbox))

    def _leave(self, seat: Seat) -> None:
        self._forget(seat)
        seat.close()

    def _forget(self, seat: Seat) -> None:
        self._selector.unregister(seat)
        self._seats.remove(seat)

    # What is typed.

    def _type(self, data: bytes) -> int:
        """Send input to the driver. Returns how many bytes found its queue full."""
        self._pump_typed()
        lost = self._typed.put(data)
        self._pump_typed()
        self._rearm_cable()
        return lost

    def _pump_typed(self) -> None:
        while self._typed:
            try:
                sent = self._cable.send(self._typed.head(CHUNK), socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError:  # nobody is left to read it; the end comes as the end of output
                self._typed.abandon()
                return
            self._typed.advance(sent)

    # The loop.

    def _rearm(self, which: socket.socket | Master | Seat | Terminal, write: bool) -> None:
        """Ask whether it can be written only while there is something to write."""
        key = self._selector.get_map().get(which)
        wanted = READ | WRITE if write else READ
        if key is not None and key.events != wanted:
            self._selector.modify(which, wanted, key.data)

    def _rearm_cable(self) -> None:
        self._rearm(self._cable, bool(self._typed))

    def _rearm_terminal(self) -> None:
        if self._terminal is not None:
            self._rearm(self._terminal, self._terminal.behind)

    def _turn(self, timeout: float | None) -> None:
        for key, events in self._selector.select(timeout):
            # An earlier event of this turn may have closed this one's source, and a newly
            # accepted client may have got its number.
            now = self._selector.get_map().get(key.fd)
            if now is not None and now.data is key.data:
                handler: Callable[[int], None] = key.data
                handler(events)

    def _on_stop(self, _events: int) -> None:
        self._ended = True

    def serve(self, stop: int) -> None:
        """Run until the cable ends, or the descriptor `stop` becomes readable."""
        self._selector.register(stop, READ, self._on_stop)
        while not self._ended:
            self._turn(None)
        self._selector.unregister(stop)
        self._farewell()

    def _farewell(self) -> None:
        """Let nobody in, take what is left in the cable, and give the readers time for it."""
        end = time.monotonic() + FAREWELL
        self._selector.unregister(self._files.door)
        self._files.close_door()
        while time.monotonic() < end and self._hear_cable():
            pass
        self._selector.unregister(self._cable)
        looks = 2  # Linux hands output on to a PTY's reader in parts, with nothing in between
        while (left := end - time.monotonic()) > 0:
            looks = 2 if self._unread() else looks - 1
            if looks <= 0 and not any(seat.outbox for seat in self._seats):
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
        for seat in list(self._seats):
            self._leave(seat)
        self._unplug()
        self._files.close()
        self._selector.close()
        self._cable.close()
