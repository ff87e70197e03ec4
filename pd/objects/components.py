"""The root task's services that give memory, endpoints, address spaces and threads.

Each has one verb, `connect`, which gives a capability of one's own; `delete` of that is the
seed's disconnect. What is made is paid from the own untyped memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from caplab.kernel.abi import PAGE_SIZE, ObjectType
from caplab.pd import invocations
from caplab.pd.objects.address_space import AddressSpace
from caplab.pd.objects.capability import Capability
from caplab.pd.objects.endpoint import Endpoint
from caplab.pd.objects.memory import Memory
from caplab.pd.objects.tcb import Tcb
from caplab.pd.stubs import Answer, SlotPath, fields, slot_path

if TYPE_CHECKING:
    from caplab.pd.env import Env


class _Service(Capability):
    """A service of the root task that fills a slot."""

    type: ClassVar[ObjectType] = ObjectType.SERVICE
    __slots__ = ()

    def _placed(self, call: str, ask: Callable[[SlotPath], Answer]) -> tuple[int, dict[str, Any]]:
        """The slot that what was asked for lies in, and what the answer says of it."""
        said: dict[str, Any] = {}

        def put(slot: int) -> None:
            said.update(fields(self.checked(ask(slot_path(slot)), call).data))

        env: Env = self.env
        return env.slots.place(put), said


class MoService(_Service):
    """Memory (`rdes: [mo]`)."""

    __slots__ = ()

    def connect(self, pages: int = 1) -> Memory:
        """A memory object of at least so many pages, 1, 2, 4 … 512. mo_component_client_connect.

        `env.memory` makes the same without a service. Errors: RangeError, NotEnoughMemory
        """
        slot, said = self._placed(
            "MO_Connect",
            lambda to: invocations.mo_connect(self.transport, self.slot, pages=pages, receive=to),
        )
        return Memory(self.env, slot, name=f"mo {said['mo']}", size=said["pages"] * PAGE_SIZE)


class EpService(_Service):
    """Endpoints (`rdes: [ep]`)."""

    __slots__ = ()

    def connect(self) -> Endpoint:
        """An endpoint with all rights. ep_client_connect. Errors: NotEnoughMemory"""
        slot, said = self._placed(
            "EP_Connect",
            lambda to: invocations.ep_connect(self.transport, self.slot, receive=to),
        )
        return Endpoint(self.env, slot, name=f"ep {said['ep']}")


class AdsService(_Service):
    """Address spaces (`rdes: [ads]`)."""

    __slots__ = ()

    def connect(self) -> AddressSpace:
        """An address space that no PD has yet: attach to it, and make PDs that share it.

        ads_client_connect. Errors: NotEnoughMemory
        """
        slot, said = self._placed(
            "ADS_Connect",
            lambda to: invocations.ads_connect(self.transport, self.slot, receive=to),
        )
        return AddressSpace(self.env, slot, name=f"ads {said['ads']}")


class Cpu(Tcb):
    """A thread that the service gave; `env.thread` leaves it alone until it is deleted."""

    __slots__ = ("thread",)

    def __init__(self, env: Env, slot: int, *, name: str = "", thread: int = 0) -> None:
        super().__init__(env, slot, name=name)
        self.thread = thread
        """Its number in the PD: 1 for `tcb.1`."""

    def delete(self) -> None:
        """Let the thread be taken again, once it does not run. cpu_client_disconnect."""
        super().delete()
        self.env.threads.take_back(self.thread)


class CpuService(_Service):
    """Threads (`rdes: [cpu]`)."""

    __slots__ = ()

    def connect(self) -> Cpu:
        """One of the PD's own spare threads, which then is nobody else's.

        cpu_client_connect. `threads: N` in the manifest says how many there are; `write_registers`
        with an entry (`env.entry`) and `resume` start it (cpu_client_config, cpu_client_start).
        Raises NoSpareTcb.
        """
        env: Env = self.env
        thread = env.threads.lend()
        try:
            slot, said = self._placed(
                "CPU_Connect",
                lambda to: invocations.cpu_connect(
                    self.transport, self.slot, thread=thread, receive=to
                ),
            )
        except BaseException:
            env.threads.take_back(thread)
            raise
        return Cpu(env, slot, name=f"cpu {said['cpu']}", thread=thread)
