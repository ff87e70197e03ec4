"""Input: whose it is, what is kept of it, and that no line is lost with a reader."""

from hypothesis import given
from hypothesis import strategies as st

from caplab.servers.serial.protocol import End, Mode
from caplab.servers.serial.readers import WAITED_FOR, Got, Input, Reader
from caplab.servers.serial.screen import Screen

LINE, RAW, SILENT, EVENTS = Mode.LINE, Mode.RAW, Mode.SILENT, Mode.EVENTS


class Desk:
    """The input of a console with clients 2, 3 and 4, and what is shown."""

    def __init__(self, limit: int = 4096) -> None:
        self.screen = Screen(colour=False)
        self.input = Input(self.screen, limit)
        self.now = 0.0
        for badge in (2, 3, 4):
            self.input.join(badge, f"c{badge}")

    def ask(
        self,
        badge: int,
        prompt: bytes = b"",
        mode: Mode = LINE,
        most: int = 100,
        deadline: float | None = None,
        reply: int = 0,
    ) -> Reader | None:
        reader = Reader(badge, reply or 100 + badge, prompt, deadline, mode, most)
        return self.input.ask(reader, self.now)

    def step(self) -> tuple[int, bytes, End] | None:
        """Who is given what; it is not taken yet."""
        found = self.input.step()
        return None if found is None else (found[0].badge, *found[1])

    def take(self) -> tuple[int, bytes, End] | None:
        found = self.step()
        if found is not None:
            self.input.taken(found[0])
        return found

    def typed(self, data: bytes) -> None:
        self.input.typed(data)

    def shown(self) -> bytes:
        return self.screen.take()


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


def test_when_its_owner_leaves_input_passes_to_the_first_who_waits() -> None:
    desk = Desk()
    for badge in (2, 4, 3):
        desk.ask(badge, b"%d> " % badge)
    desk.typed(b"half")
    desk.step()
    assert desk.input.leave(2) is not None
    desk.typed(b" done\r")
    assert desk.take() == (4, b"half done", End.DATA)
    assert desk.shown().endswith(b"\r\n4> half done\r\n")


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


def test_a_line_that_a_dead_client_has_not_taken_is_the_next_ones() -> None:
    desk = Desk()
    desk.ask(2)
    desk.typed(b"kept\rmore\r")
    desk.step()
    desk.input.passed_over(2)
    assert desk.input.leave(2) is None
    desk.ask(3)
    assert desk.take() == (3, b"kept", End.DATA)
    desk.ask(3)
    assert desk.take() == (3, b"more", End.DATA)


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


def test_focus_takes_the_input_and_each_keeps_what_was_typed_for_him() -> None:
    desk = Desk()
    desk.ask(2, b"2> ")
    desk.typed(b"for two")
    desk.step()
    desk.ask(3, b"3> ")
    desk.shown()
    desk.input.focus(3)
    desk.typed(b"for three\r")
    assert desk.take() == (3, b"for three", End.DATA)
    assert desk.shown() == b"\r\n[serial: input goes to c3]\r\n3> for three\r\n"
    desk.input.focus(2)
    desk.typed(b"!\r")
    assert desk.take() == (2, b"for two!", End.DATA)
    assert desk.shown() == b"[serial: input goes to c2]\r\n2> for two!\r\n"


def test_focus_on_its_owner_changes_nothing() -> None:
    desk = Desk()
    desk.input.focus(2)
    desk.shown()
    desk.input.focus(2)
    assert desk.shown() == b""


def test_who_reads_events_is_told_of_the_focus_and_of_a_break() -> None:
    desk = Desk()
    desk.ask(2, mode=RAW | EVENTS)
    assert desk.take() == (2, b"", End.FOCUS_GAINED)
    desk.ask(2, mode=RAW | EVENTS)
    desk.input.happened(End.BREAK)
    assert desk.take() == (2, b"", End.BREAK)
    desk.ask(2, mode=RAW | EVENTS)
    desk.input.focus(3)
    assert desk.take() == (2, b"", End.FOCUS_LOST)


def test_gaining_and_losing_undo_each_other_and_news_do_not_pile_up() -> None:
    desk = Desk()
    for _ in range(10):
        desk.input.focus(2)
        desk.input.happened(End.BREAK)
        desk.input.focus(3)
    desk.ask(2, mode=RAW | EVENTS)
    assert desk.take() == (2, b"", End.BREAK)
    desk.ask(2, mode=RAW | EVENTS)
    assert desk.take() is None


def test_news_nobody_could_take_are_told_again() -> None:
    desk = Desk()
    desk.ask(2, mode=RAW | EVENTS)
    assert desk.step() == (2, b"", End.FOCUS_GAINED)
    desk.input.passed_over(2)
    desk.ask(2, mode=RAW | EVENTS)
    assert desk.take() == (2, b"", End.FOCUS_GAINED)


def test_places_are_freed_when_the_time_is_over() -> None:
    desk = Desk()
    for badge, deadline in ((2, 5.0), (3, None), (4, 3.0)):
        desk.ask(badge, deadline=deadline)
    assert desk.input.next_deadline() == 3.0
    assert [r.badge for r in desk.input.expired(4.0)] == [4]
    assert [r.badge for r in desk.input.leave_all()] == [2, 3]
    assert desk.input.next_deadline() is None
    assert desk.input.leave(99) is None


def test_a_line_goes_to_nobody_when_all_who_read_are_gone() -> None:
    assert Input(Screen(colour=False)).step() is None
    assert Got(b"", End.DATA) == (b"", 0)


_ACTIONS = st.lists(
    st.sampled_from(["x\r", "y", "ask", "take", "pass", "leave", "focus"]), max_size=80
)


@given(_ACTIONS, st.lists(st.integers(2, 4), min_size=80, max_size=80))
def test_each_line_is_had_once_and_no_byte_is_lost(actions: list[str], who: list[int]) -> None:
    """Whatever readers come, give up, go, and whoever has the focus."""
    desk, had, typed = Desk(), [], 0
    for action, badge in zip(actions, who, strict=False):
        if action == "ask":
            desk.input.join(badge, f"c{badge}")
            desk.ask(badge)
        elif action == "take":
            found = desk.take()
            had += [found[1]] if found else []
        elif action == "pass" and (found := desk.step()):
            desk.input.passed_over(found[0])
        elif action == "leave":
            desk.input.leave(badge)
        elif action == "focus" and badge in desk.input.seats:
            desk.input.focus(badge)
        elif action in ("x\r", "y"):
            typed += 1
            desk.typed(action.encode())
    for _ in range(200):  # everybody reads to the end
        for badge in (2, 3, 4):
            desk.input.join(badge, f"c{badge}")
            desk.input.focus(badge)
            desk.ask(badge, mode=RAW)
            if found := desk.take():
                had.append(found[1])
    letters = b"".join(had).replace(b"\r", b"")
    lost_with_their_client = typed - len(letters)
    assert lost_with_their_client >= 0
    if "leave" not in actions:
        assert lost_with_their_client == 0
