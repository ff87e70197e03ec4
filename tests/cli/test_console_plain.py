"""Console output for readers that are not terminals."""

from hypothesis import given
from hypothesis import strategies as st

from caplab.scripts.cli.plain import PlainText, strip_terminal

pieces = st.lists(
    st.sampled_from(
        [b"text", b"\r", b"\n", b"\x1b", b"[", b"\x1b[31m", b"\x1b[0;1m", b"m", b"1", b";", b"K"]
    ).map(bytes),
    max_size=30,
)


def test_colours_go_and_the_text_stays() -> None:
    assert strip_terminal(b"\x1b[1;32mhello\x1b[0m w\x1b[morld") == b"hello world"


def test_carriage_returns_go_before_a_newline_alone() -> None:
    assert strip_terminal(b"one\r\ntwo\r\r\nthree\rfour\r\x1b[0m\nend\r") == (
        b"one\ntwo\nthree\rfour\nend\r"
    )


def test_other_escapes_stay() -> None:
    assert (
        strip_terminal(b"\x1b[2J\x1b[1;1Hx\x1b]0;title\x07") == b"\x1b[2J\x1b[1;1Hx\x1b]0;title\x07"
    )


@given(pieces)
def test_a_stream_in_pieces_is_the_stream_as_a_whole(parts: list[bytes]) -> None:
    text = PlainText()
    assert b"".join(map(text.feed, parts)) + text.flush() == strip_terminal(b"".join(parts))


def test_only_what_may_change_is_held_back() -> None:
    text = PlainText()
    assert text.feed(b"prompt> ") == b"prompt> "
    assert text.feed(b"a\r") == b"a"
    assert text.feed(b"b\x1b[3") == b"\rb"
    assert text.feed(b"1mc") == b"c"


def test_a_flood_that_is_never_decided_is_passed_on_in_time() -> None:
    flood = b"\r" * 200_000
    text = PlainText()
    assert len(text.feed(flood)) > 199_000
    assert strip_terminal(flood + b"x") == flood + b"x"
