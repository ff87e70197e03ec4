"""Input: whose it is, what is kept of it, and that no line is lost with a reader."""

import pytest

from caplab.servers.serial.protocol import End
from caplab.servers.serial.readers import WAITED_FOR, Got, Input
from caplab.servers.serial.screen import Screen
from input_desk import RAW, SILENT, Desk


def test_what_a_client_leaves_that_had_lost_the_focus_is_dropped_counted_and_told() -> None:
    desk = Desk()
    desk.ask(2)
    desk.typed(b"half")
    assert desk.step() is None
    desk.input.passed_over(2)
    desk.typed(b"unread")
    desk.input.focus(3)
    desk.input.leave(2)
    assert desk.input.dropped == len(b"half" + b"unread")
    desk.ask(3)
    assert desk.step() is None
    assert b"[serial: 10 bytes that were typed were dropped]" in desk.shown()


def test_input_goes_to_the_first_who_reads_and_stays_his() -> None:
    desk = Desk()
    desk.ask(2, b"2> ")
    assert desk.step() is None
    assert desk.shown() == b"2> "
    desk.ask(3, b"3> ")
    desk.typed(b"hello\rbye\r")
    assert desk.take() == (2, b"hello", End.DATA)
    assert desk.take() is None
    desk.ask(2, b"2> ")
    assert desk.take() == (2, b"bye", End.DATA)
    assert desk.shown() == (
        b"\r\n[serial: c3 waits for input, which goes to c2]\r\n2> hello\r\n2> bye\r\n"
    )


def test_a_line_nobody_could_take_is_its_clients_next() -> None:
    desk = Desk()
    desk.ask(2)
    desk.typed(b"kept\r")
    assert desk.step() == (2, b"kept", End.DATA)
    desk.input.passed_over(2)
    assert desk.step() is None
    desk.ask(2)
    assert desk.take() == (2, b"kept", End.DATA)
    assert desk.step() is None


def test_what_is_typed_while_nobody_reads_is_kept_and_shown_when_it_is_read() -> None:
    desk = Desk()
    desk.typed(b"early\r")
    assert desk.step() is None
    assert desk.shown() == b""
    desk.ask(2, b"$ ")
    assert desk.take() == (2, b"early", End.DATA)
    assert desk.shown() == b"$ early\r\n"


def test_what_does_not_fit_rings_is_counted_and_is_told_with_the_next_read() -> None:
    desk = Desk(limit=4)
    desk.typed(b"abcdef")
    desk.typed(b"g")
    assert desk.shown() == b"\a\a"
    assert desk.input.dropped == 3
    desk.ask(2)
    desk.step()
    assert desk.shown() == b"[serial: 3 bytes that were typed were dropped]\r\nabcd"
    desk.typed(b"\r")
    assert desk.take() == (2, b"abcd", End.DATA)
    assert desk.shown() == b"\r\n"


def test_what_a_line_has_no_room_for_is_counted_too() -> None:
    desk = Desk()
    desk.ask(2)
    desk.typed(b"x" * 1000 + b"\r")
    assert desk.take() == (2, b"x" * 936, End.DATA)
    assert desk.input.dropped == 64


def test_an_owner_that_reads_on_is_waited_for_and_one_that_does_not_is_not() -> None:
    desk = Desk(limit=4)
    assert desk.input.room(0.0) == 4
    desk.ask(2)
    desk.typed(b"a\r")
    desk.take()
    desk.typed(b"bcd")
    assert desk.input.room(0.5) == 1
    desk.typed(b"e")
    assert desk.input.room(0.5) == 0
    assert desk.input.waits_until() == WAITED_FOR
    assert desk.input.room(WAITED_FOR) == 4
    desk.typed(b"fgh")
    assert desk.input.dropped == 3
    desk.now = 5.0
    desk.ask(2)
    assert desk.input.room(5.5) == 0


def test_an_owner_that_has_waited_long_for_a_paste_is_waited_for() -> None:
    desk = Desk()
    desk.ask(2, mode=RAW)
    desk.now = 100.0
    desk.typed(b"x" * 4096)
    assert desk.take() == (2, b"x" * 100, End.DATA)
    desk.typed(b"x" * 100)
    assert desk.input.room(desk.now) == 0


def test_as_much_is_kept_and_as_long_is_waited_as_the_readme_says() -> None:
    desk = Desk()
    desk.ask(2)
    desk.typed(b"\r")
    desk.take()
    desk.typed(b"x" * 5000)
    assert desk.input.dropped == 5000 - 4096
    assert desk.input.room(4.99) == 0
    assert desk.input.room(5.0) > 0


def test_a_client_has_one_place_and_keeps_its_turn() -> None:
    desk = Desk()
    desk.ask(2, reply=10)
    desk.ask(3)
    earlier = desk.ask(2, reply=20)
    assert earlier is not None
    assert earlier.reply == 10
    assert [r.reply for r in desk.input.readers.values()] == [20, 103]


def test_asking_again_with_the_same_prompt_does_not_show_it_again() -> None:
    desk = Desk()
    desk.ask(2, b"$ ", deadline=1.0)
    desk.typed(b"par")
    desk.step()
    assert desk.input.expired(2.0)
    desk.ask(2, b"$ ")
    desk.step()
    assert desk.shown() == b"$ par"
    desk.ask(2, b"> ")
    desk.step()
    assert desk.shown() == b"\r\n> par"


def test_what_is_printed_meanwhile_is_followed_by_the_line_as_it_was() -> None:
    desk = Desk()
    desk.ask(2, b"$ ")
    desk.typed(b"par")
    desk.step()
    desk.screen.note("news")
    assert desk.shown() == b"$ par\r\n[serial: news]\r\n$ par"


def test_a_discarded_line_shows_the_prompt_again() -> None:
    desk = Desk()
    desk.ask(2, b"$ ")
    desk.typed(b"no\x03yes\r")
    assert desk.take() == (2, b"yes", End.DATA)
    assert desk.shown() == b"$ no^C\r\n$ yes\r\n"


def test_the_end_of_the_file_is_told() -> None:
    desk = Desk()
    desk.ask(2)
    desk.typed(b"\x04")
    assert desk.take() == (2, b"", End.END_OF_FILE)


def test_nothing_is_shown_of_a_silent_line_and_it_is_in_no_history() -> None:
    desk = Desk()
    desk.ask(2, b"password: ", SILENT)
    desk.typed(b"secr\x7fet\x1b[A\r")
    assert desk.take() == (2, b"secet", End.DATA)
    assert desk.shown() == b"password: \a\r\n"
    desk.ask(2, b"$ ")
    desk.typed(b"\x1b[A\r")
    assert desk.take() == (2, b"", End.DATA)


@pytest.mark.parametrize("typed", [b"secr", b"secret\r"])
def test_a_silent_line_of_a_client_that_died_is_not_the_next_ones(typed: bytes) -> None:
    desk = Desk()
    desk.ask(2, b"password: ", SILENT)
    desk.ask(3, b"$ ")
    desk.typed(typed)
    desk.step()
    desk.input.leave(2)
    desk.typed(b"ls\r")
    assert desk.take() == (3, b"ls", End.DATA)
    assert b"sec" not in desk.shown()
    assert desk.input.dropped == len(typed.rstrip())


def test_a_line_begun_silently_is_not_shown_with_the_next_question() -> None:
    desk = Desk()
    desk.ask(2, b"password: ", SILENT)
    desk.typed(b"secr")
    desk.step()
    desk.ask(2, b"password: ", SILENT)  # the same again: it goes on
    desk.typed(b"e")
    desk.step()
    desk.ask(2, b"name: ")
    desk.step()
    desk.typed(b"me\r")
    assert desk.take() == (2, b"me", End.DATA)
    assert b"sec" not in desk.shown()
    assert desk.input.dropped == len(b"secre")


def test_a_raw_reader_gets_bytes_as_they_come_and_nothing_is_shown() -> None:
    desk = Desk()
    desk.ask(2, mode=RAW, most=3)
    assert desk.step() is None
    desk.typed(b"\x04\x1b[A\r\n")
    assert desk.take() == (2, b"\x04\x1b[", End.DATA)
    assert desk.take() is None
    desk.ask(2, mode=RAW)
    assert desk.take() == (2, b"A\r\n", End.DATA)
    assert desk.shown() == b""


def test_raw_bytes_nobody_could_take_are_the_next_reads() -> None:
    desk = Desk()
    desk.typed(b"abcdef")
    desk.ask(2, mode=RAW, most=3)
    desk.step()
    desk.input.passed_over(2)
    desk.ask(2, mode=RAW)
    assert desk.take() == (2, b"abcdef", End.DATA)


def test_an_unfinished_line_is_given_to_a_raw_reader_of_the_same_client() -> None:
    desk = Desk()
    desk.ask(2, b"$ ")
    desk.typed(b"abc")
    desk.step()
    desk.ask(2, mode=RAW)
    assert desk.take() == (2, b"abc", End.DATA)
    desk.ask(2)
    desk.typed(b"line\r")
    desk.step()
    desk.input.passed_over(2)
    desk.ask(2, mode=RAW)
    assert desk.take() == (2, b"line\r", End.DATA)


def test_the_end_of_a_file_nobody_could_take_is_a_key_for_a_raw_reader() -> None:
    desk = Desk()
    desk.ask(2)
    desk.typed(b"\x04")
    desk.step()
    desk.input.passed_over(2)
    desk.ask(2, mode=RAW)
    assert desk.take() == (2, b"\x04", End.DATA)


def test_a_line_whose_client_reads_raw_instead_is_not_shown_again_until_it_asks_anew() -> None:
    desk = Desk()
    desk.ask(2, b"$ ")
    desk.step()
    desk.typed(b"x")
    desk.ask(2, mode=RAW)
    assert desk.take() == (2, b"x", End.DATA)
    desk.screen.note("news")
    assert desk.shown() == b"$ \r\n[serial: news]\r\n"
    desk.ask(2, b"$ ")
    desk.step()
    assert desk.shown() == b"$ "


def test_places_are_freed_when_the_time_is_over() -> None:
    desk = Desk()
    for badge, deadline in ((2, 5.0), (3, None), (4, 3.0)):
        desk.ask(badge, deadline=deadline)
    assert desk.input.next_deadline() == 3.0
    assert desk.input.expired(2.9) == []
    assert [r.badge for r in desk.input.expired(3.0)] == [4]
    assert [r.badge for r in desk.input.leave_all()] == [2, 3]
    assert desk.input.next_deadline() is None
    assert desk.input.leave(99) is None


def test_a_line_goes_to_nobody_when_all_who_read_are_gone() -> None:
    assert Input(Screen(colour=False)).step() is None
    assert Got(b"", End.DATA) == (b"", 0)
