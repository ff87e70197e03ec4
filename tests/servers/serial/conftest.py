"""What most tests of the serial server begin with; some have a system of their own."""

from collections.abc import Iterator

import pytest

from buffered import ready
from threaded_system import ThreadedSystem, Uart, client_pd, serial_pd


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    """A server without colours, and clients a and b."""
    with ThreadedSystem(
        serial_pd(colour=False), client_pd("a"), client_pd("b", threads=2)
    ) as system:
        ready(system)
        yield system


@pytest.fixture
def uart(system: ThreadedSystem) -> Uart:
    return system.uarts["uart0"]
