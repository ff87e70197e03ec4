"""Which slots of the PD's own half of its CSpace are free."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock

from caplab.kernel.abi import SLOT_FIRST_FREE, SLOT_FIRST_ROOT
from caplab.pd.errors import DeleteFirst, SlotsExhausted


class SlotAllocator:
    """Hands out slots of the lower half; the upper half is the root task's to fill.

    A freed slot is used again only after all fresh ones, oldest first: an object that still
    names it meets a tombstone for as long as possible, not a stranger's capability.
    """

    def __init__(
        self,
        is_full: Callable[[int], bool],
        first: int = SLOT_FIRST_FREE,
        end: int = SLOT_FIRST_ROOT,
    ) -> None:
        self._is_full = is_full
        self._fresh = deque(range(first, end))
        self._freed: deque[int] = deque()
        self._used: set[int] = set()
        self._size = end - first
        self._lock = Lock()

    def alloc(self) -> int:
        """An empty slot. Raises SlotsExhausted."""
        with self._lock:
            if not self._fresh and not self._freed:
                raise SlotsExhausted(
                    f"all {self._size} slots of this PD's half of its CSpace are in use:"
                    " delete() capabilities that are no longer needed"
                )
            slot = (self._fresh or self._freed).popleft()
            self._used.add(slot)
            return slot

    def row(self, count: int) -> list[int]:
        """Empty slots one after another. Raises SlotsExhausted when there is no such row."""
        if count < 1:
            raise ValueError(f"a row has at least one slot, not {count}")
        with self._lock:
            free = {*self._fresh, *self._freed}
            for first in sorted(free):
                row = list(range(first, first + count))
                if free.issuperset(row):
                    self._fresh = deque(slot for slot in self._fresh if slot not in row)
                    self._freed = deque(slot for slot in self._freed if slot not in row)
                    self._used.update(row)
                    return row
        raise SlotsExhausted(f"no {count} slots of this PD's half of its CSpace lie free in a row")

    def free(self, slot: int) -> None:
        """Give back a slot whose capability is deleted; one that `alloc` never gave is let be."""
        with self._lock:
            if slot in self._used:
                self._used.remove(slot)
                self._freed.append(slot)

    def place(self, put: Callable[[int], object]) -> int:
        """Have `put(slot)` fill a slot, and say which. It is free again when `put` raises.

        A slot that somebody filled from outside (a parent may) is passed over.
        """
        while True:
            slot = self.alloc()
            try:
                put(slot)
            except DeleteFirst:
                if self._is_full(slot):
                    continue
                self.free(slot)  # something else was in the way
                raise
            except BaseException:
                self.free(slot)
                raise
            return slot

    def used(self) -> int:
        """How many are in use."""
        return len(self._used)
