"""How a round trip is timed: in the same way for the system and for its yardstick."""

from collections.abc import Callable
from time import perf_counter_ns

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


def p50(samples: list[int]) -> float:
    """Microseconds which half of the trips take at most."""
    return sorted(samples)[(len(samples) - 1) // 2] / 1000
