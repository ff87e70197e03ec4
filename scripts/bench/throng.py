"""Many clients of one server: calls a second, beside a bare rendezvous relay."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from subprocess import Popen
from tempfile import TemporaryDirectory

from caplab.kernel.boot.system import System
from caplab.scripts.bench import stage
from caplab.scripts.bench.children import PATIENCE, Children, hear, tell
from caplab.scripts.bench.programs import LEAD
from caplab.scripts.bench.rounds import Case
from caplab.scripts.bench.rows import Goal, Pair
from caplab.scripts.bench.stage import PROGRAMS, Place

CLIENTS = 8
AS_FAST = 0.90
SECONDS, SECONDS_FULL = 0.15, 0.4
"""That a round counts."""


class Throng:
    """Both stand ready, one works at a time."""

    rounds = stage.ROUNDS

    def __init__(
        self, where: str, system: System, clients: Sequence[Popen[bytes]], seconds: float
    ) -> None:
        goal = Goal(
            f"{CLIENTS} clients on one server, {where}",
            "calls/s",
            ">=",
            AS_FAST,
            "a bare rendezvous relay, which hands the server its next request with its reply",
        )
        self.goals: tuple[Goal, ...] = (goal,)
        self._system = system
        self._clients = clients
        self._seconds = seconds
        self._calls()
        self._trips()

    def round(self, yardstick_first: bool) -> list[Pair]:
        if yardstick_first:
            yardstick = self._trips()
            return [Pair(self._calls(), yardstick)]
        value = self._calls()
        return [Pair(value, self._trips())]

    def _calls(self) -> float:
        self._system.console.send(f"{self._seconds}\n")
        return float(self._system.console.expect(r"calls ([0-9.]+)\n", PATIENCE)[1])

    def _trips(self) -> float:
        begin = time.monotonic_ns() + LEAD
        end = begin + int(self._seconds * 1e9)
        for client in self._clients:
            tell(client, f"{begin} {end}")
        limit = time.monotonic() + PATIENCE
        return sum(int(hear(client, limit)) for client in self._clients) / self._seconds


@contextmanager
def throng(place: Place, full: bool) -> Iterator[Case]:
    """Boot the system and start the relay, each process where it belongs."""
    client = {"run": f"{PROGRAMS}:client", "uses": ["echo", "starter"]}
    starter = {
        "run": f"{PROGRAMS}:starter",
        "args": {"clients": CLIENTS},
        "serves": "endpoint",
        "devices": ["uart0"],
    }
    pds = {"echo": stage.CALLING["echo"], "starter": starter}
    pds |= {f"client{number}": client for number in range(CLIENTS)}
    with TemporaryDirectory(prefix="cl-bench-") as folder, Children() as children:
        clients = _start_relay(children, f"ipc://{folder}/relay", place)
        with stage.booted("throng", pds) as system:
            system.console.expect(r"ready\n", PATIENCE)
            stage.settle(system, place)
            yield Throng(place.name, system, clients, SECONDS_FULL if full else SECONDS)


def _start_relay(children: Children, address: str, place: Place) -> list[Popen[bytes]]:
    names = [f"client{number}" for number in range(CLIENTS)]
    module = "caplab.scripts.bench.rendezvous"
    for role in ("relay", "server", *names):
        command = [sys.executable, "-P", "-m", module, role, address, str(CLIENTS)]
        children.start(command)
    relay, _, *clients = children.processes
    for client in clients:
        hear(client, time.monotonic() + PATIENCE)
    stage.pin(relay.pid, place.broker)
    for process in children.processes[1:]:
        stage.pin(process.pid, place.others)
    return clients
