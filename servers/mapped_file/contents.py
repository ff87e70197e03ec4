"""What a file is made of: pages, a size, and who wants to know of changes. Clients have the pages
mapped, so nothing they do to them is seen here, and nothing here depends on what is in them.
"""

from __future__ import annotations

from caplab.kernel.abi import PAGE_SIZE, Rights
from caplab.pd.env import Env
from caplab.pd.errors import CapError
from caplab.pd.objects import Memory, Notification

READABLE = Rights.READ | Rights.GRANT | Rights.GRANT_REPLY


class Contents:
    """The contents of one file; they stay when nobody has it open."""

    def __init__(self, env: Env, capacity: int) -> None:
        pages = max(1, -(-capacity // PAGE_SIZE))
        self.memory: Memory = env.memory(pages)
        self.readable = self.memory.copy(READABLE)
        self.capacity = self.memory.size
        self.size = 0
        self._subscribers: dict[int, tuple[Notification, int]] = {}
        self._next = 1

    def resize(self, size: int) -> None:
        """Cut the contents off, or let them end with zeros."""
        with self.memory.map() as window:
            if size < self.size:
                window.write(size, bytes(self.size - size))
        self.size = size

    def subscribe(self, bell: Notification, flags: int) -> int:
        """Signal a notification at changes of these kinds; the number of the subscription."""
        number = self._next
        self._next += 1
        self._subscribers[number] = (bell, flags)
        return number

    def unsubscribe(self, number: int) -> None:
        """End a subscription."""
        bell, _ = self._subscribers.pop(number)
        bell.delete()

    def changed(self, flag: int) -> None:
        """Signal all who subscribed to this kind of change."""
        for bell, flags in self._subscribers.values():
            if flags & flag:
                try:
                    bell.signal()
                except CapError:  # it was taken away, or never was one: nobody is told
                    pass
