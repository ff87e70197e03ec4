"""The queue from the console to the driver: whom it holds back, and for how long."""

from hypothesis import given
from hypothesis import strategies as st

from caplab.kernel.host.typed import BREAK, PATIENCE, Typed, size_mark
from caplab.pd.register import Break, Input, Unmarked, WindowSize

LIMIT = 100


def test_typing_is_held_back_when_the_queue_is_full_and_heard_again_when_it_is_not() -> None:
    typed = Typed(LIMIT)
    assert typed.put(b"x" * (LIMIT - 1), 0.0) == 0
    assert (typed.full, typed.give_up_at()) == (False, None)
    assert typed.put(b"y" * LIMIT, 0.0) == 0  # what has been read already is not dropped
    assert typed.full
    typed.advance(LIMIT, 0.5)
    assert not typed.full
    assert typed.dropped == 0


def test_a_driver_that_takes_nothing_is_given_up_until_it_reads() -> None:
    typed = Typed(LIMIT)
    typed.put(b"x" * LIMIT, 1.0)
    assert typed.give_up_at() == 1.0 + PATIENCE
    typed.look(1.0 + PATIENCE / 2)
    assert typed.full
    typed.look(1.0 + PATIENCE)
    assert (typed.full, typed.give_up_at()) == (False, None)
    assert typed.put(b"lost", 3.0) == 4
    typed.advance(1, 4.0)
    assert typed.put(b"yz", 4.0) == 0
    assert (typed.full, typed.dropped) == (True, 4)


def test_patience_is_counted_from_when_the_first_byte_or_mark_had_to_wait() -> None:
    typed = Typed()
    typed.put(b"x" * (64 * 1024 - 1), 5.0)
    assert not typed.full
    assert typed.give_up_at() is None
    typed.put(b"x", 5.9)
    assert typed.full
    assert typed.give_up_at() == 6.0
    marked = Typed(len(BREAK))
    marked.mark(BREAK, 7.0)
    assert marked.give_up_at() == 8.0


def test_a_driver_that_takes_a_little_is_waited_for_anew() -> None:
    typed = Typed(LIMIT)
    typed.put(b"x" * 3 * LIMIT, 0.0)
    typed.advance(1, 0.9)
    assert typed.give_up_at() == 0.9 + PATIENCE


def test_marks_are_bounded_too() -> None:
    typed = Typed(LIMIT)
    marked = [typed.mark(BREAK, 0.0) for _ in range(LIMIT)]
    assert marked[0]
    assert not marked[-1]
    assert len(typed) <= 2 * LIMIT + len(BREAK)


def test_a_driver_that_is_gone_loses_what_waits() -> None:
    typed = Typed(LIMIT)
    typed.put(b"unread", 0.0)
    typed.abandon()
    assert (len(typed), typed.dropped) == (0, 6)


def test_a_terminal_gets_every_byte_as_it_is() -> None:
    typed = Typed(LIMIT, marked=False)
    typed.put(b"a\xffb", 0.0)
    assert typed.head(10) == b"a\xffb"


STEPS = st.lists(
    st.one_of(
        st.binary(max_size=6),
        st.text("\xff\x00\x01", max_size=6).map(lambda text: text.encode("latin-1")),
        st.just(Break()),
        st.builds(WindowSize, st.integers(0, 65535), st.integers(0, 65535)),
    )
)


def joined(parts: list[Input]) -> list[Input]:
    """The same stream, in as few pieces as can be."""
    whole: list[Input] = []
    for part in parts:
        if isinstance(part, bytes) and whole and isinstance(whole[-1], bytes):
            whole[-1] += part
        elif part != b"":
            whole.append(part)
    return whole


@given(steps=STEPS, cut=st.integers(1, 7))
def test_what_is_typed_comes_up_the_line_as_it_was_however_it_is_cut(
    steps: list[Input], cut: int
) -> None:
    typed, unmarked = Typed(1 << 20), Unmarked()
    for step in steps:
        if isinstance(step, bytes):
            typed.put(step, 0.0)
        else:
            typed.mark(BREAK if isinstance(step, Break) else size_mark(*step), 0.0)
    came: list[Input] = []
    while typed:
        piece = typed.head(cut)
        came += unmarked.feed(piece)
        typed.advance(len(piece), 0.0)
    assert joined(came) == joined(steps)
