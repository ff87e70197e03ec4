"""Rings: bytes come out as they went in, no side is believed, and no signal is lost."""

import mmap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caplab.pd.ring import ASLEEP, DATA, HEAD, TAIL, RingBroken, RingReader, RingWriter, clear

CAPACITY = 16
SIZE = DATA + CAPACITY


class Page:
    """A window; `after` is called behind each access, as if the other side ran then."""

    def __init__(self, size: int = SIZE) -> None:
        self.data = bytearray(size)
        self.gone = False
        self.read_only = False
        clear(self.data)

    def read(self, offset: int, length: int) -> bytes:
        return b"" if self.gone else bytes(self.data[offset : offset + length])

    def write(self, offset: int, data: bytes) -> int:
        if self.read_only:
            raise PermissionError("granted for reading only")
        self.data[offset : offset + len(data)] = data
        return len(data)


@pytest.fixture
def page() -> Page:
    return Page()


def taken(reader: RingReader) -> bytes:
    data = reader.peek(reader.ready())
    reader.advance(len(data))
    return data


def test_what_is_written_is_read_in_its_order(page: Page) -> None:
    writer, reader = RingWriter(page.data), RingReader(page, SIZE)
    assert writer.write(b"hello") == 5
    assert reader.ready() == 5
    assert reader.peek(2) == b"he"
    assert reader.peek(99) == b"hello"
    assert writer.unread() == 5
    reader.advance(5)
    assert writer.unread() == 0
    assert reader.peek(1) == b""


def test_a_full_ring_takes_what_it_has_room_for(page: Page) -> None:
    writer, reader = RingWriter(page.data), RingReader(page, SIZE)
    assert writer.write(b"x" * 20) == CAPACITY
    assert writer.write(b"y") == 0
    assert reader.ready() == CAPACITY
    assert reader.peek(3) == b"xxx"
    reader.advance(3)
    assert writer.write(b"yyyy") == 3
    assert taken(reader) == b"x" * 13 + b"yyy"


@given(st.lists(st.tuples(st.binary(max_size=24), st.integers(0, 20)), max_size=40))
def test_bytes_come_out_as_they_went_in(steps: list[tuple[bytes, int]]) -> None:
    page = Page()
    writer, reader = RingWriter(page.data), RingReader(page, SIZE)
    put, got = b"", b""
    for data, count in steps:
        put += data[: writer.write(data)]
        assert reader.ready() == len(put) - len(got)
        piece = reader.peek(count)
        reader.advance(len(piece))
        got += piece
    assert got + taken(reader) == put


def test_a_new_reader_goes_on_where_the_last_one_had_come_to(page: Page) -> None:
    writer, reader = RingWriter(page.data), RingReader(page, SIZE)
    writer.write(b"onetwo")
    reader.advance(3)
    assert taken(RingReader(page, SIZE)) == b"two"


def test_the_sleeper_is_signalled_once_and_only_when_it_sleeps(page: Page) -> None:
    writer, reader = RingWriter(page.data), RingReader(page, SIZE)
    writer.write(b"first")
    assert writer.must_signal()  # a reader that has not come yet is woken by the first
    writer.write(b"second")
    assert not writer.must_signal()
    reader.ready()
    taken(reader)
    assert reader.sleep()
    writer.write(b"third")
    assert writer.must_signal()
    assert not writer.must_signal()


@pytest.mark.parametrize("when", range(12))
def test_whatever_the_moment_of_a_write_the_reader_does_not_sleep_through_it(when: int) -> None:
    """The writer publishes and looks between any two accesses of a reader that goes to sleep."""
    page = Page()
    writer, reader = RingWriter(page.data), RingReader(page, SIZE)
    signalled = []
    steps = iter(range(100))

    class Interleaved:
        def read(self, offset: int, length: int) -> bytes:
            self._other()
            return page.read(offset, length)

        def write(self, offset: int, data: bytes) -> int:
            self._other()
            return page.write(offset, data)

        def _other(self) -> None:
            if next(steps) == when:
                writer.write(b"!")
                signalled.append(writer.must_signal())

    reader._window = Interleaved()
    page.write(ASLEEP, b"\0")
    asleep = reader.ready() == 0 and reader.sleep()
    if not signalled:  # it came after all that
        writer.write(b"!")
        signalled.append(writer.must_signal())
    assert not asleep or signalled == [True]


@pytest.mark.parametrize("head", [CAPACITY + 1, 2**63, 2**64 - 1])
def test_a_writer_that_says_what_cannot_be_is_not_believed(page: Page, head: int) -> None:
    reader = RingReader(page, SIZE)
    reader._publish(HEAD, head)
    with pytest.raises(RingBroken):
        reader.ready()
    with pytest.raises(RingBroken):
        RingReader(page, SIZE)


def test_a_head_that_goes_back_is_not_believed(page: Page) -> None:
    writer, reader = RingWriter(page.data), RingReader(page, SIZE)
    writer.write(b"hello")
    reader.ready()
    taken(reader)
    reader._publish(HEAD, 3)
    with pytest.raises(RingBroken):
        reader.ready()


def test_a_reader_that_says_what_cannot_be_is_not_believed(page: Page) -> None:
    writer = RingWriter(page.data)
    writer.write(b"hello")
    writer._publish(TAIL, 6)
    with pytest.raises(RingBroken):
        writer.unread()


def test_an_index_that_is_being_written_is_not_taken_for_one(page: Page) -> None:
    writer, reader = RingWriter(page.data), RingReader(page, SIZE)
    writer.write(b"hello")
    page.data[HEAD] ^= 0xFF
    assert reader.ready() == 0
    page.data[HEAD] ^= 0xFF
    assert reader.ready() == 5


def test_a_window_that_is_gone_or_read_only_is_an_error_and_no_fault(page: Page) -> None:
    reader = RingReader(page, SIZE)
    RingWriter(page.data).write(b"hello")
    reader.ready()
    page.read_only = True
    with pytest.raises(RingBroken):
        reader.advance(1)
    page.gone = True
    for ask in (reader.ready, lambda: reader.peek(1)):
        with pytest.raises(RingBroken):
            ask()


def test_a_writer_whose_mapping_is_closed_is_told_so() -> None:
    pages = mmap.mmap(-1, mmap.PAGESIZE)
    clear(pages)
    writer = RingWriter(pages)
    writer.write(b"hello")
    pages.close()
    for ask in (lambda: writer.write(b"x"), writer.must_signal, writer.unread):
        with pytest.raises(RingBroken, match="gone"):
            ask()


def test_a_window_too_small_for_a_ring_is_refused(page: Page) -> None:
    with pytest.raises(RingBroken):
        RingReader(page, DATA)
    with pytest.raises(RingBroken):
        RingWriter(bytearray(DATA))
