"""How a round trip is timed: in the same way for the system and for its yardstick."""

from collections.abc import Callable, Sequence
from time import monotonic_ns, perf_counter_ns

BODY = bytes(range(64))
"""What every timed message carries."""

Trip = Callable[[], object]
"""One message there, one back."""


def sampled(trip: Trip, count: int) -> list[int]:
    """Nanoseconds of each of so many trips."""
    clock = perf_counter_ns
    samples = []
    for _ in range(count):
        began = clock()
        trip()
        samples.append(clock() - began)
    return samples


def counted(trip: Trip, begin: int, end: int) -> int:
    """How many trips are made between two moments of the monotonic clock, in nanoseconds.

    Until it begins trips are made too, and not counted: who else counts may be late.
    """
    clock = monotonic_ns
    while clock() < begin:
        trip()
    made = 0
    while True:
        trip()
        if clock() >= end:
            return made
        made += 1


def p50(samples: Sequence[int]) -> float:
    """Microseconds which half of the trips take at most."""
    return percentile(samples, 50)


def p99(samples: Sequence[int]) -> float:
    """Microseconds which all but one in a hundred trips take at most."""
    return percentile(samples, 99)


def percentile(samples: Sequence[int], percent: int) -> float:
    """Microseconds which so many of a hundred samples, given in nanoseconds, do not exceed."""
    return sorted(samples)[-(-len(samples) * percent // 100) - 1] / 1000
