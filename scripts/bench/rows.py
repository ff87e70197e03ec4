"""A measured thing, what it must reach, and whether it does: plain data, judged without a clock."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from caplab.scripts.bench.stats import Estimate, estimate

WIDE = 0.15
"""Width of an interval, as a share of the median, from which a row is measured again."""

Op = Literal["<=", ">="]


class Goal(NamedTuple):
    """What is measured, beside what, and how it should compare."""

    name: str
    unit: str
    op: Op
    target: float
    yardstick: str | None = None
    """What the value is divided by; without one the target is the value's own."""
    over: bool = False
    """The yardstick is taken off the value instead: the target is how much more it may be."""

    @property
    def by_ratio(self) -> bool:
        return self.yardstick is not None and not self.over


class Pair(NamedTuple):
    """One round of a goal: its value, and the yardstick's of the same round."""

    value: float
    yardstick: float | None = None


class Row(NamedTuple):
    """A line of the report. `low` and `high` bound what is judged: the ratio, if there is one.

    Without a ratio the value is judged; beside a yardstick it is what exceeds that.
    """

    name: str
    value: float
    unit: str
    yardstick: str | None
    yardstick_value: float | None
    ratio: float | None
    low: float
    high: float
    op: Op
    target: float
    ok: bool

    def as_dict(self) -> dict[str, Any]:
        return self._asdict()


def judged(goal: Goal, pairs: Sequence[Pair]) -> Estimate:
    """What the target is held against: the median of the paired ratios, or of the values."""
    if goal.by_ratio:
        return estimate([pair.value / yardstick_of(goal, pair) for pair in pairs])
    return estimate(values(goal, pairs))


def values(goal: Goal, pairs: Sequence[Pair]) -> list[float]:
    """The value of each round; what exceeds the yardstick, if that is the question."""
    if goal.over:
        return [pair.value - yardstick_of(goal, pair) for pair in pairs]
    return [pair.value for pair in pairs]


def yardstick_of(goal: Goal, pair: Pair) -> float:
    """The yardstick's value of a round. Raises ValueError when it measured nothing."""
    if not pair.yardstick:
        raise ValueError(f"{goal.name}: nothing was measured of the yardstick, {goal.yardstick}")
    return pair.yardstick


def wide(goal: Goal, pairs: Sequence[Pair]) -> bool:
    """Whether the rounds scatter so much that they should be measured again.

    A difference may be next to nothing, so how uncertain it is counts as a share of its target.
    """
    found = judged(goal, pairs)
    if goal.over:
        return found.high - found.low > WIDE * goal.target
    return found.width > WIDE


def row(goal: Goal, pairs: Sequence[Pair]) -> Row:
    """The verdict over all rounds of a goal."""
    middle, low, high = judged(goal, pairs)
    compared = goal.yardstick is not None
    return Row(
        name=goal.name,
        value=estimate(values(goal, pairs)).middle,
        unit=goal.unit,
        yardstick=goal.yardstick,
        yardstick_value=(
            estimate([yardstick_of(goal, pair) for pair in pairs]).middle if compared else None
        ),
        ratio=middle if goal.by_ratio else None,
        low=low,
        high=high,
        op=goal.op,
        target=goal.target,
        ok=middle <= goal.target if goal.op == "<=" else middle >= goal.target,
    )
