"""Memory objects: shared pages as capabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from caplab.kernel.abi import ObjectType, Rights
from caplab.pd import invocations
from caplab.pd.ipc import words
from caplab.pd.objects.capability import Capability
from caplab.pd.window import Window

if TYPE_CHECKING:
    from caplab.pd.env import Env
    from caplab.pd.objects.domain import PdCap


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

    @property
    def address(self) -> int:
        """Its pretended physical address. seL4_X86_Page_GetAddress."""
        answer = invocations.frame_get_address(self.transport, self.slot)
        return words(self.checked(answer, "Frame_GetAddress").data)[0]

    def map(self) -> Window:
        """Have this PD granted the segment, and open it. Whoever maps closes.

        Errors: IllegalOperation, Revoked (the memory object is gone)
        """
        return self.env.mappings.add(Window(self._grant()))

    def map_in(self, pd: PdCap, address: int, *, writable: bool = True) -> None:
        """Map it in another PD, at the address of a page there. seL4_X86_Page_Map.

        What a pager does about a memory fault before it replies; no capability goes over. The PD
        must have had a fault handler when it started.

        Errors: IllegalOperation (it had none, does not run, or `pd` has no Write),
        AlignmentError, InvalidArgument, Revoked
        """
        rights = Rights.READ | Rights.WRITE * writable
        self.checked(
            invocations.frame_map_in(self.transport, self.slot, address, rights, pd.slot),
            "Frame_MapIn",
        )

    def unmap(self) -> None:
        """Give the grant back. What is still open of it is empty, and what `SharedMemory` has
        mapped is a memory fault from now on.
        """
        self.checked(invocations.frame_unmap(self.transport, self.slot), "Frame_Unmap")

    def _grant(self) -> str:
        """Name of the segment, which the PD may open from here on. seL4_X86_Page_Map."""
        self.env.mappings.expect()
        answer = self.checked(invocations.frame_map(self.transport, self.slot), "Frame_Map")
        self._size = answer.label
        return answer.data.decode()
