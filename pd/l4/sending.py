"""The sending half of an L4 thread: one Call for each IPC, and what its answer means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from caplab.kernel.abi import Status
from caplab.pd import stubs
from caplab.pd.errors import NotATcb, refusal
from caplab.pd.l4 import wire
from caplab.pd.l4.numbers import (
    EABORT,
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
    MR_TAG,
    Kind,
)
from caplab.pd.l4.registers import Registers
from caplab.pd.objects import Endpoint
from caplab.pd.objects.capability import Capability, slots_of

if TYPE_CHECKING:
    from caplab.pd.env import Env
    from caplab.pd.l4.task import Task
    from caplab.pd.stubs import Answer
    from caplab.pd.transport import Transport
    from caplab.pd.utcb import Utcb

Buffer = bytes | bytearray | memoryview
_CODES = {
    Status.INVALID_CAPABILITY: ENOCAP,
    Status.ILLEGAL_OPERATION: ENOCAP,
    Status.FAILED_LOOKUP: ENOCAP,
    Status.NEVER_EXISTED: ENOCAP,
    Status.DIED_BEFORE_RECV: ESRCH,
    Status.DIED_AFTER_RECV: EINTR,
    Status.CANCELLED: EINTR,
    Status.REPLY_DROPPED: EABORT,
    Status.TIMED_OUT: ETIMEDOUT,
}
_LATER = 1 << 20
"""Seconds that a thread sleeps which nobody ever wakes."""


class Ipc(NamedTuple):
    """One that is going on."""

    to: int
    peer: Endpoint
    kind: Kind
    buffer: Buffer
    deadline: float | None


class Sender(Registers):
    """What an L4 thread needs to send, and the verbs for it."""

    env: Env
    task: Task
    tid: int
    """The thread's own id."""
    utcb: Utcb
    received = 0
    """Bytes that the last extended receive put into its buffer."""

    def send(
        self,
        to: int,
        tag: int,
        *,
        caps: Sequence[Capability | int] = (),
        timeout: float | None = None,
    ) -> int:
        """Send 6 registers, and wait until the other side has received them. l4_send.

        `caps` go along if the other side takes any. 0, or -ESRCH, -EINTR, -ENOCAP, -ENOIPC,
        -EINVAL (to itself), -ETIMEDOUT.
        """
        return self._transmit(to, Kind.SHORT, tag, False, caps=caps, timeout=timeout)

    def send_full(self, to: int, tag: int, *, timeout: float | None = None) -> int:
        """The same with 60 registers. l4_send_full."""
        return self._transmit(to, Kind.FULL, tag, False, timeout=timeout)

    def send_extended(
        self, to: int, tag: int, buffer: Buffer, *, timeout: float | None = None
    ) -> int:
        """The same with 6 registers and up to 2048 bytes. l4_send_extended. -EINVAL for more."""
        return self._transmit(to, Kind.EXTENDED, tag, False, buffer, timeout=timeout)

    def sendrecv_full(self, to: int, from_: int, tag: int, *, timeout: float | None = None) -> int:
        """`sendrecv` with 60 registers. l4_sendrecv_full."""
        if to != from_:
            return -ENOSYS
        return self._transmit(to, Kind.FULL, tag, True, timeout=timeout)

    def sendrecv_extended(
        self, to: int, from_: int, tag: int, buffer: Buffer, *, timeout: float | None = None
    ) -> int:
        """`sendrecv` with 6 registers and up to 2048 bytes. What comes back is put into the same
        buffer, if it can be written, and `received` says how much. l4_sendrecv_extended.

        Differs: Codezero's is a stub, which returns 0 and does nothing; so it does with `strict`
        """
        if self.strict:
            return 0
        if to != from_:
            return -ENOSYS
        return self._transmit(to, Kind.EXTENDED, tag, True, buffer, timeout=timeout)

    # -- one IPC ----------------------------------------------------------------------------------

    def _transmit(
        self,
        to: int,
        kind: Kind,
        tag: int | None,
        wait: bool,
        buffer: Buffer = b"",
        *,
        caps: Sequence[Capability | int] = (),
        timeout: float | None = None,
    ) -> int:
        """Send; with `wait`, receive the return as well. Without a tag MR0 goes as it is."""
        deadline = self._deadline(timeout)
        if len(buffer) > L4_IPC_EXTENDED_MAX:
            return -EINVAL
        if tag is not None:
            self.mr[MR_TAG] = self._checked_tag(tag)
        peer = self._peer(to)
        if isinstance(peer, int):
            return peer
        ipc = Ipc(to, peer, kind, buffer, deadline)
        op = (wire.SENDRECV if wait else wire.SEND) | kind
        view, offset, slots = memoryview(buffer), 0, slots_of(caps)
        body = self._body(kind)
        while True:
            registers = body if not offset else b""
            data = registers + wire.piece(view, offset) if kind is Kind.EXTENDED else body
            label = wire.label(op, len(view), offset)
            answer = self._call(ipc, label, data, slots)
            head = wire.head(answer.label)
            if answer.status or head is None or head.op != wire.CONTINUE:
                return self._answered(ipc, answer, wait)
            offset, slots = head.offset, ()

    def _answered(self, ipc: Ipc, answer: Answer, wait: bool) -> int:
        """What the answer to a message, or to its last piece, means; a return is taken over."""
        if answer.status:
            return self._failed(ipc, answer, wait)
        head = wire.head(answer.label)
        if head is None:
            return -ENOIPC
        if head.op == wire.ERROR:
            return -head.size
        if head.op == wire.ACCEPTED:
            return 0
        return self._returned(ipc, head, answer.data)

    def _returned(self, ipc: Ipc, head: wire.Head, data: bytes) -> int:
        if head.op != wire.RETURN or not wire.well_formed(head, len(data)):
            return -ENOIPC
        if (head.kind is Kind.EXTENDED) != (ipc.kind is Kind.EXTENDED):
            return -ENOIPC
        full = Kind.FULL in (ipc.kind, head.kind)
        self._load(data, full, None if self.strict else ipc.to)
        if head.kind is not Kind.EXTENDED:
            return 0
        got = data[wire.SHORT.size :]
        view = memoryview(ipc.buffer)
        wanted = 0 if view.readonly else min(head.size, len(view))
        while len(got) < wanted:
            label = wire.label(wire.FETCH, 0, len(got))
            answer = self._call(ipc, label)
            if answer.status:
                return self._failed(ipc, answer, True)
            more = wire.head(answer.label)
            if more is None or more.op != wire.RETURN or not answer.data:
                return -more.size if more is not None and more.op == wire.ERROR else -ENOIPC
            got += answer.data
        view[:wanted] = got[:wanted]
        self.received = wanted
        return 0

    def _peer(self, to: int) -> Endpoint | int:
        """The capability to send to a thread, or why there is none."""
        if to in (self.tid, L4_ANYTHREAD, L4_NILTHREAD):
            return -EINVAL
        if self.strict and not self.task.alive(to):
            return -ESRCH
        return self.task.capability(self.tid, to)

    def _call(self, ipc: Ipc, label: int, data: bytes = b"", slots: tuple[int, ...] = ()) -> Answer:
        peer, left = ipc.peer, self._left(ipc.deadline)
        return stubs.call(
            self._transport(), peer.slot, label, data, slots, None, left, peer.renewal
        )

    def _failed(self, ipc: Ipc, answer: Answer, wait: bool) -> int:
        """What a Call that was not answered means. With `strict`, whoever dies while a sender waits
        in its queue interrupts it, and whoever dies owing a return never wakes the one who waits.
        """
        status, peer = answer.status, ipc.peer
        if self.strict and wait and status in (Status.DIED_AFTER_RECV, Status.REPLY_DROPPED):
            self._sleep_for_ever()
        if status == Status.REVOKED:
            # Either the capability was taken away, or the thread behind it is gone.
            if ipc.to in self.task.peers and not self.env.cnode.is_full(peer.slot):
                return -ENOCAP
            status = Status.DIED_BEFORE_RECV
        if self.strict and status == Status.DIED_BEFORE_RECV:
            return -EINTR
        code = _CODES.get(Status(status))
        if code is None:
            raise refusal(status, "Call", peer.slot, answer.data, peer.name)
        return -code

    def _sleep_for_ever(self) -> None:
        while True:
            self.env.sleep(_LATER)

    # -- time and place ---------------------------------------------------------------------------

    def _deadline(self, timeout: float | None) -> float | None:
        if timeout is None:
            return None
        if self.strict:
            raise ValueError("Codezero's IPC has no time limit: leave it out, or strict=True")
        return self.env.now() + timeout

    def _left(self, deadline: float | None) -> float | None:
        return None if deadline is None else max(0.0, deadline - self.env.now())

    def _transport(self) -> Transport:
        """The thread's own way to the kernel. Raises NotATcb on another's Python thread."""
        if self.env.utcb() is not self.utcb:
            raise NotATcb(f"this is the L4 thread {self.tid:#x}, and another TCB runs it")
        return self.utcb.transport
