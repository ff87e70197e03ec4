"""`bench l4`: what Codezero's IPC costs beside a raw Call that carries the same words, and a
request of libsel4rpc (`loans.py`) beside the same calls made by hand.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from caplab.kernel.boot.system import System
from caplab.scripts.bench import stage
from caplab.scripts.bench.children import PATIENCE
from caplab.scripts.bench.l4_peers import L4, RAW, SEED
from caplab.scripts.bench.loans import loans
from caplab.scripts.bench.rounds import Case, Setup
from caplab.scripts.bench.rows import Goal, Pair
from caplab.scripts.bench.stage import TRIPS, TRIPS_FULL, WARM_UP, Place

PEERS = "caplab.scripts.bench.l4_peers"
TARGET = 1.3
SEED_TARGET = 1.75
"""Of the seed's loop, which makes two system calls where a raw server makes one."""
SYSTEM: Mapping[str, Mapping[str, Any]] = {
    **{who: {"run": f"{PEERS}:{who}_server", "serves": "endpoint"} for who in (RAW, L4, SEED)},
    "caller": {"run": f"{PEERS}:caller", "uses": [RAW, L4, SEED], "devices": ["uart0"]},
}


class Sendrecvs:
    """The p50 of a short sendrecv beside that of a raw Call by the same caller, in turns."""

    rounds = stage.ROUNDS

    def __init__(self, system: System, place: Place, trips: int) -> None:
        yardstick = "a raw Call (stubs) with the same 6 words, to a server that does ReplyRecv"
        loop = "to the seed's loop (receive, ipc_return)"
        self.goals: tuple[Goal, ...] = (
            Goal(f"l4 sendrecv, short, {place.name}", "µs", "<=", TARGET, yardstick),
            Goal(f"the same {loop}, {place.name}", "µs", "<=", SEED_TARGET, yardstick),
        )
        self._system, self._trips = system, trips
        system.console.expect(r"ready\n", PATIENCE)
        stage.settle(system, place)
        for who in (RAW, L4, SEED):
            self._p50(who, WARM_UP)

    def round(self, yardstick_first: bool) -> list[Pair]:
        order = (RAW, L4, SEED) if yardstick_first else (SEED, L4, RAW)
        found = {who: self._p50(who, self._trips) for who in order}
        return [Pair(found[who], found[RAW]) for who in (L4, SEED)]

    def _p50(self, who: str, trips: int) -> float:
        self._system.console.send(f"{who} {trips}\n")
        return float(self._system.console.expect(r"p50 ([0-9.]+)\n", PATIENCE)[1])


@contextmanager
def sendrecvs(place: Place, full: bool) -> Iterator[Case]:
    """Boot the caller and its servers, each process where it belongs."""
    with stage.booted("l4", SYSTEM) as system:
        yield Sendrecvs(system, place, TRIPS_FULL if full else TRIPS)


def setups(full: bool) -> list[Setup]:
    cases = (sendrecvs, loans)
    return [case(place, full) for case in cases for place in stage.places()]
