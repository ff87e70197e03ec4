"""Rounds alternate, are repeated when they scatter, and fit the time there is."""

from collections.abc import Sequence

import pytest

from caplab.scripts.bench.rounds import Budget, measure
from caplab.scripts.bench.rows import Goal, Pair

CALM = Goal("calm", "µs", "<=", 1.15, "yardstick")
ROUGH = Goal("rough", "µs", "<=", 1.15, "yardstick")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Case:
    """Ratios as they are told; each round takes some time of the clock."""

    rounds = 7

    def __init__(self, clock: Clock, takes: float = 1.0, **ratios: Sequence[float]) -> None:
        self.goals = tuple({"calm": CALM, "rough": ROUGH}[name] for name in ratios)
        self.order: list[bool] = []
        self._clock = clock
        self._takes = takes
        self._ratios = list(ratios.values())

    def round(self, yardstick_first: bool) -> list[Pair]:
        number = len(self.order)
        self.order.append(yardstick_first)
        self._clock.now += self._takes
        return [Pair(ratios[number % len(ratios)], 1.0) for ratios in self._ratios]


def unlimited(clock: Clock) -> Budget:
    return Budget(None, clock)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def said() -> list[str]:
    return []


def test_who_begins_changes_from_round_to_round(clock: Clock, said: list[str]) -> None:
    case = Case(clock, calm=[1.0])
    measure(case, unlimited(clock), said.append)
    assert case.order == [False, True, False, True, False, True, False]
    assert not said


def test_a_row_that_scatters_is_measured_again_with_twice_the_rounds(
    clock: Clock, said: list[str]
) -> None:
    first, second = [1.0, 1.3, 1.0, 1.3, 1.0, 1.3, 1.3], [1.1] * 14
    case = Case(clock, rough=first + second)
    (row,) = measure(case, unlimited(clock), said.append)
    assert len(case.order) == 7 + 14
    assert (row.ratio, row.low, row.high, row.ok) == (1.1, 1.1, 1.1, True)
    assert "rough" in said[0]


def test_a_row_that_still_scatters_is_judged_all_the_same(clock: Clock, said: list[str]) -> None:
    case = Case(clock, rough=[1.0, 1.5])
    (row,) = measure(case, unlimited(clock), said.append)
    assert len(case.order) == 21
    assert not row.ok


def test_a_steady_row_keeps_its_first_measurement(clock: Clock, said: list[str]) -> None:
    case = Case(clock, calm=[1.0] * 7 + [9.0] * 14, rough=[1.0, 1.5] * 4 + [1.0] * 13)
    calm, rough = measure(case, unlimited(clock), said.append)
    assert (calm.ratio, rough.ratio) == (1.0, 1.0)
    assert "calm" not in said[0]


def test_no_round_begins_that_would_not_fit_the_budget(clock: Clock, said: list[str]) -> None:
    case = Case(clock, takes=2.0, calm=[1.0])
    measure(case, Budget(9.0, clock), said.append)
    assert len(case.order) == 4
    assert clock.now == 108.0
    assert "4 of 7 rounds" in said[0]


def test_one_round_runs_however_small_the_budget(clock: Clock, said: list[str]) -> None:
    case = Case(clock, takes=2.0, rough=[1.0])
    (row,) = measure(case, Budget(0.0, clock), said.append)
    assert len(case.order) == 1
    assert row.ratio == 1.0


def test_a_second_measurement_cut_short_is_judged_with_the_first(
    clock: Clock, said: list[str]
) -> None:
    case = Case(clock, rough=[1.0] * 3 + [1.4] * 4 + [1.0] * 14)
    (row,) = measure(case, Budget(10.0, clock), said.append)
    assert len(case.order) == 10
    assert row.ratio == 1.0  # 1.4 by the first seven alone
    assert row.high == 1.4


def test_each_case_may_take_its_part_of_what_is_left(clock: Clock, said: list[str]) -> None:
    budget = Budget(30.0, clock)
    first = Case(clock, takes=4.0, calm=[1.0])
    measure(first, budget.share(2), said.append)
    assert clock.now == 112.0  # one more would have been over its 15 seconds
    second = Case(clock, takes=4.0, calm=[1.0])
    measure(second, budget.share(1), said.append)
    assert clock.now == 128.0
