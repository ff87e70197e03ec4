"""`bench ipc`: what a brokered Call costs beside a relay that only swaps the address."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import Popen
from tempfile import TemporaryDirectory

from caplab.scripts.bench import stage
from caplab.scripts.bench.children import PATIENCE, Children, hear, tell
from caplab.scripts.bench.rounds import Case, Setup
from caplab.scripts.bench.rows import Goal, Pair
from caplab.scripts.bench.stage import TRIPS, TRIPS_FULL, WARM_UP, Caller, Place

TARGET = 1.10


class Calls:
    """The p50 of a Call beside the relay's; both stand ready, one works at a time."""

    rounds = stage.ROUNDS

    def __init__(self, where: str, caller: Caller, client: Popen[bytes], trips: int) -> None:
        yardstick = "a bare pyzmq relay (recv, send) on the same CPUs"
        self.goals: tuple[Goal, ...] = (
            Goal(f"call, 64 bytes, {where}", "µs", "<=", TARGET, yardstick),
        )
        self._caller = caller
        self._client = client
        self._trips = trips
        self._relay(WARM_UP)

    def round(self, yardstick_first: bool) -> list[Pair]:
        if yardstick_first:
            yardstick = self._relay(self._trips)
            return [Pair(self._caller.p50(self._trips), yardstick)]
        value = self._caller.p50(self._trips)
        return [Pair(value, self._relay(self._trips))]

    def _relay(self, trips: int) -> float:
        tell(self._client, str(trips))
        return float(hear(self._client, time.monotonic() + PATIENCE))


@contextmanager
def calls(place: Place, full: bool) -> Iterator[Case]:
    """Boot the system and start the relay, each process where it belongs."""
    with TemporaryDirectory(prefix="cl-bench-") as folder, Children() as children:
        client = _start_relay(children, f"ipc://{folder}/relay", place)
        with stage.booted("ipc", stage.CALLING) as system:
            trips = TRIPS_FULL if full else TRIPS
            yield Calls(place.name, Caller(system, place), client, trips)


def _start_relay(children: Children, address: str, place: Place) -> Popen[bytes]:
    for role in ("relay", "server", "client"):
        command = [sys.executable, "-P", "-m", "caplab.scripts.bench.relay", role, address]
        child = children.start(command)
        if role == "client":
            hear(child, time.monotonic() + PATIENCE)
    for process, cpu in zip(
        children.processes, (place.broker, place.others, place.others), strict=True
    ):
        stage.pin(process.pid, cpu)
    return child


def setups(full: bool) -> list[Setup]:
    return [calls(place, full) for place in stage.places()]
