"""Memory that a parent lends through sel4rpc, beside the same calls made by hand."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from caplab.kernel.boot.system import System
from caplab.scripts.bench import stage
from caplab.scripts.bench.children import PATIENCE
from caplab.scripts.bench.parents import HAND, RPC
from caplab.scripts.bench.rounds import Case
from caplab.scripts.bench.rows import Goal, Pair
from caplab.scripts.bench.stage import Place

PARENTS = "caplab.scripts.bench.parents"
TARGET = 1.5
TRIPS, TRIPS_FULL, WARM_UP = 200, 1000, 300
"""In a round; each is seven system calls, so there are fewer than of plain Calls."""
SYSTEM: Mapping[str, Mapping[str, Any]] = {
    **{who: {"run": f"{PARENTS}:{who}_parent", "serves": "endpoint"} for who in (HAND, RPC)},
    "child": {"run": f"{PARENTS}:child", "uses": [HAND, RPC], "devices": ["uart0"]},
}


class Loans:
    """The p50 of a request for a page of untyped memory, which the child then deletes."""

    rounds = stage.ROUNDS

    def __init__(self, system: System, place: Place, trips: int) -> None:
        yardstick = "Call, Retype, Reply and Delete by hand (stubs), with the same capability"
        name = f"sel4rpc memory request, {place.name}"
        self.goals: tuple[Goal, ...] = (Goal(name, "µs", "<=", TARGET, yardstick),)
        self._system, self._trips = system, trips
        system.console.expect(r"ready\n", PATIENCE)
        stage.settle(system, place)
        for who in (HAND, RPC):
            self._p50(who, WARM_UP)

    def round(self, yardstick_first: bool) -> list[Pair]:
        order = (HAND, RPC) if yardstick_first else (RPC, HAND)
        found = {who: self._p50(who, self._trips) for who in order}
        return [Pair(found[RPC], found[HAND])]

    def _p50(self, who: str, trips: int) -> float:
        self._system.console.send(f"{who} {trips}\n")
        return float(self._system.console.expect(r"p50 ([0-9.]+)\n", PATIENCE)[1])


@contextmanager
def loans(place: Place, full: bool) -> Iterator[Case]:
    """Boot a child and its two parents, each process where it belongs."""
    with stage.booted("loans", SYSTEM) as system:
        yield Loans(system, place, TRIPS_FULL if full else TRIPS)
