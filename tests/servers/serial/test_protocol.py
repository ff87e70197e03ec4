"""The words of the serial server, held against the numbers of libsel4serialserver."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caplab.kernel.abi import MSG_BYTES
from caplab.servers.serial import protocol
from caplab.servers.serial.errors import NullBuffer, SerialError
from caplab.servers.serial.lineedit import LINE_MAX
from caplab.servers.serial.protocol import Error, Function


def test_functions_have_the_numbers_of_the_seed() -> None:
    numbers = {f.name: (f.value, protocol.answer_to(f)) for f in Function if f < 12}
    assert numbers == {
        "CONNECT": (0, 1),
        "SPAWN_SYNC": (2, 3),
        "PRINTF": (4, 5),
        "WRITE": (6, 7),
        "DISCONNECT": (8, 9),
        "KILL": (10, 11),
    }


def test_errors_have_the_numbers_of_the_seed() -> None:
    assert {e.name: e.value for e in Error if e < 14} == {
        "TOO_LONG": -4,
        "NO_SUCH_CLIENT": -1,
        "NONE": 0,
        "INVALID_ARGUMENT": 1,
        "INVALID_CAPABILITY": 2,
        "ILLEGAL_OPERATION": 3,
        "RANGE_ERROR": 4,
        "NOT_ENOUGH_MEMORY": 10,
        "SHMEM_TOO_LARGE": 11,
        "BIND_FAILED": 12,
        "UNKNOWN": 13,
    }


@given(st.sampled_from(Error))
def test_an_error_number_survives_the_label(error: Error) -> None:
    label = protocol.label_of(error)
    assert 0 <= label < 1 << 52
    assert protocol.code_of(label) == error


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 2**64 - 1), max_size=6))
def test_words_survive_the_message(function: int, args: list[int]) -> None:
    words = protocol.decode(protocol.encode(function, *args))
    assert words == (function, tuple(args))


@given(st.binary(max_size=100))
def test_any_bytes_are_words_or_nothing(data: bytes) -> None:
    words = protocol.decode(data)
    assert (words is None) == (len(data) < 8)
    if words is not None:
        assert words.arg(200) == 0
        assert 0 <= protocol.answer_to(words.function) < 1 << 64


@given(st.binary(max_size=protocol.TEXT_MAX), st.binary(max_size=8))
def test_text_survives_behind_the_words(text: bytes, more: bytes) -> None:
    data = protocol.with_text(protocol.encode(Function.READ, len(text), 0), text)
    assert len(data) <= MSG_BYTES
    assert protocol.text_behind(data + more, 3) == text + more


def test_the_longest_line_fits_an_answer() -> None:
    assert LINE_MAX == protocol.TEXT_MAX


@pytest.mark.parametrize("error", [e for e in Error if e])
def test_every_refusal_is_a_class_with_its_number_and_a_sentence(error: Error) -> None:
    refusal = SerialError.of(error)
    assert type(refusal) is not SerialError
    assert refusal.code == error
    assert str(refusal).endswith(".")
    assert len(str(refusal)) > 40


def test_an_unknown_number_is_still_a_refusal() -> None:
    refusal = SerialError.of(99)
    assert (type(refusal), refusal.code) == (SerialError, 99)
    assert "99" in str(refusal)


def test_no_text_has_the_number_of_the_seed_and_its_own_sentence() -> None:
    assert NullBuffer.code == Error.NO_SUCH_CLIENT
    assert "no text" in str(NullBuffer())
