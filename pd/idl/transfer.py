"""Capabilities beside the words of a message: what came with one, and what is to go with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from caplab.pd.idl.errors import MissingCapability
from caplab.pd.idl.ranges import MemoryRange
from caplab.pd.objects import Capability, Endpoint, Memory

if TYPE_CHECKING:
    from caplab.pd.env import Env
    from caplab.pd.idl.interface import Interface

C = TypeVar("C")


class Caps:
    """The capability of one message: `slot` if one came, `badge` if it was one to this server.

    A received capability is its receiver's from the moment it is asked for (`taken`).
    """

    __slots__ = ("badge", "env", "give", "local", "sent", "slot", "taken")

    def __init__(
        self,
        env: Env | None,
        slot: int = 0,
        badge: int | None = None,
        *,
        local: Callable[[Interface, int], Any] | None = None,
        give: Callable[[Interface, Any], Capability] | None = None,
    ) -> None:
        self.env = env
        self.slot = slot
        self.badge = badge
        self.taken = False
        self.sent: list[Capability] = []
        """What goes with the answer."""
        self.local = local
        self.give = give

    # -- what came --------------------------------------------------------------------------------

    def any(self, name: str) -> Capability:
        """The capability, of whatever type."""
        return Capability(*self._take(name))

    def memory(self, name: str, offset: int, length: int, most: int | None) -> MemoryRange:
        """A part of shared memory; the kernel says whether it lies in there."""
        env, slot = self._take(name)
        try:
            return MemoryRange(Memory(env, slot), offset, length).checked(name, most)
        except BaseException:
            self.taken = False
            raise

    def typed(self, name: str, iface: Interface, client: Callable[[Endpoint], C]) -> C:
        """An object of an interface: the server's own, where the capability leads to one, else a
        client of it.
        """
        if self.badge is not None and self.local is not None:
            found: C = self.local(iface, self.badge)
            return found
        return client(Endpoint(*self._take(name)))

    def _take(self, name: str) -> tuple[Env, int]:
        if not self.slot or self.env is None:
            raise MissingCapability(f"`{name}` is a capability, and none came with the message")
        self.taken = True
        return self.env, self.slot

    # -- what goes --------------------------------------------------------------------------------

    def send(self, cap: Capability) -> None:
        """Let a capability go with the answer."""
        self.sent.append(cap)

    def send_object(self, iface: Interface, obj: Any) -> None:
        """Let one go that leads to an object: where a client leads, or to one that is here."""
        if self.give is None:
            raise TypeError(f"only a server's loop can send a {iface.name} that is here")
        self.sent.append(self.give(iface, obj))


NOTHING = Caps(None)
"""Of a message that carries no capability."""
