"""The scrollback ring."""

from hypothesis import given
from hypothesis import strategies as st

from caplab.kernel.host.scrollback import Scrollback


def scrollback(limit: int, *chunks: bytes) -> bytes:
    ring = Scrollback(limit)
    for chunk in chunks:
        ring.add(chunk)
    return ring.replay()


def test_what_fits_is_replayed_whole() -> None:
    assert scrollback(8, b"ab\n", b"cdefg") == b"ab\ncdefg"


def test_a_line_whose_start_is_lost_is_not_replayed() -> None:
    assert scrollback(8, b"first\nsecond\n") == b"second\n"


def test_a_line_that_starts_where_the_ring_does_is_kept() -> None:
    assert scrollback(7, b"first\n", b"second\n") == b"second\n"


def test_an_endless_line_is_shown_from_where_it_is_known() -> None:
    assert scrollback(4, b"abcdefgh") == b"efgh"
    assert scrollback(4, b"abcdefgh\n") == b"fgh\n"


def test_nothing_printed_is_nothing_replayed() -> None:
    assert scrollback(4) == b""


@given(st.lists(st.text("ab\n").map(str.encode)), st.integers(min_value=1, max_value=12))
def test_the_replay_is_the_end_of_the_stream_from_a_line_on(
    chunks: list[bytes], limit: int
) -> None:
    stream = b"".join(chunks)
    lines = [i for i in range(len(stream)) if i == 0 or stream[i - 1 : i] == b"\n"]
    fitting = [i for i in lines if len(stream) - i <= limit]
    start = fitting[0] if fitting else max(0, len(stream) - limit)
    assert scrollback(limit, *chunks) == stream[start:]


def test_as_much_is_kept_as_the_documentation_says() -> None:
    ring = Scrollback()
    ring.add(b"line\n" * 20_000)
    assert 64 * 1024 - 5 < len(ring.replay()) <= 64 * 1024
