"""What is wrong with a manifest: where, in the user's own words, and how to put it right.

A problem is plain data; :func:`render` is what the terminal shows, :meth:`Problem.as_dict` what
`--format json` does.
"""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

WIDTH = 100
"""Columns of the user's text that are shown; of a longer line, the part round the mistake."""
SENTENCE = 400
"""Characters of a message that are shown."""
SHOWN = 50
"""Problems that are written out; the rest are counted."""
ENOUGH = 200
"""Problems after which no more are looked for."""
CANDIDATES = 500
"""Among more names than these no resemblance is sought: comparing costs time with each."""


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of one line of a file. Lines and columns count from 1, 0 means the whole file."""

    file: str
    line: int = 0
    column: int = 0
    width: int = 1
    text: str = ""
    """The line, as it stands in the file."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Note:
    """The other end of a broken route, or what a reader needs to know besides."""

    message: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `anchor` is where it stands in the manifest, by which problems are ordered;
    `place` may be in another file, that of a program for instance."""

    code: str
    message: str
    place: Place
    fix: str
    notes: tuple[Note, ...] = ()
    anchor: Place | None = field(default=None, compare=False)

    @property
    def order(self) -> tuple[int, int, str]:
        place = self.anchor or self.place
        return (place.line, place.column, self.code)

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "file": self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "message": self.message,
            "notes": [
                {
                    "message": note.message,
                    "file": note.place and note.place.file,
                    "line": note.place and note.place.line,
                    "column": note.place and note.place.column,
                }
                for note in self.notes
            ],
            "fix": self.fix,
        }


class ManifestError(Exception):
    """A manifest that cannot be booted. `str()` of it is what the CLI prints."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(render(problems))
        self.problems = tuple(problems)


def render(problems: Sequence[Problem]) -> str:
    """All problems as the terminal shows them, ordered by place."""
    ordered = sorted(problems, key=lambda problem: problem.order)
    blocks = [_block(problem) for problem in ordered[:SHOWN]]
    if len(ordered) > SHOWN:
        blocks.append(f"… and {len(ordered) - SHOWN} more")
    return "\n\n".join(blocks)


def _block(problem: Problem) -> str:
    lines = [f"{problem.place}: {_sentence(problem.message)} [{problem.code}]"]
    lines += _quote(problem.place)
    for note in problem.notes:
        where = f"{note.place}: " if note.place is not None else ""
        lines.append(f"  note: {where}{_sentence(note.message)}")
        if note.place is not None:
            lines += _quote(note.place)
    lines.append(f"  fix: {_sentence(problem.fix)}")
    return "\n".join(lines)


def _sentence(text: str) -> str:
    """A message, shortened where a user's own text is endless."""
    return printable(text if len(text) <= SENTENCE else f"{text[:SENTENCE]}…")


def _quote(place: Place) -> list[str]:
    """The user's line with carets under the mistake."""
    if not place.line or not place.text.strip():
        return []
    text, start = place.text, place.column - 1
    cut = 0
    if len(text) > WIDTH:
        cut = max(0, min(start - WIDTH // 2, len(text) - WIDTH))
        text = text[cut : cut + WIDTH]
    before, marked = text[: start - cut], text[start - cut : start - cut + place.width]
    number = f"{place.line:>5} | "
    shown = printable(text.rstrip())
    carets = "^" * max(1, _columns(printable(marked)))
    indent = " " * (len(number) + _columns(printable(before)))
    return [f"{number}{shown}", f"{indent}{carets}"]


def printable(text: str) -> str:
    """Text that cannot drive a terminal: tabs as spaces, control characters as U+FFFD."""
    return "".join(
        "    " if char == "\t" else char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )


def _columns(text: str) -> int:
    """Cells a terminal gives the text."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def meant(word: object, names: Iterable[str]) -> str | None:
    """The name the user may have meant, or None."""
    known = list(names)
    if not isinstance(word, str) or len(known) > CANDIDATES or len(word) > WIDTH:
        return None
    folded = {name.casefold(): name for name in known}
    wanted = word.casefold()
    if wanted in folded:
        return folded[wanted]
    close = difflib.get_close_matches(wanted, folded, n=3, cutoff=0.72)
    begun = [one for one in close if one[:1] == wanted[:1]]  # a slip rarely hits the first letter
    return folded[(begun or close)[0]] if close else None


def listing(names: Iterable[str]) -> str:
    """Names for a sentence: `a, b and c`; the first ten of many."""
    known = list(names)
    if len(known) > 10:
        return f"{', '.join(known[:10])} and {len(known) - 10} more"
    if len(known) < 2:
        return "".join(known) or "none"
    return f"{', '.join(known[:-1])} and {known[-1]}"
