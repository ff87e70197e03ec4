"""The table of connections."""

from typing import Any

from caplab.servers.serial.connections import Connection, Connections


class Page:
    """A window that nobody reads."""

    def read(self, offset: int, length: int) -> bytes:
        return b""

    def write(self, offset: int, data: bytes) -> int:
        return 0

    def close(self) -> None:
        pass


def connection(badge: int, slot: int, console: str = "uart0") -> Connection:
    """Of a client; the table does not look into what belongs to it."""
    parts: Any = (badge, Page(), 4096, slot, None, console, None)
    return Connection(*parts)


def test_a_client_has_one_connection_and_the_earlier_is_handed_back() -> None:
    table = Connections()
    first, second = (connection(2, slot) for slot in (30, 31))
    assert table.add(first) is None
    assert table.add(second) is first
    assert table.get(2) is second
    assert len(table) == 1


def test_who_is_dropped_has_nothing_left() -> None:
    table = Connections()
    both = [connection(badge, 30 + badge) for badge in (2, 3)]
    for one in both:
        table.add(one)
    assert table.drop(2) is both[0]
    assert table.get(2) is None
    assert table.drop(2) is None
    assert table.drop_all() == [both[1]]
    assert len(table) == 0


def test_the_clients_of_a_uart_are_those_that_connected_to_it() -> None:
    table = Connections()
    there = [connection(2, 30), connection(3, 31, "uart1"), connection(4, 32)]
    for one in there:
        table.add(one)
    uart: Any = "uart0"
    assert table.of(uart) == [there[0], there[2]]
