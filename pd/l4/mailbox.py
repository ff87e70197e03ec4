"""`Mailbox`: an endpoint as L4 threads receive on it, with what has come and nobody asked for yet.

A sender of any message waits in a Call until its message is accepted or returned. So a message
that a named receive does not want is set aside with its reply capability, and its sender goes on
waiting, as it would in Codezero's queue.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from caplab.kernel.abi import AnswerFlag, Status
from caplab.pd import stubs
from caplab.pd.errors import IllegalOperation, SlotsExhausted
from caplab.pd.l4 import wire
from caplab.pd.l4.numbers import ENOMEM, FIRST_MINTED, Kind, holder_of, thread_id
from caplab.pd.l4.wire import Head

if TYPE_CHECKING:
    from caplab.pd.env import Env
    from caplab.pd.objects import Endpoint

OWN_BADGE = 0
"""Of what the PD sends to itself."""
THREADS = 32
"""As many as a PD can have."""
HIDDEN = 0
"""Where a reply capability is that no slot holds: with the TCB that received last."""


@dataclass(slots=True)
class Incoming:
    """A message whose sender waits."""

    sender: int
    badge: int
    head: Head
    data: bytes
    caps: tuple[int, ...] = ()
    reply: int = HIDDEN
    """The slot of its reply capability."""


@dataclass(slots=True)
class Awaiting:
    """A sendrecv that was received and has not been returned to."""

    reply: int
    kind: Kind


class Mailbox:
    """What the threads that receive on one endpoint share.

    `aside` are messages in the order of their arrival, `partial` extended ones of which pieces are
    missing, `returns` extended returns whose callers have not fetched all of them, `gone` threads
    that can send here no more.
    """

    def __init__(self, env: Env, endpoint: Endpoint) -> None:
        self.env = env
        self.endpoint = endpoint
        self.senders: dict[int, int] = {}
        """Ids by badge, of those who have sent."""
        self.aside: deque[Incoming] = deque()
        self.partial: dict[int, bytearray] = {}
        self.returns: dict[int, bytes] = {}
        self.gone: set[int] = set()
        self.shared = False
        """Several threads receive here."""
        self._awaiting: dict[int, deque[Awaiting]] = {}
        self._lock = Lock()

    # -- who it is --------------------------------------------------------------------------------

    def identify(self, badge: int) -> int:
        """The id of who sends with a badge. The kernel stamps the badge, and knows whose it is.

        A badge that somebody minted by hand is an id as it is.
        """
        known = self.senders.get(badge)
        if known is None:
            known = self.senders[badge] = self._ask(badge)
            self.gone.discard(known)
        return known

    def _ask(self, badge: int) -> int:
        if badge >= FIRST_MINTED:
            return holder_of(badge)
        who = self.env.pd.client(self.endpoint, badge)
        return badge if who is None else thread_id(who.number, who.which)

    def lives(self, tid: int) -> bool:
        """Whether a thread has sent here, and still could."""
        badge = next((badge for badge, known in self.senders.items() if known == tid), None)
        if badge is None or badge == tid:
            return badge is not None
        return self.env.pd.client(self.endpoint, badge) is not None

    def forget(self, badge: int, pd: int) -> int:
        """The last capability with a badge is gone: its messages are as good as dead. Its id."""
        tid = self.senders.pop(badge, None)
        if tid is None:
            tid = holder_of(badge) if badge >= FIRST_MINTED else thread_id(pd) if pd else badge
        if tid in self.senders.values():
            return tid  # by another capability
        with self._lock:
            self.gone.add(tid)
            dead = [message for message in self.aside if message.sender == tid]
            for message in dead:
                self.aside.remove(message)
            slots = [message.reply for message in dead]
            slots += [one.reply for one in self._awaiting.pop(tid, ())]
            self.partial.pop(tid, None)
            self.returns.pop(tid, None)
            slots += [slot for message in dead for slot in message.caps]
        for slot in slots:
            self._empty(slot)
        return tid

    # -- messages that wait -----------------------------------------------------------------------

    def take_aside(self, sender: int | None) -> Incoming | None:
        """The first message that was set aside, from one thread or (None) from any."""
        with self._lock:
            for message in self.aside:
                if sender is None or message.sender == sender:
                    self.aside.remove(message)
                    return message
        return None

    def set_aside(self, message: Incoming) -> None:
        """Keep a message whose reply capability is with the running TCB."""
        if self._save(message):
            with self._lock:
                self.aside.append(message)
            self.nudge(THREADS)

    def nudge(self, hops: int) -> None:
        """Where several threads receive, one of them may be waiting for what was set aside: wake
        one, which wakes another if it is not the one, at most so many.
        """
        if self.shared and self.aside and hops > 0:
            self.endpoint.nb_send(wire.label(wire.NUDGE, hops))

    def put_away(self, message: Incoming) -> None:
        """Keep the reply capability of a sendrecv, to be returned to later."""
        if message.reply == HIDDEN and not self._save(message):
            return
        kept = Awaiting(message.reply, message.head.kind)
        with self._lock:
            self._awaiting.setdefault(message.sender, deque()).append(kept)

    def awaiting(self, sender: int) -> Awaiting | None:
        """Take the sendrecv of a thread that has waited longest for its return."""
        with self._lock:
            kept = self._awaiting.get(sender)
            if not kept:
                return None
            first = kept.popleft()
            if not kept:
                del self._awaiting[sender]
            return first

    def dismiss(self, unheard: int, unreturned: int) -> None:
        """Nobody receives here any more: what to tell whoever was set aside, and whoever waits for
        a return; 0 for nothing.
        """
        with self._lock:
            unreturned_to = [one for kept in self._awaiting.values() for one in kept]
            pairs: list[tuple[Incoming | Awaiting, int]] = [(one, unheard) for one in self.aside]
            pairs += [(one, unreturned) for one in unreturned_to if unreturned]
            dead = list(self.aside)
            self.aside.clear()
            self._awaiting.clear()
        for one, code in pairs:
            self.answer(one, wire.label(wire.ERROR, code))
        for message in dead:
            self.drop(message)

    def drop(self, message: Incoming) -> None:
        """Nobody will have the capabilities that came with a message."""
        for slot in message.caps:
            self._empty(slot)
        message.caps = ()

    def _empty(self, slot: int) -> None:
        self.env.cnode.delete_slot(slot)
        self.env.slots.free(slot)

    def _save(self, message: Incoming) -> bool:
        """SaveCaller; false when nobody waits any more, or there is no slot for it."""
        try:
            message.reply = self.env.slots.place(self.env.cnode.save_caller)
        except IllegalOperation:
            return False
        except SlotsExhausted:
            self.answer(message, wire.label(wire.ERROR, ENOMEM))
            return False
        return True

    def answer(self, message: Incoming | Awaiting, label: int, data: bytes = b"") -> bool:
        """Answer the sender of a message; false when it waits no more."""
        transport = self.env.utcb().transport
        if message.reply == HIDDEN:
            answer = stubs.reply(transport, label, data)
        else:
            answer = stubs.send(transport, message.reply, label, data)
            if answer.status:
                self.env.cnode.delete_slot(message.reply)
            self.env.slots.free(message.reply)
        return answer.status == Status.OK and not answer.flags & AnswerFlag.NOTHING
