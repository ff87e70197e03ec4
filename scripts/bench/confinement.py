"""`bench confinement`: what strict confinement costs, beside the same system with none; and what
others notice of an attacker (`siege.py`).

Both sides are told by the manifest's `confinement`. Where the host does not allow `strict` there is
nothing to measure, and the error says why.
"""

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from caplab.kernel.boot.system import System
from caplab.kernel.host.errors import HostError
from caplab.scripts.bench import boot, siege, stage
from caplab.scripts.bench.children import PATIENCE, compiled
from caplab.scripts.bench.rounds import ROUNDS, Case, Setup
from caplab.scripts.bench.rows import Goal, Pair
from caplab.scripts.bench.stage import Beside, Caller, Place

CALL, START = 1.05, 1.4
GONE = 0.5
"""Seconds from the kernel's SIGKILL until nobody is left."""
LEVELS = ("strict", "none")


@contextmanager
def calls(place: Place, full: bool) -> Iterator[Case]:
    """Boot the same pair twice, confined and not."""
    goal = Goal(
        f"call, 64 bytes, strict, {place.name}",
        "µs",
        "<=",
        CALL,
        "the same call with confinement: none, on the same CPUs",
    )
    with (
        stage.booted("strict", stage.CALLING, confinement="strict") as strict,
        stage.booted("none", stage.CALLING, confinement="none") as none,
    ):
        yield Beside(goal, Caller(strict, place), Caller(none, place), full)


class Starts:
    """Each round starts everybody on both sides, confined and not; and kills the confined."""

    rounds = ROUNDS

    def __init__(self, folder: Path, members: int) -> None:
        self._processes = members + 4  # kernel, zygote, line, gate
        yardstick = "the same with confinement: none"
        self.goals: tuple[Goal, ...] = (
            Goal(f"{members} PDs to the first answered call", "s", "<=", START, yardstick),
            Goal(f"{self._processes} processes gone after SIGKILL of the kernel", "s", "<=", GONE),
        )
        self._paths = {level: folder / f"{level}.yaml" for level in LEVELS}
        for level, path in self._paths.items():
            path.write_text(boot.manifest(members, confinement=level))

    def round(self, yardstick_first: bool) -> list[Pair]:
        taken: dict[str, float] = {}
        gone = 0.0
        for level in LEVELS[::-1] if yardstick_first else LEVELS:
            system = System(self._paths[level])
            began = time.monotonic()
            with system:
                answered = system.console.expect(r"answered ([0-9.]+)\n", PATIENCE)
                taken[level] = float(answered[1]) - began
                if level == "strict":
                    gone = seconds_to_end(system.info()["kernel_pid"], self._processes)
        return [Pair(taken["strict"], taken["none"]), Pair(gone)]


def seconds_to_end(kernel: int, expected: int) -> float:
    """Kill the kernel, and wait until every process of its system has ended.

    Raises HostError when there are not as many as expected, or one does not end.
    """
    family = [psutil.Process(kernel), *psutil.Process(kernel).children(recursive=True)]
    if len(family) != expected:
        raise HostError("bench-failed", f"{len(family)} processes are there, not {expected}.")
    ends = [os.pidfd_open(process.pid) for process in family]
    try:
        began = time.monotonic()
        os.kill(kernel, signal.SIGKILL)
        for end in ends:
            if not select.select([end], [], [], PATIENCE)[0]:
                raise HostError("bench-failed", "A process has outlived its kernel.")
        return time.monotonic() - began
    finally:
        for end in ends:
            os.close(end)


@contextmanager
def starts(members: int = boot.MEMBERS) -> Iterator[Case]:
    with TemporaryDirectory(prefix="cl-bench-") as folder, compiled():
        case = Starts(Path(folder), members)
        case.round(False)  # reads every file once
        yield case


def setups(full: bool) -> list[Setup]:
    attacks = siege.all_attacks() if full else siege.LOUD
    return [
        starts(),
        *(calls(place, full) for place in stage.places()),
        siege.siege(attacks),
    ]
