"""Notifications: words of bits that OR."""

from __future__ import annotations

from typing import ClassVar

from caplab.kernel.abi import ObjectType
from caplab.pd import stubs
from caplab.pd.objects.capability import Capability


class Notification(Capability):
    """A capability to a notification. Its badge is what `signal` ORs into the word."""

    type: ClassVar[ObjectType] = ObjectType.NOTIFICATION
    __slots__ = ()

    def signal(self) -> None:
        """OR the badge into the word, or wake who waits. Never blocks. seL4_Signal (Write)."""
        self.checked(stubs.signal(self.transport, self.slot), "Signal")

    def wait(self, *, timeout: float | None = None) -> int:
        """Wait until it is signalled; take the word. seL4_Wait (Read). Errors: IpcTimeout."""
        return self.checked(stubs.wait(self.transport, self.slot, timeout), "Wait").badge

    def poll(self) -> int | None:
        """The word, or None when it is not signalled. seL4_Poll (Read)."""
        answer = self.checked(stubs.poll(self.transport, self.slot), "Poll")
        return None if answer.flags & stubs.NOTHING else answer.badge
