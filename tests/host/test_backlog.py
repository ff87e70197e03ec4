"""The bounded queues of a line."""

from hypothesis import given
from hypothesis import strategies as st

from caplab.kernel.host.backlog import Backlog, Outbox
from caplab.kernel.host.console_wire import DATA, JSON, Decoder, Frame, decode_json, encode

LIMIT = 1000


def taken(outbox: Outbox, most: int = 1 << 20) -> bytes:
    """What a socket takes that accepts `most` bytes at once, until nothing is left."""
    stream = b""
    while outbox:
        part = bytes(outbox.head()[:most])
        stream += part
        outbox.advance(len(part))
    return stream


def frames(stream: bytes) -> list[Frame]:
    return list(Decoder(1 << 20).feed(stream))


def test_a_backlog_drops_the_newest_bytes_and_counts_them() -> None:
    backlog = Backlog(5)
    assert backlog.put(b"abc") == 0
    assert backlog.put(b"defg") == 2
    assert (backlog.head(100), backlog.dropped) == (b"abcde", 2)


def test_a_backlog_goes_out_in_order_and_makes_room() -> None:
    backlog = Backlog(5)
    backlog.put(b"abcde")
    backlog.advance(3)
    assert backlog.put(b"fgh") == 0
    assert backlog.head(2) == b"de"
    assert (backlog.head(100), len(backlog)) == (b"defgh", 5)


def test_an_abandoned_backlog_counts_what_waited() -> None:
    backlog = Backlog(5)
    backlog.put(b"abcdefg")
    backlog.abandon()
    assert (len(backlog), backlog.dropped) == (0, 7)


def test_frames_go_out_whole_and_in_order_through_a_narrow_socket() -> None:
    outbox = Outbox(LIMIT)
    sent = [Frame(DATA, b"one"), Frame(JSON, b"{}"), Frame(DATA, b"two")]
    for frame in sent:
        outbox.data(encode(*frame))
    assert frames(taken(outbox, most=2)) == sent
    assert not outbox


def test_what_does_not_fit_is_dropped_whole_and_marked_in_its_place() -> None:
    outbox = Outbox(LIMIT)
    outbox.data(encode(DATA, b"a" * 700))
    outbox.data(encode(DATA, b"b" * 700))
    outbox.data(encode(DATA, b"c" * 300))
    outbox.data(encode(DATA, b"d" * 50))
    assert frames(taken(outbox)) == [
        (DATA, b"a" * 700),
        (JSON, b'{"lost": 1000}'),
        (DATA, b"d" * 50),
    ]


def test_a_console_that_is_slow_is_a_mebibyte_behind_at_most() -> None:
    outbox = Outbox()
    for _ in range(3 * 1024):
        outbox.data(encode(DATA, b"x" * 1019))
    *shown, mark = frames(taken(outbox, most=1 << 20))
    assert 1 << 19 < sum(len(frame.payload) for frame in shown) < 1 << 20
    assert mark.kind == JSON


def test_a_mark_that_is_going_out_does_not_grow() -> None:
    outbox = Outbox(LIMIT)
    outbox.mark("lost", 10)
    outbox.advance(len(outbox.head()[:4]))
    outbox.mark("lost", 5)
    rest = taken(outbox)
    assert rest.endswith(encode(JSON, b'{"lost": 5}'))
    assert b'"lost": 10}' in rest


def test_there_is_room_again_when_frames_have_gone() -> None:
    outbox = Outbox(LIMIT)
    for _ in range(5):
        outbox.data(encode(DATA, b"x" * 900))
        assert frames(taken(outbox)) == [(DATA, b"x" * 900)]


def test_a_reader_that_never_reads_costs_no_more_than_the_limit() -> None:
    outbox = Outbox(LIMIT)
    for _ in range(10_000):
        outbox.data(encode(DATA, b"x"))
        outbox.mark("input_lost", 1)
    marks: dict[str, int] = {}
    got = frames(taken(outbox))
    for frame in got:
        if frame.kind == JSON:
            for key, count in decode_json(frame.payload).items():
                assert isinstance(count, int)
                marks[key] = marks.get(key, 0) + count
    shown = sum(len(frame.payload) for frame in got if frame.kind == DATA)
    assert marks == {"lost": 10_000 - shown, "input_lost": 10_000}
    assert 0 < shown <= LIMIT // Outbox.FRAME_COST
    assert len(got) <= 2 * shown + 2


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400))))
def test_output_and_marks_together_are_the_whole_stream(steps: list[tuple[int, int]]) -> None:
    """Each step prints some bytes, and the socket takes some."""
    outbox, printed, stream = Outbox(LIMIT), b"", b""
    for size, room in steps:
        chunk = bytes((len(printed) + i) % 251 for i in range(size))
        outbox.data(encode(DATA, chunk))
        printed += chunk
        if outbox:
            part = bytes(outbox.head()[:room])
            stream += part
            outbox.advance(len(part))
    offset = 0
    for frame in frames(stream + taken(outbox)):
        if frame.kind == DATA:
            assert printed[offset : offset + len(frame.payload)] == frame.payload
            offset += len(frame.payload)
        else:
            lost = decode_json(frame.payload)["lost"]
            assert isinstance(lost, int)
            offset += lost
    assert offset == len(printed)
