"""The serial server: many clients, one UART.

One thread in one loop: it receives a request or the news that something was typed or a client is
gone, handles it to its end, and answers. That alone serialises access to the device; there is no
lock. Source: seed 002, libsel4serialserver.

Differs: every request is answered; there, an unknown function, an unknown badge and a request
    without a connection are not, and their callers hang. Killing it needs a connection and a
    capability that may, and gives the endpoint up, so that later callers are told. A client
    whose last capability is gone is dropped. Reading a line is new
"""

from __future__ import annotations

from collections.abc import Callable

from caplab.kernel.abi import INTERRUPT_BIT, WORK_BIT
from caplab.pd.env import Env
from caplab.pd.errors import IpcTimeout
from caplab.pd.ipc import Message
from caplab.pd.objects import Endpoint, Tcb
from caplab.servers.serial import badges, protocol
from caplab.servers.serial.admission import Admission
from caplab.servers.serial.colours import dressed
from caplab.servers.serial.connections import Connection, Connections
from caplab.servers.serial.device import Uart, bind
from caplab.servers.serial.errors import (
    BindFailed,
    LineDown,
    MayNotKill,
    NoSuchClient,
    NotConnected,
    RangeError,
    SerialError,
    UnknownFunction,
)
from caplab.servers.serial.protocol import Function as Ask
from caplab.servers.serial.protocol import Words
from caplab.servers.serial.reading import Reading

Answer = tuple[int, bytes]
"""Label and data of a reply."""
Function = Callable[[int, Message, Words], tuple[int, ...] | None]
"""What answers one function of the protocol: badge, message and its words in, words out; None
when the answer comes later."""


def main(env: Env, colour: bool = True, device: str = "", parent: bool = False) -> None:
    """Serve `device` (the PD's only one, if not named) until somebody kills the server; suspend.

    With `colour` each client prints in its own. With `parent` the device is bound when the Parent
    asks for it (SPAWN_SYNC) and the Parent hears what became of it; else at once, and a failure
    ends the PD with BindFailed.
    """
    server = SerialServer(env, env.endpoint("server"), device, colour=colour)
    server.tcb = env.tcb
    if not parent:
        server.bind()
    server.run()
    env.tcb.suspend()


class SerialServer:
    """The server, as a thread of whatever PD it runs in.

    `allocated` says which badges belong to clients; a Parent in the same PD passes its own
    allocator's knowledge, else every badge a Parent can have minted will do.
    """

    def __init__(
        self,
        env: Env,
        endpoint: Endpoint,
        device: str,
        *,
        colour: bool = True,
        allocated: Callable[[int], bool] = badges.well_formed,
    ) -> None:
        self.env = env
        self.endpoint = endpoint
        self.tcb: Tcb | None = None
        """The thread that serves; a Parent sets it before it asks for SPAWN_SYNC."""
        self._device = device
        self._colour = colour
        self._allocated = allocated
        self._connections = Connections()
        self._reading = Reading(env, self._put)
        self._admission = Admission(env)
        self._uart: Uart | None = None
        self._line_up = True
        self._ended = False
        self._functions: dict[int, Function] = {
            Ask.CONNECT: self._connect,
            Ask.SPAWN_SYNC: self._spawn_sync,
            Ask.WRITE: self._write,
            Ask.DISCONNECT: self._disconnect,
            Ask.KILL: self._kill,
            Ask.READ: self._read,
        }

    @property
    def bound(self) -> bool:
        """Whether it got its device."""
        return self._uart is not None

    def bind(self) -> None:
        """Claim the device for the thread that serves. Raises BindFailed."""
        assert self.tcb is not None, "the Parent names the thread before it asks for SPAWN_SYNC"
        self._uart = bind(self.env, self._device, self.tcb)

    def run(self) -> None:
        """Serve until killed, or until binding fails; then let go of everything."""
        answer: Answer | None = None
        while not self._ended:
            message = self._next(answer)
            answer = None
            if message is None:
                self._reading.expire()
            elif message.notification:
                self._notified(message.badge)
            else:
                answer = self._handle(message)
            self._reading.pump()
        if answer is not None:
            self.env.reply(*answer)
        self._close()

    # The loop.

    def _next(self, answer: Answer | None) -> Message | None:
        """Answer, then wait for what comes next; None when a reader's time limit comes first."""
        timeout = self._reading.next_timeout()
        slot = self._admission.slot
        try:
            if answer is None:
                return self.endpoint.recv(receive=slot, timeout=timeout)
            return self.endpoint.reply_recv(*answer, receive=slot, timeout=timeout)
        except IpcTimeout:
            return None

    def _handle(self, message: Message) -> Answer | None:
        """Do what a client asks; None when the answer comes later. Nothing is ever unanswered."""
        words = protocol.decode(message.data)
        number = words.function if words is not None else 0
        try:
            if words is None or number not in self._functions:
                raise UnknownFunction
            if self._uart is None and number != Ask.SPAWN_SYNC:
                raise BindFailed
            done = self._functions[number](message.badge, message, words)
        except SerialError as refused:
            return refused.answer(number)
        finally:
            self._admission.clear(message)
        return None if done is None else (0, protocol.encode(protocol.answer_to(number), *done))

    # What clients ask for. Each gives the words of its answer.

    def _connect(self, badge: int, message: Message, words: Words) -> tuple[int, ...]:
        size = words.arg(0)
        window, slot = self._admission.admit(message, size, lambda: self._known(badge))
        earlier = self._connections.add(Connection(badge, window, size, slot))
        if earlier is not None:
            self._let_go(earlier)
        return (protocol.WINDOW_MAX,)

    def _spawn_sync(self, badge: int, message: Message, words: Words) -> tuple[int, ...]:
        if badge != badges.PARENT_BADGE:
            raise UnknownFunction
        if self._uart is None:
            try:
                self.bind()
            except BindFailed:
                self._ended = True
                raise
        return ()

    def _write(self, badge: int, message: Message, words: Words) -> tuple[int, ...]:
        connection = self._connection(badge)
        length = words.arg(0)
        if length > connection.size:
            raise RangeError
        text = connection.window.read(0, length)
        if len(text) < length:
            raise RangeError  # the client has let go of the page meanwhile
        if text:
            self._put(dressed(text, badge, self._colour))
        if not self._line_up:
            raise LineDown
        return (length,)

    def _disconnect(self, badge: int, message: Message, words: Words) -> tuple[int, ...]:
        self._connection(badge)
        self._drop(badge)
        return ()

    def _kill(self, badge: int, message: Message, words: Words) -> tuple[int, ...]:
        self._connection(badge)
        if not badges.may_kill(badge):
            raise MayNotKill
        self._ended = True
        return ()

    def _read(self, badge: int, message: Message, words: Words) -> None:
        self._connection(badge)
        if not self._line_up:
            raise LineDown
        prompt = protocol.text_behind(message.data, 3)[: words.arg(0)]
        self._reading.begin(badge, prompt, words.arg(1))

    def _known(self, badge: int) -> None:
        if not self._allocated(badge):
            raise NoSuchClient

    def _connection(self, badge: int) -> Connection:
        self._known(badge)
        connection = self._connections.get(badge)
        if connection is None:
            raise NotConnected
        return connection

    # What the kernel tells.

    def _notified(self, word: int) -> None:
        if word & INTERRUPT_BIT:
            self._typed()
        if word & WORK_BIT:
            # Asking again, until there is none, also says that what was fetched is done.
            while work := self.env.pd.get_work():
                for item in work:
                    if item.kind == "client-gone" and item.endpoint in (0, self.endpoint.slot):
                        self._drop(item.badge)

    def _typed(self) -> None:
        assert self._uart is not None
        try:
            data = self._uart.device.read()
        except (EOFError, OSError):
            self._hang_up()
            return
        self._reading.typed(data)
        self._uart.irq.ack()

    def _hang_up(self) -> None:
        """The line's end is closed: no interrupt is acknowledged any more, no reader waits."""
        self._line_up = False
        self._reading.leave_all(LineDown())

    # The console.

    def _put(self, data: bytes) -> None:
        if not data or not self._line_up or self._uart is None:
            return
        try:
            self._uart.device.write(data)
        except OSError:
            self._hang_up()

    # Parting.

    def _drop(self, badge: int) -> None:
        self._reading.leave(badge, NotConnected())
        connection = self._connections.drop(badge)
        if connection is not None:
            self._let_go(connection)

    def _let_go(self, connection: Connection) -> None:
        connection.window.close()
        self._admission.give_back(connection.slot)

    def _close(self) -> None:
        """Drop every connection, release the device, stop listening.

        With Read gone, whoever calls from now on is told who took it away.
        """
        self._reading.leave_all(NotConnected())
        for connection in self._connections.drop_all():
            self._let_go(connection)
        if self._uart is not None:
            self._uart.release()
        self._admission.close()
        self.env.cnode.delete_slot(self.endpoint.slot)
