"""What a loop waits for: a selector whose sources may be of no interest for a while."""

import selectors
from collections.abc import Callable
from typing import Protocol

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
Handler = Callable[[int], None]


class Source(Protocol):
    """Whatever has a descriptor; told apart by what it is, for descriptors are given out again."""

    def fileno(self) -> int: ...


class Interests:
    """Sources, their handlers, and for which events they are watched."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._sources: dict[int, tuple[Source, Handler]] = {}

    def add(self, source: Source, handler: Handler) -> None:
        """Call `handler(events)` when there is something to read."""
        self._sources[source.fileno()] = (source, handler)
        self._selector.register(source.fileno(), READ, source)

    def want(self, source: Source, *, read: bool, write: bool) -> None:
        """Watch it for these events, or for none at all: not even its end is noticed then."""
        descriptor = source.fileno()
        known = self._sources.get(descriptor)
        if known is None or known[0] is not source:
            return
        wanted = (READ if read else 0) | (WRITE if write else 0)
        key = self._selector.get_map().get(descriptor)
        if key is None:
            if wanted:
                self._selector.register(descriptor, wanted, source)
        elif not wanted:
            self._selector.unregister(descriptor)
        elif key.events != wanted:
            self._selector.modify(descriptor, wanted, source)

    def drop(self, source: Source) -> None:
        """Forget it; before it is closed."""
        known = self._sources.pop(source.fileno(), None)
        if known is not None and source.fileno() in self._selector.get_map():
            self._selector.unregister(source.fileno())

    def turn(self, timeout: float | None) -> None:
        """Wait for events and call their handlers."""
        for key, events in self._selector.select(timeout):
            # An earlier event of this turn may have closed this one's source, and another may
            # have got its number.
            known = self._sources.get(key.fd)
            if known is not None and known[0] is key.data:
                known[1](events)

    def close(self) -> None:
        self._selector.close()
