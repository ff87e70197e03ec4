"""What a foreground `up` shows: lines of PDs, reports of the kernel, the console."""

import pytest

from caplab.scripts.cli.screen import LINE_MAX, Screen
from caplab.scripts.cli.uart_lines import LINE_MAX as WHOLE_MAX
from caplab.scripts.cli.uart_lines import UartLines


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


def test_of_several_uarts_each_line_is_whole_and_says_whose_it_is(
    capfd: pytest.CaptureFixture[str],
) -> None:
    screen = Screen(["uart0", "uart1"])
    screen.console(b"one ha", "uart0")
    screen.console(b"other\r\nunfin", "uart1")
    screen.console(b"lf\n\nnext\n", "uart0")
    assert capfd.readouterr().out == "uart1 | other\nuart0 | one half\nuart0 | \nuart0 | next\n"
    screen.finish()
    assert capfd.readouterr().out == "uart1 | unfin\n"


def test_a_gap_in_one_of_several_uarts_ends_its_line(capfd: pytest.CaptureFixture[str]) -> None:
    screen = Screen(["uart0", "uart1"])
    screen.console(b"before", "uart0")
    screen.gap("uart0", 7)
    screen.console(b"after\n", "uart0")
    shown = capfd.readouterr()
    assert shown.out == "uart0 | before\nuart0 | after\n"
    assert shown.err == "caplab: 7 bytes of uart0 came too fast to be shown\n"


def test_the_only_uart_is_shown_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    screen = Screen(["uart0"])
    screen.console(b"prompt> ", "uart0")
    assert capfd.readouterr().out == "prompt> "


def test_a_colour_stays_its_own_uart_s() -> None:
    lines = UartLines("uart0", plain=False)
    red, sober = b"\x1b[31m", b"\x1b[0m"
    assert lines.feed(red + b"one\ntw") == b"uart0 | " + red + b"one" + sober + b"\n"
    assert lines.feed(b"o\n") == b"uart0 | " + red + b"two" + sober + b"\n"
    assert lines.feed(sober + b"three\n" + sober) == b"uart0 | " + sober + b"three\n"
    assert lines.flush() == b""


def test_a_line_that_is_begun_anew_begins_with_its_name_and_an_endless_one_is_cut() -> None:
    lines = UartLines("uart0", plain=False)
    assert lines.feed(b"10 %\r20 %\r\r\n") == b"uart0 | 10 %\ruart0 | 20 %\n"
    shown = lines.feed(b"x" * (WHOLE_MAX + 1))
    assert shown == b"uart0 | " + b"x" * WHOLE_MAX + b"\n"
    assert lines.flush() == b"uart0 | x\n"


def test_what_a_dead_pd_left_unfinished_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.printed("one", b"its last words")
    screen.printed("two", b"more to come")
    screen.complete("one")
    screen.complete("one")
    assert capfd.readouterr().err == "one | its last words\n"
