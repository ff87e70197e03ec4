"""The console clients of a line: who is there, who types, and what each is told."""

import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from caplab.kernel.host import console_wire
from caplab.kernel.host.console_wire import DATA, JSON, Frame, FramingError
from caplab.kernel.host.interest import READ, Interests
from caplab.kernel.host.keyboard import Keyboard
from caplab.kernel.host.scrollback import Scrollback
from caplab.kernel.host.seat import Gone, Seat, Size, size_of

SEATS = 64
"""Console clients at once: a limit that is told, rather than descriptors that run out."""


class Console(NamedTuple):
    """What the clients share: the line behind them."""

    uart: str
    type: Callable[[bytes], int]
    """Takes input; returns how many bytes of it are dropped."""
    send_break: Callable[[], None]
    resize: Callable[[Size], None]
    status: Callable[[], dict[str, object]]
    catch_up: Callable[[], None]
    """Shows what the driver has printed and nobody has looked at yet."""


class Clients:
    """Everybody at the console socket `door`, which stays its owner's."""

    def __init__(self, console: Console, door: socket.socket, interests: Interests) -> None:
        self._console = console
        self._door = door
        self._interests = interests
        self._seats: list[Seat] = []
        self._keyboard: Keyboard[Seat] = Keyboard()
        self._scrollback = Scrollback()
        self._held_back = False
        interests.add(door, self._on_door)

    @property
    def writer(self) -> str | None:
        """Who has the keyboard."""
        holder = self._keyboard.holder
        return None if holder is None else holder.who

    @property
    def count(self) -> int:
        return len(self._seats)

    @property
    def behind(self) -> bool:
        """Whether anybody has yet to be told something."""
        return any(seat.outbox for seat in self._seats)

    def show(self, data: bytes) -> None:
        """The driver has printed."""
        self._scrollback.add(data)
        frame = console_wire.encode(DATA, data)
        for seat in [seat for seat in self._seats if seat.mode]:
            seat.outbox.data(frame)
            self._pump(seat)

    def hold_back(self, wanted: bool) -> None:
        """Hear nobody for now, or hear them again."""
        if wanted != self._held_back:
            self._held_back = wanted
            for seat in self._seats:
                self._rearm(seat)

    def shut(self) -> None:
        """Let nobody in any more; before the door is closed."""
        self._interests.drop(self._door)

    def close(self) -> None:
        for seat in list(self._seats):
            self._leave(seat)

    # Coming, saying something, going.

    def _on_door(self, _events: int) -> None:
        try:
            connection, _ = self._door.accept()
        except OSError:
            return
        seat = Seat(connection)
        if len(self._seats) == SEATS:
            seat.refuse("full", f"{SEATS} consoles are attached to {self._console.uart} already")
            return
        self._seats.append(seat)
        self._interests.add(seat, lambda events: self._on_seat(seat, events))
        self._rearm(seat)

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
            self._welcome(seat, frame.payload)
        elif frame.kind == JSON:
            self._request(seat, console_wire.decode_json(frame.payload))
        elif seat.mode == "watch":
            raise FramingError(f"a client in mode {seat.mode} may not send {frame.kind!r} frames")
        elif lost := self._console.type(frame.payload) if self._types(seat) else len(frame.payload):
            seat.outbox.mark("input_lost", lost)

    def _welcome(self, seat: Seat, payload: bytes) -> None:
        wants = seat.sit_down(payload)
        if seat.mode == "console":
            changed = self._keyboard.take(seat) if wants.take else self._keyboard.join(seat)
            if changed:
                self._handed_over()
        past = self._scrollback.replay() if wants.scrollback else b""
        welcome = {**self._console.status(), "scrollback": len(past), "you": self._types(seat)}
        seat.outbox.control(console_wire.encode_json(welcome))
        if past:
            seat.outbox.control(console_wire.encode(DATA, past))

    def _request(self, seat: Seat, message: dict[str, Any]) -> None:
        match message:
            case {"ask": "status"}:
                status = {"status": self._console.status()}
                seat.outbox.news("status", console_wire.encode_json(status))
            case {"sync": int(number)}:
                self._console.catch_up()
                seat.outbox.news("synced", console_wire.encode_json({"synced": number}))
            case {"take": True} if seat.mode == "console":
                if self._keyboard.take(seat):
                    self._handed_over()
                    self._tell_writer(seat)
            case {"size": size} if seat.mode == "console":
                seat.size = size_of(size)
                if self._keyboard.holder is seat:
                    self._console.resize(seat.size)
            case {"break": True} if seat.mode != "watch":
                if self._types(seat):
                    self._console.send_break()
            case _:
                raise FramingError(f"a client in mode {seat.mode} may not ask for that")

    def _types(self, seat: Seat) -> bool:
        return seat.mode == "script" or self._keyboard.holder is seat

    # The keyboard.

    def _handed_over(self) -> None:
        """Tell all consoles but a new holder, who is told with its answer."""
        holder = self._keyboard.holder
        for seat in self._keyboard.wanted_by:
            if seat is not holder:
                self._tell_writer(seat)
                self._pump(seat)
        if holder is not None and holder.size is not None:
            self._console.resize(holder.size)

    def _tell_writer(self, seat: Seat) -> None:
        news = {"writer": self.writer, "you": self._keyboard.holder is seat}
        seat.outbox.news("writer", console_wire.encode_json(news))

    # Their sockets.

    def _pump(self, seat: Seat) -> None:
        try:
            seat.pump()
        except Gone:
            self._leave(seat)
        else:
            self._rearm(seat)

    def _rearm(self, seat: Seat) -> None:
        """Ask whether it can be written only while there is something to write."""
        heard = not (self._held_back and seat.mode in ("console", "script"))
        self._interests.want(seat, read=heard, write=bool(seat.outbox))

    def _leave(self, seat: Seat) -> None:
        if seat in self._seats:  # else it has left in a moment in which it was told something
            self._forget(seat)
            seat.close()

    def _forget(self, seat: Seat) -> None:
        self._interests.drop(seat)
        self._seats.remove(seat)
        if self._keyboard.leave(seat):
            self._handed_over()
            holder = self._keyboard.holder
            if holder is not None:
                self._tell_writer(holder)
                self._pump(holder)
