"""The console socket's framing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caplab.kernel.host.console_wire import (
    DATA,
    JSON,
    Decoder,
    Frame,
    FramingError,
    decode_json,
    encode,
    encode_json,
)

frames = st.lists(st.builds(Frame, st.sampled_from([DATA, JSON]), st.binary(max_size=40)))


@given(frames, st.lists(st.integers(min_value=1, max_value=30), min_size=1))
def test_frames_arrive_whole_however_the_stream_is_cut(sent: list[Frame], cuts: list[int]) -> None:
    stream = b"".join(encode(*frame) for frame in sent)
    decoder = Decoder(40)
    got: list[Frame] = []
    turn = 0
    while stream:
        size = cuts[turn % len(cuts)]
        got.extend(decoder.feed(stream[:size]))
        stream = stream[size:]
        turn += 1
    assert got == sent


def test_the_header_is_the_kind_and_a_little_endian_length() -> None:
    assert encode(DATA, b"x" * 258) == b"D\x02\x01\x00\x00" + b"x" * 258


def test_a_payload_may_be_as_long_as_the_limit() -> None:
    assert list(Decoder(5).feed(encode(DATA, b"12345"))) == [(DATA, b"12345")]


def test_a_payload_beyond_the_limit_is_refused_before_it_arrives() -> None:
    with pytest.raises(FramingError, match="6 bytes, 5 are allowed"):
        list(Decoder(5).feed(encode(DATA, b"123456")[:5]))


def test_the_frames_before_a_mistake_are_not_lost() -> None:
    frames = Decoder(5).feed(encode(DATA, b"good") + b"?\x00\x00\x00\x00")
    assert next(frames) == (DATA, b"good")
    with pytest.raises(FramingError, match="unknown kind"):
        next(frames)


def test_control_frames_hold_one_json_object() -> None:
    (frame,) = Decoder(100).feed(encode_json({"mode": "watch"}))
    assert decode_json(frame.payload) == {"mode": "watch"}


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b"\xff", b"1"])
def test_a_control_frame_that_is_no_object_is_refused(payload: bytes) -> None:
    with pytest.raises(FramingError):
        decode_json(payload)
