"""What the judge has to say, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from caplab.clients.hostile.attack import Attack
from caplab.clients.hostile.table import ATTACKS

WHY_SHOWN = 110


class Verdict(NamedTuple):
    """What became of one attack; without one, of the victims at the end."""

    attack: Attack | None
    through: bool
    why: str
    longest: int
    """Microseconds: the longest that a victim waited for an answer meanwhile."""


def written(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """The report."""
    yield f"{'#':>3}  {'attack':<17} {'victims':>9}  what stopped it"
    for verdict in sorted(verdicts, key=lambda one: one.attack.number if one.attack else 1000):
        yield row(verdict)
    made = {verdict.attack for verdict in verdicts}
    for attack in ATTACKS:
        if attack not in made:
            yield f"{attack.number:>3}  {attack.name:<17} {'':>9}  IT WAS NEVER MADE"
    yield summary(verdicts)


def row(verdict: Verdict) -> str:
    """One attack in one line."""
    number, name = (verdict.attack.number, verdict.attack.name) if verdict.attack else ("", "")
    why = verdict.why if len(verdict.why) <= WHY_SHOWN else f"{verdict.why[: WHY_SHOWN - 1]}…"
    if verdict.through:
        why = f"GOT THROUGH: {why}{guard(verdict.attack)}"
    return f"{number:>3}  {name:<17} {verdict.longest / 1000:>6.1f} ms  {why}"


def guard(attack: Attack | None) -> str:
    """What should have stopped it."""
    if attack is None:
        return ""
    needs = f", from confinement {attack.needs} on" if attack.needs else ""
    return f" (should be stopped by: {attack.guard}{needs})"


def summary(verdicts: Sequence[Verdict]) -> str:
    """The last line."""
    through = sum(verdict.through for verdict in verdicts)
    made = len({verdict.attack for verdict in verdicts if verdict.attack})
    missing = len(ATTACKS) - made
    never = f", {missing} were never made" if missing else ""
    if not through:
        return f"{made} attacks, nothing got through{never}."
    return (
        f"{made} attacks, {through} got through{never}."
        " `caplab ps` says how PDs are confined here, `caplab doctor` what would help."
    )
