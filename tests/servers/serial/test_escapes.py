"""The filter: nothing that it lets through commands a terminal, however it is cut into writes."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from caplab.servers.serial.escapes import EscapeFilter

PIECES = st.one_of(
    st.sampled_from(
        [b"\x1b", b"\x1b[", b"[31m", b"m", b"\x1b]0;t", b"\a", b"\x1b\\", b"\xc2", b"\x9b", b"\x9c"]
        + [
            b"\xe0",
            b"\xf0",
            b"\xc2\x9b",
            b"\x90",
            b"\x18",
            b"\n",
            b"text",
            "ü語😀".encode(),
            b"\x05",
        ]
    ),
    st.binary(max_size=6),
)


def filtered(*pieces: bytes) -> bytes:
    one = EscapeFilter()
    return b"".join(map(one.feed, pieces))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (b"\x1b[31mred\x1b[0m", b"red"),
        (b"\x1b[2J\x1b[1;1Hx", b"x"),
        (b"a\x1b]0;a title\x07b", b"ab"),
        (b"a\x1b]52;c;Zm9v\x1b\\b", b"ab"),
        (b"a\x1bPdevice control\x1b\\b", b"ab"),
        (b"a\x1b_app\x9cb", b"ab"),
        (b"a\x1b^private\x1b[31mb", b"ab"),
        (b"a\x1bcb", b"ab"),
        (b"a\x1b(Bb", b"ab"),
        (b"a\x9b31mb", b"ab"),
        (b"a\xc2\x9b31mb", b"ab"),
        (b"a\xc2\x9d0;t\x07b", b"ab"),
        (b"a\x85\xc2\x85b", b"ab"),
        (b"a\xe0\x82\x9b31mb", b"a\xe0b"),
        (b"a\x1b[31\nm", b"a\nm"),
        (b"a\x1b[3\x1b[4mb", b"ab"),
        (b"a\x1b]never ended\nb", b"a\nb"),
        (b"a\x1b]cancelled\x18b", b"ab"),
        (b"a\x1b\x1b[1mb", b"ab"),
        (b"a\x1b\xffb", b"a\xffb"),
        (b"\x05\x0e\x0f\x11\x13\x7fx", b"x"),
        (b"\a\b\t\r\n\v\f\0", b"\a\b\t\r\n\v\f\0"),
        ("Grüße, 世界 😀\n".encode(), "Grüße, 世界 😀\n".encode()),
        (b"\xff\xfe\xe4\xf6\xa0\xc0", b"\xff\xfe\xe4\xf6\xa0\xc0"),
        (b"\xc2 \xc2\xa0", b"\xc2 \xc2\xa0"),
    ],
)
def test_sequences_go_and_text_stays(text: bytes, left: bytes) -> None:
    assert filtered(text) == left
    assert filtered(*(text[i : i + 1] for i in range(len(text)))) == left


@given(st.lists(PIECES, max_size=20))
@example([b"\xc2", b"\x1b[m", b"\x9b"])
@example([b"\xe0", b"\x1bc", b"\x9b"])
def test_nothing_that_passes_commands_a_terminal(pieces: list[bytes]) -> None:
    out = filtered(*pieces)
    assert not set(out) & (set(range(0x20)) - set(b"\0\a\b\t\n\v\f\r") | {0x7F})
    text = out.decode("utf-8", "surrogateescape")
    # A C1 control, in UTF-8 or as a byte that is part of no character.
    assert not any(0x80 <= ord(c) <= 0x9F or 0xDC80 <= ord(c) <= 0xDC9F for c in text), text


@given(st.lists(PIECES, max_size=12), st.lists(st.integers(0, 80), max_size=8))
def test_it_does_not_matter_where_the_writes_are_cut(pieces: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(pieces)
    at = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    parts = [whole[a:b] for a, b in pairwise(at)]
    one, other = EscapeFilter(), EscapeFilter()
    # What is held back, a piece of a character, comes with the next byte.
    assert b"".join(map(one.feed, [*parts, b"."])) == other.feed(whole) + other.feed(b".")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=60))
def test_text_without_controls_passes_as_it_is(text: str) -> None:
    assert filtered(text.encode()) == text.encode()
    assert filtered(b"\xe4", text.encode() + b".") == b"\xe4" + text.encode() + b"."


@given(st.lists(PIECES, max_size=20))
def test_what_passes_is_in_the_order_it_was_written(pieces: list[bytes]) -> None:
    whole = iter(b"".join(pieces))
    assert all(byte in whole for byte in filtered(*pieces, b""))
