"""Numbers on the command line: what each option takes, said in its own words when it gets another.

A function here makes the `parser` of a typer option or argument.
"""

import math
from collections.abc import Callable

import typer

from caplab.scripts.cli import show

DIGITS_MAX = 18
"""More would fit into no message of 64 bits."""
SECONDS_MAX = 1_000_000
"""Eleven days; not much more and the host's own time limits overflow."""
SHOWN = 40


class NotANumber(typer.BadParameter):
    """What was given, and what is taken: a sentence that stands by itself."""

    def __init__(self, taken: str, word: str) -> None:
        super().__init__(f"{taken}, not {show.harmless(word[:SHOWN])!r}.")

    def format_message(self) -> str:
        return str(self.message)


def seconds(option: str, *, for_ever: bool = False) -> Callable[[str], float]:
    """Of `--timeout 0.5`; with `for_ever` also of `--timeout inf`."""
    taken = f"{option} takes seconds, from 0 to {SECONDS_MAX}{' or inf' if for_ever else ''}"

    def parsed(word: str | float) -> float:
        try:
            number = math.nan if "_" in str(word) else float(word)
        except ValueError:
            number = math.nan
        if 0 <= number <= SECONDS_MAX or (for_ever and number == math.inf):
            return number
        raise NotANumber(taken, str(word))

    return parsed


def whole(option: str, of: str, *, least: int = 0) -> Callable[[str], int]:
    """Of `--after 3`: `of` says of what it is the number, in the plural."""

    def parsed(word: str | int) -> int:
        text = str(word)
        if text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX and int(text) >= least:
            return int(text)
        raise NotANumber(f"{option} takes a number of {of}, {least} or more", text)

    return parsed


def line(word: str | int) -> int:
    """The number of an interrupt line."""
    text = str(word)
    if text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX:
        return int(text)
    raise NotANumber("irq takes the number of an interrupt line", text)
