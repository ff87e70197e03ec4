"""Time limits: a heap of when, for TCBs that wait and for the root task's own timers.

An entry whose owner has meanwhile another deadline, or none, is stale and passed over; so clearing
a time limit is one assignment on the hot path. The heap is rebuilt when stale entries prevail.

Differs: every call that blocks may carry a time limit, after which it is taken out of its wait
    and answered TIMED_OUT; seL4 has none
"""

from __future__ import annotations

import heapq
from typing import Protocol


class Timed(Protocol):
    """Who can have a deadline."""

    deadline: int | None


class Deadlines:
    """Pending time limits in nanoseconds of the host's clock."""

    __slots__ = ("_serial", "heap")

    def __init__(self) -> None:
        self.heap: list[tuple[int, int, Timed]] = []
        self._serial = 0

    @property
    def next(self) -> int | None:
        """When to look again; possibly for a stale entry."""
        return self.heap[0][0] if self.heap else None

    def set(self, owner: Timed, when: int, live: int) -> None:
        """Give `owner` a deadline; `live` bounds how many entries can be valid at once."""
        owner.deadline = when
        self._serial += 1
        heapq.heappush(self.heap, (when, self._serial, owner))
        if len(self.heap) > 2 * live + 64:
            self.heap = [entry for entry in self.heap if entry[2].deadline == entry[0]]
            heapq.heapify(self.heap)

    def expired(self, now: int) -> list[Timed]:
        """Those whose time has come, in order; their deadlines are cleared."""
        due: list[Timed] = []
        while self.heap and self.heap[0][0] <= now:
            when, _, owner = heapq.heappop(self.heap)
            if owner.deadline == when:
                owner.deadline = None
                due.append(owner)
        return due
