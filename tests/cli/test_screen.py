"""What a foreground `up` shows: lines of PDs, reports of the kernel, the console."""

import pytest

from caplab.scripts.cli.screen import LINE_MAX, Screen


def test_a_line_waits_for_its_end_even_inside_a_character(
    capfd: pytest.CaptureFixture[str],
) -> None:
    screen = Screen()
    text = "naïve\n".encode()
    screen.printed("pd", text[:3])
    assert capfd.readouterr().err == ""
    screen.printed("pd", text[3:])
    assert capfd.readouterr().err == "pd | naïve\n"


def test_what_has_no_end_is_shown_at_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.printed("one", b"unfinished")
    screen.printed("two", b"too\nalso")
    screen.finish()
    assert capfd.readouterr().err == "two | too\none | unfinished\ntwo | also\n"


def test_a_line_too_long_is_cut_and_says_how_much_more_there_was(
    capfd: pytest.CaptureFixture[str],
) -> None:
    screen = Screen()
    for piece in (b"x" * LINE_MAX, b"y" * 5, b"z" * LINE_MAX, b"\nshort\n" + b"w" * (LINE_MAX + 1)):
        screen.printed("pd", piece)
    assert capfd.readouterr().err == f"pd | {'x' * LINE_MAX} ... and 1029 bytes more\npd | short\n"
    screen.finish()
    assert capfd.readouterr().err == f"pd | {'w' * LINE_MAX} ... and 1 bytes more\n"


def test_of_the_kernel_only_what_it_means_to_be_read_is_shown(
    capfd: pytest.CaptureFixture[str],
) -> None:
    screen = Screen()
    screen.kernel(b"kernel: line 0 has en")
    screen.kernel(b"ded\nTraceback (most recent call last):\n  File\n")
    assert capfd.readouterr().err == "caplab: line 0 has ended\n"


def test_no_control_character_of_a_pd_passes_but_the_tab_which_becomes_spaces(
    capfd: pytest.CaptureFixture[str],
) -> None:
    Screen().printed("pd", b"a\tb\x1b]0;title\x07\r\n")
    assert capfd.readouterr().err == "pd | a    b\ufffd]0;title\ufffd\n"


def test_the_console_is_plain_where_standard_output_is_no_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    screen = Screen()
    screen.console(b"\x1b[31mred\x1b[0m\r")
    screen.console(b"\nline\r\n")
    screen.finish()
    assert capfd.readouterr().out == "red\nline\n"
