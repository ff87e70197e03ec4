"""`Env`: the first argument of every `main`, through which a PD touches the world.

Nothing is ambient. Two Envs over two transports live in one process, because all state of a PD's
own side hangs here.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TextIO, TypeVar, overload

from caplab.kernel.abi import (
    FRAME_BITS_MAX,
    FRAME_BITS_MIN,
    MSG_BYTES,
    SLOT_CNODE,
    SLOT_PD,
    SLOT_TCB,
    SLOT_WORK,
    WORD,
    ObjectType,
    Status,
)
from caplab.pd import directory, stubs
from caplab.pd.cspace import SlotAllocator
from caplab.pd.errors import MissingCap, RangeError, Stop, refusal
from caplab.pd.ipc import Data, body
from caplab.pd.mappings import Mappings
from caplab.pd.memory_pool import MemoryPool
from caplab.pd.objects import (
    AddressSpace,
    AdsService,
    Capability,
    CNode,
    CpuService,
    Device,
    DomainSet,
    Endpoint,
    EpService,
    IoPortControl,
    IrqControl,
    Memory,
    MoService,
    Notification,
    OwnPd,
    PdCap,
    PdService,
    SpaceService,
    Tcb,
    Timer,
    Untyped,
)
from caplab.pd.objects.capability import slots_of
from caplab.pd.objects.domain import MANAGED
from caplab.pd.register import Register
from caplab.pd.spawn import SpawnInfo
from caplab.pd.threads import Entry, Threads
from caplab.pd.utcb import Utcb, utcb_of

if TYPE_CHECKING:
    from caplab.pd.transport import Transport

C = TypeVar("C", bound=Capability)
_MOST_PAGES = 1 << (FRAME_BITS_MAX - FRAME_BITS_MIN)


class Env:
    """One protection domain, seen from inside.

    `name`, `generation`, `args` (what the manifest passes to `main`), `console` (its `console:`
    in the manifest), `semantics`;
    `slots` gives out slots of the own CSpace, `memory_pool` makes objects of untyped memory;
    `random` is seeded by the kernel;
    `cnode`, `pd`, `tcb` and `work` are the capabilities every PD starts with: its CSpace, its own
    root-task capability, its first TCB, and the notification its work is announced on.
    """

    def __init__(
        self,
        info: SpawnInfo,
        transports: Sequence[Transport],
        *,
        clock: Callable[[], float] = time.monotonic,
        out: TextIO | None = None,
        mappings: Mappings | None = None,
    ) -> None:
        self.info = info
        self.name = info.name
        self.generation = info.generation
        self.semantics = info.semantics
        self.args: Mapping[str, Any] = dict(info.args)
        self.console: Mapping[str, Any] = dict(info.console)
        self.random = random.Random(info.seed)
        self.slots = SlotAllocator(lambda slot: self.cnode.is_full(slot))
        self.memory_pool = MemoryPool(self)
        self.mappings = mappings or Mappings()
        self.first = Utcb(self, transports[0])
        self.threads = Threads(self, transports[1:])
        self.cnode = CNode(self, SLOT_CNODE, name="cnode")
        self.pd = OwnPd(self, SLOT_PD, name="pd")
        self.tcb = Tcb(self, SLOT_TCB, name="tcb")
        self.work = Notification(self, SLOT_WORK, name="work")
        self._clock = clock
        self._out = out
        self._exits: dict[Callable[[], object], None] = {}
        self._registers: dict[str, Register] = {}
        self.prompt = RLock()
        """Held by the thread that stands at the debugger's prompt."""

    def utcb(self) -> Utcb:
        """The TCB that the running thread is. Raises NotATcb."""
        return utcb_of(self, self.first)

    # -- capabilities by name -------------------------------------------------------------

    @overload
    def endpoint(self) -> Endpoint: ...
    @overload
    def endpoint(self, name: str) -> Endpoint: ...
    def endpoint(self, name: str | None = None) -> Endpoint:
        """The endpoint that `uses` put here under a name ("server" is the own one, to receive on).

        Without a name: a new endpoint, paid from the own untyped memory (Errors: OutOfUntyped,
        SlotsExhausted). Raises MissingCap; when the provider was restarted, the
        name gives an object for its new generation.
        """
        if name is None:
            return Endpoint(self, self.memory_pool.make(ObjectType.ENDPOINT))
        return directory.find(self, Endpoint, name)

    def notification(self, name: str | None = None) -> Notification:
        """A new notification, paid from the own untyped memory (Errors: OutOfUntyped,
        SlotsExhausted); with a name, one that a parent installed under it.
        """
        if name is None:
            return Notification(self, self.memory_pool.make(ObjectType.NOTIFICATION))
        return directory.find(self, Notification, name)

    def memory(self, pages: int = 1) -> Memory:
        """A new memory object of at least so many pages of 4096 bytes: 1, 2, 4 … up to 512.

        `size` of the object says how many bytes it has. Errors: RangeError, OutOfUntyped.
        """
        if pages < 1:
            raise ValueError(f"a memory object has at least one page, not {pages}")
        if pages > _MOST_PAGES:
            body = WORD.pack(1) + WORD.pack(_MOST_PAGES)
            raise RangeError(Status.RANGE_ERROR, "Untyped_Retype", body=body, name="untyped")
        bits = FRAME_BITS_MIN + (pages - 1).bit_length()
        return Memory(self, self.memory_pool.make(ObjectType.FRAME, bits), size=1 << bits)

    def attached(self, name: str) -> Memory:
        """What is attached to the PD's own address space under a name. Raises MissingCap."""
        return directory.find(self, Memory, directory.ATTACHED + name)

    def untyped(self, name: str = directory.UNTYPED) -> Untyped:
        """The PD's own untyped memory, to retype by hand; what is made so is deleted by hand.

        `endpoint()`, `notification()` and `memory()` draw on the same bytes, so that `revoke`
        destroys what they made too. The manifest's `untyped:` is one untyped per power of two:
        "untyped", "untyped.1" and so on, the largest first. Raises MissingCap.
        """
        return directory.find(self, Untyped, name)

    def device(self, name: str) -> Device:
        """A UART of the manifest's `devices`. Raises MissingCap."""
        return directory.find(self, Device, name)

    def timer(self, name: str) -> Timer:
        """A timer of the manifest's `devices`. Raises MissingCap."""
        return directory.find(self, Timer, name)

    def irqs(self) -> IrqControl:
        """The right to any interrupt line (`devices: [irqs]`). Raises MissingCap."""
        return directory.find(self, IrqControl, directory.IRQS)

    def ioports(self) -> IoPortControl:
        """The right to any I/O ports (`devices: [ioports]`). Raises MissingCap."""
        return directory.find(self, IoPortControl, directory.IOPORTS)

    def ranges(self) -> list[Untyped]:
        """The device memory of the manifest's `ranges` (`devices: [ranges]`): an untyped per
        power of two, in the order of their addresses. None, when it was given none.
        """
        found = directory.of_kind(self, Untyped, directory.RANGES)
        return sorted(found.values(), key=lambda one: one.info().address)

    @overload
    def rde(self, name: Literal["pd"]) -> PdService: ...  # type: ignore[overload-overlap]
    @overload
    def rde(self, name: Literal["resspc"]) -> SpaceService: ...  # type: ignore[overload-overlap]
    @overload
    def rde(self, name: Literal["mo"]) -> MoService: ...  # type: ignore[overload-overlap]
    @overload
    def rde(self, name: Literal["ep"]) -> EpService: ...  # type: ignore[overload-overlap]
    @overload
    def rde(self, name: Literal["ads"]) -> AdsService: ...  # type: ignore[overload-overlap]
    @overload
    def rde(self, name: Literal["vmr"]) -> AddressSpace: ...  # type: ignore[overload-overlap]
    @overload
    def rde(self, name: Literal["cpu"]) -> CpuService: ...  # type: ignore[overload-overlap]
    @overload
    def rde(self, name: str) -> Endpoint: ...
    def rde(self, name: str) -> Capability:
        """Whom to ask for resources of a type: a service of the root task ("pd", "resspc", "mo",
        "ep", "ads", "cpu"; "vmr" is the own address space), or the server of a type, by the
        type's name. Raises MissingCap.
        """
        kind = directory.SERVICES.get(name, Endpoint)
        try:
            return directory.find(self, kind, directory.RDE + name)
        except MissingCap:
            if (slot := self._rde_slot(name)) and kind is Endpoint:  # by another name, of `uses`
                return Endpoint(self, slot, name=directory.RDE + name)
            raise

    def _rde_slot(self, type_name: str) -> int:
        rows = (row for row in self.pd.rdes() if row["type"] == type_name)
        return next((row["slot"] for row in rows), 0)

    def domains(self) -> DomainSet:
        """What sets domains of time, of the manifest's `rdes: [domain]`. Raises MissingCap."""
        return directory.find(self, DomainSet, directory.RDE + directory.DOMAIN)

    def managed(self) -> dict[str, PdCap]:
        """The PDs of the manifest's `manages`, by name: to look at, suspend, kill and crash."""
        return directory.of_kind(self, PdCap, MANAGED)

    def cap(self, kind: type[C], slot: int, name: str = "") -> C:
        """An object for a capability that was received into, or installed in, a slot."""
        return kind(self, slot, name=name)

    # -- calls that need no capability ------------------------------------------------------

    def reply(
        self, label: int = 0, data: Data = b"", *, caps: Sequence[Capability | int] = ()
    ) -> bool:
        """Answer the caller that the last Recv brought; False when it waits no more. seL4_Reply."""
        made = body(data)
        if len(made) > MSG_BYTES:
            raise ValueError(f"a message has at most {MSG_BYTES} bytes, not {len(made)}")
        answer = stubs.reply(self.utcb().transport, label, made, slots_of(caps))
        if answer.status:
            raise refusal(answer.status, "Reply", 0, answer.data)
        return not answer.flags & stubs.NOTHING

    def sleep(self, seconds: float) -> None:
        """Wait inside the kernel, where Stop, suspend and crash reach the PD."""
        answer = stubs.sleep(self.utcb().transport, seconds)
        if answer.status:
            raise refusal(answer.status, "Sleep", 0, answer.data)

    def yield_(self) -> None:
        """Let others go first. seL4_Yield."""
        stubs.yield_(self.utcb().transport)

    # -- threads ----------------------------------------------------------------------------

    def entry(self, func: Entry) -> int:
        """Register `func(env, arg)` as a place where a TCB of this PD may start; its number."""
        return self.threads.register(func)

    def thread(self, func: Entry, arg: int = 0) -> Tcb:
        """Run `func(env, arg)` on a spare TCB (`threads: N` in the manifest). Raises NoSpareTcb.

        When `func` returns, the TCB is spare again; an exception that leaves it ends the PD.
        """
        return self.threads.start(func, arg)

    # -- the rest of the world ----------------------------------------------------------------

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return self._clock()

    def log(self, text: str) -> None:
        """A line in the PD's log (`caplab logs`)."""
        print(text, file=self._out or sys.stdout, flush=True)

    def at_exit(self, do: Callable[[], object]) -> None:
        """Have something done when `main` has returned, was left by `exit`, or by Stop; after a
        fault nothing is. What was said last is done first.
        """
        self._exits[do] = None

    def not_at_exit(self, do: Callable[[], object]) -> None:
        """Have it not done; nothing happens if nobody wanted it."""
        self._exits.pop(do, None)

    def leave(self) -> None:
        """Do what is to be done at the end, once. An error of one keeps none from its turn."""
        while self._exits:
            do, _ = self._exits.popitem()
            try:
                do()
            except (Stop, Exception) as error:  # noqa: BLE001  # the program is over and did well
                print(f"{self.name}: at the end: {error}", file=self._out or sys.stderr)

    def exit(self, code: int = 0) -> NoReturn:
        """End the PD with an exit status; the `with` blocks of this TCB run first."""
        raise SystemExit(code)

    def register(self, name: str) -> Register:
        """The data register of a device: one object per PD, for its life."""
        found = self._registers.get(name)
        if found is None:
            if name not in self.info.devices:
                raise LookupError(f"{self.name} was started without the register of {name!r}")
            found = Register(self.info.devices[name])
            self._registers[name] = found
        return found

    def __repr__(self) -> str:
        return f"<Env of {self.name}, generation {self.generation}>"
