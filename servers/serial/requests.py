"""What clients ask for: each function of the protocol, and what it changes.

Nothing is ever unanswered: what cannot be done is refused with its number and a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from caplab.kernel.abi import Rights, notification_badge
from caplab.pd.env import Env
from caplab.pd.ipc import Message
from caplab.pd.objects import ClientRow, Endpoint, Notification
from caplab.pd.ring import RingBroken, RingReader
from caplab.servers.serial import badges, protocol
from caplab.servers.serial.admission import Admission
from caplab.servers.serial.colours import cooked
from caplab.servers.serial.connections import Connection, Connections
from caplab.servers.serial.console import Console
from caplab.servers.serial.errors import (
    BindFailed,
    BrokenRing,
    InvalidArgument,
    LineDown,
    MayNotFocus,
    MayNotKill,
    NoSuchClient,
    NoSuchUart,
    NotAClient,
    NotConnected,
    RangeError,
    SerialError,
    UnknownFunction,
)
from caplab.servers.serial.escapes import EscapeFilter
from caplab.servers.serial.profile import profile
from caplab.servers.serial.protocol import Function as Ask
from caplab.servers.serial.protocol import Mode, Option, Owns, Words
from caplab.servers.serial.rings import Rings, bell_of


class Answer(NamedTuple):
    """A reply."""

    label: int
    data: bytes
    caps: tuple[Notification, ...] = ()


class Done(NamedTuple):
    """What a function comes to: the words of its answer, and what stands behind them."""

    words: tuple[int, ...] = ()
    text: bytes = b""
    caps: tuple[Notification, ...] = ()


Function = Callable[[int, Message, Words], Done | None]
"""What answers one function of the protocol: badge, message and its words in; None when the answer
comes later."""


class Requests:
    """The server's state, as its clients can change it.

    `spawn_sync` is what a Parent's SPAWN_SYNC does, with the badge of who asked.
    """

    def __init__(
        self,
        env: Env,
        endpoint: Endpoint,
        allocated: Callable[[int], bool],
        spawn_sync: Callable[[int], None],
    ) -> None:
        self.consoles: list[Console] = []
        """The UARTs the server drives; none until they are bound."""
        self.killed = False
        self.admission = Admission(env)
        self.rings = Rings(self._print, self._break)
        self._env = env
        self._endpoint = endpoint
        self._allocated = allocated
        self._sync_parent = spawn_sync
        self._connections = Connections()
        self._bells: dict[int, Notification] = {}
        self._functions: dict[int, Function] = {
            Ask.CONNECT: self._connect,
            Ask.SPAWN_SYNC: self._spawn_sync,
            Ask.WRITE: self._write,
            Ask.DISCONNECT: self._disconnect,
            Ask.KILL: self._kill,
            Ask.READ: self._read,
            Ask.STATUS: self._status,
            Ask.FOCUS: self._focus,
            Ask.SYNC: self._sync,
        }

    def handle(self, message: Message) -> Answer | None:
        """Do what a client asks; None when the answer comes later. Nothing is ever unanswered."""
        words = protocol.decode(message.data)
        number = words.function if words is not None else 0
        try:
            if words is None or number not in self._functions:
                raise UnknownFunction
            if not self.consoles and number != Ask.SPAWN_SYNC:
                raise BindFailed
            done = self._functions[number](message.badge, message, words)
        except SerialError as refused:
            return Answer(*refused.answer(number))
        finally:
            self.admission.clear(message)
        if done is None:
            return None
        head = protocol.encode(protocol.answer_to(number), *done.words)
        return Answer(0, protocol.with_text(head, done.text), done.caps)

    # -- connecting and parting ------------------------------------------------------------------

    def _connect(self, badge: int, message: Message, words: Words) -> Done:
        size, options = words.arg(0), Option(words.arg(1) & (Option.RING | Option.UART))
        uart = protocol.text_behind(message.data, 3).decode("utf-8", "replace")
        is_ring = Option.RING in options
        window, slot = self.admission.admit(message, size, lambda: self._known(badge), is_ring)
        try:
            console = self._console(uart, bool(options & Option.UART))
            ring = RingReader(window, size) if is_ring else None
        except (RingBroken, SerialError) as refused:
            window.close()
            self.admission.give_back(slot)
            raise refused if isinstance(refused, SerialError) else BrokenRing from None
        earlier = self._connections.get(badge)
        if earlier is not None and earlier.console is not console:
            self.drop(badge)
        self._drop_connection(badge)
        told = self._env.pd.client(self._endpoint, badge)
        name, keys = (told.pd, told.console) if told is not None else ("", {})
        bell = bell_of(badges.number_of(badge))
        who = profile(badge, name, keys)
        made = Connection(badge, window, size, slot, who, console, EscapeFilter(), ring, bell)
        self._connections.add(made)
        console.reading.input.join(badge, who.name)
        if ring is None:
            return Done((protocol.WINDOW_MAX,))
        self.rings.add(made)
        return Done((protocol.RING_MAX,), caps=(self._bell(bell),))

    def _console(self, name: str, explicit: bool) -> Console:
        """The UART that a client means; one that only hints gets another if there is none such."""
        for console in self.consoles:
            if console.name == name:
                return console
        if explicit:
            there = ", ".join(console.name for console in self.consoles)
            raise NoSuchUart(f"The server drives no UART {name!r}; it drives {there}.")
        return self.consoles[0]

    def _bell(self, bit: int) -> Notification:
        """What a client signals; it can do nothing else with it."""
        if bit not in self._bells:
            badge = notification_badge(bit)
            self._bells[bit] = self._env.work.mint(badge, Rights.WRITE)
        return self._bells[bit]

    def _spawn_sync(self, badge: int, message: Message, words: Words) -> Done:
        self._sync_parent(badge)
        return Done()

    def _disconnect(self, badge: int, message: Message, words: Words) -> Done:
        self._connection(badge)
        self.drop(badge)
        return Done()

    def _kill(self, badge: int, message: Message, words: Words) -> Done:
        self._connection(badge)
        if not badges.may_kill(badge):
            raise MayNotKill
        self.killed = True
        return Done()

    def drop(self, badge: int) -> None:
        """A client is gone; what it had published is printed."""
        connection = self._connections.get(badge)
        if connection is not None:
            self._drop_connection(badge)
            connection.console.reading.leave(badge, NotConnected())

    def _drop_connection(self, badge: int) -> None:
        connection = self._connections.drop(badge)
        if connection is not None:
            self.rings.drop(connection)
            connection.window.close()
            self.admission.give_back(connection.slot)

    def _break(self, connection: Connection) -> None:
        """A client's ring cannot be believed: it is as if it had disconnected."""
        connection.console.screen.note(f"the ring of {connection.profile.name} is broken")
        self.drop(connection.badge)

    def print_the_rest(self) -> None:
        """The server ends: what clients have published is printed."""
        self.rings.drain()
        for console in self.consoles:
            console.send()

    def close(self) -> None:
        """Drop every connection."""
        self.print_the_rest()
        for console in self.consoles:
            console.reading.leave_all(NotConnected())
        for connection in self._connections.drop_all():
            connection.window.close()
            self.admission.give_back(connection.slot)
        for bell in self._bells.values():
            bell.delete()
        self.admission.close()

    # -- printing ------------------------------------------------------------------------------

    def _write(self, badge: int, message: Message, words: Words) -> Done:
        connection = self._connection(badge)
        length = words.arg(0)
        if connection.ring is not None:
            raise InvalidArgument("The window is a ring: write into it, and ask for SYNC.")
        if length > connection.size:
            raise RangeError
        try:
            text = connection.window.read(0, length)
        except OSError:  # the kernel has taken the page from this PD
            text = b""
        if len(text) < length:
            raise RangeError  # the client has let go of the page meanwhile
        self._print(connection, text)
        self._check_line(connection)
        return Done((length,))

    def _sync(self, badge: int, message: Message, words: Words) -> Done:
        connection = self._connection(badge)
        if connection.ring is None:
            raise InvalidArgument("There is no ring: the client has connected with a window.")
        try:
            left = self.rings.sync(connection, bool(words.arg(0)))
        except RingBroken:
            self._break(connection)
            raise BrokenRing from None
        self._check_line(connection)
        return Done((left,))

    def _print(self, connection: Connection, text: bytes) -> None:
        """Raises LineDown: it is not printed."""
        self._check_line(connection)
        who, console = connection.profile, connection.console
        if not who.escapes:
            text = connection.filter.feed(text)
        console.screen.print(connection.badge, who, text, self._env.now())
        console.send()

    @staticmethod
    def _check_line(connection: Connection) -> None:
        if not connection.console.up:
            raise LineDown

    # -- input ---------------------------------------------------------------------------------

    def _read(self, badge: int, message: Message, words: Words) -> None:
        connection = self._connection(badge)
        self._check_line(connection)
        mode, most = Mode(words.arg(2) & 7), words.arg(2) >> 8
        prompt = protocol.text_behind(message.data, 4)[: words.arg(0)]
        if not connection.profile.escapes:
            prompt = EscapeFilter().feed(prompt)  # of its own: it is no part of what is printed
        prompt = cooked(prompt)
        most = min(max(most, 1), protocol.TEXT_MAX)
        connection.console.reading.begin(badge, prompt, words.arg(1), mode, most)

    def _status(self, badge: int, message: Message, words: Words) -> Done:
        connection = self._connection(badge)
        console = connection.console
        found = console.reading.input
        owner = found.seats[found.focused].name if found.focused is not None else ""
        flags = Owns.FOCUS if found.focused == badge else Owns(0)
        flags |= Owns.MAY_FOCUS if connection.profile.focus else Owns(0)
        kept = len(found.seats[badge].typed)
        size = console.uart.device.size
        rows, columns = (size.rows, size.columns) if size is not None else (0, 0)
        words_out = (flags, kept, found.dropped, rows, columns)
        return Done(words_out, f"{console.name}\0{owner}".encode())

    def _focus(self, badge: int, message: Message, words: Words) -> Done:
        connection = self._connection(badge)
        if not connection.profile.focus:
            raise MayNotFocus
        name = protocol.text_behind(message.data, 2).decode("utf-8", "replace")
        there = self._connections.of(connection.console)
        to = next((one for one in there if one.profile.name == name), None)
        if name and to is None:
            names = ", ".join(one.profile.name for one in there)
            raise NotAClient(f"There is no client {name!r} here; there are {names}.")
        connection.console.focus(to.badge if to is not None else badge)
        return Done()

    def focus(self, uart: str, numbers: Sequence[int]) -> list[ClientRow]:
        """The operator gives the input to the first of these clients; who there are."""
        rows: list[ClientRow] = []
        for console in self.consoles:
            if console.name == uart:
                there = self._connections.of(console)
                found = console.reading.input
                meant = [one for one in there if badges.number_of(one.badge) in numbers]
                if meant:
                    reading = [one for one in meant if one.badge in found.readers]
                    console.focus((reading or meant)[0].badge)
                slot = self._endpoint.slot
                for one in there:
                    states = (int(one.badge in found.readers), int(one.badge == found.focused))
                    rows.append((slot, one.badge, *states))
        return rows

    # -- who asks ------------------------------------------------------------------------------

    def _known(self, badge: int) -> None:
        if not self._allocated(badge):
            raise NoSuchClient

    def _connection(self, badge: int) -> Connection:
        self._known(badge)
        connection = self._connections.get(badge)
        if connection is None:
            raise NotConnected
        return connection
