"""`bench idl`: what a generated stub adds to a raw Call, and the same through protobuf."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from caplab.kernel.boot.system import System
from caplab.scripts.bench import stage
from caplab.scripts.bench.children import PATIENCE
from caplab.scripts.bench.rounds import Case, Setup
from caplab.scripts.bench.rows import Goal, Pair
from caplab.scripts.bench.stage import TRIPS, TRIPS_FULL, WARM_UP, Place

PROGRAMS = "caplab.scripts.bench.operations"
ADDED, BEATEN = 1.10, 1.0
STUB, RAW, PROTOBUF = "stub", "raw", "protobuf"
PDS: Mapping[str, Mapping[str, Any]] = {
    STUB: {"run": "servers.calc"},
    RAW: {"run": f"{PROGRAMS}:raw", "serves": "endpoint"},
    PROTOBUF: {"run": f"{PROGRAMS}:protobuf", "serves": "endpoint"},
    "caller": {
        "run": f"{PROGRAMS}:caller",
        "uses": [STUB, RAW, PROTOBUF],
        "devices": ["uart0"],
    },
}


class Operations:
    """The p50 of `add` through the stub beside both yardsticks, all asked by one PD in turn."""

    rounds = stage.ROUNDS

    def __init__(self, system: System, place: Place, trips: int) -> None:
        self.goals: tuple[Goal, ...] = (
            Goal(
                f"Calc.add by its stub, {place.name}",
                "µs",
                "<=",
                ADDED,
                "a raw Call with the same bytes, and a server that does not look at them",
            ),
            Goal(
                f"Calc.add by its stub, {place.name}, and protobuf",
                "µs",
                "<=",
                BEATEN,
                "the same operation as two protobuf messages",
            ),
        )
        self._system = system
        self._trips = trips
        system.console.expect(r"ready\n", PATIENCE)
        stage.settle(system, place)
        for way in (STUB, RAW, PROTOBUF):
            self._p50(way, WARM_UP)

    def round(self, yardstick_first: bool) -> list[Pair]:
        ways = (STUB, RAW, PROTOBUF)
        ordered = ways[::-1] if yardstick_first else ways
        took = {way: self._p50(way, self._trips) for way in ordered}
        return [Pair(took[STUB], took[RAW]), Pair(took[STUB], took[PROTOBUF])]

    def _p50(self, way: str, trips: int) -> float:
        self._system.console.send(f"{way} {trips}\n")
        return float(self._system.console.expect(r"p50 ([0-9.]+)\n", PATIENCE)[1])


@contextmanager
def operations(place: Place, full: bool) -> Iterator[Case]:
    """Boot the system, each process where it belongs."""
    with stage.booted("idl", PDS) as system:
        yield Operations(system, place, TRIPS_FULL if full else TRIPS)


def setups(full: bool) -> list[Setup]:
    return [operations(place, full) for place in stage.places()]
