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


class Pair(NamedTuple):
    """One round of a goal: its value, and the yardstick's of the same round."""

    value: float
    yardstick: float | None = None


class Row(NamedTuple):
    """A line of the report. `low` and `high` bound what is judged: the ratio, if there is one."""

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
    if goal.yardstick is None:
        return estimate([pair.value for pair in pairs])
    return estimate([pair.value / yardstick_of(goal, pair) for pair in pairs])


def yardstick_of(goal: Goal, pair: Pair) -> float:
    """The yardstick's value of a round. Raises ValueError when it measured nothing."""
    if not pair.yardstick:
        raise ValueError(f"{goal.name}: nothing was measured of the yardstick, {goal.yardstick}")
    return pair.yardstick


def row(goal: Goal, pairs: Sequence[Pair]) -> Row:
    """The verdict over all rounds of a goal."""
    middle, low, high = judged(goal, pairs)
    compared = goal.yardstick is not None
    return Row(
        name=goal.name,
        value=estimate([pair.value for pair in pairs]).middle,
        unit=goal.unit,
        yardstick=goal.yardstick,
        yardstick_value=(
            estimate([yardstick_of(goal, pair) for pair in pairs]).middle if compared else None
        ),
        ratio=middle if compared else None,
        low=low,
        high=high,
        op=goal.op,
        target=goal.target,
        ok=middle <= goal.target if goal.op == "<=" else middle >= goal.target,
    )
