"""`L4Thread`: a TCB as an L4 thread, with the verbs of libl4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from caplab.kernel.abi import ANSWER, REQUEST, VERSION, Sys
from caplab.pd import stubs
from caplab.pd.errors import IllegalOperation, MissingCap
from caplab.pd.l4 import wire
from caplab.pd.l4.control import Control
from caplab.pd.l4.mailbox import Mailbox
from caplab.pd.l4.numbers import (
    EINVAL,
    ENOSYS,
    ESRCH,
    FIRST_MINTED,
    L4_ANYTHREAD,
    L4_NILTHREAD,
    Kind,
    thread_id,
)
from caplab.pd.l4.registers import WORD_MASK, Registers
from caplab.pd.l4.sending import Ipc
from caplab.pd.l4.task import OWN, Task
from caplab.pd.objects.capability import Capability
from caplab.pd.utcb import current

if TYPE_CHECKING:
    from caplab.pd.env import Env
    from caplab.pd.l4.sending import Buffer
    from caplab.pd.objects import Endpoint, PdCap

# The lane of a short sendrecv, as that of a plain Call in `objects/endpoint.py`.
_pack = REQUEST.pack
_unpack = ANSWER.unpack_from
_pack_short = wire.SHORT.pack
_unpack_short = wire.SHORT.unpack_from
_here = current.get
_HEADER = ANSWER.size
_SHORT = wire.SHORT.size
_CALL, _RECV, _REPLY = int(Sys.CALL), int(Sys.RECV), int(Sys.REPLY)
_REPLY_RECV = int(Sys.REPLY_RECV)
_ASK, _RETURN = wire.SENDRECV_SHORT, wire.RETURN_SHORT
_NOBODY = -1


class L4Thread(Control):
    """The calling TCB as an L4 thread: it has registers, an id, and an endpoint to be sent to at.

    Verbs return what Codezero's do: 0, or a negative error. What only a mistake of the program can
    cause is raised: ValueError for a register or a tag that does not exist, MissingCap for a name.

    The endpoint is the one that the PD serves. A PD that serves none can send and sendrecv.
    """

    def __init__(self, env: Env, *, strict: bool = False) -> None:
        task = Task(env)
        try:
            box = task.open(thread_id(task.number), env.endpoint(OWN))
        except MissingCap:
            box = None
        self._become(task, box, 0, strict)
        if not strict:
            try:
                env.tcb.bind_notification(env.work)
            except IllegalOperation:
                pass  # the program has bound one of its own, and does without news of the dead

    @classmethod
    def _member(cls, task: Task, box: Mailbox, number: int, strict: bool) -> L4Thread:
        """Another thread of a PD."""
        thread = cls.__new__(cls)
        thread._become(task, box, number, strict)
        return thread

    def _become(self, task: Task, box: Mailbox | None, number: int, strict: bool) -> None:
        Registers.__init__(self, strict)
        self.env, self.task, self.box = task.env, task, None
        self.tid = thread_id(task.number, number)
        self.utcb = task.env.utcb()
        if box is not None:
            self._open(box)

    def _open(self, box: Mailbox) -> None:
        self.box = box
        self._slot = box.endpoint.slot

    def thread_id(self, name: str) -> int:
        """The id of the thread that goes by a name of `uses`; -ESRCH when nobody receives there.

        Raises MissingCap, which says what to add to the manifest.
        """
        return self.task.named(name)

    def share(self, pd: PdCap, name: str, kinds: Kind = Kind.ALL) -> None:
        """Let a PD that this one made send to this thread, these kinds of IPC alone, under a name.

        Errors: as PdCap.install
        """
        self.task.share(self._mailbox(), pd, name, kinds)

    def on_gone(self, heard: Callable[[int], object]) -> None:
        """Have `heard(tid)` called, in a receive of the first thread, when a thread that could
        send here is dead or has given up its capability.
        """
        self.task.on_gone = heard

    def ipc(self, to: int, from_: int, kind: Kind = Kind.SHORT, buffer: Buffer = b"") -> int:
        """All IPC in one: L4_NILTHREAD in `from_` makes it a send, in `to` a receive; otherwise it
        is both, with one thread. MR0 is the tag. l4_ipc.
        """
        if L4_NILTHREAD in (to, from_):
            if to == from_:
                return -ENOSYS
            if to == L4_NILTHREAD:
                room = buffer if kind is Kind.EXTENDED else bytearray()
                if isinstance(room, bytes):
                    return -EINVAL
                return self._receive(from_, kind, room, None)
            return self._transmit(to, kind, None, False, buffer)
        if to == self.tid:
            return -EINVAL
        if to != from_ or (self.strict and kind is Kind.EXTENDED):
            return -ENOSYS
        return self._transmit(to, kind, None, True, buffer)

    # -- short, which is most of it -------------------------------------------------------------

    def sendrecv(
        self,
        to: int,
        from_: int,
        tag: int,
        *,
        caps: Sequence[Capability | int] = (),
        timeout: float | None = None,
    ) -> int:
        """Send 6 registers to a thread, and receive the 6 it returns. l4_sendrecv.

        `get_retval` is the result. 0, or as `send`; -ENOSYS for two different threads; -EINTR when
        the other side died after it had received, -EABORT when it dropped the request.
        """
        if to != from_:
            return -ENOSYS
        peer = self.task.peers.get(to)
        if (
            peer is None
            or self.strict
            or caps
            or timeout is not None
            or not 0 <= tag <= WORD_MASK
            or _here() is not self.utcb
        ):
            return self._transmit(to, Kind.SHORT, tag, True, caps=caps, timeout=timeout)
        mr = self.mr
        mr[0] = tag
        head = _pack(VERSION, _CALL, peer.flags, _SHORT, peer.slot, _ASK, 0)
        frame = self.utcb.call(head + peer.bound + _pack_short(*mr[:6]))
        _, _, status, length, _, label, extra, _, flags = _unpack(frame)
        if label == _RETURN and length == _SHORT and not (status or extra or flags):
            mr[:6] = _unpack_short(frame, _HEADER)
            mr[1] = to
            return 0
        return self._sent(to, peer, frame)

    def receive(self, from_: int = L4_ANYTHREAD, *, timeout: float | None = None) -> int:
        box = self.box
        if (
            box is None
            or from_ != L4_ANYTHREAD
            or self._caller != _NOBODY
            or box.aside
            or self.strict
            or self.takes_caps
            or timeout is not None
            or _here() is not self.utcb
        ):
            return super().receive(from_, timeout=timeout)
        frame = self.utcb.call(_pack(VERSION, _RECV, 0, 0, self._slot, 0, 0))
        return self._take(box, frame)

    def ipc_return(self, result: int = 0, *, timeout: float | None = None) -> int:
        mr = self.mr
        if mr[1] != self._caller or self._asked is Kind.EXTENDED or _here() is not self.utcb:
            return super().ipc_return(result, timeout=timeout)
        mr[0] = result & WORD_MASK
        self._caller = _NOBODY
        body = _pack_short(*mr[:6]) if not self.strict else self._body(Kind.SHORT)
        frame = self.utcb.call(_pack(VERSION, _REPLY, 0, len(body), 0, _RETURN, 0) + body)
        return self._replied(frame)

    def reply_receive(self, result: int = 0) -> int:
        """`ipc_return`, then `receive` from any thread, in one system call: what a server's loop
        does fastest. The return's own failure is not told; whoever wants it calls `ipc_return`.
        """
        mr = self.mr
        box = self.box
        if (
            box is None
            or mr[1] != self._caller
            or self._asked is Kind.EXTENDED
            or box.aside
            or self.strict
            or self.takes_caps
            or _here() is not self.utcb
        ):
            self.ipc_return(result)
            return self.receive()
        mr[0] = result & WORD_MASK
        self._caller = _NOBODY
        head = _pack(VERSION, _REPLY_RECV, 0, _SHORT, self._slot, _RETURN, 0)
        return self._take(box, self.utcb.call(head + _pack_short(*mr[:6])))

    # -- what left the lane -----------------------------------------------------------------------

    def _take(self, box: Mailbox, frame: bytes) -> int:
        """Take a received message, at once if it is a short one of a sender that is known."""
        _, _, status, length, badge, label, extra, _, flags = _unpack(frame)
        sender = box.senders.get(badge)
        if (
            label != _ASK
            or length != _SHORT
            or sender is None
            or badge >= FIRST_MINTED
            or status
            or extra
            or flags
        ):
            came = stubs.answer(frame)
            return self._receive(L4_ANYTHREAD, Kind.SHORT, bytearray(), None, came)
        mr = self.mr
        mr[:6] = _unpack_short(frame, _HEADER)
        mr[1] = self._caller = sender
        self._tag = mr[0]
        self._asked = Kind.SHORT
        return 0

    def _sent(self, to: int, peer: Endpoint, frame: bytes) -> int:
        ipc = Ipc(to, peer, Kind.SHORT, b"", None)
        return self._answered(ipc, stubs.answer(frame), True)

    def _replied(self, frame: bytes) -> int:
        answer = stubs.answer(frame)
        return -ESRCH if answer.status or answer.flags & stubs.NOTHING else 0
