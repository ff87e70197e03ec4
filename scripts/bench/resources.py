"""`bench resources`: what a server's death costs who used it, and what a model costs others."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from caplab.kernel.boot.system import System
from caplab.scripts.bench import stage
from caplab.scripts.bench.jobs import HOARDERS, QUIET
from caplab.scripts.bench.programs import UART
from caplab.scripts.bench.rounds import ROUNDS, Case, Setup
from caplab.scripts.bench.rows import Goal, Pair
from caplab.scripts.bench.sampling import p99

STEWARDS = "caplab.scripts.bench.stewards"
LINEAR = 15.0
"""How much more ten times as much may take."""
FREED = 50.0
"""Milliseconds from a death until those who were blocked on it are freed."""
DELAY = 10.0
"""Milliseconds that a model may add to the p99 of others' calls."""
CLIENTS = 100
HELD, HELD_SAMPLE = 10_000, 2_000
"""Resources of the server that is killed; the yardstick has a tenth."""
SHOWN, SHOWN_SAMPLE = 20_000, 4_000
"""Resources of the model; the yardstick has a tenth."""
PATIENCE = 120.0


def setups(full: bool) -> list[Setup]:
    """A sample has fewer resources; the names of its rows say how many."""
    return [deaths(HELD if full else HELD_SAMPLE), models(SHOWN if full else SHOWN_SAMPLE)]


class Deaths:
    """A server is killed and started again: its clients hold much of it, or wait for it."""

    rounds = ROUNDS

    def __init__(self, system: System, held: int) -> None:
        self.goals: tuple[Goal, ...] = (
            Goal(
                f"kill of a server, {held:,} resources held by {CLIENTS} PDs, CPU",
                "ms",
                "<=",
                LINEAR,
                f"the same with {held // 10:,}",
            ),
            Goal(f"from its death to {CLIENTS} blocked callers freed, p99", "ms", "<=", FREED),
        )
        self._system = system
        self._kernel: int = system.info()["kernel_pid"]
        self._held = held
        system.console.expect(r"ready\n", PATIENCE)
        node = system.graph().pd("client0")
        self._first = int(node.removeprefix("PD_"), 16)
        self._kill(held)  # the slots are made when they are first filled

    def round(self, yardstick_first: bool) -> list[Pair]:
        if yardstick_first:
            yardstick = self._kill(self._held // 10)
            killed = Pair(self._kill(self._held), yardstick)
        else:
            killed = Pair(self._kill(self._held), self._kill(self._held // 10))
        return [killed, Pair(self._free())]

    def _kill(self, held: int) -> float:
        """Milliseconds that the kernel computes until the root task has done all it does about
        the death; by the clock on the wall a long one pays for the neighbours (see `jobs.py`).
        """
        self._system.console.send(f"give {held} {self._first}\n")
        self._system.console.expect(r"given\n", PATIENCE)
        before = stage.cpu_time(self._kernel)
        self._system.kill("steward")
        return (stage.cpu_time(self._kernel) - before) / 1e6

    def _free(self) -> float:
        """Milliseconds from the order to kill until all but one in a hundred callers were freed."""
        self._system.console.send("block\n")
        while not self._all_blocked():
            pass
        began = time.monotonic_ns()
        self._system.kill("steward")
        found = self._system.console.expect(r"freed ([0-9 ]+)\n", PATIENCE)
        return p99([int(freed) - began for freed in found[1].split()]) / 1000

    def _all_blocked(self) -> bool:
        rows = {row.pd: row for row in self._system.ps()}
        steward = rows["steward"]
        waits = [row for row in rows.values() if "steward" in row.reason]
        return steward.reason == "sleep" and len(waits) == CLIENTS


class Models:
    """The model state of a system with many resources, and others' calls while it is gathered."""

    rounds = ROUNDS

    def __init__(self, many: System, few: System, shown: int) -> None:
        self.goals: tuple[Goal, ...] = (
            Goal(
                f"model state of {shown:,} resources, CPU",
                "ms",
                "<=",
                LINEAR,
                f"the same of {shown // 10:,}",
            ),
            Goal(
                f"others' p99 over quiet, a model of {shown:,} resources",
                "ms",
                "<=",
                DELAY,
                "the p99 of the same calls while nothing else is done, which is taken off",
                over=True,
            ),
        )
        self._many, self._few, self._shown = many, few, shown
        for system in (many, few):
            system.console.expect(r"ready\n", PATIENCE)
            stage.settle(system, stage.places()[-1])
            self._took(system)

    def round(self, yardstick_first: bool) -> list[Pair]:
        if yardstick_first:
            few, quiet = self._took(self._few), self._p99(None)
            return [Pair(self._took(self._many), few), Pair(self._p99(self._many), quiet)]
        many, busy = self._took(self._many), self._p99(self._many)
        return [Pair(many, self._took(self._few)), Pair(busy, self._p99(None))]

    def _took(self, system: System) -> float:
        """Milliseconds that the kernel, the server and who asks compute until it is all here."""
        began = self._computed(system)
        found = system.graph(timeout=59)
        ended = self._computed(system)
        volumes = sum(node.data == "VOLUME" for node in found.nodes("RESOURCE"))
        wanted = self._shown if system is self._many else self._shown // 10
        if volumes != wanted or found.marked:
            raise ValueError(f"a model of {volumes} resources, not {wanted}: {found.marked}")
        return (ended - began) / 1e6

    @staticmethod
    def _computed(system: System) -> int:
        server = system.pd("librarian").pid
        assert server is not None
        kernel: int = system.info()["kernel_pid"]
        return stage.cpu_time(kernel) + stage.cpu_time(server) + time.process_time_ns()

    def _p99(self, system: System | None) -> float:
        """Milliseconds of the calls that others made meanwhile; None: nothing else is done."""
        console = self._many.console
        console.send(b"watch\n")
        console.expect(r"watching\n", PATIENCE)
        began = time.monotonic_ns()
        if system is None:
            time.sleep(QUIET)  # nothing happens meanwhile: that is the yardstick
        else:
            self._took(system)
        console.send(f"{began} {time.monotonic_ns()}\n".encode())
        return float(console.expect(r"p99 ([0-9.]+) of", PATIENCE)[1]) / 1000


@contextmanager
def deaths(held: int) -> Iterator[Case]:
    steward = {
        "run": f"{STEWARDS}:steward",
        "serves": {"space": "CHARGE"},
        "restart": {"policy": "always", "backoff": 0, "max": 1_000_000},
        "untyped": "8MiB",
    }
    collector = {
        "run": f"{STEWARDS}:collector",
        "args": {"clients": CLIENTS},
        "serves": "endpoint",
        "uses": ["steward"],
        "devices": [UART],
    }
    client = {
        "run": f"{STEWARDS}:blocked",
        "args": {"clients": CLIENTS},
        "uses": ["steward", "collector"],
    }
    pds: dict[str, Mapping[str, Any]] = {"steward": steward, "collector": collector}
    pds |= {f"client{number}": client for number in range(CLIENTS)}
    with stage.booted("deaths", pds) as system:
        yield Deaths(system, held)


@contextmanager
def models(shown: int) -> Iterator[Case]:
    with ExitStack() as stack:
        many, few = (
            stack.enter_context(stage.booted(f"model{count}", _library(count)))
            for count in (shown, shown // 10)
        )
        yield Models(many, few, shown)


def _library(count: int) -> dict[str, Mapping[str, Any]]:
    librarian = {
        "run": f"{STEWARDS}:librarian",
        "args": {"count": count},
        "serves": {"space": "VOLUME"},
        "untyped": "8MiB",
    }
    watcher = {"run": f"{HOARDERS}:watcher", "uses": ["echo"], "devices": [UART]}
    return {"librarian": librarian, "echo": stage.CALLING["echo"], "watcher": watcher}
