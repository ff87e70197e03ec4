"""The bound that ZeroMQ has no option for: one message of endlessly many parts.

ZeroMQ keeps a message until its last part is there; each part is bounded, and how many messages
wait is, but not the parts of one. A PD that goes on sending parts would so fill this process's
memory with what nobody can read. So the helper thread looks at its size, twenty times a second; as
soon as it has grown by more than the kernel's own objects explain, it looks more often, and who has
sent what is not read yet. If it grows on, the one is faulted that was seen so most often while it
finished no message: whoever waits for the kernel, computes, or makes calls does not send and send.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable

from caplab.kernel.core.states import RUNNING
from caplab.kernel.core.tcb import TCB
from caplab.kernel.host.gauge import Gauge

INTERVAL = 0.05
"""Seconds between two looks."""
CLOSE = 0.01
"""The same, once it has grown."""
MIB = 1 << 20
ALERT = 4 * MIB
"""Growth from which on it is noted who does what."""
LIMIT = 32 * MIB
"""Growth that is somebody's fault."""
STEP = 16 * MIB
"""Growth beyond what the first one has left behind that is somebody else's."""
SURE, LONG = 3, 10
"""How often somebody must have been seen sending; looks after which nobody need have been."""
SETTLING = 0.1
"""Seconds after the end of a process in which what it has sent is given back."""
REASON = f"an unfinished message: the kernel's memory grew by {LIMIT // MIB} MiB"


class Watchdog:
    """Finds out whose unfinished message fills the memory.

    Args:
        tcbs: all there are; `pid_of` a PD's number gives its process, 0 if it has none.
        blame: faults a PD, by number, for a reason.
        post: has something done in the core thread.
    """

    def __init__(
        self,
        gauge: Gauge,
        tcbs: Callable[[], Iterable[TCB]],
        pid_of: Callable[[int], int],
        blame: Callable[[int, str], None],
        post: Callable[[Callable[[], None]], None],
    ) -> None:
        self._gauge, self._tcbs, self._pid_of = gauge, tcbs, pid_of
        self._blame, self._post = blame, post
        self._limit, self._above = LIMIT, 0
        """Growth that is too much, and for how many looks it has been."""
        self._unread: Counter[int] = Counter()
        """By process: how often it was seen with something unread since it finished a message."""
        self._accused: int | None = None
        """A PD that is being ended for it; -1 while it is looked for, 0 when none was found."""
        self._settled = 0.0
        """When the next may be accused. All of these are the helper's."""
        self._calls: dict[int, int] = {}
        """By TCB: how many calls it had made at the last look. The core thread's."""
        self._quiet: frozenset[int] = frozenset()
        """Processes with a thread that runs and has made no call between the last two looks."""

    def look(self, now: float) -> float:
        """See how large it is; in how many seconds to look again. In the helper thread."""
        grown = self._gauge.growth()
        if self._accused is not None:
            self._await_the_end(grown, now)
        elif grown < ALERT:
            self._limit, self._above = LIMIT, 0
            self._unread.clear()
            return INTERVAL
        else:
            for pid in self._unread.keys() - self._quiet:
                del self._unread[pid]
            self._unread.update({sender.pid for sender in self._gauge.unread()})
            self._post(self._see_who_is_quiet)
            self._above = self._above + 1 if grown >= self._limit else 0
            if self._above and (
                max(self._unread.values(), default=0) >= SURE or self._above > LONG
            ):
                self._accused, self._above = -1, 0
                unread = dict(self._unread)
                self._post(lambda: self._accuse(grown, unread))
        return CLOSE

    def _await_the_end(self, grown: int, now: float) -> None:
        """Accuse nobody else before the memory of the first is given back."""
        accused = self._accused
        if accused == -1 or (accused and self._pid_of(accused)):
            self._settled = now + SETTLING
        elif now > self._settled:
            self._accused = None
            self._limit = max(LIMIT, grown + STEP)

    # -- in the core thread ----------------------------------------------------------------------

    def _see_who_is_quiet(self) -> None:
        before, self._calls = self._calls, {one.number: one.calls for one in self._tcbs()}
        self._quiet = frozenset(
            self._pid_of(one.pd.number)
            for one in self._tcbs()
            if one.state == RUNNING and before.get(one.number, 0) == one.calls
        )

    def _accuse(self, grown: int, unread: dict[int, int]) -> None:
        pids = {one.pd.number: self._pid_of(one.pd.number) for one in self._tcbs()}
        ending = {one.pd.number for one in self._tcbs() if one.pd.fault is not None}
        seen = {
            pd: unread.get(pid, 0)
            for pd, pid in pids.items()
            if pid in self._quiet and pd not in ending
        }
        culprit = max(seen, key=lambda pd: seen[pd], default=0)
        if seen.get(culprit):
            self._blame(culprit, REASON)
        else:
            culprit = 0
            print(f"kernel: its memory has grown by {grown // MIB} MiB", file=sys.stderr)
        self._accused = culprit
