"""Systems that stand ready to be measured: booted from a manifest made here, placed on CPUs."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from caplab.kernel.boot.system import System
from caplab.scripts.bench.children import PATIENCE
from caplab.scripts.bench.rows import Goal, Pair

PROGRAMS = "caplab.scripts.bench.programs"
MEMBERS = "caplab.scripts.bench.members"
WARM_UP = 1000
"""Trips before anything is counted: caches, the interpreter's specialised code, connections."""
ROUNDS = 15
TRIPS, TRIPS_FULL = 600, 3000
"""In a round. Short rounds in turn, so that what else the machine does meets both sides."""

CALLING: Mapping[str, Mapping[str, Any]] = {
    "echo": {"run": f"{PROGRAMS}:echo", "serves": "endpoint"},
    "caller": {"run": f"{PROGRAMS}:caller", "uses": ["echo"], "devices": ["uart0"]},
}
"""A caller with a console to be asked on, and an echo server: what a manifest says of them."""


class Place(NamedTuple):
    """Where the one that brokers runs, and where the others do."""

    name: str
    broker: int
    others: int


def places() -> list[Place]:
    """All on one core, where a message is a switch; then over two, where it is a wake-up as well.

    Left to itself the host uses either arrangement for seconds, then the other, for each side at
    other times: the ratio would say which they happened to be in.
    """
    cpus = sorted(os.sched_getaffinity(0))
    found = [Place("one core", cpus[0], cpus[0])]
    if len(cpus) > 1:
        found.append(Place("two cores", cpus[0], cpus[1]))
    return found


def pin(pid: int, cpu: int) -> None:
    """Let all threads of a process run on one CPU."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {cpu})


def cpu_time(pid: int) -> int:
    """Nanoseconds of CPU time that a process has used, all its threads together.

    Raises OSError: there is no such process.
    """
    # What clock_getcpuclockid returns on Linux, and Python does not offer.
    return time.clock_gettime_ns(~pid << 3 | 2)


def settle(system: System, place: Place) -> None:
    """Put a system's processes where they belong."""
    pin(system.info()["kernel_pid"], place.broker)
    for row in system.ps():
        assert row.pid is not None
        pin(row.pid, place.others)


@contextmanager
def booted(
    name: str,
    pds: Mapping[str, Mapping[str, Any]],
    uarts: tuple[str, ...] = ("uart0",),
    record: bool = False,
    confinement: str = "auto",
) -> Iterator[System]:
    """A system of these PDs, called `bench-NAME-` and a number; its log goes with it."""
    with TemporaryDirectory(prefix="cl-bench-") as folder:
        path = Path(folder, "system.yaml")
        manifest = {
            "name": f"bench-{name}-{os.getpid()}",
            "uarts": list(uarts),
            "confinement": confinement,
            "pds": pds,
        }
        path.write_text(json.dumps(manifest))  # JSON is YAML
        with System(path, record=Path(folder, "log") if record else None) as system:
            yield system


class Caller:
    """A system with CALLING in it, its processes in their place."""

    def __init__(self, system: System, place: Place) -> None:
        self._system = system
        system.console.expect(r"ready\n", PATIENCE)
        settle(system, place)
        self.p50(WARM_UP)

    def p50(self, trips: int) -> float:
        """Microseconds of a Call."""
        self._system.console.send(f"{trips}\n")
        return float(self._system.console.expect(r"p50 ([0-9.]+)\n", PATIENCE)[1])


class Beside:
    """The p50 of a Call in one system beside that in another; one works at a time."""

    rounds = ROUNDS

    def __init__(self, goal: Goal, measured: Caller, yardstick: Caller, full: bool) -> None:
        self.goals: tuple[Goal, ...] = (goal,)
        self._measured = measured
        self._yardstick = yardstick
        self._trips = TRIPS_FULL if full else TRIPS

    def round(self, yardstick_first: bool) -> list[Pair]:
        trips = self._trips
        if yardstick_first:
            yardstick = self._yardstick.p50(trips)
            return [Pair(self._measured.p50(trips), yardstick)]
        value = self._measured.p50(trips)
        return [Pair(value, self._yardstick.p50(trips))]
