"""The median of few, noisy samples, and how far it can be trusted."""

from collections.abc import Sequence
from math import comb
from statistics import median
from typing import NamedTuple

CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A median and the interval in which the true one lies with 95 % probability."""

    middle: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """Of the interval, as a share of the median."""
        return (self.high - self.low) / abs(self.middle) if self.middle else 0.0


def estimate(samples: Sequence[float]) -> Estimate:
    """The median of the samples with its interval, which is one of the samples to the next.

    No distribution is assumed: the true median is as likely above a sample as below it, so how
    many samples lie below it is binomial (the sign test turned round). The interval goes from the
    k-th smallest sample to the k-th largest, with the largest k that keeps 95 %. Fewer than six
    samples cannot promise that much; then it is their whole range.

    Raises ValueError without any sample.
    """
    if not samples:
        raise ValueError("a median of no samples")
    ordered = sorted(samples)
    inward = trimmed(len(ordered))
    return Estimate(median(ordered), ordered[inward], ordered[-1 - inward])


def trimmed(count: int) -> int:
    """How many of so many samples lie outside the interval, on each side."""
    allowed = (1 - CONFIDENCE) / 2 * 2**count
    outside = 0
    # Of the 2**count ways to fall, those with at most `outside` samples below the median.
    below = 1 + count
    while below <= allowed:
        outside += 1
        below += comb(count, outside + 1)
    return outside
