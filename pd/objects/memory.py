"""Memory objects: shared pages as capabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from caplab.kernel.abi import ObjectType
from caplab.pd import invocations
from caplab.pd.objects.capability import Capability
from caplab.pd.window import Window

if TYPE_CHECKING:
    from caplab.pd.env import Env


class Memory(Capability):
    """A capability to a frame of one or more pages of 4096 bytes."""

    type: ClassVar[ObjectType] = ObjectType.FRAME
    __slots__ = ("_size",)

    def __init__(
        self, env: Env, slot: int, *, name: str = "", renewal: int | None = None, size: int = 0
    ) -> None:
        super().__init__(env, slot, name=name, renewal=renewal)
        self._size = size

    @property
    def size(self) -> int:
        """Bytes. Of memory that came from another PD only the kernel knows it, and says it when
        the PD is granted the segment, as `map` does. Errors: as `map`.
        """
        if not self._size:
            self._grant()
        return self._size

    def map(self) -> Window:
        """Have this PD granted the segment, and open it. Whoever maps closes.

        Errors: IllegalOperation, Revoked (the memory object is gone)
        """
        return Window(self._grant())

    def unmap(self) -> None:
        """Give the grant back; windows still open keep the pages until they are closed."""
        self.checked(invocations.frame_unmap(self.transport, self.slot), "Frame_Unmap")

    def _grant(self) -> str:
        """Name of the segment, which the PD may open from here on. seL4_X86_Page_Map."""
        answer = self.checked(invocations.frame_map(self.transport, self.slot), "Frame_Map")
        self._size = answer.label
        return answer.data.decode()
