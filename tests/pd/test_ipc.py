"""Messages and bodies."""

import pytest

from caplab.pd.ipc import Message, body, words


@pytest.mark.parametrize("data", [b"ab", bytearray(b"ab"), memoryview(b"ab")])
def test_bytes_travel_as_they_are(data) -> None:
    assert body(data) == b"ab"


def test_numbers_travel_as_little_endian_words_and_come_back() -> None:
    made = body([1, 2**64 - 1])
    assert made == b"\1" + bytes(7) + b"\xff" * 8
    assert words(made) == (1, 2**64 - 1)


def test_text_is_refused_with_what_to_do() -> None:
    with pytest.raises(TypeError, match="encode"):
        body("text")  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_that_is_no_word_is_refused(number) -> None:
    with pytest.raises(ValueError, match="0 to"):
        body([number])


def test_the_words_of_a_message_are_its_whole_words() -> None:
    assert Message(bytes(8) + b"\2" + bytes(7) + b"rest").words == (0, 2)


def test_slots_are_the_capabilities_that_did_not_arrive_as_badges() -> None:
    assert Message(caps=(17, 5, 18), unwrapped=0b010).slots == (17, 18)
    assert Message(caps=(17,)).slots == (17,)
