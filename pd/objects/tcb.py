"""Threads as capabilities."""

from __future__ import annotations

from typing import ClassVar

from caplab.kernel.abi import ObjectType
from caplab.pd import invocations
from caplab.pd.objects.capability import Capability
from caplab.pd.objects.notification import Notification

_REGISTERS = 2
"""The toy register file: the entry and its argument."""


class Tcb(Capability):
    """A capability to a thread control block."""

    type: ClassVar[ObjectType] = ObjectType.TCB
    __slots__ = ()

    def suspend(self) -> None:
        """Its current or next call gets no answer until `resume`. seL4_TCB_Suspend."""
        self.checked(invocations.tcb_suspend(self.transport, self.slot), "TCB_Suspend")

    def resume(self) -> None:
        """Continue a suspended TCB, or start a parked one. seL4_TCB_Resume."""
        self.checked(invocations.tcb_resume(self.transport, self.slot), "TCB_Resume")

    def write_registers(self, entry: int, argument: int = 0, *, resume: bool = False) -> None:
        """Set where a parked TCB starts: an entry number of its PD and one word.

        seL4_TCB_WriteRegisters
        """
        answer = invocations.tcb_write_registers(
            self.transport, self.slot, int(resume), 0, _REGISTERS, entry, argument
        )
        self.checked(answer, "TCB_WriteRegisters")

    def bind_notification(self, notification: Notification) -> None:
        """Let signals of `notification` end this TCB's Recv. seL4_TCB_BindNotification."""
        answer = invocations.tcb_bind_notification(self.transport, self.slot, notification.slot)
        self.checked(answer, "TCB_BindNotification")

    def unbind_notification(self) -> None:
        """Undo `bind_notification`. seL4_TCB_UnbindNotification."""
        answer = invocations.tcb_unbind_notification(self.transport, self.slot)
        self.checked(answer, "TCB_UnbindNotification")
