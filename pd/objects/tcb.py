"""Threads as capabilities."""

from __future__ import annotations

from typing import ClassVar

from caplab.kernel.abi import REG_ARG, ObjectType
from caplab.pd import invocations
from caplab.pd.ipc import words
from caplab.pd.objects.capability import Capability
from caplab.pd.objects.cnode import CNode
from caplab.pd.objects.notification import Notification


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
        registers = [entry, *[0] * (REG_ARG - 1), argument]
        answer = invocations.tcb_write_registers(
            self.transport, self.slot, int(resume), 0, len(registers), *registers
        )
        self.checked(answer, "TCB_WriteRegisters")

    def read_registers(self, count: int = 1, *, suspend: bool = False) -> tuple[int, ...]:
        """The first registers, in the order of `abi.REGISTERS`. seL4_TCB_ReadRegisters."""
        answer = invocations.tcb_read_registers(self.transport, self.slot, int(suspend), 0, count)
        return words(self.checked(answer, "TCB_ReadRegisters").data)

    def set_space(self, cspace: CNode, *, fault_ep: int = 0, guard: int = 0) -> None:
        """Change the root of its CSpace and its fault handler. seL4_TCB_SetSpace.

        `fault_ep` is a slot of that CSpace with an endpoint's capability that has Write and Grant
        or GrantReply; 0 for no handler. `guard` is guard and size in one word, 0 to keep it.
        """
        root = cspace.slot
        answer = invocations.tcb_set_space(
            self.transport, self.slot, fault_ep, guard, 0, root, root
        )
        self.checked(answer, "TCB_SetSpace")

    def set_priority(self, priority: int, authority: Tcb) -> None:
        """Change its priority, which acts with `scheduler: strict`. seL4_TCB_SetPriority.

        `authority` is a TCB whose maximum allows as much; of a PD's own TCBs the maximum is the
        `priority` of its manifest entry.
        """
        answer = invocations.tcb_set_priority(self.transport, self.slot, priority, authority.slot)
        self.checked(answer, "TCB_SetPriority")

    def set_mc_priority(self, mcp: int, authority: Tcb) -> None:
        """Change the highest priority it may give as an authority. seL4_TCB_SetMCPriority."""
        answer = invocations.tcb_set_mc_priority(self.transport, self.slot, mcp, authority.slot)
        self.checked(answer, "TCB_SetMCPriority")

    def bind_notification(self, notification: Notification) -> None:
        """Let signals of `notification` end this TCB's Recv. seL4_TCB_BindNotification."""
        answer = invocations.tcb_bind_notification(self.transport, self.slot, notification.slot)
        self.checked(answer, "TCB_BindNotification")

    def unbind_notification(self) -> None:
        """Undo `bind_notification`. seL4_TCB_UnbindNotification."""
        answer = invocations.tcb_unbind_notification(self.transport, self.slot)
        self.checked(answer, "TCB_UnbindNotification")
