"""The line editor: what is typed, what is shown, what becomes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caplab.servers.serial.history import BYTES_MAX, LINES_MAX, History
from caplab.servers.serial.lineedit import LINE_MAX, Ending, LineEditor
from caplab.servers.serial.protocol import TEXT_MAX


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
    assert editor.feed(b"c\r").line == b"c"
    assert editor.feed(b"d\n").line == b"d"


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
    assert typed(b"\x14\x7f")[0] == b"^T" + b"\b \b" * 2
    assert typed("語\x7f".encode())[0] == "語".encode() + b"\b \b" * 2
    assert typed(b"ab\x15")[0] == b"ab" + b"\b \b" * 2
    assert typed("e\u0301\x15".encode())[0] == "e\u0301".encode() + b"\b \b"


@pytest.mark.parametrize("letter", ["e\u0301", "ก\u0e31", "कु", "❤\ufe0f"])
def test_a_letter_is_moved_over_and_erased_with_what_stands_on_top_of_it(letter: str) -> None:
    for pieces in (["a", letter, "b"], ["a", *letter, "b"], ["a" + letter + "b"]):
        editor = LineEditor()
        for piece in pieces:
            editor.feed(piece.encode())
        assert editor.feed(b"\x1b[D").echo == b"\b"
        assert editor.feed(b"\x1b[D").echo == b"\b"
        assert editor.feed(b"\x1b[C").echo == letter.encode()
        assert editor.feed(b"\x7f").echo == b"\bb " + b"\b" * 2
        assert editor.feed(b"\r").line == b"ab"


def test_an_accent_may_stand_on_what_is_shown_for_a_control_byte() -> None:
    editor = LineEditor()
    editor.feed("\x14\u0301".encode())
    assert editor.shown() == "^T\u0301".encode()
    assert editor.feed(b"\x7f").echo == b"\b \b" * 2


def test_an_accent_that_has_no_letter_is_erased_like_one() -> None:
    assert typed("\u0301\x7fa\r".encode())[1] == b"a"
    assert typed("\u0301\x08\x08\r".encode())[1] == b""


def test_an_accent_comes_between_a_letter_and_what_stands_behind_the_cursor() -> None:
    editor = LineEditor()
    editor.feed(b"ea\x1b[D")
    assert editor.feed("\u0301".encode()).echo == "\u0301a\b".encode()
    assert editor.feed(b"\r").line == "e\u0301a".encode()


def test_ctrl_c_discards_the_line() -> None:
    assert typed(b"rm -r\x03") == (b"rm -r^C\r\n", b"", Ending.DISCARDED)
    assert typed(b"ab\x02\x03")[0] == b"ab\b" + b"b^C\r\n"


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
    assert echo.count(b"\a") == 1
    assert LineEditor().feed(b"x" * (LINE_MAX + 2)).lost == 2
    assert typed(b"x" * LINE_MAX + b"a\x02b\x02c")[0].count(b"\a") == 1
    assert LINE_MAX == TEXT_MAX, "what an answer holds"


def test_there_is_room_again_for_what_was_erased_and_in_the_next_line() -> None:
    editor = LineEditor()
    editor.put_back("é".encode() * (LINE_MAX // 2))
    assert editor.feed(b"x").lost == 1
    edit = editor.feed(b"\x7fabc\r")
    assert edit.lost == 1
    assert edit.line.endswith("éab".encode())
    assert len(edit.line) == LINE_MAX
    assert editor.feed(b"x" * LINE_MAX + b"\r").lost == 0
    assert editor.feed(b"\x04").ending is Ending.END_OF_FILE


KEYS = {
    "left": (b"ab\x1b[Dc\r", b"acb"),
    "left and right": (b"ab\x1b[D\x1b[Cc\r", b"abc"),
    "home and end": (b"bc\x1b[Ha\x1b[Fd\r", b"abcd"),
    "the other home and end": (b"bc\x1b[1~a\x1b[4~d\r", b"abcd"),
    "home and end of yet another": (b"bc\x1b[7~a\x1b[8~d\r", b"abcd"),
    "those of an application's keypad": (b"bc\x1bOHa\x1bOFd\r", b"abcd"),
    "its arrows": (b"acd\x1bOD\x1bODb\x1bOCe\r", b"abced"),
    "delete": (b"abc\x01\x1b[3~\r", b"bc"),
    "nothing to delete": (b"abc\x1b[3~\x1b[C\r", b"abc"),
    "backspace in the middle": (b"abc\x02\x7f\r", b"ac"),
    "a word in the middle": (b"one two three\x02\x02\x17\r", b"one two ee"),
    "up to the cursor": (b"abc\x02\x15\r", b"c"),
    "from the cursor on": (b"abc\x01\x06\x0b\r", b"a"),
    "nothing left of the start": (b"\x1b[D\x7f\x17a\r", b"a"),
    "a wide character": ("語x\x02\x02ä\r".encode(), "ä語x".encode()),
    "a key that is not known": (b"a\x1b[24~b\x1b[1;5Pc\x1bqd\r", b"abcd"),
    "an escape that was pressed": (b"ab\x1b\r", b"ab"),
    "a sequence that is too long to be one": (b"\x1b[" + b"1" * 40 + b"\r", b"1" * 25),
    "a broken character": (b"\xe4\xb8\r", b"\xe4\xb8"),
    "a broken character, then text": (b"\xe4x\xc3\xa9\r", b"\xe4x\xc3\xa9"),
}


@pytest.mark.parametrize("keys", KEYS)
def test_keys_move_the_cursor_and_edit_in_the_middle(keys: str) -> None:
    typed_keys, line = KEYS[keys]
    assert typed(typed_keys)[1] == line


def test_editing_in_the_middle_is_shown_with_backspaces_alone() -> None:
    assert typed(b"ac\x02b")[0] == b"ac\b" + b"bc\b"
    assert typed(b"abc\x02\x02\x7f")[0] == b"abc\b\b" + b"\bbc \b\b\b"
    assert typed("語b\x02\x7f".encode())[0] == "語b\b".encode() + b"\b\bb  \b\b\b"
    assert typed(b"abc\x01\x0b")[0] == b"abc\b\b\b" + b"   \b\b\b"
    assert typed(b"ab\x01\r")[0] == b"ab\b\bab\r\n"


def test_of_a_silent_line_nothing_is_shown_and_nothing_is_kept() -> None:
    editor = LineEditor()
    editor.feed(b"before\r")
    edit = editor.feed(b"abcd\x02\x7f\x01\x06\x1b[3~\x0be\x15pass\x02word\r", echo=False)
    assert (edit.echo, edit.line) == (b"\r\n", b"paswords")
    assert editor.feed(b"secret\x10\r", echo=False).echo == b"\a\r\n"
    assert editor.feed(b"\x0e").echo == b"\a", "a password is not leafed to"
    assert editor.feed(b"\x10\r").line == b"before"


def test_the_history_is_leafed_through_and_what_was_begun_comes_back() -> None:
    editor = LineEditor()
    editor.feed(b"one\r")
    editor.feed(b"two\r")
    edit = editor.feed(b"thr\x1b[A\x1b[A")
    assert editor.text == b"one"
    assert edit.echo == b"thr" + b"\b \b" * 3 + b"two" + b"\b \b" * 3 + b"one"
    assert editor.feed(b"\x1b[A").echo == b"\a"
    editor.feed(b"\x0e\x0eee\x0e")
    assert editor.text == b"three"
    assert editor.feed(b"\x10\r").line == b"two"


@pytest.mark.parametrize(
    ("up", "down"), [(b"\x1b[A", b"\x1b[B"), (b"\x1bOA", b"\x1bOB"), (b"\x10", b"\x0e")]
)
def test_each_way_to_press_up_and_down_leafs(up: bytes, down: bytes) -> None:
    editor = LineEditor()
    editor.feed(b"one\r")
    editor.feed(b"two\r")
    assert editor.feed(up + up + down + b"\r").line == b"two"


def test_leafing_wipes_the_line_on_both_sides_of_the_cursor() -> None:
    editor = LineEditor()
    editor.feed(b"one\r")
    assert editor.feed(b"ab\x02\x10").echo == b"ab\b" + b"b" + b"\b \b" * 2 + b"one"
    assert editor.text == b"one"


def test_what_was_discarded_is_not_leafed_back_to() -> None:
    editor = LineEditor()
    editor.feed(b"kept\r")
    editor.feed(b"discarded\x03")
    assert editor.feed(b"\x10\r").line == b"kept"


def test_a_history_has_no_blanks_no_repetitions_and_an_end() -> None:
    history = History()
    for line in (b"a", b"a", b" ", b"", b"b"):
        history.add(line)
    assert [history.older(b"") for _ in range(3)] == [b"b", b"a", None]
    for number in range(1000):
        history.add(b"%d" % number * 10)
    assert history.older(b"") == b"999" * 10, "the oldest are forgotten, not the newest"
    kept = 1
    while history.older(b"") is not None:
        kept += 1
    assert kept == LINES_MAX
    for _ in range(40):
        history.add(bytes([kept]) * 900)
        kept += 1
    assert sum(map(len, iter(lambda: history.older(b""), None))) <= BYTES_MAX


def test_what_was_typed_before_stands_before_what_is_typed() -> None:
    editor = LineEditor()
    editor.feed(b"there")
    editor.put_back(b"hello ")
    assert editor.shown() == b"hello there"
    assert editor.feed(b"\r").line == b"hello there"


_KEYS = st.sampled_from([b"\x1b[A", b"\x1b[", b"D", b"\x02", b"\x7f", b"ab", "é語".encode(), b"\r"])


@given(st.lists(st.binary(min_size=1, max_size=8) | _KEYS, max_size=12))
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
    editor.feed(b"\x05\x15")
    assert editor.text == b""
