"""The line editor: what is typed, what is shown, what becomes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caplab.servers.serial.lineedit import LINE_MAX, Ending, LineEditor


def typed(data: bytes) -> tuple[bytes, bytes, Ending | None]:
    """What is shown, the line, and its ending, when `data` is typed at once."""
    edit = LineEditor().feed(data)
    return edit.echo, edit.line, edit.ending


@pytest.mark.parametrize("end", [b"\r", b"\n"])
def test_a_line_ends_with_cr_or_lf(end: bytes) -> None:
    assert typed(b"ls" + end) == (b"ls\r\n", b"ls", Ending.LINE)


def test_cr_and_lf_together_are_one_line_end_even_when_torn() -> None:
    editor = LineEditor()
    assert editor.feed(b"a\r").line == b"a"
    assert editor.feed(b"\nb\n").line == b"b"
    assert editor.feed(b"\n").ending is Ending.LINE


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (b"lsx\x7f\r", b"ls"),
        (b"lsx\x08\r", b"ls"),
        (b"\x7f\x7fa\r", b"a"),
        ("é\x7fa\r".encode(), b"a"),
        (b"one two  \x17three\r", b"one three"),
        (b"one\x17\x17two\r", b"two"),
        (b"wrong\x15right\r", b"right"),
        (b"a\x04b\r", b"ab"),
        (b"\xff\xfe\x7f\r", b"\xff"),
    ],
)
def test_editing_keys_change_the_line(keys: bytes, line: bytes) -> None:
    assert typed(keys)[1:] == (line, Ending.LINE)


def test_erasing_takes_the_columns_of_what_it_erases() -> None:
    assert typed(b"a\x7f")[0] == b"a\b \b"
    assert typed(b"\x01\x7f")[0] == b"^A" + b"\b \b" * 2
    assert typed("語\x7f".encode())[0] == "語".encode() + b"\b \b" * 2
    assert typed(b"ab\x15")[0] == b"ab" + b"\b \b" * 2


def test_ctrl_c_discards_the_line() -> None:
    assert typed(b"rm -r\x03") == (b"rm -r^C\r\n", b"", Ending.DISCARDED)


def test_ctrl_d_ends_the_file_only_on_an_empty_line() -> None:
    assert typed(b"\x04") == (b"\r\n", b"", Ending.END_OF_FILE)
    assert typed(b"a\x04") == (b"a\a", b"", None)


def test_what_follows_the_line_is_left_for_the_next() -> None:
    editor = LineEditor()
    edit = editor.feed(b"one\rtwo")
    assert (edit.line, edit.used) == (b"one", 4)
    assert editor.text == b""


def test_a_line_has_a_longest_length_and_then_rings() -> None:
    echo, line, _ = typed(b"x" * (LINE_MAX + 2) + b"\r")
    assert line == b"x" * LINE_MAX
    assert echo.count(b"\a") == 2


@given(st.lists(st.binary(min_size=1, max_size=8), max_size=12))
def test_lines_do_not_depend_on_how_the_bytes_arrive(pieces: list[bytes]) -> None:
    def lines(chunks: list[bytes]) -> tuple[list[tuple[Ending, bytes]], bytes]:
        editor = LineEditor()
        found = []
        for chunk in chunks:
            while chunk:
                edit = editor.feed(chunk)
                chunk = chunk[edit.used :]
                if edit.ending:
                    found.append((edit.ending, edit.line))
        return found, editor.shown()

    assert lines(pieces) == lines([b"".join(pieces)])


@given(st.binary(max_size=60))
def test_erasing_everything_leaves_nothing(keys: bytes) -> None:
    editor = LineEditor()
    editor.feed(keys)
    editor.feed(b"\x15")
    assert editor.text == b""
