"""Protection domains as capabilities: the own one, others that one manages, and making new ones."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from caplab.kernel.abi import PAGE_SIZE, ObjectType, Rights, Status
from caplab.pd import invocations
from caplab.pd.errors import NeedsGrant
from caplab.pd.objects.capability import Capability
from caplab.pd.objects.endpoint import Endpoint
from caplab.pd.stubs import Answer, fields, slot_path

if TYPE_CHECKING:
    from caplab.pd.env import Env

MANAGED = "pd:"
"""How the names of managed PDs begin."""
CHILD_UNTYPED = 256 << 10
"""Bytes of untyped memory that a child gets when nothing is said."""


class PdCap(Capability):
    """A capability to a PD. Rights: Read to look, Write to control, Grant to give it something.

    A PD of the own making comes with all of them; one of `manages` without Grant (NeedsGrant), as
    who may end a PD need not have a say in whom it talks to.
    """

    type: ClassVar[ObjectType] = ObjectType.PD
    __slots__ = ()

    def _fields(self, answer: Answer, call: str) -> dict[str, Any]:
        return fields(self.checked(answer, call).data)

    def _granting(self, answer: Answer, call: str) -> dict[str, Any]:
        """The answer to what needs Grant. A PD of `manages` was given without it."""
        if answer.status == Status.INVALID_CAPABILITY and self.name.startswith(MANAGED):
            raise NeedsGrant(answer.status, call, self.slot, body=answer.data, name=self.name)
        return self._fields(answer, call)

    def info(self) -> dict[str, Any]:
        """The PD's row of `caplab ps`."""
        return self._fields(
            invocations.pd_info(self.transport, self.slot, renewal=self.renewal), "PD_Info"
        )

    def install(
        self,
        cap: Capability,
        name: str | None = None,
        *,
        slot: int | None = None,
        rights: Rights = Rights.ALL,
        badge: int | None = None,
    ) -> int:
        """Mint a capability into that PD's CSpace, running or not started yet; the slot it took.

        With a `name` its `env` finds it. Without a `slot` the root task chooses one in the upper
        half; a slot of the lower half is that PD's own to give. `badge` None copies.
        Errors: DeleteFirst (the slot is full), IllegalOperation (badged already), RevokeFirst (an
        untyped of which something was made)
        """
        answer = invocations.pd_install(
            self.transport,
            self.slot,
            cap.slot,
            name=name,
            slot=slot,
            rights=int(rights),
            badge=badge,
            renewal=self.renewal,
        )
        return int(self._granting(answer, "PD_Install")["slot"])

    def start(self) -> None:
        """Let a PD that was created run. Errors: IllegalOperation (it runs, or has ended)."""
        self.checked(
            invocations.pd_start(self.transport, self.slot, renewal=self.renewal), "PD_Start"
        )

    def kill(
        self,
        number: int = signal.SIGKILL,
        *,
        pd_depth: int | str | None = None,
        space_depth: int | str | None = None,
    ) -> dict[str, Any]:
        """Send it a signal, wait for the cleanup, and return the report of `caplab kill`.

        The depths (a number, or "all") say how far its death spreads; left out, the policies do.
        """
        answer = invocations.pd_kill(
            self.transport,
            self.slot,
            signal=int(number),
            pd_depth=pd_depth,
            space_depth=space_depth,
            renewal=self.renewal,
        )
        return self._fields(answer, "PD_Kill")

    def crash(self, how: str, *, after: int | None = None) -> dict[str, Any]:
        """Make it fail, at its `after`-th system call if given, and wait for the cleanup.

        `how`: segv, abort, exception, exit:N, hang, oom or bus. Errors: IllegalOperation.
        """
        answer = invocations.pd_crash(
            self.transport, self.slot, how=how, after=after, renewal=self.renewal
        )
        return self._fields(answer, "PD_Crash")

    def send(self, cap: Capability, name: str | None = None) -> tuple[int, int]:
        """Give that PD a copy of a capability, as a resource of its own if it is one.

        pd_client_send_cap. The slot it took, and how often the PD now holds the resource or the
        memory (0 for what is not counted). A resource's server is not asked.
        Errors: PdDead, NeverHeld (the own PD has the capability and does not hold the resource),
        DeleteFirst (the name is taken), NotEnoughMemory
        """
        answer = invocations.pd_send(
            self.transport, self.slot, cap.slot, name=name, renewal=self.renewal
        )
        sent = self._granting(answer, "PD_Send")
        return int(sent["slot"]), int(sent["count"])

    def share_rde(self, type: str, space: int | None = None, name: str | None = None) -> int:
        """Give that PD an RDE that the own PD has: "mo", "pd" … or a server's type; its slot.

        pd_client_share_rde. One that it has already stays where it is.
        Errors: WrongType (nobody serves such a type), NeverHeld, PdDead, NotEnoughMemory
        """
        answer = invocations.pd_share_rde(
            self.transport, self.slot, type=type, space=space, name=name, renewal=self.renewal
        )
        return int(self._granting(answer, "PD_ShareRDE")["slot"])

    def remove_rde(self, type: str, space: int | None = None) -> int:
        """Take its RDEs of a type from it, of one space or of all; how many.

        pd_client_remove_rde. Errors: WrongType, NeverHeld, PdDead
        """
        answer = invocations.pd_remove_rde(
            self.transport, self.slot, type=type, space=space, renewal=self.renewal
        )
        return int(self._granting(answer, "PD_RemoveRDE")["removed"])

    def rdes(self) -> list[dict[str, Any]]:
        """Whom it may ask for resources: maps of type, code, space, slot and manager."""
        rows = self._fields(
            invocations.pd_rdes(self.transport, self.slot, renewal=self.renewal), "PD_RDEs"
        )["rdes"]
        return list(rows)

    def link(self) -> None:
        """Let that PD be killed when the own PD dies. pd_client_link_child. Needs Write."""
        self.checked(
            invocations.pd_link(self.transport, self.slot, renewal=self.renewal), "PD_Link"
        )

    def suspend(self) -> None:
        """Suspend all its TCBs."""
        self.checked(
            invocations.pd_suspend(self.transport, self.slot, renewal=self.renewal), "PD_Suspend"
        )

    def resume(self) -> None:
        """Resume all its TCBs."""
        self.checked(
            invocations.pd_resume(self.transport, self.slot, renewal=self.renewal), "PD_Resume"
        )


class Child(PdCap):
    """A PD that this one made."""

    __slots__ = ("endpoint",)

    def __init__(
        self,
        env: Env,
        slot: int,
        *,
        name: str = "",
        renewal: int | None = None,
        endpoint: Endpoint | None = None,
    ) -> None:
        super().__init__(env, slot, name=name, renewal=renewal)
        self.endpoint = endpoint
        """The master copy, without Read, of the endpoint it serves, if it serves one."""


class PdService(Capability):
    """The root task's service of making PDs (`rdes: [pd]` in the manifest)."""

    type: ClassVar[ObjectType] = ObjectType.SERVICE
    __slots__ = ()

    def create(
        self,
        name: str,
        run: str,
        args: Mapping[str, Any] | None = None,
        *,
        threads: int = 1,
        devices: Sequence[str] = (),
        serves: str | None = None,
        path: Sequence[str] | None = None,
        faults: Endpoint | None = None,
        untyped: int = CHILD_UNTYPED,
        ads: Capability | None = None,
    ) -> Child:
        """Make a PD; it runs from `start` on. `run` is what the manifest's key takes.

        `devices` are some of the own ones, `path` are its code roots (the own ones if None). With
        `serves="endpoint"` the child has Read on a new endpoint, and `child.endpoint` is the
        master copy to mint its clients' capabilities from. `faults` is the endpoint that its
        faults are sent to, with Write and Grant or GrantReply and the badge they have there.
        `untyped` are the bytes of untyped memory that pay for what it makes, rounded up to a power
        of two. They come out of the own untyped memory, and back when the child has ended. `ads` is
        the address space it shares; it has one of its own if None.

        Errors: DeleteFirst (a PD of that name lives), InvalidArgument (first word: which),
        RangeError (threads), NotEnoughMemory (too many PDs), OutOfUntyped
        """
        slot, memory = self.env.slots.alloc(), None
        try:
            memory = self._memory(untyped)
            answer = invocations.pd_create(
                self.transport,
                self.slot,
                name=name,
                run=run,
                args=dict(args or {}),
                threads=threads,
                devices=list(devices),
                serves=serves,
                path=None if path is None else list(path),
                faults=None if faults is None else faults.slot,
                untyped=None if memory is None else memory.slot,
                ads=None if ads is None else ads.slot,
                receive=slot_path(slot),
            )
            made = fields(self.checked(answer, "PD_Create").data)
        except BaseException:
            self.env.slots.free(slot)
            raise
        finally:
            # The child has it now. The own part that it was made of is free when the child ends.
            if memory is not None:
                memory.delete()
        endpoint = Endpoint(self.env, made["endpoint"], name=name) if made["endpoint"] else None
        return Child(self.env, slot, name=name, endpoint=endpoint)

    def _memory(self, size: int) -> Capability | None:
        """Untyped memory for a child, out of the own."""
        if size <= 0:
            return None
        bits = max((size - 1).bit_length(), PAGE_SIZE.bit_length() - 1)
        return Capability(self.env, self.env.memory_pool.make(ObjectType.UNTYPED, bits))
