"""The keys that leave an attached console."""

import pytest

from caplab.scripts.cli.escape import EscapeKey, Typed, Wish

ESC = b"\x1d"


def test_what_is_typed_goes_to_the_system() -> None:
    assert EscapeKey().feed(b"ps\r\x03\x1a") == Typed(b"ps\r\x03\x1a", None)


@pytest.mark.parametrize("q", [b"q", b"Q"])
def test_the_key_then_q_leaves_after_what_was_typed_before(q: bytes) -> None:
    typed = EscapeKey().feed(b"ps" + ESC + q + b"never sent")
    assert typed == Typed(b"ps", Wish.LEAVE, b"never sent")


def test_the_key_twice_sends_one() -> None:
    assert EscapeKey().feed(b"a" + ESC + ESC + b"qb") == Typed(b"a" + ESC + b"qb", None)


@pytest.mark.parametrize("key", [b"?", b"x", b"\r"])
def test_the_key_and_any_other_shows_the_help_and_sends_nothing(key: bytes) -> None:
    assert EscapeKey().feed(b"a" + ESC + key + b"b") == Typed(b"a", Wish.HELP, b"b")


def test_each_wish_has_a_key_and_what_is_typed_behind_it_waits() -> None:
    key = EscapeKey()
    for letter, wish in [("s", Wish.FOCUS), ("b", Wish.BREAK), ("t", Wish.TAKE), ("n", Wish.NEXT)]:
        typed = key.feed(b"a" + ESC + letter.encode() + b"name\r")
        assert typed == Typed(b"a", wish, b"name\r")
        assert key.feed(typed.rest) == Typed(b"name\r", None)


def test_the_key_works_when_its_two_strokes_arrive_apart() -> None:
    key = EscapeKey()
    assert key.feed(b"a" + ESC) == Typed(b"a", None)
    assert key.feed(b"q") == Typed(b"", Wish.LEAVE)


@pytest.mark.parametrize(
    ("name", "byte", "shown"),
    [
        ("ctrl-]", b"\x1d", "Ctrl-]"),
        ("^]", b"\x1d", "Ctrl-]"),
        ("Ctrl-A", b"\x01", "Ctrl-A"),
        ("ctrl-\\", b"\x1c", "Ctrl-\\"),
        ("^^", b"\x1e", "Ctrl-^"),
        ("ctrl-_", b"\x1f", "Ctrl-_"),
    ],
)
def test_a_key_is_named_as_people_write_it(name: str, byte: bytes, shown: str) -> None:
    key = EscapeKey(name)
    assert (key.byte, key.name) == (byte, shown)
    assert key.feed(byte + b"q") == Typed(b"", Wish.LEAVE)
    assert key.hint.startswith(shown)
    assert key.help([Wish.LEAVE]).startswith(shown)


@pytest.mark.parametrize(
    "name", ["", "x", "]", "^", "ctrl-", "ctrl-ab", "ctrl-1", "ctrl- ", "f1", "ctrl-ß"]
)
def test_a_key_that_cannot_be_typed_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match="is not an escape key: give ctrl- and a letter"):
        EscapeKey(name)
