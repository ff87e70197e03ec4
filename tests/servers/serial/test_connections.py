"""The table of connections."""

from caplab.servers.serial.connections import Connection, Connections


class Page:
    """A window that nobody reads."""

    def read(self, offset: int, length: int) -> bytes:
        return b""

    def write(self, offset: int, data: bytes) -> int:
        return 0

    def close(self) -> None:
        pass


def test_a_client_has_one_connection_and_the_earlier_is_handed_back() -> None:
    table = Connections()
    first, second = (Connection(2, Page(), 4096, slot) for slot in (30, 31))
    assert table.add(first) is None
    assert table.add(second) is first
    assert table.get(2) is second
    assert len(table) == 1


def test_who_is_dropped_has_nothing_left() -> None:
    table = Connections()
    both = [Connection(badge, Page(), 4096, 30 + badge) for badge in (2, 3)]
    for connection in both:
        table.add(connection)
    assert table.drop(2) is both[0]
    assert table.get(2) is None
    assert table.drop(2) is None
    assert table.drop_all() == [both[1]]
    assert len(table) == 0
