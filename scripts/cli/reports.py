"""What `up` says of PDs, held back until all that was printed before has been shown.

A PD's last lines come by way of its serial server and a line, or of the launcher; that it has
ended comes from the kernel, and would often be there first. So each of those who bring output is
asked to say when it has brought all; what is to be said meanwhile waits for the next round.
"""

import time
from collections.abc import Callable, Hashable

PATIENCE = 2.0
"""Seconds that somebody who brings output may take; a line that is stopped holds nothing back."""

Report = Callable[[], None]
Round = Callable[[int], dict[Hashable, int]]
"""Asks all who bring output; given the round's number, returns each with the number by which it
will answer."""


class Reports:
    """A queue of reports; `begin` asks those they wait for."""

    def __init__(self, begin: Round) -> None:
        self._begin = begin
        self._round = 0
        self._asked: dict[Hashable, int] = {}
        self._current: list[Report] = []
        self._next: list[Report] = []
        self.limit: float | None = None
        """When they are made at last, on the monotonic clock."""

    def add(self, report: Report) -> None:
        """Make this report, after those before it and after what has been printed."""
        self._next.append(report)
        if not self._current:
            self._turn()

    def brought(self, source: Hashable, number: int) -> None:
        """This source has brought all that it was asked for under this number, or earlier."""
        if self._asked.get(source, number + 1) <= number:
            del self._asked[source]
            self._make_if_due()

    def ended(self, source: Hashable) -> None:
        """This source brings nothing any more."""
        if self._asked.pop(source, None) is not None:
            self._make_if_due()

    def look(self, now: float) -> None:
        """Wait no longer than `limit`."""
        if self.limit is not None and now >= self.limit:
            self._asked.clear()
            self._make_if_due()

    def make_all(self) -> None:
        """Nothing more will be printed."""
        self._asked.clear()
        while self._current or self._next:
            made, self._current, self._next = self._current + self._next, [], []
            for report in made:
                report()
        self.limit = None

    def _turn(self) -> None:
        self._current, self._next = self._next, []
        self._round += 1
        self.limit = time.monotonic() + PATIENCE
        self._asked = self._begin(self._round)
        self._make_if_due()

    def _make_if_due(self) -> None:
        if self._asked:
            return
        made, self._current, self.limit = self._current, [], None
        for report in made:
            report()
        if self._next:
            self._turn()
