"""Whose the input is, what is kept of it for whom, and who is given what.

Input belongs to the client that has the focus. It goes to the first that reads; it is switched by
the operator and by clients that may, and passes to the next reader when its owner leaves. What
arrives while the owner does not read is kept, up to a bound: an owner that reads time and again is
waited for, of one that does not the rest is dropped, counted and told. What its owner has left
behind is the next one's: a reader that died or gave up costs nobody a line.
"""

from typing import NamedTuple

from caplab.servers.serial.lineedit import Ending, LineEditor
from caplab.servers.serial.protocol import End, Mode
from caplab.servers.serial.screen import Screen

TYPE_AHEAD_MAX = 4096
"""Bytes of input kept for each client, and for nobody."""
WAITED_FOR = 5.0
"""Seconds after its last read for which the owner of the input is taken to read on."""


class Reader(NamedTuple):
    """A client blocked in READ."""

    badge: int
    reply: int
    """Slot of the saved Reply capability."""
    prompt: bytes
    deadline: float | None
    """Seconds on the server's clock after which nobody waits any more."""
    mode: Mode = Mode.LINE
    most: int = 0
    """Bytes of a raw read."""


class Got(NamedTuple):
    """What a read comes to."""

    text: bytes
    end: End


class Seat:
    """A connected client, as far as input goes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.typed = bytearray()
        self.editor = LineEditor()
        self.hidden = False
        """Its line is one that is not shown, such as a password."""
        self.done: Got | None = None
        """Finished, and not delivered yet."""
        self.news: list[End] = []
        self.read_at = float("-inf")
        self.announced = False
        """The user was told that it waits for input."""


class Input:
    """The reading half of one console."""

    def __init__(self, screen: Screen, limit: int = TYPE_AHEAD_MAX) -> None:
        self.readers: dict[int, Reader] = {}
        """Who waits, in the order in which they came."""
        self.seats: dict[int, Seat] = {}
        self.focused: int | None = None
        self.dropped = 0
        """Bytes of input that nobody has got, in all."""
        self._untold = 0
        self._screen = screen
        self._limit = limit
        self._nobodys = Seat("")
        self._served: tuple[int, bytes] | None = None
        """Badge and prompt of the line that stands open."""

    # -- clients -------------------------------------------------------------------------------

    def join(self, badge: int, name: str) -> None:
        """A client has connected; what one that connects again was given before stays its own."""
        self.seats.setdefault(badge, Seat(name))

    def leave(self, badge: int) -> Reader | None:
        """A client is gone; its reader, should it still wait, is the caller's to tell."""
        seat = self.seats.pop(badge, None)
        reader = self.readers.pop(badge, None)
        if seat is not None and self.focused == badge:
            self.focused = self._served = None
            self._screen.abandon()
            self._forget_hidden(seat)
            _inherit(self._nobodys, seat)
            self._pass_on()
            self._tell_heir()
        elif seat is not None:  # it lost the focus before it read this: nobody else's either
            _unedit(seat)
            self._lose(len(seat.typed))
        return reader

    def ask(self, reader: Reader, now: float) -> Reader | None:
        """Queue a reader. A client has one place: its earlier one is handed over and returned."""
        earlier = self.readers.get(reader.badge)
        self.readers[reader.badge] = reader
        self.seats[reader.badge].read_at = now
        self._pass_on()
        self._announce(reader.badge)
        return earlier

    def leave_all(self) -> list[Reader]:
        """Free every place."""
        gone = list(self.readers.values())
        self.readers.clear()
        return gone

    def expired(self, now: float) -> list[Reader]:
        """Free the places of those whose time limit has passed."""
        gone = [r for r in self.readers.values() if r.deadline is not None and r.deadline <= now]
        for reader in gone:
            del self.readers[reader.badge]
        return gone

    def next_deadline(self) -> float | None:
        """When the first of the waiting gives up."""
        limits = (r.deadline for r in self.readers.values() if r.deadline is not None)
        return min(limits, default=None)

    @property
    def waited_for(self) -> bool:
        """Whether the one whose the input is waits for it."""
        return self.focused in self.readers

    # -- focus ---------------------------------------------------------------------------------

    def focus(self, badge: int) -> None:
        """Give the input to a client that is connected."""
        if badge == self.focused:
            return
        if self.focused is not None:
            self._news(self.focused, End.FOCUS_LOST)
        self._screen.abandon()
        self._screen.note(f"input goes to {self.seats[badge].name}")
        self._served = None
        self._own(badge)

    def _pass_on(self) -> None:
        """Input that is nobody's becomes that of the first who reads."""
        if self.focused is None and self.readers:
            self._own(next(iter(self.readers)))

    def _tell_heir(self) -> None:
        """Nobody has asked for it, so the user has to be told."""
        if self.focused is not None:
            self._screen.note(f"input goes to {self.seats[self.focused].name}")

    def _own(self, badge: int) -> None:
        self.focused = badge
        seat = self.seats[badge]
        seat.announced = False
        self._news(badge, End.FOCUS_GAINED)
        if not (seat.typed or seat.done or seat.editor.text):
            _inherit(seat, self._nobodys)

    def _news(self, badge: int, what: End) -> None:
        """What a client has not been told yet; gained and lost undo each other."""
        news = self.seats[badge].news
        undone = {End.FOCUS_LOST: End.FOCUS_GAINED, End.FOCUS_GAINED: End.FOCUS_LOST}.get(what)
        if undone in news:
            news.remove(undone)
        elif what not in news:
            news.append(what)

    def _announce(self, badge: int) -> None:
        """Tell the user of a reader that is not the one who types to it."""
        seat = self.seats[badge]
        if self.focused is not None and self.focused != badge and not seat.announced:
            seat.announced = True
            owner = self.seats[self.focused].name
            self._screen.note(f"{seat.name} waits for input, which goes to {owner}")

    # -- input ---------------------------------------------------------------------------------

    def room(self, now: float) -> int:
        """Bytes that may be taken from the device now; 0: not yet, its owner reads on."""
        room = self._limit - len(self._owner().typed)
        if room > 0:
            return room
        return self._limit if now >= self.waits_until() else 0

    def waits_until(self) -> float:
        """When an owner that has not read since is no longer waited for."""
        return self._owner().read_at + WAITED_FOR

    def typed(self, data: bytes) -> None:
        """Keep what was typed; ring where there is no room."""
        kept = self._owner().typed
        room = max(0, self._limit - len(kept))
        kept += data[:room]
        if len(data) > room:
            self._lose(len(data) - room)
            self._screen.ring()

    def happened(self, what: End) -> None:
        """A break has come over the line, or the console's window has another size."""
        if self.focused is not None:
            self._news(self.focused, what)

    def _owner(self) -> Seat:
        return self._nobodys if self.focused is None else self.seats[self.focused]

    def _lose(self, count: int) -> None:
        if count > 0:
            self.dropped += count
            self._untold += count

    def _forget_hidden(self, seat: Seat) -> None:
        """What was typed where nothing was shown must not be shown, nor given to another."""
        if seat.hidden:
            self._lose(len(seat.editor.take()) + len(seat.done.text if seat.done else b""))
            seat.hidden, seat.done = False, None

    def _tell_lost(self) -> None:
        if self._untold:
            self._screen.note(f"{self._untold} bytes that were typed were dropped")
            self._untold = 0

    # -- delivery ------------------------------------------------------------------------------

    def step(self) -> tuple[Reader, Got] | None:
        """Edit for the owner: a reader, and what it is to be given.

        That is the reader's until :meth:`taken` or, when it cannot be had, :meth:`passed_over`.
        """
        for reader in self.readers.values():
            seat = self.seats[reader.badge]
            if reader.mode & Mode.EVENTS and seat.news and seat.done is None:
                seat.done = Got(b"", seat.news.pop(0))
            if seat.done is not None and seat.done.end >= End.FOCUS_GAINED:
                return reader, seat.done
        owner = self.readers.get(self.focused) if self.focused is not None else None
        if owner is None:
            return None
        self._tell_lost()
        seat = self.seats[owner.badge]
        if owner.mode & Mode.RAW:
            self._raw(owner, seat)
        elif seat.done is None:
            self._edit(owner, seat)
        return None if seat.done is None else (owner, seat.done)

    def taken(self, badge: int, now: float) -> None:
        """The reader has received what it was given, for which it may have waited long."""
        del self.readers[badge]
        seat = self.seats[badge]
        seat.done, seat.read_at = None, now

    def passed_over(self, badge: int) -> None:
        """The reader is gone: what it was given is its client's, or the next one's."""
        reader, seat = self.readers.pop(badge), self.seats[badge]
        if seat.done is not None and seat.done.end >= End.FOCUS_GAINED:
            seat.news.insert(0, seat.done.end)
            seat.done = None
        elif seat.done is not None and reader.mode & Mode.RAW:
            seat.typed[:0] = seat.done.text
            seat.done = None

    def _raw(self, reader: Reader, seat: Seat) -> None:
        """As many bytes as there are, those of an unfinished line first."""
        _unedit(seat)
        if seat.typed:
            if self._served is not None:
                self._screen.abandon()
                self._served = None
            text = bytes(seat.typed[: reader.most])
            del seat.typed[: reader.most]
            seat.done = Got(text, End.DATA)

    def _edit(self, reader: Reader, seat: Seat) -> None:
        editor, echo = seat.editor, not reader.mode & Mode.SILENT
        if echo:
            self._forget_hidden(seat)
        seat.hidden = not echo
        if self._served != (reader.badge, reader.prompt):
            self._served = (reader.badge, reader.prompt)
            self._screen.turn(reader.badge, reader.prompt + editor.shown(echo))
        while seat.typed:
            edit = editor.feed(bytes(seat.typed), echo)
            del seat.typed[: edit.used]
            self._lose(edit.lost)
            if edit.ending is None:
                self._screen.echo(edit.echo, reader.prompt + editor.shown(echo))
                continue
            self._screen.echo(edit.echo, b"")
            self._screen.edited()
            if edit.ending is Ending.DISCARDED:
                self._screen.turn(reader.badge, reader.prompt)
                continue
            self._served = None
            ended = edit.ending is Ending.END_OF_FILE
            seat.done = Got(edit.line, End.END_OF_FILE if ended else End.DATA)
            return


def _unedit(seat: Seat) -> None:
    """Turn lines, the finished one and the one begun, into the keys they were made of."""
    seat.typed[:0] = seat.editor.take()
    if seat.done is not None:
        ended = {End.DATA: b"\r", End.END_OF_FILE: b"\x04"}
        seat.typed[:0] = seat.done.text + ended.get(seat.done.end, b"")
        seat.done = None


def _inherit(heir: Seat, former: Seat) -> None:
    """Give on what one client has left behind of its input."""
    if heir.done is None:
        heir.done, former.done = former.done, None
    else:
        _unedit(former)
    heir.editor.put_back(former.editor.take())
    heir.typed[:0] = former.typed
    former.typed.clear()
