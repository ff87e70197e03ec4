"""Who types: one console at a time."""

from caplab.kernel.host.keyboard import Keyboard


def test_the_first_has_the_keyboard_and_the_others_wait_their_turn() -> None:
    keyboard: Keyboard[str] = Keyboard()
    assert keyboard.holder is None
    assert [keyboard.join(who) for who in "abc"] == [True, False, False]
    assert keyboard.holder == "a"
    assert keyboard.leave("a")
    assert keyboard.holder == "b"
    assert not keyboard.leave("c")
    assert keyboard.leave("b")
    assert (keyboard.holder, keyboard.wanted_by) == (None, [])


def test_who_takes_it_has_it_until_they_leave_then_it_goes_back() -> None:
    keyboard: Keyboard[str] = Keyboard()
    for who in "ab":
        keyboard.join(who)
    assert keyboard.take("b")
    assert not keyboard.take("b")
    assert keyboard.take("c")
    assert keyboard.wanted_by == ["c", "b", "a"]
    assert keyboard.leave("c")
    assert keyboard.holder == "b"


def test_who_never_wanted_it_may_leave() -> None:
    keyboard: Keyboard[str] = Keyboard()
    keyboard.join("a")
    assert not keyboard.leave("watcher")
    assert keyboard.holder == "a"
