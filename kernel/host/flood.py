"""Who keeps ZeroMQ's thread busy with bytes that are no call.

One thread of ZeroMQ's reads all connections, one after another, and answers signs of life (PING) by
itself: whoever goes on asking for them keeps it from the others, and the kernel never sees a frame
of it. So the helper thread looks how much that thread computes. When it is more than the kernel's
messages explain, it looks at each connection, again and again, until something is proved:

- more was sent since a TCB's last call than one frame can have;
- something was sent while a call was waiting for its answer;
- the message that came was shorter than what had been sent of it.

An honest peer does none of that, because a TCB has one call outstanding. Nobody is ended on mere
suspicion: what delays others delays an honest peer's bytes too.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from caplab.kernel.abi import FRAME_MAX
from caplab.kernel.core.states import RUNNING
from caplab.kernel.core.tcb import TCB
from caplab.kernel.host.gauge import Sender

INTERVAL = 0.05
"""Seconds between two looks."""
CLOSE = 0.002
"""The same, while that thread is busy without a reason: shorter than most who hide what they send
between calls can afford."""
CROWD = 64
"""TCBs of which a look takes about a tenth of that."""
BUSY = 0.002
"""Seconds of that thread without a reason from which on connections are looked at."""
PER_EVENT, ENOUGH = 0.00005, 100
"""Seconds that an event of the kernel's may take of it, until it is known better: the least that
was seen while there were so many between two looks."""
TOLERANCE, ALWAYS = 2, 0.02
"""How often that it may take in a bad moment; and the share of the time that needs no explanation
(connections begin and end)."""
FRAMING = 256
"""Bytes of a message beside its body: the header, capability slots, and ZeroMQ's own."""
REASON = "it keeps the kernel's connections busy with what is no call"


class Sees(Protocol):
    """What is needed of a Gauge."""

    def work(self) -> float: ...
    def unread(self) -> Mapping[Sender, int]: ...


class Trail(NamedTuple):
    """What is known of one connection since its TCB's last call."""

    calls: int
    waiting: int
    """Bytes that were unread at the last look."""
    taken: int
    """Bytes that were read between two looks, as far as it was seen."""

    @property
    def sent(self) -> int:
        """At least so many bytes."""
        return self.taken + self.waiting


class FloodWatch:
    """Looks for floods of what is no call. The helper thread's, but for what it posts.

    Args:
        tcbs: all there are; from any thread.
        events: how many the kernel has had; from any thread.
        blame: faults the PD of a process, for a reason; in the core thread.
        post: has something done in the core thread.
    """

    def __init__(
        self,
        gauge: Sees,
        tcbs: Callable[[], Iterable[TCB]],
        events: Callable[[], int],
        blame: Callable[[int, str], None],
        post: Callable[[Callable[[], None]], None],
    ) -> None:
        self._gauge, self._tcbs, self._events = gauge, tcbs, events
        self._blame, self._post = blame, post
        self._last = (0.0, gauge.work(), events())
        """The last look: when, work and events."""
        self._usual = PER_EVENT
        self._strain = 0.0
        """Seconds of that thread that nothing has explained lately."""
        self._trails: dict[Sender, Trail] = {}
        self._seen: dict[Sender, Trail] = {}
        """What the next messages must explain. The core thread's."""

    def look(self, now: float) -> float:
        """See how things are; in how many seconds to look again."""
        if self._strained(now) < BUSY:
            self._trails.clear()
            return INTERVAL
        before = self._moment()
        unread = self._gauge.unread()
        after = self._moment()
        trails = {}
        for sender in {*unread, *self._trails}:
            if before.get(sender.tcb) == after.get(sender.tcb):  # else it may be of either call
                calls, owes = after.get(sender.tcb, (0, False))
                waiting = unread.get(sender, 0)
                trail = trails[sender] = self._follow(sender, calls, waiting)
                if (owes and waiting) or trail.sent > FRAME_MAX + FRAMING:
                    self._post(lambda pid=sender.pid: self._blame(pid, REASON))  # type: ignore[misc]
        self._trails = trails
        self._post(lambda: self._compare(trails))
        return CLOSE * (1 + len(after) // CROWD)

    def _moment(self) -> dict[int, tuple[int, bool]]:
        """By TCB: how many calls it has made, and whether the last one waits for its answer."""
        return {
            one.number: (one.calls, one.state != RUNNING and one.fault is None)
            for one in self._tcbs()
        }

    def _strained(self, now: float) -> float:
        """How busy that thread is without a reason; moments of calm make up for it."""
        then, did, had = self._last
        self._last = _, does, has = now, self._gauge.work(), self._events()
        if has - had >= ENOUGH:
            self._usual = min(self._usual, (does - did) / (has - had))
        more = (does - did) - (has - had) * self._usual * TOLERANCE - (now - then) * ALWAYS
        self._strain = self._strain + more if more > 0 else self._strain / 2
        return self._strain

    def _follow(self, sender: Sender, calls: int, waiting: int) -> Trail:
        old = self._trails.get(sender)
        if old is None or old.calls != calls:
            return Trail(calls, waiting, 0)
        return Trail(calls, waiting, old.taken + max(0, old.waiting - waiting))

    # -- in the core thread ----------------------------------------------------------------------

    def _compare(self, trails: dict[Sender, Trail]) -> None:
        """Messages that have come with what was seen of them; remember what was seen now."""
        tcbs = {one.number: one for one in self._tcbs()}
        for sender, trail in self._seen.items():
            one = tcbs.get(sender.tcb)
            # Of two messages since then the first is known no more.
            next_one = one is not None and one.calls == trail.calls + 1
            if one is not None and next_one and trail.sent > len(one.request.body) + FRAMING:
                self._blame(sender.pid, REASON)
        self._seen = trails
