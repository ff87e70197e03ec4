"""Printing what stands in clients' rings: in turns, whole lines, and never asleep by mistake.

A turn takes one share from each ring that has something, so that no client waits longer for
another than that one's share takes. What is cut off is cut at the end of a line; an unfinished line
stays in its ring until it is finished, asked for, or fills the ring.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from caplab.pd.ring import RingBroken, RingReader
from caplab.servers.serial.connections import Connection
from caplab.servers.serial.errors import LineDown

SHARE = 4096
"""Bytes of one turn where many wait, what a write without a ring may print at once."""
ROUND = 65536
"""Bytes of all turns together, if there is that much: few clients have larger shares."""
SLICE, SLICE_MAX = 0.001, 0.004
"""Seconds for which rings alone are looked at: after somebody has called; when nobody does."""
NAP = 0.00005
"""Seconds between two looks at rings whose clients are writing, at least."""
NAPS = 4
"""How often one looks before a ring is asleep: a signal costs its client and us more."""
FIRST_BELL, BELLS = 20, 36
"""Bits of the server's notification that clients with rings signal; several may share one."""

Print = Callable[[Connection, bytes], None]


def bell_of(number: int) -> int:
    """The bit that a client with this number signals."""
    return 1 << FIRST_BELL + number % BELLS


class Rings:
    """The rings of the connected clients.

    Args:
        show: prints a piece of a client's text. Raises LineDown: then it stays in its ring.
        broken: a client's ring cannot be so; its connection is to go.
    """

    def __init__(self, show: Print, broken: Callable[[Connection], None]) -> None:
        self._show = show
        self._broken = broken
        self._all: dict[int, Connection] = {}
        self._slice = SLICE
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
                    self._take(connection, ring, ROUND, True)
            except (RingBroken, LineDown):
                pass  # nothing of it can be believed any more, or there is nowhere to print it

    def rung(self, word: int) -> None:
        """Who signals has published something."""
        for badge, connection in self._all.items():
            if word & connection.bell:
                self._busy[badge] = None

    def turn(self, *, sleep: bool = True) -> int:
        """A share of each ring that has something; how many bytes that was. A ring that has nothing
        is asleep from now on, but without `sleep`."""
        printed = 0
        share = max(SHARE, ROUND // max(1, len(self._busy)))
        for badge in list(self._busy):
            connection = self._all[badge]
            ring = connection.ring
            assert ring is not None
            try:
                taken = self._take(connection, ring, share, False)
                printed += taken
                if sleep and not taken and ring.sleep():
                    del self._busy[badge]
            except LineDown:
                del self._busy[badge]  # its client is told when it asks
            except RingBroken:
                self._broken(connection)
        return printed

    def turns(self, now: Callable[[], float], *, alone: bool) -> None:
        """Turns for a while: what the kernel would be asked between any two costs more than one.
        Unless they are `alone`, somebody has just called."""
        self._slice = min(2 * self._slice, SLICE_MAX) if alone else SLICE
        end = now() + self._slice
        quiet = 0
        while self._busy and now() < end:
            printed = self.turn(sleep=quiet == NAPS)
            quiet = 0 if printed else quiet + 1
            if printed < ROUND // 4:
                time.sleep(NAP)  # a turn costs the same for little and for much

    def sync(self, connection: Connection, everything: bool) -> int:
        """A share now, for a client that waits; the bytes that are left. Raises RingBroken and
        LineDown."""
        ring = connection.ring
        assert ring is not None
        self._take(connection, ring, ROUND, everything)
        self._busy[connection.badge] = None
        return ring.ready()

    def drain(self) -> None:
        """Print all there is: the server ends."""
        for connection in list(self._all.values()):
            self.drop(connection)

    def _take(self, connection: Connection, ring: RingReader, share: int, everything: bool) -> int:
        """Print whole lines of about a share; how many bytes."""
        ready = ring.ready()
        data = ring.peek(min(share, ready))
        cut = data.rfind(b"\n") + 1
        if not cut and ready > len(data):
            data = ring.peek(ready)
            cut = data.find(b"\n") + 1
        if ready == len(data) and (everything or (not cut and ready == ring.capacity)):
            cut = ready
        if cut:
            self._show(connection, data[:cut])
            ring.advance(cut)
        return cut
