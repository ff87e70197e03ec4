"""The receiving half of an L4 thread: whose message is taken, and how its sender is answered."""

from __future__ import annotations

from collections.abc import Callable

from caplab.kernel.abi import WORK_BIT, Status
from caplab.pd import stubs
from caplab.pd.errors import MissingCap, refusal
from caplab.pd.l4 import wire
from caplab.pd.l4.mailbox import HIDDEN, OWN_BADGE, Incoming, Mailbox
from caplab.pd.l4.numbers import (
    EINTR,
    EINVAL,
    ENOCAP,
    ENOIPC,
    ENOSYS,
    ESRCH,
    ETIMEDOUT,
    L4_ANYTHREAD,
    L4_IPC_EXTENDED_MAX,
    L4_NILTHREAD,
    MR_SENDER,
    MR_TAG,
    Kind,
    allowed_by,
)
from caplab.pd.l4.registers import WORD_MASK
from caplab.pd.l4.sending import Buffer, Sender
from caplab.pd.l4.wire import Head
from caplab.pd.stubs import Answer, slot_path

_NOBODY = -1


class Receiver(Sender):
    """What an L4 thread needs to receive and to return, and the verbs for it."""

    box: Mailbox | None
    """The endpoint it receives on; a thread without one can only send."""
    notified = 0
    """Bits of a notification of the program's own that ended a receive with -EINTR."""
    takes_caps = False
    """Whether capabilities that are sent along are wanted; then each lies in a slot of its own."""
    slots: tuple[int, ...] = ()
    """Where the capabilities of the last message are."""
    _caller = _NOBODY
    """Who waits for the return, with its reply capability still where the kernel put it."""
    _asked = Kind.SHORT
    """The kind of IPC that the caller does."""
    _stale = b""
    """What the kernel's copy of an extended buffer holds from before (`strict`)."""

    def receive(self, from_: int = L4_ANYTHREAD, *, timeout: float | None = None) -> int:
        """Receive 6 registers from a thread or from any. l4_receive.

        A full sender makes it a full one. What other threads send meanwhile waits. 0, or -ESRCH
        (the thread is dead), -ENOIPC (the sender does extended IPC), -EINVAL (from itself),
        -EINTR (`notified`), -ETIMEDOUT. Raises MissingCap: nothing leads to this thread.
        """
        return self._receive(from_, Kind.SHORT, bytearray(), timeout)

    def receive_full(self, from_: int = L4_ANYTHREAD, *, timeout: float | None = None) -> int:
        """The same with 60 registers; those a short sender did not send are zero.
        l4_receive_full.
        """
        return self._receive(from_, Kind.FULL, bytearray(), timeout)

    def receive_extended(
        self, from_: int, buffer: bytearray | memoryview, *, timeout: float | None = None
    ) -> int:
        """The same with 6 registers and as many bytes as the smaller of the two buffers has;
        `received` says how many. l4_receive_extended. -EINVAL for a buffer of more than 2048.
        """
        return self._receive(from_, Kind.EXTENDED, buffer, timeout)

    def ipc_return(self, result: int = 0, *, timeout: float | None = None) -> int:
        """Return to the sender (`get_sender`, or whom `set_sender` chose) with a result in MR0 and
        the other registers as they are. l4_ipc_return.

        0, or why it did not arrive: -ESRCH when the thread is dead or waits no more, -ENOCAP when
        it sent without waiting for a return and this PD cannot send to it. To such a sender that
        it can send to, it waits until that receives: for ever, or for `timeout`.
        """
        return self._return(result, Kind.SHORT, b"", timeout)

    def ipc_return_full(self, result: int = 0, *, timeout: float | None = None) -> int:
        """The same with 60 registers. l4_ipc_return_full."""
        return self._return(result, Kind.FULL, b"", timeout)

    def ipc_return_extended(
        self, result: int, buffer: Buffer, *, timeout: float | None = None
    ) -> int:
        """The same with 6 registers and up to 2048 bytes, to a sender that does extended IPC.
        l4_return_extended. What does not fit a message is fetched while this thread receives.
        """
        return self._return(result, Kind.EXTENDED, buffer, timeout)

    # -- receiving --------------------------------------------------------------------------------

    def _receive(
        self,
        from_: int,
        kind: Kind,
        buffer: bytearray | memoryview,
        timeout: float | None,
        came: Answer | None = None,
    ) -> int:
        """Receive; `came` is what the kernel has brought already."""
        deadline = self._deadline(timeout)
        if len(buffer) > L4_IPC_EXTENDED_MAX or from_ in (self.tid, L4_NILTHREAD):
            return -EINVAL
        box = self._mailbox()
        if came is None:
            self._put_away(box)
        sender = None if from_ == L4_ANYTHREAD else from_
        take = self._taker(box, sender, kind, buffer)
        while True:
            message = box.take_aside(sender) if came is None else None
            if message is None:
                if sender in box.gone and not self.strict:
                    return -ESRCH
                answer, came = came or self._recv(box, deadline), None
                if answer.status:
                    return self._not_received(answer, box)
                if answer.flags & stubs.NOTIFICATION:
                    if self._notify(answer.badge):
                        return -EINTR
                    continue
                message = self._wanted(box, answer, sender)
            done = take(message) if message is not None else None
            if done is not None:
                return done

    def _wanted(self, box: Mailbox, answer: Answer, sender: int | None) -> Incoming | None:
        """A message that has come, if it is from whom is wanted; others' are set aside."""
        if answer.badge == OWN_BADGE and (hops := wire.nudged(answer.label)) is not None:
            found = box.take_aside(sender)
            if found is None:
                box.nudge(hops - 1)
            return found
        message = self._incoming(box, answer)
        if message is None or sender in (None, message.sender):
            return message
        box.set_aside(message)
        return None

    def _taker(
        self, box: Mailbox, sender: int | None, kind: Kind, buffer: bytearray | memoryview
    ) -> Callable[[Incoming], int | None]:
        """What to do with a message that is wanted: the code to return, or None to go on."""

        def take(message: Incoming) -> int | None:
            extended = message.head.kind is Kind.EXTENDED
            if extended != (kind is Kind.EXTENDED):
                box.partial.pop(message.sender, None)
                waits = self._refuse(box, message, ENOIPC)
                return -ENOIPC if waits else None
            if extended and not self._gather(box, message, len(buffer)):
                return None
            if not self._accepted(box, message):
                box.drop(message)
                return None
            stamped = None if self.strict and sender is not None else message.sender
            self._load(message.data, Kind.FULL in (kind, message.head.kind), stamped)
            self._tag = self.mr[MR_TAG]
            self.slots = message.caps
            if extended:
                self._fill(buffer, message.data[wire.SHORT.size :], message.head.size)
            return 0

        return take

    def _recv(self, box: Mailbox, deadline: float | None) -> Answer:
        path = None
        if self.takes_caps:
            if not self._spare:
                self._spare = self.env.slots.alloc()
            path = slot_path(self._spare)
        return stubs.recv(self._transport(), box.endpoint.slot, path, self._left(deadline))

    _spare = 0
    """An empty slot for the next capability that comes."""

    def _not_received(self, answer: Answer, box: Mailbox) -> int:
        if answer.status == Status.TIMED_OUT:
            return -ETIMEDOUT
        if answer.status == Status.CANCELLED:
            return -EINTR
        raise refusal(answer.status, "Recv", box.endpoint.slot, answer.data, box.endpoint.name)

    def _notify(self, word: int) -> int:
        """The bound notification: work says who is gone, other bits are the program's."""
        if word & WORK_BIT:
            self.task.fetch_work()
        self.notified |= word & ~WORK_BIT
        return word & ~WORK_BIT & (1 << 56) - 1

    def _incoming(self, box: Mailbox, answer: Answer) -> Incoming | None:
        """A message that may be taken; what may not be is refused, and pieces are answered."""
        head = wire.head(answer.label)
        sender = box.identify(answer.badge)
        caps = tuple(at for i, at in enumerate(answer.caps) if not answer.unwrapped >> i & 1)
        if self._spare in caps:
            self._spare = 0
        message = Incoming(sender, answer.badge, head or _FOREIGN, answer.data, caps)
        if head is None or head.op not in _ASKING or not wire.well_formed(head, len(answer.data)):
            self._refuse(box, message, ENOSYS)
        elif head.op == wire.FETCH:
            box.drop(message)
            self._hand_on(box, message)
        elif not head.kind & allowed_by(answer.badge):
            self._refuse(box, message, ENOCAP)
        else:
            return message
        return None

    def _refuse(self, box: Mailbox, message: Incoming, code: int) -> bool:
        """Tell a sender why its message is not received; false when it has given up meanwhile."""
        box.drop(message)
        return box.answer(message, wire.label(wire.ERROR, code))

    def _accepted(self, box: Mailbox, message: Incoming) -> bool:
        """Tell a sender that its message was received; false when it has given up meanwhile.

        Who waits for a return is told nothing now.
        """
        if message.head.op == wire.SEND:
            return box.answer(message, wire.label(wire.ACCEPTED))
        if message.reply == HIDDEN:
            self._caller, self._asked = message.sender, message.head.kind
            return True
        if not self.env.cnode.is_full(message.reply):
            self.env.slots.free(message.reply)
            return False
        box.put_away(message)
        return True

    def _put_away(self, box: Mailbox) -> None:
        """Whoever was received from and not returned to can be returned to later."""
        if self._caller != _NOBODY:
            head = Head(wire.SENDRECV, self._asked, 0, 0)
            caller, self._caller = self._caller, _NOBODY
            box.put_away(Incoming(caller, 0, head, b""))

    # -- extended ---------------------------------------------------------------------------------

    def _gather(self, box: Mailbox, message: Incoming, room: int) -> bool:
        """Put the pieces of an extended message together; false until there is enough of it."""
        head, sender = message.head, message.sender
        got = box.partial.pop(sender, None)
        if head.offset == 0:
            got = bytearray(message.data)
        elif got is None or len(got) != wire.SHORT.size + head.offset:
            self._refuse(box, message, EINTR)
            return False
        else:
            got += message.data
        have = len(got) - wire.SHORT.size
        if have < min(head.size, room):
            box.partial[sender] = got
            box.drop(message)
            box.answer(message, wire.label(wire.CONTINUE, 0, have))
            return False
        message.data = bytes(got)
        return True

    def _fill(self, buffer: bytearray | memoryview, data: bytes, size: int) -> None:
        """Put what was received into the buffer. With `strict` all of the buffer is written, the
        rest of it with what an earlier IPC left, and nobody is told how much was received.
        """
        view = memoryview(buffer)
        count = min(size, len(data), len(view))
        if self.strict:
            self._stale = data[:count] + self._stale[count:].ljust(len(view) - count, b"\0")
            view[:] = self._stale[: len(view)]
            return
        view[:count] = data[:count]
        self.received = count

    def _hand_on(self, box: Mailbox, message: Incoming) -> None:
        """The next piece of an extended return, to the caller that asks for it."""
        whole = box.returns.get(message.sender, b"")
        part = whole[message.head.offset :][: wire.NEXT_PIECE]
        if not part:
            self._refuse(box, message, EINVAL)
            return
        if message.head.offset + len(part) == len(whole):
            del box.returns[message.sender]
        label = wire.label(wire.RETURN | Kind.EXTENDED, len(whole), message.head.offset)
        box.answer(message, label, part)

    # -- returning --------------------------------------------------------------------------------

    def _return(self, result: int, kind: Kind, buffer: Buffer, timeout: float | None) -> int:
        if len(buffer) > L4_IPC_EXTENDED_MAX:
            return -EINVAL
        self.mr[MR_TAG] = result & WORD_MASK
        to = self.mr[MR_SENDER]
        box = self._mailbox()
        awaiting: Incoming | None = None
        if to == self._caller:
            head = Head(wire.SENDRECV, self._asked, 0, 0)
            awaiting, self._caller = Incoming(to, 0, head, b""), _NOBODY
        else:
            kept = box.awaiting(to)
            if kept is not None:
                head = Head(wire.SENDRECV, kept.kind, 0, 0)
                awaiting = Incoming(to, 0, head, b"", reply=kept.reply)
        if awaiting is None:
            return self._transmit(to, kind, None, False, buffer, timeout=timeout)
        if (kind is Kind.EXTENDED) != (awaiting.head.kind is Kind.EXTENDED):
            box.answer(awaiting, wire.label(wire.ERROR, ENOIPC))
            return -ENOIPC
        data = self._body(kind)
        if kind is Kind.EXTENDED:
            whole = bytes(buffer)
            if len(whole) > wire.FIRST_PIECE:
                box.returns[to] = whole
            data += whole[: wire.FIRST_PIECE]
        reached = box.answer(awaiting, wire.label(wire.RETURN | kind, len(buffer)), data)
        return 0 if reached else -ESRCH

    def _mailbox(self) -> Mailbox:
        if self.box is None:
            raise MissingCap(
                f"nobody can send to {self.env.name}: under `{self.env.name}:` in the manifest"
                " write  serves: endpoint"
            )
        return self.box


_ASKING = (wire.SEND, wire.SENDRECV, wire.FETCH)
_FOREIGN = Head(wire.SEND, Kind.SHORT, 0, 0)
