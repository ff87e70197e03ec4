"""Who types: of all consoles that are attached one has the keyboard, the others watch.

It goes to the first who wants it and stays with them until they leave or somebody takes it; then it
is the turn of who has waited longest. Whoever it was taken from is next.
"""

from typing import Generic, TypeVar

Client = TypeVar("Client")


class Keyboard(Generic[Client]):
    """The clients that want to type, the one who may first."""

    def __init__(self) -> None:
        self._queue: list[Client] = []

    @property
    def holder(self) -> Client | None:
        """Who types."""
        return self._queue[0] if self._queue else None

    @property
    def wanted_by(self) -> list[Client]:
        """Everybody who types or waits to."""
        return list(self._queue)

    def join(self, client: Client) -> bool:
        """Wait for it, or have it at once if nobody does. Returns whether it changed hands."""
        self._queue.append(client)
        return len(self._queue) == 1

    def take(self, client: Client) -> bool:
        """Have it now. Returns whether it changed hands."""
        if self.holder == client:
            return False
        if client in self._queue:
            self._queue.remove(client)
        self._queue.insert(0, client)
        return True

    def leave(self, client: Client) -> bool:
        """Want it no more. Returns whether it changed hands."""
        if client not in self._queue:
            return False
        had_it = self.holder == client
        self._queue.remove(client)
        return had_it
