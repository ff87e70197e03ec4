"""Interrupt handlers."""

from __future__ import annotations

from typing import ClassVar

from caplab.kernel.abi import ObjectType
from caplab.pd import invocations
from caplab.pd.objects.capability import Capability
from caplab.pd.objects.notification import Notification


class Irq(Capability):
    """A capability to an interrupt handler."""

    type: ClassVar[ObjectType] = ObjectType.IRQ_HANDLER
    __slots__ = ()

    def ack(self) -> None:
        """Let the next interrupt through. seL4_IRQHandler_Ack."""
        self.checked(invocations.irq_ack(self.transport, self.slot), "IRQHandler_Ack")

    def set_notification(self, notification: Notification) -> None:
        """Signal this notification at each interrupt. seL4_IRQHandler_SetNotification."""
        answer = invocations.irq_set_notification(self.transport, self.slot, notification.slot)
        self.checked(answer, "IRQHandler_SetNotification")

    def clear(self) -> None:
        """Signal nobody any more. seL4_IRQHandler_Clear."""
        self.checked(invocations.irq_clear(self.transport, self.slot), "IRQHandler_Clear")
