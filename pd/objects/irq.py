"""Interrupt handlers, and the right to have those of lines that are free."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from caplab.kernel.abi import WORD_BITS, ObjectType
from caplab.pd import invocations
from caplab.pd.objects.capability import Capability
from caplab.pd.objects.notification import Notification
from caplab.pd.stubs import Answer


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


class IrqControl(Capability):
    """The right to make handlers (`devices: [irqs]` in the manifest; seL4_IRQControl).

    Each line has one handler; the four ways to ask for it differ in what they would program on
    real hardware. Errors of all: RangeError, InvalidArgument (no such line), RevokeFirst
    (`.holder` has it)
    """

    type: ClassVar[ObjectType] = ObjectType.IRQ_CONTROL
    __slots__ = ()

    def get(self, irq: int, *, trigger: int | None = None) -> Irq:
        """The handler of a line. seL4_IRQControl_Get; with `trigger`, 0 for level and 1 for edge,
        seL4_IRQControl_GetTrigger.
        """
        node = self.env.cnode.slot

        def put(slot: int) -> Answer:
            if trigger is None:
                return invocations.irq_control_get(
                    self.transport, self.slot, irq, slot, WORD_BITS, node
                )
            return invocations.irq_control_get_trigger(
                self.transport, self.slot, irq, trigger, slot, WORD_BITS, node
            )

        return self._placed(put, "IRQControl_Get")

    def get_ioapic(
        self, vector: int, pin: int, level: int = 0, polarity: int = 0, *, ioapic: int = 0
    ) -> Irq:
        """The handler of the line `vector`, which a pin of an I/O APIC raises; there is one, 0.

        seL4_IRQControl_GetIOAPIC
        """
        return self._placed(
            lambda slot: invocations.irq_control_get_ioapic(
                self.transport,
                self.slot,
                slot,
                WORD_BITS,
                ioapic,
                pin,
                level,
                polarity,
                vector,
                self.env.cnode.slot,
            ),
            "IRQControl_GetIOAPIC",
        )

    def get_msi(self, vector: int, bus: int, device: int, function: int, handle: int = 0) -> Irq:
        """The handler of the line `vector`, which a PCI device's messages raise.

        seL4_IRQControl_GetMSI
        """
        return self._placed(
            lambda slot: invocations.irq_control_get_msi(
                self.transport,
                self.slot,
                slot,
                WORD_BITS,
                bus,
                device,
                function,
                handle,
                vector,
                self.env.cnode.slot,
            ),
            "IRQControl_GetMSI",
        )

    def _placed(self, put: Callable[[int], Answer], call: str) -> Irq:
        slot = self.env.slots.place(lambda free: self.checked(put(free), call))
        return Irq(self.env, slot)
