"""Resource spaces as capabilities: making one, and what its manager does with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from caplab.kernel.abi import ObjectType
from caplab.pd import invocations
from caplab.pd.objects.capability import Capability
from caplab.pd.stubs import Answer, fields, slot_path

if TYPE_CHECKING:
    from caplab.pd.env import Env
    from caplab.pd.objects.endpoint import Endpoint

Depth = int | str | None
"""How far a death spreads: a number from 0 up, "all", or None for what the system says."""


class Space(Capability):
    """A resource space. Only the PD that manages it may use this capability (NotManager).

    `object` is a number of the space, or a whole resource badge, which must be of this space
    (WrongType, OtherSpace). Everything but `info` raises Revoked when the space is being destroyed.
    Of the objects that were deleted it remembers the last 1,024 (Revoked); an earlier one is to it
    as one that never was (NeverHeld).
    """

    type: ClassVar[ObjectType] = ObjectType.RESSPC
    __slots__ = ()

    def _fields(self, answer: Answer, call: str) -> dict[str, Any]:
        return fields(self.checked(answer, call).data)

    def create(self, object: int | None = None) -> int:
        """Make a resource that nobody holds yet: its number, the next free one if none is given.

        resspc_client_create_resource. Errors: DeleteFirst (the number is in use), RangeError,
        NotEnoughMemory (the own untyped memory pays 32 bytes)
        """
        answer = invocations.resspc_create(self.transport, self.slot, object=object)
        return int(self._fields(answer, "RESSPC_Create")["object"])

    def give(self, object: int, pd: int) -> tuple[int, int]:
        """Let a PD (its number) hold a resource: slot in its CSpace, and how often it holds it.

        pd_client_give_resource. Given again, the hold counts one more and the slot is the same.
        Errors: NeverHeld (there never was such a resource), Revoked (it was deleted), RangeError,
        FailedLookup (there never was such a PD), PdDead, NotEnoughMemory
        """
        answer = invocations.resspc_give(self.transport, self.slot, object=object, pd=pd)
        given = self._fields(answer, "RESSPC_Give")
        return int(given["slot"]), int(given["count"])

    def take(self, object: int, pd: int, count: int | None = None) -> int:
        """Take a resource from one PD, or let it count less; how often it holds it now.

        resspc_client_revoke_resource. Blocks until every copy of the capability is deleted.
        Errors: as for `give`; NeverHeld, Revoked (it was taken before), RangeError (it counts less)
        """
        answer = invocations.resspc_revoke(
            self.transport, self.slot, object=object, pd=pd, count=count
        )
        return int(self._fields(answer, "RESSPC_Revoke")["count"])

    def drop(self, object: int) -> None:
        """Delete a resource: every hold of every PD goes, however often it counts.

        resspc_client_delete_resource. Blocks until every capability to it is deleted.
        Errors: NeverHeld, Revoked (it was deleted before), RangeError
        """
        self.checked(
            invocations.resspc_delete(self.transport, self.slot, object=object), "RESSPC_Delete"
        )

    def destroy(self) -> None:
        """Destroy the space: every resource, hold and RDE in it. resspc_client_destroy. Blocks."""
        self.checked(invocations.resspc_destroy(self.transport, self.slot), "RESSPC_Destroy")

    def map(self, space: int) -> None:
        """Say that this space is built on another, of which the own PD has an RDE or a resource.

        resspc_client_map_space. Errors: InvalidArgument (itself), FailedLookup, NeverHeld
        """
        self.checked(invocations.resspc_map(self.transport, self.slot, space=space), "RESSPC_Map")

    def issue(self, pd: int, name: str | None = None) -> int:
        """Give a PD (its number) an RDE, under a name of its `env` or as `rde:TYPE`; its slot.

        One that it has already stays where it is. Errors: FailedLookup, PdDead, DeleteFirst (the
        name is taken), NotEnoughMemory
        """
        answer = invocations.resspc_issue(self.transport, self.slot, pd=pd, name=name)
        return int(self._fields(answer, "RESSPC_Issue")["slot"])

    def info(self) -> dict[str, Any]:
        """space, type, type_name, manager, resources, holds, clients, maps, pd_depth, space_depth;
        for anybody who has the capability.
        """
        return self._fields(invocations.resspc_info(self.transport, self.slot), "RESSPC_Info")


class SpaceService(Capability):
    """The root task's service of making resource spaces (`rdes: [resspc]` in the manifest)."""

    type: ClassVar[ObjectType] = ObjectType.SERVICE
    __slots__ = ()

    def connect(
        self,
        type_name: str,
        endpoint: Endpoint,
        *,
        client: int | None = None,
        pd_depth: Depth = None,
        space_depth: Depth = None,
    ) -> tuple[Space, int]:
        """Make a space that the own PD manages and serves at `endpoint`; with it, 0 or the slot
        of the RDE that the PD `client` (its number) got. resspc_client_connect.

        The endpoint capability is unbadged and has all rights. The depths are the space's own
        cleanup policy. 512 bytes of the own untyped memory pay for it.
        Errors: InvalidArgument (type name, depths), InvalidCapability (no such endpoint),
        FailedLookup (there never was such a PD), PdDead, NotEnoughMemory
        """

        def put(slot: int) -> None:
            answer = invocations.resspc_connect(
                self.transport,
                self.slot,
                endpoint.slot,
                type_name=type_name,
                client=client,
                pd_depth=pd_depth,
                space_depth=space_depth,
                receive=slot_path(slot),
            )
            made.append(int(fields(self.checked(answer, "RESSPC_Connect").data)["rde"]))

        made: list[int] = []
        env: Env = self.env
        return Space(env, env.slots.place(put), name=type_name), made[-1]
