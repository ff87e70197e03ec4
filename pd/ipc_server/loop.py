"""The loop of one TCB of a server: a message, what it asks for, the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.abi import WORK_BIT
from caplab.pd.errors import ServiceError
from caplab.pd.idl.errors import NotHere, body_of, label_of
from caplab.pd.idl.transfer import NOTHING, Caps
from caplab.pd.ipc import Message
from caplab.pd.ipc_server.adapt import Entry, Table
from caplab.pd.ipc_server.answer import CIRCUMSTANCES, Answer, told, unknown
from caplab.pd.ipc_server.objects import FIRST

if TYPE_CHECKING:
    from caplab.pd.ipc_server.later import Later
    from caplab.pd.ipc_server.server import IpcServer
    from caplab.pd.objects import Endpoint


class Loop:
    """What a TCB of the server is at: `entry` is the operation, `badge` who asks, `later` its
    answer if the operation has deferred that.
    """

    __slots__ = ("_endpoint", "_server", "_slot", "badge", "entry", "later")

    def __init__(self, server: IpcServer, endpoint: Endpoint) -> None:
        self._server = server
        self._endpoint = endpoint
        self._slot: int | None = None
        self.entry: Entry | None = None
        self.badge = 0
        self.later: Later | None = None

    def run(self) -> None:
        """Serve until a call raises. Messages without capabilities have a lane of their own."""
        endpoint, server = self._endpoint, self._server
        bound, exported = server.bound, server.objects.tables
        label, data = 0, None
        while True:
            if self._slot is None and server.takes:
                self._slot = server.env.slots.alloc()
            if data is None:
                message = endpoint.recv(receive=self._slot)
            else:
                message = endpoint.reply_recv(label, data, receive=self._slot)
            body, badge, word, caps, _, notification = message
            ops = (bound if badge < FIRST else exported.get(badge, {})).get(word)
            entry = None if ops is None else ops.get(body[:8])
            if entry is None or not entry.plain or caps or notification:
                label, data = self._other(message)
                continue
            self.entry, self.badge = entry, badge
            label, data = 0, None
            try:
                result = self._done(entry, body, NOTHING)
                if self.later is None:
                    data = entry.encode(result, NOTHING)
            except ServiceError as refusal:
                label, data = label_of(refusal), body_of(refusal)
            self.entry = None
            if self.later is not None:
                self._deferred(label, data)
                data = None

    def _done(self, entry: Entry, body: bytes, caps: Caps) -> object:
        """What the operation returns. Errors: what is wrong with the message, or refused"""
        arguments = entry.decode(body, caps)
        try:
            return entry.do(*arguments)
        except CIRCUMSTANCES as error:
            caps.taken = False
            raise told(self._server.env, entry, error) from None

    def _deferred(self, label: int, data: bytes | None) -> None:
        """The operation has deferred its answer; one that raised all the same refuses."""
        later, self.later = self.later, None
        if later is not None and data is not None:
            later.refuse(label, data)

    def _other(self, message: Message) -> tuple[int, bytes | None]:
        """Anything but a plain request; the answer, None for what is answered later or already."""
        server = self._server
        if message.notification:
            if message.badge & WORK_BIT:
                server.work()
            return 0, None
        answer, taken = self._answer(message)
        if taken:
            self._slot = None
        else:
            for slot in message.slots:
                server.env.cnode.delete_slot(slot)
        if answer is None or not answer.caps:
            return (0, None) if answer is None else (answer.label, answer.data)
        server.env.reply(answer.label, answer.data, caps=answer.caps)
        server.sent(answer.caps)
        return 0, None

    def _answer(self, message: Message) -> tuple[Answer | None, bool]:
        """The answer (None: it comes later), and whether the capability that came was kept."""
        server = self._server
        known: Table = server.bound
        if message.badge >= FIRST:
            there = server.objects.tables.get(message.badge)
            if there is None:
                return Answer.refusing(NotHere("the object is gone")), False
            known = there
        entry = known.get(message.label, {}).get(message.data[:8])
        if entry is None:
            return unknown(known, message), False
        caps = server.caps(message, self._slot)
        self.entry, self.badge = entry, message.badge
        try:
            result = self._done(entry, message.data, caps)
            answer = Answer()
            if self.later is None:
                answer = Answer(0, entry.encode(result, caps), caps.sent)
        except ServiceError as refusal:
            answer = Answer.refusing(refusal)
        self.entry = None
        if self.later is not None:
            self._deferred(answer.label, answer.data if answer.label else None)
            return None, caps.taken
        return answer, caps.taken

    def end(self) -> None:
        """Give back what the loop held."""
        slot, self._slot = self._slot, None
        if slot is not None:
            self._server.env.slots.free(slot)
