"""Printing what stands in clients' rings: in turns, whole lines, and never asleep by mistake.

A turn takes one share from each ring that has something, so that no client waits longer for
another than that one's share takes. What is cut off is cut at the end of a line; an unfinished line
stays in its ring until it is finished, asked for, or fills the ring.
"""

from __future__ import annotations

from collections.abc import Callable

from caplab.pd.ring import RingBroken, RingReader
from caplab.servers.serial.connections import Connection

SHARE = 4096
"""Bytes of one turn, what a write without a ring may print at once."""
FIRST_BELL, BELLS = 20, 36
"""Bits of the server's notification that clients with rings signal; several may share one."""

Print = Callable[[Connection, bytes], None]


def bell_of(number: int) -> int:
    """The bit that a client with this number signals."""
    return 1 << FIRST_BELL + number % BELLS


class Rings:
    """The rings of the connected clients.

    Args:
        show: prints a piece of a client's text.
        broken: a client's ring cannot be so; its connection is to go.
    """

    def __init__(self, show: Print, broken: Callable[[Connection], None]) -> None:
        self._show = show
        self._broken = broken
        self._all: dict[int, Connection] = {}
        self._busy: dict[int, None] = {}
        """Badges of the rings that have to be looked at, in the order of their turns."""

    @property
    def busy(self) -> bool:
        """Whether there is something to print without anybody's asking."""
        return bool(self._busy)

    def add(self, connection: Connection) -> None:
        """A client with a ring has connected."""
        self._all[connection.badge] = connection
        self._busy[connection.badge] = None

    def drop(self, connection: Connection) -> None:
        """It is gone; what it had published is printed."""
        if self._all.pop(connection.badge, None) is not None:
            self._busy.pop(connection.badge, None)
            ring = connection.ring
            assert ring is not None
            try:
                while ring.ready():
                    self._take(connection, ring, SHARE, True)
            except RingBroken:
                pass  # nothing of it can be believed any more

    def rung(self, word: int) -> None:
        """Who signals has published something."""
        for badge, connection in self._all.items():
            if word & connection.bell:
                self._busy[badge] = None

    def turn(self) -> None:
        """A share of each ring that has something."""
        for badge in list(self._busy):
            connection = self._all[badge]
            ring = connection.ring
            assert ring is not None
            try:
                ring.ready()
                more = self._take(connection, ring, SHARE, False)
                if not more and ring.sleep():
                    del self._busy[badge]
            except RingBroken:
                self._broken(connection)

    def sync(self, connection: Connection, everything: bool) -> int:
        """A share now, for a client that waits; the bytes that are left. Raises RingBroken."""
        ring = connection.ring
        assert ring is not None
        ring.ready()
        self._take(connection, ring, 4 * SHARE, everything)
        self._busy[connection.badge] = None
        return ring.ready()

    def drain(self) -> None:
        """Print all there is: the server ends."""
        for connection in list(self._all.values()):
            self.drop(connection)

    def _take(self, connection: Connection, ring: RingReader, share: int, everything: bool) -> bool:
        """Print whole lines of about a share; False when there is no whole one."""
        ready = ring.ready()
        data = ring.peek(min(share, ready))
        cut = data.rfind(b"\n") + 1
        if not cut and ready > len(data):
            data = ring.peek(ready)
            cut = data.find(b"\n") + 1
        if not cut and (everything or ready == ring.capacity):
            cut = len(data)
        elif everything and ready == len(data):
            cut = ready
        if cut:
            self._show(connection, data[:cut])
            ring.advance(cut)
        return bool(cut)
