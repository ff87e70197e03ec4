"""Threads that compute beside a PD's TCBs: they get what nobody else wants of the processors.

How many threads a PD's share of the processors is worth the manifest says (`threads:`): its TCBs.
Linux shares out by threads, whatever they are for, and forty that compute without a pause leave a
caller's PD one turn in twenty. So a thread that is no TCB, and computes instead of waiting, runs
under the policy SCHED_IDLE for the rest of its life: whoever else wakes up takes the processor from
it at once. Who goes on making new ones gets it as a whole, and so do the threads it makes from
then on. (At `nice` 19 such a thread keeps the processor for a scheduler's tick, and callers wait.)

A thread that waits between short pieces of work keeps its policy: ZeroMQ's are such, and a pool's
that has little to do. And nobody is slower for it while there is a processor for everybody.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

INTERVAL = 0.05
"""Seconds between two looks."""
CROWD = 64
"""PDs of which a look takes about a thousandth of that."""
SHARE = 0.2
"""Of a processor, that a PD has used since the last look before its threads are looked at."""
LONG, PIECE = 0.002, 0.001
"""Seconds that a thread has computed since then; and in the mean before it waited again."""
TIMES = 16
"""Threads of one PD after which it is the whole PD."""
NANOSECONDS = 1e9


class Threads(NamedTuple):
    """One PD's process."""

    name: str
    pid: int
    """As `/proc` has it."""
    tcbs: frozenset[int]
    """Those of its threads that are TCBs, by the numbers it has for them itself."""


class Thread(NamedTuple):
    """What `/proc` says of a thread."""

    number: int
    """As this process knows it."""
    own: int
    """As its PD does."""
    computed: float
    """Seconds."""
    waits: int
    """How often it has waited for something."""


class Hogs:
    """Finds such threads; the helper thread's.

    Args:
        pids: the process of each PD, as this one knows it; from any thread.
        threads: of a PD, for the core thread to say; None if it has not said which are TCBs.
        post, call: have something done in the core thread, and from there in the helper thread.
        lower: lets a thread run when nobody else wants to. Raises OSError.
    """

    def __init__(
        self,
        pids: Callable[[], Mapping[int, int]],
        threads: Callable[[int], Threads | None],
        post: Callable[[Callable[[], None]], None],
        call: Callable[[Callable[[], None]], None],
        lower: Callable[[int], None] = lambda number: os.sched_setscheduler(
            number, os.SCHED_IDLE, os.sched_param(0)
        ),
    ) -> None:
        self._pids, self._threads, self._post, self._call = pids, threads, post, call
        self._lower = lower
        self._used: dict[int, int] = {}
        """By PD: nanoseconds of CPU time at the last look."""
        self._then = 0.0
        self._about: dict[int, Threads] = {}
        self._known: dict[int, dict[int, Thread]] = {}
        """By PD: its threads, as they were when it was last looked at."""
        self._lowered: dict[int, set[int]] = {}
        """By PD: its threads that give way to others."""

    def look(self, now: float) -> float:
        """See who computes much; in how many seconds to look again."""
        enough = SHARE * (now - self._then) * NANOSECONDS
        used = {pd: spent for pd, pid in self._pids().items() if (spent := cpu_time(pid)) >= 0}
        for pd, spent in used.items():
            about = self._about.get(pd)
            if about is None:
                self._post(lambda pd=pd: self._ask(pd))  # type: ignore[misc]
            elif spent - self._used.get(pd, spent) >= enough:
                self._examine(pd, about)
        self._used, self._then = used, now
        for kept in (self._about, self._known, self._lowered):
            for gone in kept.keys() - used.keys():
                del kept[gone]
        return INTERVAL * (1 + len(used) // CROWD)

    def _ask(self, pd: int) -> None:
        """In the core thread, once for each PD: when there are hogs, that may not run for long."""
        about = self._threads(pd)
        if about is not None:
            self._call(lambda: self._about.update({pd: about}))

    def _examine(self, pd: int, about: Threads) -> None:
        known, there = self._known.get(pd, {}), {}
        lowered = self._lowered.get(pd, set())
        whole = len(lowered) >= TIMES
        for thread in of_process(about.pid):
            there[thread.number] = thread
            hog = whole or (thread.own not in about.tcbs and _computes(thread, known))
            if hog and thread.number not in lowered:
                self._demote(pd, about.name, thread.number)
        self._known[pd] = there

    def _demote(self, pd: int, name: str, thread: int) -> None:
        try:
            self._lower(thread)
        except OSError:
            return  # it has ended, or this host does not let us
        if pd not in self._lowered:
            said = f"kernel: {name} computes in threads that are no TCBs: they give way to others"
            print(said, file=sys.stderr)
        self._lowered.setdefault(pd, set()).add(thread)


def _computes(thread: Thread, known: Mapping[int, Thread]) -> bool:
    before = known.get(thread.number, Thread(0, 0, 0.0, 0))
    computed = thread.computed - before.computed
    return computed >= LONG and computed >= PIECE * (thread.waits - before.waits + 1)


def cpu_time(pid: int) -> int:
    """Nanoseconds that a process has computed, all its threads together; -1 if it has ended."""
    try:
        # What clock_getcpuclockid(3) returns on Linux, and Python does not offer.
        return time.clock_gettime_ns(~pid << 3 | 2)
    except OSError:
        return -1


def of_process(pid: int) -> Iterator[Thread]:
    """The threads of a process, its pid as `/proc` has it."""
    depth = len(_status("/proc/self")["NSpid"])
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return  # it has ended
    for task in tasks:
        folder = f"/proc/{pid}/task/{task}"
        try:
            found = _status(folder)
            with open(f"{folder}/schedstat") as file:
                computed = int(file.read().split()[0]) / NANOSECONDS
            numbers, (waits,) = found["NSpid"], found["voluntary_ctxt_switches"]
            yield Thread(numbers[depth - 1], numbers[-1], computed, waits)
        except (OSError, KeyError):
            pass  # the thread has ended, or this Linux does not count


def _status(folder: str) -> dict[str, list[int]]:
    wanted = ("NSpid", "voluntary_ctxt_switches")
    with open(f"{folder}/status") as file:
        rows = (line.partition(":") for line in file)
        return {
            name: [int(word) for word in rest.split()] for name, _, rest in rows if name in wanted
        }
