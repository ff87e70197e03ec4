"""`bench boot`: how fast fifty PDs start, and how little memory they take, beside fifty Pythons."""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psutil

from caplab.kernel.boot.system import System
from caplab.scripts.bench.children import PATIENCE, Children, compiled, hear
from caplab.scripts.bench.rounds import ROUNDS, Case, Setup
from caplab.scripts.bench.rows import Goal, Pair

MEMBERS = 50
FASTER = 2.5
SMALLER = 0.6
PROGRAMS = "caplab.scripts.bench.members"
PROCESS = "import zmq, msgpack, google.protobuf.message, sys; print(flush=True); sys.stdin.read()"
"""What a PD would be without the zygote: a Python that can talk, and says so."""
MEBIBYTE = 1024 * 1024


class Sight(NamedTuple):
    """What one start of everybody showed."""

    seconds: float
    """From the first process's start until the last one could work."""
    pss: float
    """MiB per process, all of them alive: a page that is shared counts once among its sharers."""


def manifest(members: int, confinement: str = "auto") -> str:
    """A gate, and its members. JSON is YAML."""
    gate = {
        "run": f"{PROGRAMS}:gate",
        "args": {"members": members},
        "serves": "endpoint",
        "devices": ["uart0"],
    }
    member = {"run": f"{PROGRAMS}:member", "uses": ["gate"]}
    system = {
        "name": f"bench-boot-{os.getpid()}",
        "confinement": confinement,
        "uarts": ["uart0"],
        "pds": {"gate": gate, **{f"member{number}": member for number in range(members)}},
    }
    return json.dumps(system)


class Boots:
    """Each round starts everybody afresh, on both sides, and looks at them all alive."""

    rounds = ROUNDS

    def __init__(self, folder: Path) -> None:
        yardstick = f"{MEMBERS} × subprocess.Popen([python, …]), importing zmq, msgpack, protobuf"
        self.goals: tuple[Goal, ...] = (
            Goal(f"{MEMBERS} PDs up and answered", "PDs/s", ">=", FASTER, yardstick),
            Goal("PSS of a PD", "MiB", "<=", SMALLER, yardstick),
        )
        self._manifest = folder / "boot.yaml"
        self._manifest.write_text(manifest(MEMBERS))

    def round(self, yardstick_first: bool) -> list[Pair]:
        if yardstick_first:
            yardstick, seen = popened(MEMBERS), booted(self._manifest)
        else:
            seen, yardstick = booted(self._manifest), popened(MEMBERS)
        # As rates, so that more is better on both sides and the ratio says how many times.
        return [
            Pair(MEMBERS / seen.seconds, MEMBERS / yardstick.seconds),
            Pair(seen.pss, yardstick.pss),
        ]


def booted(path: Path) -> Sight:
    """Boot the system, from before its manifest is read to its last member's first answer."""
    system = System(path)
    began = time.monotonic()
    with system:
        answered = float(system.console.expect(r"answered ([0-9.]+)\n", PATIENCE)[1])
        pids = [row.pid for row in system.ps() if row.pid and row.pd.startswith("member")]
        return Sight(answered - began, pss(pids))


def popened(count: int) -> Sight:
    """Start so many Pythons together, until each has imported what a PD has and said so."""
    with Children() as children:
        began = time.monotonic()
        for _ in range(count):
            children.start([sys.executable, "-c", PROCESS])
        for process in children.processes:
            hear(process, began + PATIENCE)
        seconds = time.monotonic() - began
        return Sight(seconds, pss([process.pid for process in children.processes]))


def pss(pids: Sequence[int]) -> float:
    """MiB of proportional set size, in the mean."""
    return fmean(psutil.Process(pid).memory_full_info().pss for pid in pids) / MEBIBYTE


@contextmanager
def boots() -> Iterator[Case]:
    with TemporaryDirectory(prefix="cl-bench-") as folder, compiled():
        case = Boots(Path(folder))
        case.round(False)  # reads every file once, writes what Python compiles
        yield case


def setups(full: bool) -> list[Setup]:
    """The same either way: a round is what it is, and the time limit says how many there are."""
    return [boots()]
