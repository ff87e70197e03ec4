"""Colours and line ends."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caplab.servers.serial.badges import NO_KILL
from caplab.servers.serial.colours import COLOURS, RESET, colour_of, cooked, dressed


def test_there_are_the_twenty_four_colours_of_the_seed() -> None:
    assert len(set(COLOURS)) == 24
    assert COLOURS[:6] == tuple(b"\x1b[3%dm" % n for n in range(1, 7))
    assert (COLOURS[6], COLOURS[12], COLOURS[18]) == (b"\x1b[31;1m", b"\x1b[31;3m", b"\x1b[31;4m")


@given(st.integers(2, 2**32 - 1))
def test_the_colour_is_the_badge_modulo_24_and_not_the_right_to_kill(number: int) -> None:
    assert colour_of(number) == COLOURS[number % 24] == colour_of(number | NO_KILL)


def test_colour_stands_between_resets_and_can_be_off() -> None:
    assert dressed(b"hi\r\n", 2, colour=True) == RESET + b"\x1b[33m" + b"hi\r\n" + RESET
    assert dressed(b"hi\r\n", 2, colour=False) == b"hi\r\n"


@pytest.mark.parametrize(
    ("text", "cooked_text"),
    [(b"\n", b"\r\n"), (b"a\r\nb", b"a\r\nb"), (b"a\n\nb\r", b"a\r\n\r\nb\r"), (b"", b"")],
)
def test_a_lone_newline_gets_its_carriage_return(text: bytes, cooked_text: bytes) -> None:
    assert cooked(text) == cooked_text


@given(st.text("\r\nx", max_size=30))
def test_a_newline_is_cooked_by_what_stands_before_it_alone(text: str) -> None:
    assert cooked(text.encode()) == re.sub(rb"(?<!\r)\n", b"\r\n", text.encode())


@given(st.binary(max_size=200))
def test_cooking_adds_carriage_returns_and_nothing_else(text: bytes) -> None:
    assert cooked(cooked(text)) == cooked(text)
    assert cooked(text).replace(b"\r", b"") == text.replace(b"\r", b"")
