"""`bench ipc`: what a brokered Call costs beside a relay that only swaps the address."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory
from typing import NamedTuple

from caplab.kernel.boot.system import System
from caplab.scripts.bench.children import PATIENCE, Children, hear, tell
from caplab.scripts.bench.rounds import Case, Setup
from caplab.scripts.bench.rows import Goal, Pair

TARGET = 1.15
WARM_UP = 1000
"""Trips before anything is counted: caches, the interpreter's specialised code, connections."""
ROUNDS = 15
TRIPS, TRIPS_FULL = 600, 3000
"""In a round. Short rounds in turn, so that what else the machine does meets both sides."""

PROGRAMS = "caplab.scripts.bench.programs"


class Place(NamedTuple):
    """Where the one that brokers runs, and where the others do."""

    name: str
    broker: int
    others: int


def manifest() -> str:
    """A caller with a console to be asked on, and an echo server. JSON is YAML."""
    system = {
        "name": f"bench-ipc-{os.getpid()}",
        "uarts": ["uart0"],
        "pds": {
            "echo": {"run": f"{PROGRAMS}:echo", "serves": "endpoint"},
            "caller": {"run": f"{PROGRAMS}:caller", "uses": ["echo"], "devices": ["uart0"]},
        },
    }
    return json.dumps(system)


class Calls:
    """The p50 of a Call beside the relay's; both stand ready, one works at a time."""

    rounds = ROUNDS

    def __init__(self, where: str, system: System, client: Popen[bytes], trips: int) -> None:
        yardstick = "a bare pyzmq relay (recv, send) on the same CPUs"
        self.goals: tuple[Goal, ...] = (
            Goal(f"call, 64 bytes, {where}", "µs", "<=", TARGET, yardstick),
        )
        self._system = system
        self._client = client
        self._trips = trips
        self._call(WARM_UP)
        self._relay(WARM_UP)

    def round(self, yardstick_first: bool) -> list[Pair]:
        if yardstick_first:
            yardstick = self._relay(self._trips)
            return [Pair(self._call(self._trips), yardstick)]
        value = self._call(self._trips)
        return [Pair(value, self._relay(self._trips))]

    def _call(self, trips: int) -> float:
        self._system.console.send(f"{trips}\n")
        return float(self._system.console.expect(r"p50 ([0-9.]+)\n", PATIENCE)[1])

    def _relay(self, trips: int) -> float:
        tell(self._client, str(trips))
        return float(hear(self._client, time.monotonic() + PATIENCE))


@contextmanager
def calls(place: Place, full: bool) -> Iterator[Case]:
    """Boot the system and start the relay, each process where it belongs."""
    with TemporaryDirectory(prefix="cl-bench-") as folder, Children() as children:
        path = Path(folder, "ipc.yaml")
        path.write_text(manifest())
        client = _start_relay(children, f"ipc://{folder}/relay", place)
        with System(path) as system:
            system.console.expect(r"ready\n", PATIENCE)
            pin(system.info()["kernel_pid"], place.broker)
            for row in system.ps():
                assert row.pid is not None
                pin(row.pid, place.others)
            yield Calls(place.name, system, client, TRIPS_FULL if full else TRIPS)


def _start_relay(children: Children, address: str, place: Place) -> Popen[bytes]:
    for role in ("relay", "server", "client"):
        command = [sys.executable, "-P", "-m", "caplab.scripts.bench.relay", role, address]
        child = children.start(command)
        if role == "client":
            hear(child, time.monotonic() + PATIENCE)
    for process, cpu in zip(
        children.processes, (place.broker, place.others, place.others), strict=True
    ):
        pin(process.pid, cpu)
    return child


def pin(pid: int, cpu: int) -> None:
    """Let all threads of a process run on one CPU."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {cpu})


def setups(full: bool) -> list[Setup]:
    """All on one core, where a message is a switch; then over two, where it is a wake-up as well.

    Left to itself the host uses either arrangement for seconds, then the other, for each side at
    other times: the ratio would say which they happened to be in.
    """
    cpus = sorted(os.sched_getaffinity(0))
    places = [Place("one core", cpus[0], cpus[0])]
    if len(cpus) > 1:
        places.append(Place("two cores", cpus[0], cpus[1]))
    return [calls(place, full) for place in places]
