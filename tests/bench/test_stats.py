"""The median, and an interval that keeps its promise."""

import random
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caplab.scripts.bench.stats import CONFIDENCE, estimate, trimmed

Samples = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=40)


def coverage(count: int, outside: int) -> float:
    """How likely the true median lies within, by the definition."""
    return 1 - 2 * sum(comb(count, below) for below in range(outside + 1)) / 2**count


def test_seven_samples_promise_no_less_than_their_whole_range() -> None:
    assert estimate([7, 1, 6, 2, 5, 3, 4]) == (4, 1, 7)


def test_more_samples_leave_out_the_extremes() -> None:
    assert estimate(range(1, 16)) == (8, 4, 12)


@pytest.mark.parametrize("count", range(6, 61))
def test_the_interval_is_the_narrowest_that_keeps_its_confidence(count: int) -> None:
    assert coverage(count, trimmed(count)) >= CONFIDENCE
    assert coverage(count, trimmed(count) + 1) < CONFIDENCE


@pytest.mark.parametrize("count", range(1, 6))
def test_too_few_samples_give_their_whole_range(count: int) -> None:
    assert trimmed(count) == 0


def test_the_true_median_lies_within_as_often_as_promised() -> None:
    lucky = random.Random(2)
    within = 0
    for _ in range(2000):
        found = estimate([lucky.lognormvariate(0, 1) for _ in range(15)])
        within += found.low <= 1 <= found.high
    assert within >= 0.94 * 2000


@given(Samples)
def test_the_median_lies_in_its_interval_and_the_interval_in_the_samples(
    samples: list[float],
) -> None:
    found = estimate(samples)
    assert min(samples) <= found.low <= found.middle <= found.high <= max(samples)


@given(Samples, st.randoms())
def test_the_order_of_the_samples_does_not_matter(
    samples: list[float], chance: random.Random
) -> None:
    shuffled = samples[:]
    chance.shuffle(shuffled)
    assert estimate(shuffled) == estimate(samples)


def test_the_width_is_a_share_of_the_median() -> None:
    assert estimate([9, 10, 11]).width == pytest.approx(0.2)


def test_nothing_has_no_median() -> None:
    with pytest.raises(ValueError, match="no samples"):
        estimate([])
