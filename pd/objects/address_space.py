"""Address spaces: what memory PDs have under which names, together."""

from __future__ import annotations

from typing import Any, ClassVar

from caplab.kernel.abi import ObjectType, Rights
from caplab.pd import invocations
from caplab.pd.objects.capability import Capability
from caplab.pd.objects.memory import Memory
from caplab.pd.stubs import Answer, fields


class AddressSpace(Capability):
    """An ADS: each PD that has it gets what is attached to it, as `env.attached(name)`.

    Differs from the seed: what is attached goes by a name, not by an address, since each PD is a
    process of its own and maps the memory where it likes.
    """

    type: ClassVar[ObjectType] = ObjectType.ADS
    __slots__ = ()

    def _fields(self, answer: Answer, call: str) -> dict[str, Any]:
        return fields(self.checked(answer, call).data)

    def attach(self, name: str, memory: Memory, rights: Rights = Rights.READ | Rights.WRITE) -> int:
        """Attach memory under a name, for every PD that has the address space now or later; the
        number of the attachment (VMR). vmr_client_attach_no_reserve.

        Errors: InvalidArgument (name), DeleteFirst (the name is taken), InvalidCapability,
        NotEnoughMemory (32 bytes of the own untyped, or a slot in a PD)
        """
        answer = invocations.ads_attach(
            self.transport, self.slot, memory.slot, name=name, rights=int(rights)
        )
        return int(self._fields(answer, "ADS_Attach")["vmr"])

    def detach(self, name: str) -> None:
        """Take an attachment away from every PD that has it so; the memory lives while somebody
        holds it otherwise. vmr_client_delete_by_vaddr. Errors: FailedLookup
        """
        self.checked(invocations.ads_detach(self.transport, self.slot, name=name), "ADS_Detach")

    def info(self) -> dict[str, Any]:
        """ads: its number; pds: who has it; attached: maps of vmr, name, mo, pages and rights."""
        return self._fields(invocations.ads_list(self.transport, self.slot), "ADS_List")

    def copy_from(self, other: AddressSpace) -> int:
        """Attach all that is in another, under the same names; how many. ads_client_shallow_copy.

        All or nothing. Errors: DeleteFirst (a name is taken), InvalidCapability, NotEnoughMemory
        """
        answer = invocations.ads_copy(self.transport, self.slot, other.slot)
        return int(self._fields(answer, "ADS_Copy")["attached"])
