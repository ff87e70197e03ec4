"""The verdict over paired rounds."""

import pytest

from caplab.scripts.bench.rows import Goal, Pair, row, wide

SLOWER = Goal("call", "µs", "<=", 1.15, "a relay")
FASTER = Goal("boot", "PDs/s", ">=", 2.5, "as many Pythons")
ALONE = Goal("kill", "ms", "<=", 50)
DELAY = Goal("p99", "ms", "<=", 10, "the p99 in quiet", over=True)


def pairs(*ratios: float, yardstick: float = 100) -> list[Pair]:
    return [Pair(ratio * yardstick, yardstick) for ratio in ratios]


def test_a_row_is_the_median_of_its_rounds_with_the_interval() -> None:
    made = row(SLOWER, pairs(1.1, 1.2, 1.0, 1.05, 1.3, 1.1, 1.1))
    assert made.ratio == pytest.approx(1.1)
    assert (made.low, made.high) == pytest.approx((1.0, 1.3))
    assert (made.value, made.yardstick_value) == pytest.approx((110, 100))
    assert made.ok


def test_the_ratio_is_that_of_the_rounds_and_not_of_the_medians() -> None:
    # The machine slows down all the while; in each round the value is twice the yardstick.
    drifting = [Pair(2.0 * slowness, slowness) for slowness in (1, 2, 4, 8, 16)]
    assert row(SLOWER, drifting).ratio == 2.0
    crossed = [Pair(10, 5), Pair(20, 20), Pair(30, 60)]
    assert row(SLOWER, crossed).ratio == 1.0


@pytest.mark.parametrize(
    ("goal", "ratio", "ok"),
    [
        (SLOWER, 1.15, True),
        (SLOWER, 1.1501, False),
        (FASTER, 2.5, True),
        (FASTER, 2.4999, False),
        (FASTER, 9.0, True),
    ],
)
def test_a_row_is_ok_when_its_ratio_meets_the_target(goal: Goal, ratio: float, ok: bool) -> None:
    assert row(goal, pairs(*[ratio] * 7, yardstick=1)).ok is ok


def test_without_a_yardstick_the_value_itself_is_judged() -> None:
    made = row(ALONE, [Pair(value) for value in (40, 60, 45, 49, 41)])
    assert (made.value, made.low, made.high, made.ok) == (45, 40, 60, True)
    assert made.ratio is None
    assert made.yardstick is None
    assert made.yardstick_value is None
    assert not row(ALONE, [Pair(51)] * 7).ok


def test_a_yardstick_that_measured_nothing_is_an_error_and_no_figure() -> None:
    with pytest.raises(ValueError, match="a relay"):
        row(SLOWER, [Pair(100, 0)])
    with pytest.raises(ValueError, match="a relay"):
        row(SLOWER, [Pair(100)])


def test_what_exceeds_the_yardstick_is_judged_round_by_round() -> None:
    made = row(DELAY, [Pair(4.0, 1.0), Pair(9.0, 8.0), Pair(12.5, 0.5)])
    assert (made.value, made.low, made.high) == (3.0, 1.0, 12.0)
    assert made.yardstick_value == 1.0
    assert made.ratio is None
    assert made.ok
    assert row(DELAY, [Pair(10.9, 1.0)] * 7).ok
    assert not row(DELAY, [Pair(11.1, 1.0)] * 7).ok


def test_rounds_scatter_too_much_by_a_share_of_what_is_judged() -> None:
    assert not wide(SLOWER, pairs(1.0, 1.14, 1.05))
    assert wide(SLOWER, pairs(1.0, 1.17, 1.05))
    assert not wide(ALONE, [Pair(value) for value in (40, 42, 45)])
    assert wide(ALONE, [Pair(value) for value in (40, 42, 47)])


def test_a_difference_scatters_by_a_share_of_its_target() -> None:
    assert not wide(DELAY, [Pair(1.1, 1.0), Pair(2.5, 1.0), Pair(1.0, 1.0)])
    assert wide(DELAY, [Pair(1.1, 1.0), Pair(2.6, 1.0), Pair(1.0, 1.0)])
