"""Long work: what it costs per capability, and how little others notice of it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import fmean
from typing import Any

from caplab.kernel.boot.system import System
from caplab.scripts.bench import stage
from caplab.scripts.bench.hoarders import DELETE, DIRECTOR_UART, FILL, REVOKE
from caplab.scripts.bench.programs import UART
from caplab.scripts.bench.rounds import ROUNDS, Case
from caplab.scripts.bench.rows import Goal, Pair

LINEAR = 2.0
DELAY = 10.0
"""Milliseconds that a job may add to the p99 of others' calls."""
FEW, MANY, SAMPLE = 1_000, 100_000, 10_000
"""Capabilities: what the yardstick revokes; what the rest is about; and that in a sample."""
REPEATED = 9
"""Times that the few are revoked in a round."""
QUIET = 0.5
"""Seconds in which nothing but calls is done."""
UARTS = (UART, DIRECTOR_UART)
HOARDERS = "caplab.scripts.bench.hoarders"
PATIENCE = 60.0

Window = tuple[int, int]
"""When something began and ended, in nanoseconds of the monotonic clock."""


class Hoards:
    """A system with so many hoarders, somebody who directs them, and somebody who calls."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._kernel: int = system.info()["kernel_pid"]
        self._director = system.console[DIRECTOR_UART]
        self._watcher = system.console[UART]
        for console in (self._director, self._watcher):
            console.expect(r"ready\n", PATIENCE)
        stage.settle(system, stage.places()[-1])

    def direct(self, name: str, label: int, number: int = 0) -> Window:
        self._director.send(f"{name} {label} {number}\n".encode())
        found = self._director.expect(r"took ([0-9]+) ([0-9]+)\n", PATIENCE)
        return int(found[1]), int(found[2])

    def computed(self) -> int:
        """Nanoseconds that the kernel has computed."""
        return stage.cpu_time(self._kernel)

    def kill(self, name: str) -> Window:
        """Returns when all that the root task does itself about the death is done."""
        began = time.monotonic_ns()
        self._system.kill(name)
        return began, time.monotonic_ns()

    def p99(self, act: Callable[[], Window]) -> float:
        """Milliseconds of the calls that others made while something was done."""
        self._watcher.send(b"watch\n")
        self._watcher.expect(r"watching\n", PATIENCE)
        began, ended = act()
        self._watcher.send(f"{began} {ended}\n".encode())
        return float(self._watcher.expect(r"p99 ([0-9.]+) of", PATIENCE)[1]) / 1000


def members(names: list[str]) -> dict[str, Mapping[str, Any]]:
    """What a manifest says of hoarders of these names and the three others."""
    hoarder = {"run": f"{HOARDERS}:hoarder", "serves": "endpoint", "untyped": "16MiB"}
    director = {
        "run": f"{HOARDERS}:director",
        "args": {"hoarders": names},
        "uses": names,
        "devices": [DIRECTOR_UART],
    }
    watcher = {"run": f"{HOARDERS}:watcher", "uses": ["echo"], "devices": [UART]}
    others = {"echo": stage.CALLING["echo"], "watcher": watcher, "director": director}
    return {**others, **dict.fromkeys(names, hoarder)}


@contextmanager
def hoards(name: str, names: list[str]) -> Iterator[Hoards]:
    with stage.booted(name, members(names), UARTS) as system:
        yield Hoards(system)


class Revokes:
    """The kernel's CPU time per capability of a Revoke, of many beside of few."""

    rounds = ROUNDS

    def __init__(self, hoards: Hoards, many: int) -> None:
        self.goals: tuple[Goal, ...] = (
            Goal(
                f"revoke of an untyped with {many:,} endpoints, CPU for each",
                "µs",
                "<=",
                LINEAR,
                f"the same with {FEW:,}",
            ),
        )
        self._hoards = hoards
        self._many = many
        self._each(many)  # the slots are made when they are first filled

    def round(self, yardstick_first: bool) -> list[Pair]:
        if yardstick_first:
            yardstick = self._few()
            return [Pair(self._each(self._many), yardstick)]
        value = self._each(self._many)
        return [Pair(value, self._few())]

    def _few(self) -> float:
        return fmean(self._each(FEW) for _ in range(REPEATED))

    def _each(self, count: int) -> float:
        """Microseconds per capability that the kernel computes.

        By the clock on the wall many would come out worse the more others use the machine: the
        host lets nobody compute for so long in one go, and a few are done before it looks.
        """
        self._hoards.direct("hoarder0", FILL, count)
        before = self._hoards.computed()
        self._hoards.direct("hoarder0", REVOKE)
        return (self._hoards.computed() - before) / 1000 / count


class Delays:
    """The p99 of others' calls during a job, over that in quiet."""

    def __init__(
        self, what: str, hoards: Hoards, many: int, act: Callable[[str], Window], names: list[str]
    ) -> None:
        goal = Goal(
            f"others' p99 over quiet, {what.format(many=f'{many:,}')}",
            "ms",
            "<=",
            DELAY,
            "the p99 of the same calls while nothing else is done, which is taken off",
            over=True,
        )
        self.goals: tuple[Goal, ...] = (goal,)
        self.rounds = ROUNDS
        self._hoards = hoards
        self._many = many
        self._act = act
        self._names = names

    def round(self, yardstick_first: bool) -> list[Pair]:
        name = self._names.pop(0) if len(self._names) > 1 else self._names[0]
        self._hoards.direct(name, FILL, self._many)
        if yardstick_first:
            quiet = self._hoards.p99(nothing)
            return [Pair(self._busy(name), quiet)]
        busy = self._busy(name)
        return [Pair(busy, self._hoards.p99(nothing))]

    def _busy(self, name: str) -> float:
        return self._hoards.p99(lambda: self._act(name))


def nothing() -> Window:
    began = time.monotonic_ns()
    time.sleep(QUIET)  # the time in which nothing happens is what is measured
    return began, time.monotonic_ns()


@contextmanager
def revoking(full: bool) -> Iterator[Case]:
    with hoards("revoke", ["hoarder0"]) as found:
        yield Revokes(found, MANY if full else SAMPLE)


@contextmanager
def delays(job: str, full: bool) -> Iterator[Case]:
    """During one of the JOBS; who dies in one has a successor in the next round."""
    what, label = JOBS[job]
    # As many as a measurement needs that is repeated with twice the rounds.
    names = [f"hoarder{number}" for number in range(3 * ROUNDS if label is None else 1)]
    with hoards(job, names) as found:

        def act(name: str) -> Window:
            return found.kill(name) if label is None else found.direct(name, label)

        yield Delays(what, found, MANY if full else SAMPLE, act, names)


JOBS: dict[str, tuple[str, int | None]] = {
    "revoke": ("revoke of {many} capabilities", REVOKE),
    "delete": ("deletion of a CNode with {many}", DELETE),
    "death": ("sweep of a dead PD with {many}", None),
}
"""What others should not notice; without a label the hoarder is killed."""
