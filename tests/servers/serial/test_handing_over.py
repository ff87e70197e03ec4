"""Input that changes hands: by a client's leaving, by focus; and what clients are told of it."""

from hypothesis import given
from hypothesis import strategies as st

from caplab.servers.serial.protocol import End
from input_desk import EVENTS, RAW, Desk


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


def test_who_types_is_told_to_whom_the_input_goes_when_its_owner_leaves() -> None:
    desk = Desk()
    desk.ask(2)
    desk.ask(3, mode=RAW)  # it would show nothing of its own
    desk.step()
    desk.shown()
    desk.input.leave(2)
    assert desk.shown() == b"[serial: input goes to c3]\r\n"
    desk.input.passed_over(3)
    desk.input.leave(3)
    assert desk.shown() == b""


def test_when_another_leaves_the_input_stays_its_owners() -> None:
    desk = Desk()
    desk.ask(2)
    desk.ask(3)
    assert desk.input.leave(3) is not None
    assert desk.input.leave(4) is None
    assert desk.input.focused == 2
    desk.typed(b"mine\r")
    assert desk.take() == (2, b"mine", End.DATA)


def test_the_line_of_an_owner_that_left_is_not_shown_again() -> None:
    desk = Desk()
    desk.ask(2, b"2> ")
    desk.typed(b"half")
    desk.step()
    desk.input.leave(2)
    desk.shown()
    desk.screen.note("news")
    assert desk.shown() == b"\r\n[serial: news]\r\n"


def test_who_connects_anew_sees_its_prompt_again() -> None:
    desk = Desk()
    desk.ask(2, b"$ ")
    desk.step()
    desk.input.leave(2)
    desk.input.join(2, "c2")
    desk.ask(2, b"$ ")
    desk.step()
    assert desk.shown() == b"$ \r\n$ "


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


def test_a_finished_line_of_one_that_leaves_without_the_input_is_counted() -> None:
    desk = Desk()
    desk.ask(2)
    desk.typed(b"kept\rmore")
    desk.step()
    desk.input.passed_over(2)
    desk.input.focus(3)
    desk.input.leave(2)
    assert desk.input.dropped == len("kept\rmore")


def test_two_lines_that_two_have_left_behind_are_both_the_next_ones() -> None:
    desk = Desk()
    for badge, line in ((2, b"two\r"), (3, b"three\rand a")):
        desk.input.focus(badge)
        desk.ask(badge)
        desk.typed(line)
        desk.step()
        desk.input.passed_over(badge)
    desk.input.leave(3)
    desk.ask(2)
    desk.step()
    desk.input.passed_over(2)
    desk.input.leave(2)
    had = []
    for _ in range(2):
        desk.ask(4)
        found = desk.take()
        assert found is not None
        had.append(found[1])
    assert had == [b"three", b"two"]
    desk.ask(4, mode=RAW)
    assert desk.take() == (4, b"and a", End.DATA)


def test_who_has_input_of_its_own_is_not_given_what_another_left() -> None:
    desk = Desk()
    desk.input.focus(2)
    desk.typed(b"for two\r")
    desk.input.focus(3)
    desk.typed(b"for three\r")
    desk.input.leave(3)
    desk.input.focus(2)
    desk.ask(2)
    assert desk.take() == (2, b"for two", End.DATA)
    desk.ask(2)
    assert desk.step() is None
    desk.input.focus(4)
    desk.ask(4)
    assert desk.take() == (4, b"for three", End.DATA)


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


def test_a_prompt_is_shown_again_when_the_input_comes_back() -> None:
    desk = Desk()
    desk.ask(2, b"$ ")
    desk.step()
    desk.input.focus(3)
    desk.input.focus(2)
    desk.shown()
    desk.step()
    assert desk.shown() == b"$ "


def test_who_waits_for_the_input_of_another_is_named_once_until_it_has_had_it() -> None:
    desk = Desk()
    desk.ask(2)
    desk.ask(3)
    desk.ask(3)
    assert desk.shown().count(b"c3 waits for input, which goes to c2") == 1
    desk.input.focus(3)
    desk.input.focus(2)
    desk.shown()
    desk.ask(3)
    assert desk.shown().count(b"c3 waits for input, which goes to c2") == 1


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


def test_a_break_is_told_to_the_owner_of_the_input_alone() -> None:
    desk = Desk()
    desk.input.focus(2)
    desk.input.happened(End.BREAK)
    desk.ask(3, mode=RAW | EVENTS)
    assert desk.step() is None


def test_news_are_told_in_the_order_in_which_they_happened() -> None:
    desk = Desk()
    desk.input.focus(2)
    desk.input.happened(End.BREAK)
    desk.input.happened(End.RESIZED)
    desk.ask(2, mode=RAW | EVENTS)
    assert desk.step() == (2, b"", End.FOCUS_GAINED)
    desk.input.passed_over(2)
    had = []
    for _ in range(3):
        desk.ask(2, mode=RAW | EVENTS)
        found = desk.take()
        assert found is not None
        had.append(found[2])
    assert had == [End.FOCUS_GAINED, End.BREAK, End.RESIZED]


def test_news_do_not_take_the_place_of_a_line_nobody_could_take() -> None:
    desk = Desk()
    desk.ask(2)
    desk.typed(b"kept\r")
    desk.step()
    desk.input.passed_over(2)
    desk.input.happened(End.BREAK)
    had = []
    for _ in range(3):
        desk.ask(2, mode=RAW | EVENTS)
        found = desk.take()
        assert found is not None
        had.append(found[1:])
    assert sorted(had) == [
        (b"", End.FOCUS_GAINED),
        (b"", End.BREAK),
        (b"kept\r", End.DATA),
    ]


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


_ACTIONS = st.lists(
    st.sampled_from(["x\r", "y", "ask", "take", "pass", "leave", "focus"]), max_size=80
)


@given(_ACTIONS, st.lists(st.integers(2, 4), min_size=80, max_size=80))
def test_each_line_is_had_once_and_no_byte_is_lost(actions: list[str], who: list[int]) -> None:
    """Whatever readers come, give up, go, and whoever has the focus; what was typed for one that
    leaves without it is counted."""
    desk, had, typed = Desk(), [], 0
    for action, badge in zip(actions, who, strict=False):
        if action == "ask":
            desk.input.join(badge, f"c{badge}")
            desk.ask(badge)
        elif action == "take":
            found = desk.take()
            had += [found[1] + b"\r"] if found else []
        elif action == "pass" and (found := desk.step()):
            desk.input.passed_over(found[0])
        elif action == "leave":
            desk.input.leave(badge)
        elif action == "focus" and badge in desk.input.seats:
            desk.input.focus(badge)
        elif action in ("x\r", "y"):
            typed += len(action)
            desk.typed(action.encode())
    for _ in range(200):  # everybody reads to the end
        for badge in (2, 3, 4):
            desk.input.join(badge, f"c{badge}")
            desk.input.focus(badge)
            desk.ask(badge, mode=RAW)
            if found := desk.take():
                had.append(found[1])
    assert len(b"".join(had)) + desk.input.dropped == typed
