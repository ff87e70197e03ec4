"""CNodes: tables of capability slots."""

from __future__ import annotations

from typing import ClassVar

from caplab.kernel.abi import WORD_BITS, ObjectType, Rights, Status
from caplab.pd import invocations
from caplab.pd.objects.capability import Capability


def guard_word(guard: int, size: int) -> int:
    """A guard of `size` bits as `mutate`, `rotate` and `mint` take it. seL4_CNode_CapData."""
    return guard << 6 | size


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

    def mutate(
        self,
        dest: int,
        src: int,
        badge: int,
        *,
        source: CNode | None = None,
        dest_depth: int = WORD_BITS,
        src_depth: int = WORD_BITS,
    ) -> None:
        """Move a capability and give a CNode's another guard (`badge`: `guard_word`).

        seL4_CNode_Mutate. Errors: as `copy_slot`; IllegalOperation for an endpoint or a
        notification, whose badge nothing changes
        """
        root = (source or self.env.cnode).slot
        answer = invocations.cnode_mutate(
            self.transport, self.slot, dest, dest_depth, src, src_depth, badge, root
        )
        self.checked(answer, "CNode_Mutate")

    def rotate(
        self,
        dest: int,
        pivot: int,
        src: int,
        *,
        dest_badge: int = 0,
        pivot_badge: int = 0,
        dest_depth: int = WORD_BITS,
        pivot_depth: int = WORD_BITS,
        src_depth: int = WORD_BITS,
        pivot_root: CNode | None = None,
        source: CNode | None = None,
    ) -> None:
        """Move what is in `pivot` to `dest` and what is in `src` to `pivot`, in one step.

        `dest` and `src` may be one slot: then the two are exchanged. The badges are new guards,
        which only capabilities to CNodes have. seL4_CNode_Rotate.
        Errors: IllegalOperation (the pivot is one of the others, or the capability is to an
        endpoint or a notification), DeleteFirst, FailedLookup
        """
        answer = invocations.cnode_rotate(
            self.transport,
            self.slot,
            dest,
            dest_depth,
            dest_badge,
            pivot,
            pivot_depth,
            pivot_badge,
            src,
            src_depth,
            (pivot_root or self.env.cnode).slot,
            (source or self.env.cnode).slot,
        )
        self.checked(answer, "CNode_Rotate")

    def cancel_badged_sends(self, index: int, *, depth: int = WORD_BITS) -> None:
        """Answer whoever waits to send with the badge of the endpoint in the slot: CANCELLED.

        In `semantics: sel4` they send again. seL4_CNode_CancelBadgedSends.
        Errors: IllegalOperation (no endpoint, or not with all rights)
        """
        answer = invocations.cnode_cancel_badged_sends(self.transport, self.slot, index, depth)
        self.checked(answer, "CNode_CancelBadgedSends")

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
