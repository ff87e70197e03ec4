"""`bench ipc`: what a brokered Call costs beside a relay that only swaps the address."""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory

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


def manifest(cpus: Sequence[int] | None) -> str:
    """A caller with a console to be asked on, and an echo server. JSON is YAML."""
    system = {
        "name": f"bench-ipc-{os.getpid()}",
        "uarts": ["uart0"],
        "pds": {
            "echo": {"run": f"{PROGRAMS}:echo", "serves": "endpoint"},
            "caller": {"run": f"{PROGRAMS}:caller", "uses": ["echo"], "devices": ["uart0"]},
        },
    }
    return json.dumps(system if cpus is None else {**system, "cpus": list(cpus)})


class Calls:
    """The p50 of a Call beside the relay's; both stand ready, one works at a time."""

    rounds = ROUNDS

    def __init__(self, where: str, system: System, client: Popen[bytes], trips: int) -> None:
        yardstick = "a bare pyzmq relay, recv and send, on the same CPUs"
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
def calls(where: str, cpus: Sequence[int] | None, full: bool) -> Iterator[Case]:
    """Boot the system and start the relay, on these CPUs (None: as the host sees fit)."""
    with TemporaryDirectory(prefix="cl-bench-") as folder, Children() as children:
        path = Path(folder, "ipc.yaml")
        path.write_text(manifest(cpus))
        client = _start_relay(children, f"ipc://{folder}/relay", cpus)
        with System(path) as system:
            system.console.expect(r"ready\n", PATIENCE)
            yield Calls(where, system, client, TRIPS_FULL if full else TRIPS)


def _start_relay(children: Children, address: str, cpus: Sequence[int] | None) -> Popen[bytes]:
    for role in ("relay", "server", "client"):
        command = [sys.executable, "-P", "-m", "caplab.scripts.bench.relay", role, address]
        client = children.start([*command, *map(str, cpus or ())])
    hear(client, time.monotonic() + PATIENCE)
    return client


def setups(full: bool) -> list[Setup]:
    """On one core, where every message is a switch; then on two, where it is a wake-up as well."""
    cpus = sorted(os.sched_getaffinity(0))
    return [calls("one core", cpus[:1], full), calls("two cores", None, full)]
