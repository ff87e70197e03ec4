"""The figures in the two forms in which they are given out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from caplab.scripts.bench.rows import Row

HEADINGS = ("MEASURED", "VALUE", "YARDSTICK", "RATIO", "95 % INTERVAL", "TARGET", "")


class Report(NamedTuple):
    """What a bench found."""

    bench: str
    sample: bool
    """It had a time limit; the targets are judged by one that had none."""
    machine: dict[str, Any]
    rows: Sequence[Row]

    @property
    def ok(self) -> bool:
        """Whether every target is met."""
        return all(row.ok for row in self.rows)

    def document(self) -> dict[str, Any]:
        """For programs: `caplab bench NAME --json FILE`, less the schema's number."""
        return {
            "bench": self.bench,
            "sample": self.sample,
            "machine": self.machine,
            "rows": [row.as_dict() for row in self.rows],
        }


def cells(row: Row) -> tuple[str, ...]:
    """A line of the table under HEADINGS."""
    compared = row.ratio is not None
    unit = "" if compared else f" {row.unit}"
    bound = _ratio if compared else _figures
    return (
        row.name,
        f"{_figures(row.value)} {row.unit}",
        "-" if row.yardstick_value is None else f"{_figures(row.yardstick_value)} {row.unit}",
        "-" if row.ratio is None else _ratio(row.ratio),
        f"{bound(row.low)} to {bound(row.high)}{unit}",
        f"{row.op} {row.target:g}{unit}",
        "ok" if row.ok else "NOT OK",
    )


def footnotes(rows: Sequence[Row]) -> list[str]:
    """What the yardsticks are, each once."""
    return list(dict.fromkeys(f"Yardstick: {row.yardstick}." for row in rows if row.yardstick))


def _ratio(value: float) -> str:
    return f"{value:.3f}"


def _figures(value: float) -> str:
    """Three figures are all that such a measurement bears."""
    return f"{value:.{0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2}f}"
