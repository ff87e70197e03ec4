"""`bench serial`: what a console costs beside a line alone, and how evenly it is shared."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from caplab.kernel.boot.system import System
from caplab.kernel.host.errors import HostError
from caplab.kernel.host.watcher import Watcher
from caplab.scripts.bench import stage
from caplab.scripts.bench.children import PATIENCE
from caplab.scripts.bench.rounds import ROUNDS, Case, Setup
from caplab.scripts.bench.rows import Goal, Pair

PRINTERS = "caplab.scripts.bench.printers"
MEGABYTE = 1 << 20
BABBLERS = 20
BABBLE, BABBLE_FULL = 0.5, 2.0
"""Seconds of which it is counted who printed how much."""
BARE = "a process that writes to a line itself, a page at a time"


class Printing:
    """A megabyte through the serial server beside one that a process writes to its own line.

    Timed from the word, which is typed, to the last byte at a console that is attached.
    """

    rounds = ROUNDS
    goals: tuple[Goal, ...] = (Goal("1 MiB by calls", "MB/s", ">=", 0.0, BARE),)

    def __init__(self, system: System) -> None:
        self._consoles = system.console
        for speed in (self._bare, self._printed):
            speed()

    def round(self, yardstick_first: bool) -> list[Pair]:
        if yardstick_first:
            yardstick = self._bare()
            return [Pair(self._printed(), yardstick)]
        value = self._printed()
        return [Pair(value, self._bare())]

    def _bare(self) -> float:
        return self._timed(self._consoles["line"], self._consoles["line"])

    def _printed(self) -> float:
        return self._timed(self._consoles["control"], self._consoles["console"])

    @staticmethod
    def _timed(control: Watcher, console: Watcher) -> float:
        """MB/s."""
        began = time.perf_counter()
        control.send(b"%d\n" % MEGABYTE)
        left = MEGABYTE
        while left > 0:
            left -= len(console.read(PATIENCE))
        taken = time.perf_counter() - began
        if left or console.lost:
            raise HostError("bench-failed", "The console did not show what was printed.")
        return MEGABYTE / taken / 1e6


@contextmanager
def printing() -> Iterator[Case]:
    """A serial server with one client, and a line that somebody drives alone."""
    pds = {
        "serial": {"run": "servers.serial", "devices": ["console"], "args": {"colour": False}},
        "printer": {
            "run": f"{PRINTERS}:printer",
            "uses": {"console": "serial"},
            "devices": ["control"],
            "args": {"control": "control"},
        },
        "bare": {"run": f"{PRINTERS}:bare", "devices": ["line"], "args": {"uart": "line"}},
    }
    with stage.booted("printing", pds, ("console", "control", "line")) as system:
        yield Printing(system)


class Babble:
    """How much each of the clients that never pause has printed: the most beside the least."""

    rounds = ROUNDS
    goals: tuple[Goal, ...] = (
        Goal(f"{BABBLERS} clients that never pause, most by least", "×", "<=", 2.0),
    )

    def __init__(self, system: System, seconds: float) -> None:
        self._console = next(iter(system.console.values()))
        self._seconds = seconds
        while len(self._counted(self._seconds)) < BABBLERS:
            continue  # they are not all there yet

    def round(self, yardstick_first: bool) -> list[Pair]:
        counts = self._counted(self._seconds)
        if len(counts) < BABBLERS:
            raise HostError("bench-failed", f"Only {len(counts)} clients printed anything.")
        return [Pair(max(counts.values()) / min(counts.values()))]

    def _counted(self, seconds: float) -> Counter[bytes]:
        """Lines by who printed them."""
        self._console.receive()
        lost = self._console.lost
        counts: Counter[bytes] = Counter()
        text = b""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            *lines, text = (text + self._console.read(PATIENCE)).split(b"\r\n")
            counts.update(line[:2] for line in lines if line[:2].isdigit() and line[2:3] == b" ")
        if self._console.lost > lost:
            raise HostError("bench-failed", "The clients print faster than we can read.")
        return counts


@contextmanager
def babble(full: bool) -> Iterator[Case]:
    pds = {"serial": {"run": "servers.serial", "args": {"colour": False}}}
    for number in range(BABBLERS):
        name = f"babbler{number}"
        pds[name] = {
            "run": f"{PRINTERS}:babbler",
            "uses": {"console": "serial"},
            "args": {"number": number},
        }
    with stage.booted("babble", pds) as system:
        yield Babble(system, BABBLE_FULL if full else BABBLE)


def setups(full: bool) -> list[Setup]:
    return [printing(), babble(full)]
