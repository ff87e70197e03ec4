"""What all capability objects share: a slot of one PD's CSpace, and how calls on it are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from caplab.kernel.abi import RENEWAL, WORD_BITS, Flag, ObjectType, Rights
from caplab.pd import invocations
from caplab.pd.errors import refusal
from caplab.pd.stubs import Answer, Refused, SlotPath

if TYPE_CHECKING:
    from caplab.pd.env import Env
    from caplab.pd.transport import Transport

_NOT_BOUND, _RENEWAL = 0, int(Flag.RENEWAL)


class Capability:
    """A capability, named by the slot it lies in.

    Objects remember their PD (`env`) and are used by its TCBs. One that was looked up by name
    remembers how often the slot had been renewed (`renewal`): after a restart of the provider it
    raises PeerDied, and the name gives a new object. That is so when it is called; `copy`, `mint`
    and sending it along take what lies in the slot by then.
    """

    type: ClassVar[ObjectType] = ObjectType.NULL
    __slots__ = ("bound", "env", "flags", "name", "renewal", "slot")

    def __init__(self, env: Env, slot: int, *, name: str = "", renewal: int | None = None) -> None:
        self.env = env
        self.slot = slot
        self.name = name
        self.renewal = renewal
        # What a request carries of it, ready made: every call of a named object does.
        self.flags = _NOT_BOUND if renewal is None else _RENEWAL
        self.bound = b"" if renewal is None else RENEWAL.pack(renewal)

    @property
    def transport(self) -> Transport:
        """The running TCB's way to the kernel."""
        return self.env.utcb().transport

    def checked(self, answer: Answer, call: str) -> Answer:
        """The answer, if it is no refusal."""
        if answer.status:
            given = answer.given if isinstance(answer, Refused) else None
            raise refusal(answer.status, call, self.slot, answer.data, self.name, given)
        return answer

    def copy(self, rights: Rights = Rights.ALL) -> Self:
        """A copy in a new slot of the own CSpace, with at most these rights. seL4_CNode_Copy.

        Errors: IllegalOperation, RevokeFirst, FailedLookup (the slot is empty)
        """
        cnode, depth = self.env.cnode, WORD_BITS

        def put(slot: int) -> None:
            answer = invocations.cnode_copy(
                self.transport, cnode.slot, slot, depth, self.slot, depth, int(rights), cnode.slot
            )
            self.checked(answer, "CNode_Copy")

        return type(self)(self.env, self.env.slots.place(put), name=self.name)

    def mint(self, badge: int, rights: Rights = Rights.ALL) -> Self:
        """A badged copy in a new slot of the own CSpace. seL4_CNode_Mint.

        Errors: IllegalOperation (it is badged already), FailedLookup (the slot is empty)
        """
        cnode, depth = self.env.cnode, WORD_BITS

        def put(slot: int) -> None:
            answer = invocations.cnode_mint(
                self.transport,
                cnode.slot,
                slot,
                depth,
                self.slot,
                depth,
                int(rights),
                badge,
                cnode.slot,
            )
            self.checked(answer, "CNode_Mint")

        return type(self)(self.env, self.env.slots.place(put), name=self.name)

    def delete(self) -> None:
        """Delete this capability and free its slot. seL4_CNode_Delete."""
        self.env.cnode.delete_slot(self.slot)
        self.env.memory_pool.gone(self.slot)
        self.env.slots.free(self.slot)

    def revoke(self) -> None:
        """Delete everything derived from this capability, in every CSpace. seL4_CNode_Revoke."""
        self.env.cnode.revoke_slot(self.slot)

    def __repr__(self) -> str:
        label = f" {self.name}" if self.name else ""
        return f"<{type(self).__name__}{label}, slot {self.slot} of {self.env.name}>"


def slots_of(caps: Sequence[Capability | int]) -> tuple[int, ...]:
    """The slots of capabilities to send."""
    return tuple(cap.slot if isinstance(cap, Capability) else cap for cap in caps)


Receive = int | SlotPath
"""Where a received capability goes: a slot of the own CSpace, or (root, index, depth)."""
