"""Who is connected: one window per badge, and nothing of a client that is not.

The table is the only way to a window, and a window enters it only after everything about it was
checked: a refused connect leaves nothing here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from caplab.servers.serial.escapes import EscapeFilter
from caplab.servers.serial.profile import Profile

if TYPE_CHECKING:
    from caplab.pd.ring import RingReader
    from caplab.servers.serial.console import Console


class WindowLike(Protocol):
    """What the server needs of a client's window."""

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes; fewer when the client has let go of the memory."""

    def write(self, offset: int, data: bytes) -> int:
        """Bytes written."""

    def close(self) -> None:
        """Let go of the memory."""


class Connection(NamedTuple):
    """A connected client."""

    badge: int
    window: WindowLike
    size: int
    """Bytes of the window that were agreed on."""
    slot: int
    """Where the server keeps the window's capability."""
    profile: Profile
    console: Console
    """The UART it prints on and reads from."""
    filter: EscapeFilter
    ring: RingReader | None = None
    """What the window is, unless it holds one text at a time."""
    bell: int = 0
    """The bit of the server's notification that says that there is something in the ring."""


class Connections:
    """Connected clients by badge."""

    def __init__(self) -> None:
        self._by_badge: dict[int, Connection] = {}

    def __len__(self) -> int:
        return len(self._by_badge)

    def get(self, badge: int) -> Connection | None:
        """The client's connection; None when it has none."""
        return self._by_badge.get(badge)

    def of(self, console: Console) -> list[Connection]:
        """The clients of one UART, in the order in which they came."""
        return [one for one in self._by_badge.values() if one.console is console]

    def add(self, connection: Connection) -> Connection | None:
        """Connect a client. Its earlier connection is returned, to be let go of."""
        earlier = self._by_badge.get(connection.badge)
        self._by_badge[connection.badge] = connection
        return earlier

    def drop(self, badge: int) -> Connection | None:
        """Forget a client; what it had is returned, to be let go of."""
        return self._by_badge.pop(badge, None)

    def drop_all(self) -> list[Connection]:
        """Forget everybody."""
        gone = list(self._by_badge.values())
        self._by_badge.clear()
        return gone
