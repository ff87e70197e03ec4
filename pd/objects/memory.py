"""Memory objects: shared pages as capabilities."""

from __future__ import annotations

from typing import ClassVar

from caplab.kernel.abi import ObjectType
from caplab.pd import invocations
from caplab.pd.objects.capability import Capability
from caplab.pd.window import Window


class Memory(Capability):
    """A capability to a frame of one or more pages of 4096 bytes."""

    type: ClassVar[ObjectType] = ObjectType.FRAME
    __slots__ = ()

    def map(self) -> Window:
        """Have this PD granted the segment, and open it. Whoever maps closes.

        Errors: IllegalOperation, Revoked (the memory object is gone)
        """
        answer = self.checked(invocations.frame_map(self.transport, self.slot), "Frame_Map")
        return Window(answer.data.decode())

    def unmap(self) -> None:
        """Give the grant back; windows still open keep the pages until they are closed."""
        self.checked(invocations.frame_unmap(self.transport, self.slot), "Frame_Unmap")
