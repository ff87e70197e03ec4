"""`bench serial`: what a console costs beside a line alone, and how evenly it is shared."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import Any

from caplab.kernel.boot.system import System
from caplab.kernel.host.errors import HostError
from caplab.kernel.host.watcher import Watcher
from caplab.scripts.bench import stage
from caplab.scripts.bench.children import PATIENCE
from caplab.scripts.bench.printers import BABBLED, paced, text
from caplab.scripts.bench.rounds import ROUNDS, Case, Setup
from caplab.scripts.bench.rows import Goal, Pair
from caplab.scripts.bench.sampling import p50

PRINTERS = "caplab.scripts.bench.printers"
SHOWN = len(text(b"\r\n"))
CONTROLS = {"ask-ring": "ring", "ask-call": "call"}
"""The UART at which a client of each kind is told to print."""
PLAIN = {"colour": False}
WARM_UP = 2
MEGABYTES = 7
"""Of a measurement."""
BABBLERS = 20
BABBLE, BABBLE_FULL = 0.5, 3.0
"""Seconds of which it is counted who printed how much."""
KEYS, KEYS_FULL = 200, 1000
CALL = "a brokered Call of the same system, made as seldom as keys are pressed"
BARE = "a process that writes to a line itself, a page at a time"


class Printing:
    """A megabyte through the serial server beside one that a process writes to its own line.

    Timed from the word, which is typed, to the last byte at a console that is attached.
    """

    rounds = ROUNDS
    goals: tuple[Goal, ...] = (
        Goal("1 MiB from one client, by ring", "MB/s", ">=", 0.7, BARE),
        Goal("the same by calls (to compare)", "MB/s", ">=", 0.0, BARE),
    )

    def __init__(self, system: System) -> None:
        self._consoles = system.console
        for measured in (self._bare, self._printed):
            for _ in range(WARM_UP):
                for control in CONTROLS:
                    measured(control)

    def round(self, yardstick_first: bool) -> list[Pair]:
        pairs = []
        for control in CONTROLS:
            if yardstick_first:
                yardstick = self._bare(control)
                pairs.append(Pair(self._printed(control), yardstick))
            else:
                value = self._printed(control)
                pairs.append(Pair(value, self._bare(control)))
        return pairs

    def _bare(self, _control: str) -> float:
        return self._timed(self._consoles["line"], self._consoles["line"])

    def _printed(self, control: str) -> float:
        return self._timed(self._consoles[control], self._consoles["console"])

    def _timed(self, control: Watcher, console: Watcher) -> float:
        """MB/s, the median of a few: one takes so little time that a neighbour spoils it."""
        return median(self._once(control, console) for _ in range(MEGABYTES))

    @staticmethod
    def _once(control: Watcher, console: Watcher) -> float:
        began = time.perf_counter()
        control.send(b"now\n")
        left = SHOWN
        while left > 0:
            left -= len(console.read(PATIENCE))
        taken = time.perf_counter() - began
        if left or console.lost:
            raise HostError("bench-failed", "The console did not show what was printed.")
        return SHOWN / taken / 1e6


@contextmanager
def printing() -> Iterator[Case]:
    """A serial server with a client of each kind, and a line that somebody drives alone."""
    pds: dict[str, dict[str, Any]] = {
        "serial": {"run": "servers.serial", "devices": ["console"], "args": PLAIN},
        "bare": {"run": f"{PRINTERS}:bare", "devices": ["line"], "args": {"uart": "line"}},
    }
    for control, buffering in CONTROLS.items():
        pds[buffering] = {
            "run": f"{PRINTERS}:printer",
            "uses": {"console": "serial"},
            "devices": [control],
            "args": {"control": control, "buffering": buffering},
        }
    with stage.booted("printing", pds, ("console", "line", *CONTROLS)) as system:
        yield Printing(system)


class Babble:
    """How much each of the clients that never pause has printed: the most beside the least."""

    rounds = ROUNDS

    def __init__(self, system: System, buffering: str, seconds: float) -> None:
        name = f"most by least of {BABBLERS} clients that never pause, by {buffering}"
        self.goals: tuple[Goal, ...] = (Goal(name, "×", "<=", 2.0),)
        self._console = next(iter(system.console.values()))
        self._seconds = seconds
        while len(self._counted(seconds)) < BABBLERS:
            continue  # they are not all there yet

    def round(self, yardstick_first: bool) -> list[Pair]:
        counts = self._counted(self._seconds)
        least = min(counts.values()) if len(counts) == BABBLERS else 1  # else somebody had nothing
        return [Pair(max(counts.values()) / least)]

    def _counted(self, seconds: float) -> Counter[bytes]:
        """Lines by who printed them. Where we read too slowly some are missing, of everybody."""
        self._console.status()  # which comes behind all that we have not read yet
        self._console.receive()
        end = time.monotonic() + seconds
        parts = []
        while time.monotonic() < end:  # looked into later: who stops to look misses more
            parts.append(self._console.read(PATIENCE))
        lines = b"".join(parts).split(b"\r\n")
        return Counter(line[:2] for line in lines if len(line) == BABBLED and line[:2].isdigit())


@contextmanager
def babble(buffering: str, full: bool) -> Iterator[Case]:
    pds: dict[str, dict[str, Any]] = {"serial": {"run": "servers.serial", "args": PLAIN}}
    for number in range(BABBLERS):
        pds[f"babbler{number}"] = {
            "run": f"{PRINTERS}:babbler",
            "uses": {"console": "serial"},
            "args": {"number": number, "buffering": buffering},
        }
    with stage.booted("babble", pds) as system:
        yield Babble(system, buffering, BABBLE_FULL if full else BABBLE)


class Echo:
    """From a key that is pressed to its echo, beside a brokered Call."""

    rounds = ROUNDS
    goals: tuple[Goal, ...] = (Goal("key-press to echo by a shell", "µs", "<=", 4.0, CALL),)

    def __init__(self, console: Watcher, calls: stage.Caller, keys: int) -> None:
        self._console = console
        self._calls = calls
        self._keys = keys
        console.expect("ready\r*\n", PATIENCE)
        self._echo()

    def round(self, yardstick_first: bool) -> list[Pair]:
        if yardstick_first:
            yardstick = self._calls.p50(self._keys)
            return [Pair(self._echo(), yardstick)]
        value = self._echo()
        return [Pair(value, self._calls.p50(self._keys))]

    def _echo(self) -> float:
        def pressed() -> None:
            self._console.send(b"k")
            if self._console.read(PATIENCE) != b"k":
                raise HostError("bench-failed", "A key came back as something else.")

        return p50(paced(pressed, self._keys))


@contextmanager
def echo(full: bool) -> Iterator[Case]:
    """One system in which keys are echoed and calls are made, by turns."""
    pds: dict[str, Mapping[str, Any]] = {
        "serial": {"run": "servers.serial", "devices": ["console"], "args": PLAIN},
        "shell": {"run": f"{PRINTERS}:echoer", "uses": {"console": "serial"}},
        **stage.CALLING,
        "caller": {**stage.CALLING["caller"], "run": f"{PRINTERS}:caller"},
    }
    with stage.booted("echo", pds, ("uart0", "console")) as system:
        calls = stage.Caller(system, stage.places()[-1])
        yield Echo(system.console["console"], calls, KEYS_FULL if full else KEYS)


def setups(full: bool) -> list[Setup]:
    return [printing(), echo(full), babble("call", full), babble("ring", full)]
