"""Untyped memory: what kernel objects are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from caplab.kernel.abi import ObjectType
from caplab.pd import invocations
from caplab.pd.ipc import words
from caplab.pd.objects.capability import Capability
from caplab.pd.objects.cnode import CNode
from caplab.pd.objects.endpoint import Endpoint
from caplab.pd.objects.memory import Memory
from caplab.pd.objects.notification import Notification
from caplab.pd.objects.tcb import Tcb


class UntypedInfo(NamedTuple):
    """Where an untyped lies, and what is left of it."""

    address: int
    """The first, pretended physical address."""
    size_bits: int
    device: bool
    """Memory of a device: only frames and untypeds are made of it."""
    left: int
    """Bytes."""


class Untyped(Capability):
    """A capability to untyped memory; `env.untyped()` is the PD's own."""

    type: ClassVar[ObjectType] = ObjectType.UNTYPED
    __slots__ = ()

    def retype(
        self,
        kind: ObjectType,
        slots: Sequence[int] | None = None,
        *,
        count: int = 1,
        size_bits: int = 0,
    ) -> list[Capability]:
        """Make `count` objects of a kind, and a capability to each. seL4_Untyped_Retype.

        `slots` is a row of empty slots of the own CSpace, one after another; without it the PD's
        slot allocator finds one. `size_bits` is log2: of the bytes of an untyped or a frame (12,
        one page, if 0), of the slots of a CNode; other kinds have one size.

        Errors: NotEnoughMemory (the bytes left are in `words`), InvalidArgument (first word: 0
        the kind, 1 the size), RangeError (the size, or the number of objects), DeleteFirst
        """
        if slots is not None:
            self._retype(kind, _row(slots), len(slots), size_bits)
            return [_CLASSES[kind](self.env, slot) for slot in slots]
        made = self.env.slots.row(count)
        try:
            self._retype(kind, made[0], count, size_bits)
        except BaseException:
            for slot in made:
                self.env.slots.free(slot)
            raise
        return [_CLASSES[kind](self.env, slot) for slot in made]

    def info(self) -> UntypedInfo:
        """Where it lies, and how many bytes are left."""
        answer = invocations.untyped_info(self.transport, self.slot)
        address, bits, device, left = words(self.checked(answer, "Untyped_Info").data)
        return UntypedInfo(address, bits, bool(device), left)

    def revoke(self) -> None:
        """Destroy all that was made of it, in every CSpace; its bytes are free again.

        seL4_CNode_Revoke. Capability objects that name what was made still give their slots back
        with `delete`.
        """
        super().revoke()

    def _retype(self, kind: ObjectType, slot: int, count: int, size_bits: int) -> None:
        answer = invocations.untyped_retype(
            self.transport, self.slot, kind, size_bits, 0, 0, slot, count, self.env.cnode.slot
        )
        self.checked(answer, "Untyped_Retype")


def _row(slots: Sequence[int]) -> int:
    """The first of a row of slots."""
    if not slots or list(slots) != list(range(slots[0], slots[0] + len(slots))):
        raise ValueError(f"objects are made in one row of slots, which {list(slots)} is not")
    return slots[0]


_CLASSES: dict[int, type[Capability]] = {
    each.type: each for each in (CNode, Endpoint, Memory, Notification, Tcb, Untyped)
}
