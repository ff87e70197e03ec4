"""Time limits: a heap of when, for TCBs that wait and for the root task's own timers.

An entry whose owner has meanwhile another deadline, or none, is stale and passed over; so clearing
a time limit is one assignment on the hot path. The heap is rebuilt when stale entries prevail.
"""

from __future__ import annotations

import heapq
from typing import Protocol


class Timed(Protocol):
    """Who can have a deadline."""

    deadline: int | None


class Deadlines:
    """Pending time limits in nanoseconds of the host's clock."""

    __slots__ = ("_heap", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timed]] = []
        self._serial = 0

    @property
    def next(self) -> int | None:
        """When to look again; possibly for a stale entry."""
        return self._heap[0][0] if self._heap else None

    def set(self, owner: Timed, when: int, live: int) -> None:
        """Give `owner` a deadline; `live` bounds how many entries can be valid at once."""
        owner.deadline = when
        self._serial += 1
        heapq.heappush(self._heap, (when, self._serial, owner))
        if len(self._heap) > 2 * live + 64:
            self._heap = [entry for entry in self._heap if entry[2].deadline == entry[0]]
            heapq.heapify(self._heap)

    def expired(self, now: int) -> list[Timed]:
        """Those whose time has come, in order; their deadlines are cleared."""
        due: list[Timed] = []
        while self._heap and self._heap[0][0] <= now:
            when, _, owner = heapq.heappop(self._heap)
            if owner.deadline == when:
                owner.deadline = None
                due.append(owner)
        return due
