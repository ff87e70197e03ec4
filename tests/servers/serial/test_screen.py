"""The console's last line: nobody's text is glued to another's, and the edited line comes back."""

from hypothesis import given
from hypothesis import strategies as st

from caplab.servers.serial.profile import Profile
from caplab.servers.serial.screen import Screen

A, B = Profile("a"), Profile("b")


def screen() -> Screen:
    return Screen(colour=False)


def test_what_one_client_prints_in_pieces_is_one_line() -> None:
    one = screen()
    for text in (b"a", b"b", b"c\n"):
        one.print(2, A, text, 0.0)
    assert one.take() == b"abc\r\n"
    assert one.take() == b""


def test_who_prints_behind_anothers_unfinished_line_gets_a_line_of_his_own() -> None:
    one = screen()
    one.print(2, A, b"name: ", 0.0)
    one.print(3, B, b"whole\n", 0.0)
    one.print(2, A, b"and on\n", 0.0)
    one.print(3, B, b"", 0.0)
    assert one.take() == b"name: \r\nwhole\r\nand on\r\n"


def test_the_line_being_edited_comes_back_below_what_is_printed() -> None:
    one = screen()
    one.turn(2, b"$ ")
    one.echo(b"l", b"$ l")
    one.print(3, B, b"whole\n", 0.0)
    one.echo(b"s", b"$ ls")
    one.echo(b"\r\n", b"")
    one.edited()
    one.print(3, B, b"next\n", 0.0)
    assert one.take() == b"$ l\r\nwhole\r\n$ ls\r\nnext\r\n"


def test_it_comes_back_with_the_next_key_when_what_is_printed_does_not_end() -> None:
    one = screen()
    one.turn(2, b"$ l")
    one.print(3, B, b"50 %", 0.0)
    one.print(3, B, b" 60 %", 0.0)
    one.echo(b"s", b"$ ls")
    assert one.take() == b"$ l\r\n50 % 60 %\r\n$ ls"


def test_what_is_typed_stands_behind_the_prompt_its_client_has_printed() -> None:
    one = screen()
    one.print(2, A, b"name: ", 0.0)
    one.turn(2, b"")
    one.echo(b"x", b"x")
    assert one.take() == b"name: x"


def test_a_line_of_the_servers_own_is_marked_and_dim_where_there_are_colours() -> None:
    one, coloured = screen(), Screen(colour=True)
    for each in (one, coloured):
        each.turn(2, b"$ ")
        each.note("so it is")
    assert one.take() == b"$ \r\n[serial: so it is]\r\n$ "
    assert coloured.take() == b"$ \r\n\x1b[2m[serial: so it is]\x1b[0m\r\n$ "


def test_a_prefix_stands_at_the_start_of_each_line_and_nowhere_else() -> None:
    one, stamped = screen(), Profile("fs", prefix=True)
    one.print(2, stamped, b"one\ntwo\nthr", 1.5)
    one.print(2, stamped, b"ee\n", 2.0)
    one.print(3, B, b"plain", 2.0)
    one.print(2, stamped, b"four\n", 12.25)
    stamp = b"[    1.500] fs | "
    assert one.take() == (
        stamp + b"one\r\n" + stamp + b"two\r\n" + stamp + b"three\r\nplain\r\n"
        b"[   12.250] fs | four\r\n"
    )


_TEXTS = st.sampled_from([b"x", b"y\n", b"z\nz\n", b"\n", b"w\nv"])


@given(st.lists(st.tuples(st.sampled_from([2, 3]), _TEXTS), max_size=40))
def test_each_line_has_the_text_of_one_client(texts: list[tuple[int, bytes]]) -> None:
    one = screen()
    for badge, text in texts:
        one.print(badge, A, text.translate(bytes.maketrans(b"xyzwv", bytes([48 + badge]) * 5)), 0)
    shown = one.take().split(b"\r\n")
    assert all(len(set(line)) <= 1 for line in shown)
    letters = b"".join(text for _, text in texts).replace(b"\n", b"")
    assert sum(map(len, shown)) == len(letters)
