"""The loop: one ROUTER, one thread, one place to block. The kernel's only file with ZeroMQ in it.

A message is read, checked against the table of routing ids, stepped through the kernel and the
answers are sent, with nothing else in between: what a brokered call costs is decided here. All
that comes from elsewhere (processes, lines, operators) is found out by the helper thread, which
leaves it in the `inbox` as something to call and rings the `Bell`.
"""

import os
import struct
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import zmq

from caplab.kernel.abi import FRAME_MAX, HEADER_SIZE
from caplab.kernel.core.effects import Effect, Resume
from caplab.kernel.core.events import BadFrame, Deadline, Event, Syscall, Work
from caplab.kernel.host.links import Links, Peer
from caplab.kernel.host.protocols import Core, Rest

MILLISECOND = 1_000_000
FOREVER = 1 << 62
RCVTIMEO_MAX = 1 << 30
PIECES = 8
QUEUED_MAX = 64
"""Messages of one peer that wait unread. An honest one never has more than one."""
HELD_MAX = 2
"""Messages kept of a peer whose process is not reported yet; a second one is a fault already."""
LAST_EVENTS = 32

Socket = zmq.Socket[bytes]


class Bell:
    """Wakes the loop; rung by one other thread, after it has put something into the inbox."""

    def __init__(self, context: zmq.Context[Socket], address: str, routing_id: bytes) -> None:
        self.rung = False
        self._socket = context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.ROUTING_ID, routing_id)
        self._socket.setsockopt(zmq.SNDHWM, 0)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(address)

    def ring(self) -> None:
        # Once is enough until the loop has looked: it clears this first, then empties the inbox.
        if not self.rung:
            self.rung = True
            self._socket.send(b"")

    def close(self) -> None:
        self._socket.close()


class Hangups:
    """Says which connections have ended; for the helper thread. `fileno()` goes into its epoll."""

    def __init__(self, router: Socket) -> None:
        self._socket = router.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._socket.setsockopt(zmq.LINGER, 0)
        # A socket that was never asked for its events does not signal them on its descriptor.
        self._socket.getsockopt(zmq.EVENTS)

    def fileno(self) -> int:
        return int(self._socket.getsockopt(zmq.FD))

    def read(self) -> list[int]:
        """The descriptors, as they were, of the connections that have ended since the last look.

        All of them: ZeroMQ's descriptor says "look again", and says it once.
        """
        ended: list[int] = []
        while True:
            try:
                event, _address = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return ended
            # The module zmq.utils.monitor imports asyncio, a fifth of this process's start.
            ended.append(struct.unpack("=hi", event)[1])

    def close(self) -> None:
        self._socket.close()


class Loop:
    """Feeds a kernel and performs what it answers.

    Args:
        address: where PDs connect (`ipc://…`); bound here.
        kernel: what is asked for its deadline, its jobs and whether it has finished.
        step: `kernel.step`, or what a recorder or a checker has put around it.
        perform: what does each kind of effect; Resume is done here.
        recorder: asked when nothing happens; None costs nothing.
    """

    def __init__(
        self,
        address: str,
        kernel: Core,
        step: Callable[[Event], list[Effect]],
        perform: Mapping[type, Callable[[Any], None]],
        recorder: Rest | None = None,
    ) -> None:
        self.inbox: deque[Callable[[], None]] = deque()
        self.last: deque[Event] = deque(maxlen=LAST_EVENTS)
        self.ignored = 0
        """Messages under ids that nobody was given, or that came from the wrong process."""
        self._kernel, self._step, self._perform, self._recorder = kernel, step, perform, recorder
        self._tcbs: dict[bytes, int] = {}
        """By routing id, once its first message has come from the right process."""
        self._ids: dict[int, bytes] = {}
        self._peers: dict[bytes, Peer] = {}
        self.pids: dict[int, int] = {}  # of PDs with a process, as their connections tell them
        self._held: dict[bytes, list[Any]] = {}
        self.links = Links()
        self._ids_of: dict[int, list[bytes]] = {}
        """By PD."""
        self._patience, self._expired = FOREVER, False
        """Nanoseconds that recv may block, as it was set last, and whether they have run out."""
        self._context: zmq.Context[Socket] = zmq.Context()
        self._router = self._make_router()
        try:
            self._router.bind(address)
        except zmq.ZMQError as error:
            self._router.close()
            self._context.term()
            raise OSError(error.errno, f"{address}: {error}") from None
        self._bell_id = _routing_id()
        self._router.bind("inproc://bell")
        self.bell = Bell(self._context, "inproc://bell", self._bell_id)
        self.hangups = Hangups(self._router)

    def _make_router(self) -> Socket:
        router = self._context.socket(zmq.ROUTER)
        router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        router.setsockopt(zmq.LINGER, 0)
        router.setsockopt(zmq.MAXMSGSIZE, FRAME_MAX)
        router.setsockopt(zmq.RCVHWM, QUEUED_MAX)
        router.setsockopt(zmq.BACKLOG, 1024)
        return router

    # -- who is who -------------------------------------------------------------------------

    def register(self, pd: int, tcbs: Sequence[int]) -> list[bytes]:
        """Make the routing ids of a new PD's TCBs: its secrets, and all that says who calls."""
        ids = self._ids_of[pd] = [_routing_id() for _ in tcbs]
        for tcb, routing_id in zip(tcbs, ids, strict=True):
            self._peers[routing_id] = Peer(pd, tcb)
            self._ids[tcb] = routing_id
        return ids

    def started(self, pd: int, pid: int) -> None:
        """The PD's process is known: what it has sent meanwhile is heard now."""
        self.pids[pd] = pid
        for routing_id in self._ids_of[pd]:
            for frame in self._held.pop(routing_id, ()):
                self._introduce(routing_id, self._peers[routing_id], frame)

    def forget(self, pd: int) -> None:
        """The PD's process is reaped: whatever still bears its ids is nobody's."""
        self.pids.pop(pd, None)
        for routing_id in self._ids_of.pop(pd, ()):
            del self._ids[self._peers.pop(routing_id).tcb]
            self._tcbs.pop(routing_id, None)
            self._held.pop(routing_id, None)
        self.links.forget(pd)

    def hung_up(self, fd: int) -> list[int]:
        """The PDs, not yet reaped, that have lost a connection that had this descriptor."""
        return self.links.hung_up(fd)

    def blame(self, pd: int, reason: str) -> None:
        """A live PD has broken the transport's rules."""
        for routing_id in self._ids_of.get(pd, ())[:1]:
            self.feed(BadFrame(time.monotonic_ns(), self._peers[routing_id].tcb, reason))

    # -- the loop ---------------------------------------------------------------------------

    def run(self, until: Callable[[], bool] | None = None, deadline: int = FOREVER) -> None:
        """Serve until `until()` says so (by default: until the kernel has finished)."""
        kernel, perform, inbox, last = self._kernel, self._perform, self.inbox, self.last
        recv, send = super(zmq.Socket, self._router).recv, super(zmq.Socket, self._router).send
        first, rest = int(zmq.SNDMORE | zmq.NOBLOCK), int(zmq.NOBLOCK)
        tcbs, ids, now, new = self._tcbs, self._ids, time.monotonic_ns, tuple.__new__
        recording = self._recorder is not None
        often = FOREVER if self._recorder is None else self._recorder.patience
        over = until or (lambda: kernel.finished)
        before = 0
        while self._between(over, deadline):
            step = self._step
            try:
                while True:
                    routing_id = recv()
                    tcb = tcbs.get(routing_id)
                    if tcb is None:
                        self._unknown(routing_id, before)
                        break
                    frame = recv()
                    # Two parts are told by what they are. To be told by ZeroMQ whether there are
                    # more (RCVMORE, or a Frame, which knows) costs 3 % of a call.
                    if len(frame) < HEADER_SIZE:
                        self._short(routing_id, tcb, frame, before)
                        break
                    before = tcb
                    # As NamedTuple's own constructor does it, less one Python call.
                    event = new(Syscall, (now(), tcb, frame))
                    last.append(event)
                    for effect in step(event):
                        if type(effect) is Resume:
                            to, answer = effect
                            try:
                                send(ids[to], first)
                                send(answer, rest)
                            except zmq.ZMQError as error:
                                self._not_sent(to, error.errno)
                        else:
                            perform[type(effect)](effect)
                    if inbox or (kernel.restless and self._due(event[0])):
                        break
                    if recording and self._patience > often:
                        break  # when nothing happens it wants to be asked
            except zmq.Again:
                self._expired = True

    def use(self, step: Callable[[Event], list[Effect]]) -> None:
        """Call something else for each event from now on. In the core thread, from the inbox."""
        self._step = step

    def feed(self, event: Event) -> None:
        """Let an event happen that is not a system call just read, and perform its effects."""
        self.last.append(event)
        for effect in self._step(event):
            if type(effect) is Resume:
                try:
                    self._router.send(self._ids[effect.tcb], zmq.SNDMORE | zmq.NOBLOCK)
                    self._router.send(effect.frame, zmq.NOBLOCK)
                except zmq.ZMQError as error:
                    self._not_sent(effect.tcb, error.errno)
            else:
                self._perform[type(effect)](effect)

    def _between(self, over: Callable[[], bool], end: int) -> bool:
        """Everything that is not a system call; false when the loop is to end."""
        self.bell.rung = False
        inbox = self.inbox
        while inbox:
            inbox.popleft()()
        kernel = self._kernel
        now = time.monotonic_ns()
        deadline = kernel.next_deadline
        if deadline is not None and now >= deadline:
            self.feed(Deadline(now))
            deadline = kernel.next_deadline
        if kernel.jobs_pending:
            self.feed(Work(now))
            deadline = now  # look again at once: for a frame, else for the next slice
        if over() or now >= end:
            return False
        wait = min(FOREVER if deadline is None else deadline, end) - now
        if self._recorder is not None:
            asked = self._recorder.rest(now)
            wait = wait if asked is None else min(wait, asked)
        self._wait_at_most(wait)
        return True

    def _due(self, now: int) -> bool:
        """Whether a restless kernel has to be seen to before the next `recv`."""
        kernel = self._kernel
        deadline = kernel.next_deadline
        soon = deadline is not None and deadline - now < self._patience
        return soon or kernel.jobs_pending or kernel.finished

    def _wait_at_most(self, wait: int) -> None:
        """Bound the next `recv`; a bound that is too short is left until it runs out.

        A long wait is cut: first most of it, then most of what remains. So time may pass for a
        while, message after message, before the bound is too long and must be set again.
        """
        if wait < self._patience or self._expired:
            whole = -(-max(0, wait) // MILLISECOND)
            bound = whole - whole // PIECES if whole < RCVTIMEO_MAX else -1
            self._router.setsockopt(zmq.RCVTIMEO, bound)
            self._patience = bound * MILLISECOND if bound >= 0 else FOREVER
        self._expired = False

    # -- what is not the rule ------------------------------------------------------------------

    def _unknown(self, routing_id: bytes, before: int) -> None:
        """Where an id should be: the bell's, a new peer's, a stranger's, or a part too many."""
        parts = self._rest()
        if parts:
            self._first(routing_id, parts)
        else:
            self._too_many(before)

    def _short(self, routing_id: bytes, tcb: int, frame: bytes, before: int) -> None:
        """A part too short for a header: garbage, or the id of the next message.

        A part too many stands where the next id is looked for. If it is an id itself, of its
        sender or of an accomplice, then the next message's id is read as its message; but ids are
        shorter than headers, so that it comes here, and what an honest peer says is never lost.
        """
        parts = self._rest()
        if not parts:
            self.feed(Syscall(time.monotonic_ns(), tcb, frame))
            return
        peer = self._peers.get(frame)
        sender = self._sender(parts[0]) if peer is not None else None
        if frame != self._bell_id and (peer is None or sender == self._peers[routing_id]):
            self._too_many(tcb)
            return
        if sender is not None:  # else it is no proof: who hangs up is not known any more
            self._too_many(before)
        self._first(frame, parts)

    def _rest(self) -> list[Any]:
        """The parts that are left of the message being read."""
        parts = []
        while self._router.getsockopt(zmq.RCVMORE):
            parts.append(self._router.recv(copy=False))
        return parts

    def _sender(self, part: Any) -> Peer | None:
        """Over whose connection a part came, if it has been introduced and is still there."""
        return self.links.of(_source(part)[0])

    def _too_many(self, tcb: int) -> None:
        if tcb in self._ids:
            reason = "a message of more than one part"
            self.feed(BadFrame(time.monotonic_ns(), tcb, reason))

    def _first(self, routing_id: bytes, parts: list[Any]) -> None:
        """A whole message of somebody who may have to be introduced."""
        peer = self._peers.get(routing_id)
        if routing_id == self._bell_id:
            return
        if peer is None:
            self.ignored += 1
            # No id at all, perhaps, but two parts too many.
            culprit = self._sender(parts[0])
            if culprit is not None:
                self._too_many(culprit.tcb)
        elif len(parts) > 1:
            self._too_many(peer.tcb)
        elif peer.pd in self.pids:
            self._introduce(routing_id, peer, parts[0])
        else:
            held = self._held.setdefault(routing_id, [])
            if len(held) < HELD_MAX:
                held.append(parts[0])

    def _introduce(self, routing_id: bytes, peer: Peer, frame: Any) -> None:
        """The first message under an id: it must come from the process the id was made for."""
        now = time.monotonic_ns()
        pid = self.pids[peer.pd]
        if routing_id not in self._tcbs:
            fd, sender = _source(frame)
            if sender != pid:
                self.ignored += 1
                self.feed(BadFrame(now, peer.tcb, "another process has used its routing id"))
                return
            self.links.add(fd, pid, peer)
            self._tcbs[routing_id] = peer.tcb
        self.feed(Syscall(now, peer.tcb, frame.bytes))

    def _not_sent(self, tcb: int, errno: int | None) -> None:
        if errno == zmq.EHOSTUNREACH:
            return  # its process is ending; Exited follows
        if errno != zmq.EAGAIN:
            raise zmq.ZMQError(errno)
        # The kernel answers each call once, so this peer makes calls and reads no answers.
        reason = "it does not read its answers"
        self.inbox.append(lambda: self.feed(BadFrame(time.monotonic_ns(), tcb, reason)))

    def close(self) -> None:
        """End the helper thread first: two of the sockets are its."""
        self.bell.close()
        self._router.disable_monitor()
        self.hangups.close()
        self._router.close()
        self._context.term()


def _source(part: Any) -> tuple[int, int]:
    """The connection that a part came over, and the process at its other end.

    Whoever speaks the ZMTP of 2010, which ZeroMQ still understands, is nobody: -1.
    """
    try:
        return part.get(zmq.SRCFD), int(part.get("Peer-Address").rpartition(":")[2])
    except (zmq.ZMQError, ValueError):
        return -1, -1


def _routing_id() -> bytes:
    """Sixteen unguessable bytes; ZeroMQ keeps ids that begin with zero for itself."""
    return bytes([1 + os.urandom(1)[0] % 255]) + os.urandom(15)
