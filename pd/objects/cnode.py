"""CNodes: tables of capability slots."""

from __future__ import annotations

from typing import ClassVar

from caplab.kernel.abi import WORD_BITS, ObjectType, Rights, Status
from caplab.pd import invocations
from caplab.pd.objects.capability import Capability


class CNode(Capability):
    """A capability to a CNode; `env.cnode` is the own CSpace.

    Slots are given as (index, depth); the depth of a plain slot number is 64. `source` is the
    CNode that `src` is looked up in, the own one if not given.
    """

    type: ClassVar[ObjectType] = ObjectType.CNODE
    __slots__ = ()

    def copy_slot(
        self,
        dest: int,
        src: int,
        rights: Rights = Rights.ALL,
        *,
        source: CNode | None = None,
        dest_depth: int = WORD_BITS,
        src_depth: int = WORD_BITS,
    ) -> None:
        """Copy a capability into a slot of this CNode, with at most these rights.

        seL4_CNode_Copy. Errors: DeleteFirst, FailedLookup, RangeError, RevokeFirst
        """
        root = (source or self.env.cnode).slot
        answer = invocations.cnode_copy(
            self.transport, self.slot, dest, dest_depth, src, src_depth, int(rights), root
        )
        self.checked(answer, "CNode_Copy")

    def mint_slot(
        self,
        dest: int,
        src: int,
        badge: int,
        rights: Rights = Rights.ALL,
        *,
        source: CNode | None = None,
        dest_depth: int = WORD_BITS,
        src_depth: int = WORD_BITS,
    ) -> None:
        """Copy a capability and give the copy a badge.

        seL4_CNode_Mint. Errors: as `copy_slot`; IllegalOperation when it is badged already
        """
        root = (source or self.env.cnode).slot
        answer = invocations.cnode_mint(
            self.transport, self.slot, dest, dest_depth, src, src_depth, int(rights), badge, root
        )
        self.checked(answer, "CNode_Mint")

    def move_slot(
        self,
        dest: int,
        src: int,
        *,
        source: CNode | None = None,
        dest_depth: int = WORD_BITS,
        src_depth: int = WORD_BITS,
    ) -> None:
        """Move a capability into a slot of this CNode. seL4_CNode_Move."""
        root = (source or self.env.cnode).slot
        answer = invocations.cnode_move(
            self.transport, self.slot, dest, dest_depth, src, src_depth, root
        )
        self.checked(answer, "CNode_Move")

    def delete_slot(self, index: int, *, depth: int = WORD_BITS) -> None:
        """Empty a slot; an empty one is let be. seL4_CNode_Delete."""
        answer = invocations.cnode_delete(self.transport, self.slot, index, depth)
        self.checked(answer, "CNode_Delete")

    def revoke_slot(self, index: int, *, depth: int = WORD_BITS) -> None:
        """Delete all that was derived from the slot, which stays. seL4_CNode_Revoke."""
        answer = invocations.cnode_revoke(self.transport, self.slot, index, depth)
        self.checked(answer, "CNode_Revoke")

    def is_full(self, index: int) -> bool:
        """Whether there is a capability in a slot: moving it onto itself tells, and does nothing.

        Errors: RangeError (no such slot)
        """
        depth = WORD_BITS
        answer = invocations.cnode_move(
            self.transport, self.slot, index, depth, index, depth, self.slot
        )
        if answer.status == Status.FAILED_LOOKUP:
            return False
        if answer.status != Status.DELETE_FIRST:
            self.checked(answer, "CNode_Move")
        return True

    def save_caller(self, index: int, *, depth: int = WORD_BITS) -> None:
        """Move the reply capability of the caller served last into a slot, for a later `send`.

        seL4_CNode_SaveCaller. Errors: DeleteFirst, IllegalOperation (nobody waits for a reply)
        """
        answer = invocations.cnode_save_caller(self.transport, self.slot, index, depth)
        self.checked(answer, "CNode_SaveCaller")
