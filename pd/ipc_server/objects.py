"""The objects of a server that clients were sent capabilities to, by badge."""

from __future__ import annotations

from threading import Lock
from typing import Any, NamedTuple

from caplab.pd.idl.interface import Interface
from caplab.pd.ipc_server.adapt import Table
from caplab.pd.objects import Endpoint

FIRST = 1 << 32
"""Badges of exported objects begin here; the root task counts those of a manifest's `uses` from 1,
and what is minted for resources has a type above bit 56."""


class Export(Endpoint):
    """A capability that was made for a client. Once it is sent with an answer it is deleted here,
    because only then can it be noticed that no client has one any more.
    """

    __slots__ = ()


class Exported(NamedTuple):
    """One object."""

    iface: Interface
    obj: Any
    own: Endpoint | None
    """The endpoint that is its alone, if a TCB is."""


class Objects:
    """Exported objects. Threads of the server share it."""

    def __init__(self) -> None:
        self.tables: dict[int, Table] = {}
        self.sessions: set[int] = set()
        """Slots of the endpoints that a TCB serves for one object."""
        self._exported: dict[int, Exported] = {}
        self._badges: dict[tuple[int, int], int] = {}
        self._next = FIRST
        self._lock = Lock()

    def enter(self, iface: Interface, obj: Any, table: Table, own: Endpoint | None = None) -> int:
        """The badge of an object seen as an interface: a new one, or the one it has."""
        with self._lock:
            key = (id(iface), id(obj))
            badge = self._badges.get(key) if own is None else None
            if badge is None:
                badge = self._next
                self._next += 1
                self._exported[badge] = Exported(iface, obj, own)
                self.tables[badge] = table
                if own is None:
                    self._badges[key] = badge
                else:
                    self.sessions.add(own.slot)
            return badge

    def of(self, badge: int, iface: Interface) -> Any:
        """The object of a badge, if it answers the interface, else None."""
        with self._lock:
            found = self._exported.get(badge)
            if found is None or iface not in (found.iface, *found.iface.leaves):
                return None
            return found.obj

    def own(self, badge: int) -> Endpoint | None:
        """The endpoint that is an object's alone."""
        with self._lock:
            found = self._exported.get(badge)
            return None if found is None else found.own

    def leave(self, badge: int) -> Exported | None:
        """Forget an object."""
        with self._lock:
            found = self._exported.pop(badge, None)
            if found is None:
                return None
            del self.tables[badge]
            self._badges.pop((id(found.iface), id(found.obj)), None)
            if found.own is not None:
                self.sessions.discard(found.own.slot)
            return found

    def __len__(self) -> int:
        return len(self._exported)
