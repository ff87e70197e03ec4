"""Readers: first come first served, and no line is lost with a reader."""

from hypothesis import given
from hypothesis import strategies as st

from caplab.servers.serial.readers import Input, Line, Reader


def reader(
    badge: int, prompt: bytes = b"", deadline: float | None = None, reply: int = 0
) -> Reader:
    return Reader(badge, reply or 100 + badge, prompt, deadline)


def test_a_line_goes_to_the_first_who_asked() -> None:
    console = Input()
    console.ask(reader(2, b"2> "))
    console.ask(reader(3, b"3> "))
    assert console.step() == (b"2> ", None)
    console.typed(b"hello\rbye\r")
    assert console.step() == (b"hello\r\n", Line(b"hello", False))
    console.taken()
    assert console.step() == (b"3> bye\r\n", Line(b"bye", False))


def test_a_line_nobody_could_take_is_the_next_readers() -> None:
    console = Input()
    console.ask(reader(2))
    console.typed(b"kept\r")
    assert console.step()[1] == Line(b"kept", False)
    console.passed_over()
    assert console.step() == (b"", None)
    console.ask(reader(3))
    assert console.step() == (b"", Line(b"kept", False))
    console.taken()
    assert console.step() == (b"", None)


def test_what_is_typed_while_nobody_reads_is_kept_and_shown_when_it_is_read() -> None:
    console = Input()
    assert console.typed(b"early\r") == b""
    assert console.step() == (b"", None)
    console.ask(reader(2, b"$ "))
    assert console.step() == (b"$ early\r\n", Line(b"early", False))


def test_what_does_not_fit_rings_the_bell_and_is_counted() -> None:
    console = Input(limit=4)
    assert console.typed(b"abcdef") == b"\a"
    assert console.typed(b"g") == b"\a"
    assert console.dropped == 3
    console.ask(reader(2))
    console.step()
    console.typed(b"\r")
    assert console.step()[1] == Line(b"abcd", False)


def test_a_client_has_one_place_and_keeps_its_turn() -> None:
    console = Input()
    console.ask(reader(2, reply=10))
    console.ask(reader(3))
    assert console.ask(reader(2, reply=20)) == reader(2, reply=10)
    assert [r.reply for r in console.readers] == [20, 103]


def test_asking_again_with_the_same_prompt_does_not_show_it_again() -> None:
    console = Input()
    console.ask(reader(2, b"$ "))
    console.typed(b"par")
    assert console.step()[0] == b"$ par"
    console.leave(2)
    console.ask(reader(2, b"$ "))
    assert console.step()[0] == b""


def test_the_next_reader_takes_over_what_is_typed_so_far() -> None:
    console = Input()
    console.ask(reader(2, b"2> "))
    console.typed(b"half")
    console.step()
    assert console.leave(2) == reader(2, b"2> ")
    console.ask(reader(3, b"3> "))
    console.typed(b" done\r")
    assert console.step() == (b"\r\n3> half done\r\n", Line(b"half done", False))


def test_a_discarded_line_shows_the_prompt_again() -> None:
    console = Input()
    console.ask(reader(2, b"$ "))
    console.typed(b"no\x03yes\r")
    assert console.step() == (b"$ no^C\r\n$ yes\r\n", Line(b"yes", False))


def test_the_end_of_the_file_is_a_line_without_text() -> None:
    console = Input()
    console.ask(reader(2))
    console.typed(b"\x04")
    assert console.step()[1] == Line(b"", True)


def test_places_are_freed_when_the_time_is_over() -> None:
    console = Input()
    for badge, deadline in ((2, 5.0), (3, None), (4, 3.0)):
        console.ask(reader(badge, deadline=deadline))
    assert console.next_deadline() == 3.0
    assert [r.badge for r in console.expired(4.0)] == [4]
    assert [r.badge for r in console.readers] == [2, 3]
    assert [r.badge for r in console.leave_all()] == [2, 3]
    assert console.next_deadline() is None


@given(st.lists(st.sampled_from([b"x\r", b"y", b"ask", b"take", b"pass"]), max_size=60))
def test_each_line_is_had_once_and_in_order(actions: list[bytes]) -> None:
    """Whatever readers come and go: the lines taken are those typed."""
    console, taken, typed, badge = Input(), [], b"", 2
    for action in actions:
        if action == b"ask":
            console.ask(reader(badge))
            badge += 1
        elif action in (b"take", b"pass"):
            line = console.step()[1]
            if line is not None and action == b"take":
                taken.append(line.text)
                console.taken()
            elif line is not None:
                console.passed_over()
        else:
            typed += action
            console.typed(action)
    assert taken == typed.split(b"\r")[: len(taken)]
    assert typed.count(b"\r") >= len(taken)
