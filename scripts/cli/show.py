"""How the command line speaks: results on standard output, all else on standard error."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

SCHEMA = 1


def say(text: str) -> None:
    """Something caplab has to say, line by line."""
    for line in text.splitlines():
        print(f"caplab: {line}", file=sys.stderr)
    sys.stderr.flush()


def error(message: str, fix: str = "", code: str = "") -> None:
    """The one form of an error: the sentence, the code `explain` knows, the way out."""
    print(f"caplab: {message}" + (f" [{code}]" if code else ""), file=sys.stderr)
    for line in fix.splitlines():
        print(f"  {line}", file=sys.stderr)
    sys.stderr.flush()


def as_json(document: dict[str, Any]) -> None:
    """A machine-readable result."""
    print(json.dumps({"schema": SCHEMA, **document}, indent=2, ensure_ascii=False))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as they must be; what is unknown is a dash. Numbers stand to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(heads), *cells]) for i in range(len(heads))]
    right = [
        bool(cells) and all(row[i] == "-" or row[i][0].isdecimal() for row in cells)
        for i in range(len(heads))
    ]
    for row in [list(heads), *cells]:
        columns = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        print("  ".join(columns).rstrip())


def plain(stream: int) -> bool:
    """Whether colours are unwanted on this descriptor."""
    return bool(os.environ.get("NO_COLOR")) or not os.isatty(stream)


def harmless(text: str) -> str:
    """Text of a PD that cannot drive the terminal: control characters become visible."""
    return "".join(
        char if char.isprintable() else "    " if char == "\t" else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )


def size(number: int) -> str:
    """Bytes for people."""
    return (
        f"{number / 1024 / 1024:.1f} MiB" if number >= 1024 * 1024 else f"{number / 1024:.0f} KiB"
    )


def duration(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def count(number: int, noun: str) -> str:
    """`1 PD`, `3 PDs`, `2 processes`."""
    plural = f"{noun}es" if noun.endswith("s") and noun != "PDs" else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def listed(things: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(things[:-1]), things[-1]] if len(things) > 1 else things)


def left_behind(left: dict[str, int]) -> str:
    """What a system left, in words."""
    nouns = {"processes": "process", "segments": "segment", "sockets": "socket", "files": "file"}
    there = [count(left[kind], noun) for kind, noun in nouns.items() if left.get(kind)]
    return listed(there) if there else ""


def _cell(value: object) -> str:
    return "-" if value is None or value == "" else harmless(str(value))
