"""Alternating rounds: how often a case is measured, and when that is enough."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from caplab.scripts.bench.rows import WIDE, Goal, Pair, Row, row, wide

ROUNDS = 7
"""The fewest rounds a row is judged by."""

Clock = Callable[[], float]
Say = Callable[[str], None]


class Case(Protocol):
    """Something that can be measured again and again, beside its yardsticks."""

    goals: tuple[Goal, ...]
    rounds: int
    """How many make a measurement; at least ROUNDS."""

    def round(self, yardstick_first: bool) -> Sequence[Pair]:
        """Measure each goal once; the order changes from round to round, against any drift."""
        ...


Setup = AbstractContextManager[Case]
"""Starts what a case needs, and ends it."""


class Budget:
    """The seconds a measurement may take; None is as many as it needs."""

    def __init__(self, seconds: float | None, clock: Clock) -> None:
        self._clock = clock
        self._end = None if seconds is None else clock() + seconds
        self._longest = 0.0

    def share(self, parts: int) -> "Budget":
        """The part of what is left that the next of so many equal parts may take."""
        left = None if self._end is None else max(0.0, self._end - self._clock()) / parts
        return Budget(left, self._clock)

    def rounds(self, count: int) -> Iterator[int]:
        """Round numbers from 0, as many as wanted, fewer where the next would not fit.

        The very first always runs. The longest so far is what the next is expected to take.
        """
        for number in range(count):
            began = self._clock()
            if self._end is not None and self._longest and began + self._longest > self._end:
                return
            yield number
            self._longest = max(self._longest, self._clock() - began)


def measure(case: Case, budget: Budget, say: Say) -> list[Row]:
    """The rows of a case. Those that scatter too much are measured again, with twice the rounds."""
    first = _rounds(case, case.rounds, budget)
    if len(first) < case.rounds:
        say(f"time for {len(first)} of {case.rounds} rounds only; --full takes what it needs")
    rough = [
        index
        for index, goal in enumerate(case.goals)
        if wide(goal, [pairs[index] for pairs in first])
    ]
    second: list[Sequence[Pair]] = []
    if rough:
        names = ", ".join(case.goals[index].name for index in rough)
        say(f"{names}: more than {WIDE:.0%} wide after {len(first)} rounds, measuring again")
        second = _rounds(case, 2 * case.rounds, budget)
    # Cut short by the budget, the second measurement is no better than the first alone.
    again = second if len(second) == 2 * case.rounds else [*first, *second]
    return [
        row(goal, [pairs[index] for pairs in (again if index in rough else first)])
        for index, goal in enumerate(case.goals)
    ]


def _rounds(case: Case, count: int, budget: Budget) -> list[Sequence[Pair]]:
    return [case.round(number % 2 == 1) for number in budget.rounds(count)]
