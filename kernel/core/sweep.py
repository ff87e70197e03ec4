"""Deleting much: the jobs that empty destroyed CNodes and revoke.

What a deletion destroys on its way, CNodes above all, is emptied by the same job, so that one slice
is one slice however much hangs on a capability.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.core import cap as caps
from caplab.kernel.core import fault as faults
from caplab.kernel.core import reach
from caplab.kernel.core.jobs import Job
from caplab.kernel.core.states import JOB

if TYPE_CHECKING:
    from caplab.kernel.core.cap import Cause, Slot
    from caplab.kernel.core.cnode import CNode
    from caplab.kernel.core.kernel import Kernel


class Sweep(Job):
    """Delete every capability of a CNode that is destroyed, and of those that end with it."""

    __slots__ = ("cause", "cnodes", "lost")

    def __init__(self, cnodes: list[CNode], cause: Cause) -> None:
        super().__init__()
        self.cnodes = cnodes
        """Destroyed and not empty yet; they join while one deletes another's last capability."""
        self.cause = cause
        self.lost = False
        """A CNode may be out of everybody's reach: looked at once per slice."""

    def run(self, k: Kernel, units: int) -> bool:
        k.units = self.empty(k, units)
        return not self.cnodes

    def empty(self, k: Kernel, units: int, slot: Slot | None = None) -> int:
        """Empty what is destroyed, and delete all that derives from the capability in `slot`.

        How many units are left.
        """
        k.sweep = self
        while units:
            if self.cnodes:
                self._one(k, self.cnodes[-1])
            elif slot is not None and slot.next is not None and caps.has_children(slot):
                k.delete(slot.next, self.cause)
            else:
                break
            units -= 1
        reach.catch_up(k)
        k.sweep = None
        return units

    def _one(self, k: Kernel, cnode: CNode) -> None:
        if cnode.slots:
            _, slot = cnode.slots.popitem()
            k.delete(slot, self.cause)
        else:
            self.cnodes.pop()
            del k.cnodes[cnode]


class Revocation(Sweep):
    """Revoke in slices: the list itself says what is left.

    After each slice the asker's call is executed again, as in seL4 after a preemption: its slot
    is looked up anew, and whatever lies there then is revoked. For an asker that waits no more
    the work goes on by itself, while the slot holds a capability to the same object.
    """

    __slots__ = ("obj", "slot")

    def __init__(self, slot: Slot, cause: Cause) -> None:
        super().__init__([], cause)
        self.slot = slot
        self.obj = slot.cap.obj if slot.cap is not None else None

    def run(self, k: Kernel, units: int) -> bool:
        asker = self.asker
        if asker is not None and asker.state == JOB and asker.on is self:
            k.units = self.empty(k, units)
            if self.cnodes:
                return False
            faults.restart(k, asker)
            return True
        same = self.slot.cap is not None and self.slot.cap.obj is self.obj
        k.units = self.empty(k, units, self.slot if same else None)
        return k.units > 0
