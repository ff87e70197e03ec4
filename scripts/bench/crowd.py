"""A Call in a system where much else exists, beside one in a system of two PDs; and `--record`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from caplab.kernel.boot.system import System
from caplab.kernel.host.errors import HostError
from caplab.scripts.bench import stage
from caplab.scripts.bench.rounds import Case
from caplab.scripts.bench.rows import Goal
from caplab.scripts.bench.stage import MEMBERS, Beside, Caller

CROWDED = 1.05
RECORDED = 1.25
PATIENCE = 120.0
"""Seconds within which everybody has started and made what is his."""


class Crowd(NamedTuple):
    """So many idle PDs, and what each of them makes by its own calls."""

    pds: int
    endpoints: int = 20
    capabilities: int = 200


FULL, SAMPLE = Crowd(500), Crowd(50)


@contextmanager
def crowded(crowd: Crowd, full: bool) -> Iterator[Case]:
    """Boot both systems, and wait until the crowd has what it should have."""
    capabilities = crowd.pds * crowd.capabilities
    goal = Goal(
        f"call, {crowd.pds} idle PDs, {capabilities:,} capabilities,"
        f" {crowd.pds * crowd.endpoints:,} endpoints",
        "µs",
        "<=",
        CROWDED,
        "the same call in a system with two PDs, on the same CPU",
    )
    idler = {
        "run": f"{MEMBERS}:idler",
        "args": {"endpoints": crowd.endpoints, "capabilities": crowd.capabilities},
        "uses": ["gate"],
    }
    gate = {
        "run": f"{MEMBERS}:gate",
        "args": {"members": crowd.pds, "uart": "uart1"},
        "serves": "endpoint",
        "devices": ["uart1"],
    }
    pds = {**stage.CALLING, "gate": gate}
    pds |= {f"idler{number}": idler for number in range(crowd.pds)}
    (place, *_) = stage.places()
    with (
        stage.booted("crowd", pds, ("uart0", "uart1")) as big,
        stage.booted("pair", stage.CALLING) as small,
    ):
        big.console["uart1"].expect(r"answered ", PATIENCE)
        there = held(big)
        if there < capabilities:
            raise HostError("bench-failed", f"Only {there} of {capabilities} capabilities exist.")
        yield Beside(goal, Caller(big, place), Caller(small, place), full)


def held(system: System) -> int:
    """Capabilities in all CSpaces of a system."""
    return sum(row.caps for row in system.ps())


@contextmanager
def recorded(full: bool) -> Iterator[Case]:
    """Boot the same system twice, one of them with a log."""
    goal = Goal("call, --record on", "µs", "<=", RECORDED, "the same call with no recording")
    (place, *_) = stage.places()
    with (
        stage.booted("recorded", stage.CALLING, record=True) as log,
        stage.booted("unrecorded", stage.CALLING) as plain,
    ):
        yield Beside(goal, Caller(log, place), Caller(plain, place), full)
