"""Rings are printed in turns: nobody waits longer than the others' shares, and lines stay whole."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caplab.pd.ring import DATA, HEAD, RingReader, RingWriter, clear
from caplab.servers.serial.connections import Connection
from caplab.servers.serial.rings import BELLS, FIRST_BELL, NAPS, ROUND, SHARE, Rings, bell_of

SIZE = DATA + 3 * ROUND


class Page:
    """A window."""

    def __init__(self, size: int) -> None:
        self.data = bytearray(size)
        clear(self.data)

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self.data[offset : offset + length])

    def write(self, offset: int, data: bytes) -> int:
        self.data[offset : offset + len(data)] = data
        return len(data)

    def close(self) -> None:
        pass


class Desk:
    """Rings, and what is printed of each."""

    def __init__(self, clients: int, size: int = SIZE) -> None:
        self.printed: dict[int, list[bytes]] = {}
        self.broken: list[int] = []
        self.rings = Rings(self._show, self._break)
        self.writers: dict[int, RingWriter] = {}
        self.connections: dict[int, Connection] = {}
        for badge in range(2, clients + 2):
            page = Page(size)
            parts: Any = (badge, page, size, 0, None, None, None)
            ring = RingReader(page, size)
            self.connections[badge] = Connection(*parts, ring, bell_of(badge))
            self.writers[badge] = RingWriter(page.data)
            self.printed[badge] = []
            self.rings.add(self.connections[badge])

    def _show(self, connection: Connection, text: bytes) -> None:
        self.printed[connection.badge].append(text)

    def _break(self, connection: Connection) -> None:
        self.broken.append(connection.badge)
        self.rings.drop(connection)

    def sizes(self) -> list[int]:
        return [sum(map(len, pieces)) for pieces in self.printed.values()]

    def rest(self) -> None:
        """Turns until nothing is left to do."""
        while self.rings.busy:
            self.rings.turn()


def test_twenty_rings_that_are_always_full_get_the_same() -> None:
    desk = Desk(20)
    line = b"x" * 63 + b"\n"
    for _ in range(50):
        for writer in desk.writers.values():
            writer.write(line * 2000)
        desk.rings.turn()
    least, most = min(desk.sizes()), max(desk.sizes())
    assert least == most == 50 * SHARE


def test_a_flood_does_not_keep_a_line_waiting() -> None:
    desk = Desk(3)
    desk.writers[2].write(b"flood\n" * 30000)
    desk.writers[4].write(b"a line\n")
    desk.rings.turn()
    assert desk.printed[4] == [b"a line\n"]
    assert desk.sizes()[0] <= ROUND // 3


def test_a_ring_alone_has_the_whole_turn() -> None:
    desk = Desk(1)
    desk.writers[2].write(b"12345678\n" * 20000)
    desk.rings.turn()
    assert ROUND - 9 < desk.sizes()[0] <= ROUND


def test_a_share_ends_with_a_line_and_a_long_line_is_one_piece() -> None:
    desk = Desk(20)
    long = b"y" * 2 * SHARE + b"\n"
    for badge, writer in desk.writers.items():
        writer.write(b"short\n" + (long if badge == 2 else b"x\n" * SHARE) + b"behind\n")
    desk.rings.turn()
    desk.rings.turn()
    assert desk.printed[2] == [b"short\n", long]


def test_an_unfinished_line_waits_and_is_printed_when_asked_for_or_full() -> None:
    desk = Desk(2)
    desk.writers[2].write(b"whole\nbegun")
    desk.rest()
    assert desk.printed[2] == [b"whole\n"]
    assert desk.rings.sync(desk.connections[2], False) == 5
    assert desk.rings.sync(desk.connections[2], True) == 0
    assert desk.printed[2] == [b"whole\n", b"begun"]
    desk.writers[3].write(b"z" * SIZE)
    assert desk.writers[3].must_signal()
    desk.rings.rung(bell_of(3))
    desk.rest()
    assert desk.sizes()[1] == 3 * ROUND


def test_who_slept_is_woken_by_its_bell_and_others_of_the_bell_are_looked_at() -> None:
    desk = Desk(BELLS + 1)
    desk.rest()
    first, other = 2, BELLS + 2
    assert bell_of(first) == bell_of(other) == 1 << FIRST_BELL + 2
    desk.writers[first].write(b"hello\n")
    assert desk.writers[first].must_signal()
    desk.rings.rung(bell_of(3))
    desk.rest()
    assert desk.printed[first] == []
    desk.rings.rung(bell_of(first))
    desk.rest()
    assert desk.printed[first] == [b"hello\n"]


def test_turns_go_on_while_there_is_something_and_look_again_before_they_sleep() -> None:
    desk = Desk(1)
    now = iter(range(10**6))
    desk.writers[2].write(b"x\n" * ROUND)
    assert desk.writers[2].must_signal()
    looks: list[bool] = []

    def turn(*, sleep: bool = True) -> int:
        looks.append(sleep)
        return Rings.turn(desk.rings, sleep=sleep)

    desk.rings.turn = turn  # type: ignore[method-assign]
    desk.rings.turns(lambda: next(now) / 10**9, alone=True)
    assert desk.sizes() == [2 * ROUND]
    assert looks == [False] * (2 + NAPS) + [True]
    assert not desk.rings.busy
    assert desk.rings.sync(desk.connections[2], True) == 0
    desk.rings.turns(lambda: next(now), alone=True)
    assert len(looks) == 3 + NAPS


def test_who_calls_waits_for_rings_for_a_short_time_and_longer_after_a_time_without_calls() -> None:
    desk = Desk(1)
    line = b"x" * 63 + b"\n"

    def milliseconds(alone: bool) -> int:
        """How long the turns go on, when each takes one."""
        looks = 0

        def now() -> float:
            nonlocal looks
            looks += 1
            desk.writers[2].write(line * 2000)
            return looks / 1000

        desk.rings.turns(now, alone=alone)
        return looks - 1  # the first begins the time

    assert [milliseconds(False) for _ in range(2)] == [1, 1]
    assert [milliseconds(True) for _ in range(3)] == [2, 4, 4]
    assert milliseconds(False) == 1


def test_what_a_client_that_goes_has_published_is_printed() -> None:
    desk = Desk(2)
    for writer in desk.writers.values():
        writer.write(b"published\n" * 10000 + b"and begun")
    desk.rings.drop(desk.connections[2])
    assert desk.sizes() == [100_009, 0]
    desk.rings.drop(desk.connections[2])
    desk.rings.drain()
    assert desk.sizes() == [100_009, 100_009]


@pytest.mark.parametrize("gone", [False, True])
def test_a_ring_that_cannot_be_is_dropped_and_hurts_nobody(gone: bool) -> None:
    desk = Desk(2)
    desk.writers[2]._publish(HEAD, 1 << 50)
    desk.writers[3].write(b"fine\n")
    if gone:
        desk.rings.drop(desk.connections[2])
    desk.rest()
    assert desk.broken == ([] if gone else [2])
    assert desk.printed == {2: [], 3: [b"fine\n"]}


_TEXTS = st.lists(st.tuples(st.integers(2, 4), st.sampled_from([b"a", b"bb\n", b"c\nd", b"\n"])))


@settings(max_examples=50)
@given(_TEXTS, st.lists(st.booleans(), max_size=60))
def test_each_byte_is_printed_once_and_in_its_order(
    texts: list[tuple[int, bytes]], turns: list[bool]
) -> None:
    desk = Desk(3, DATA + 16)
    put: dict[int, bytes] = {2: b"", 3: b"", 4: b""}
    for (badge, text), turn in zip(texts, [*turns, *[True] * len(texts)], strict=False):
        put[badge] += text[: desk.writers[badge].write(text)]
        if desk.writers[badge].must_signal():
            desk.rings.rung(bell_of(badge))
        if turn:
            desk.rings.turn()
    desk.rest()
    for badge, text in put.items():
        shown = b"".join(desk.printed[badge])
        assert text.startswith(shown)
        assert b"\n" not in text[len(shown) :]
    desk.rings.drain()
    assert {badge: b"".join(pieces) for badge, pieces in desk.printed.items()} == put
