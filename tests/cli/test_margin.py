"""Where the cursor stands after what a terminal has been shown."""

import os
from collections.abc import Iterator

import pytest

from caplab.scripts.cli.margin import Margin


@pytest.fixture
def terminal() -> Iterator[int]:
    master, slave = os.openpty()
    yield slave
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(
    "shown",
    [
        [],
        [b"a line\n"],
        [b"a line\r\n\x1b[0m"],
        [b"a line\n\x1b[3", b"1m"],
        [b"a line\n\x1b]0;tit", b"le\x07\x1b(B\x1b[?25h\x1b7\x1b8\r\a"],
    ],
)
def test_a_note_follows_at_the_start_of_a_line(terminal: int, shown: list[bytes]) -> None:
    margin = Margin(terminal, terminal)
    for data in shown:
        margin.shown(data)
    assert margin.note() == ""


@pytest.mark.parametrize(
    "shown",
    [
        [b"prompt> "],
        [b"prompt> ", b"\x1b[0m", b""],
        [b"a line\n\x1b[3", b"1mred"],
        [b"10 %\r"],
        [b"a line\nanother", b"\r\x1b[K"],
    ],
)
def test_a_note_behind_text_needs_a_new_line_and_then_none(
    terminal: int, shown: list[bytes]
) -> None:
    margin = Margin(terminal, terminal)
    for data in shown:
        margin.shown(data)
    assert (margin.note(), margin.note(), margin.leave()) == ("\n", "", b"")


def test_what_goes_elsewhere_is_in_nobody_s_way(terminal: int) -> None:
    with open(os.devnull, "wb") as file:
        nowhere = file.fileno()
        for output, notes in ((nowhere, terminal), (terminal, nowhere)):
            margin = Margin(output, notes)
            margin.shown(b"text")
            assert margin.note() == ""
        assert margin.leave() == b"\n"  # standard output is the terminal that is left
