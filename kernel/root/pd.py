"""The root task's record of a protection domain, and how one is furnished."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from caplab.kernel.abi import (
    FAULT_HANDLER,
    PAGE_SIZE,
    PRIORITY_DEFAULT,
    ROOT_RADIX,
    ROOT_SLOTS,
    SLOT_CNODE,
    SLOT_FIRST_ROOT,
    SLOT_PD,
    SLOT_TCB,
    SLOT_WORK,
    WORD_BITS,
    ObjectType,
    Rights,
    Status,
)
from caplab.kernel.core.cap import Cap, Cause, Slot, guard_word
from caplab.kernel.core.cnode import CNode
from caplab.kernel.core.effects import Spawn
from caplab.kernel.core.endpoint import Endpoint
from caplab.kernel.core.notification import Notification
from caplab.kernel.core.outcome import KernelBug
from caplab.kernel.core.tcb import TCB, give_root
from caplab.kernel.core.untyped import Untyped
from caplab.kernel.root.ledger import Record
from caplab.kernel.root.work import Queue

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.ads import ADS
    from caplab.kernel.root.ledger import Slab
    from caplab.kernel.root.report import Report
    from caplab.kernel.root.restart import Again
    from caplab.kernel.root.space import Hold, Space
    from caplab.kernel.root.task import RootTask
    from caplab.kernel.root.work import WorkItem

CLIENT_RIGHTS = Rights.WRITE | Rights.GRANT | Rights.GRANT_REPLY
"""What a client's copy of an endpoint carries; only a server's own CSpace gets Read."""
FIRST_BADGE = 2
"""Badges of plain endpoints count up from here and are never reused; 1 is the Parent's own."""
MAX_TCBS = 32
UNTYPED_DEFAULT = 4 << 20
NAMES_MAX = ROOT_SLOTS - SLOT_FIRST_ROOT
"""Capabilities that a PD can begin with: the root task's half of its CSpace."""
ROOT_GUARD = guard_word(0, WORD_BITS - ROOT_RADIX)
MAX_PDS = 1024
VMR = "vmr"
"""The service that is the PD's own address space: `rdes: [vmr]` gives the ADS capability."""
DOMAIN = "domain"
"""The service that is the core's: `rdes: [domain]` gives the DomainSet capability, which seL4
gives to its root task."""


class Entry(NamedTuple):
    """A name in a PD's environment: where the capability lies and who serves it."""

    slot: int
    type: int
    provider: str


class StandIn(Endpoint):
    """What lies in a client's slot for a server that is dead: nobody has ever received there, so
    nobody is told when its badge goes."""


class Arm(NamedTuple):
    """A kill or crash that waits for the PD's N-th system call (None: the current or next)."""

    action: str
    how: str
    """The signal, by number or name; or how to crash."""
    after: int | None


class PD(Record):
    """One protection domain. Number 0 is the root task itself, which has no TCB."""

    def __init__(self, number: int, name: str, spec: dict[str, Any]) -> None:
        super().__init__()
        self.number = number
        self.name = name
        self.generation = 0
        self.spec = spec
        self.role = spec.get("role", "client")
        self.pid: int | None = None
        self.state = "created"
        """created, started, dying (its CSpace is being swept), dead."""
        self.ended = ""
        """How it ended: exited, faulted or killed."""
        self.reason = ""
        self.exit_code: int | None = None
        self.tcbs: list[TCB] = []
        self.cspace = CNode(number, self)
        self.names: dict[str, Entry] = {}
        self.endpoint: Endpoint | None = None
        self.master: Slot | None = None
        """The root task's own capability to the endpoint it serves."""
        self.default_space = 0
        """Number of the space its manifest entry says it serves."""
        self.next_badge = FIRST_BADGE
        self.work = Queue()
        self.fetched: dict[int, WorkItem] = {}
        """Items of work it has been told of, by number, until they are done."""
        self.notification: Notification | None = None
        self.arms: list[Arm] = []
        self.crash: str | None = None
        """How the runtime was told to crash; becomes the reason."""
        self.fault: str | None = None
        self.doomed: str | None = None
        """Killed already; its calls are not answered any more."""
        self.meant = False
        """A PD that was made while the system runs, and ended by PDs as they meant to: no failure
        of the system's."""
        self.traced = False
        """Somebody handles its faults, so the host holds a thread that has one."""
        self.stopping = False
        self.to_stop: set[int] = set()
        """TCBs whose next call is answered with STOP; never iterated."""
        self.breakpoints: set[int] = set()
        """TCBs that stand at a breakpoint; never iterated."""
        self.received = False
        """A server is ready at its first Recv."""
        self.deadline: int | None = None
        self.report: Report | None = None
        self.refs = 0
        """Capabilities to it; one that was never started ends with the last but its own."""
        self.registers: list[str] = []
        """Devices it drives whose register the host hands it."""
        self.users: list[PD] = []
        """PDs whose manifest entry uses this one; they are stopped before it."""
        self.calls_ended = 0
        self.caps_ended = 0
        self._has_nothing()

    def _has_nothing(self) -> None:
        """What it has of resources, and what becomes of it after its end."""
        self.linked: dict[int, None] = {}
        """Numbers of the PDs that die with it."""
        self.holds: dict[int, Hold] = {}
        """Resources it holds and RDEs it has, by badge."""
        self.spaces: dict[int, Space] = {}
        """Resource spaces it manages, by number."""
        self.slabs: dict[int, Slab] = {}
        """Pages with room for records that it paid for."""
        self.ads: ADS | None = None
        """Its address space; none once it is dead."""
        self.restarts = 0
        """How often a policy has restarted it, in all generations."""
        self.again: Again | None = None
        """Dead, and the next generation waits for its time."""
        self.asked: list[int] = []
        """Operators who asked for another generation."""

    @property
    def calls(self) -> int:
        return sum(tcb.calls for tcb in self.tcbs) if self.tcbs else self.calls_ended

    @property
    def caps(self) -> int:
        return sum(1 for slot in self.cspace.slots.values() if slot.cap is not None)

    @property
    def paged(self) -> bool:
        """It runs, and its memory faults can be mended: somebody handled them when it started."""
        return self.state == "started" and self.traced

    @property
    def alive(self) -> bool:
        return self.state in ("created", "started")

    def free_slot(self) -> Slot | None:
        """A slot in the half of the CSpace that is the root task's to fill."""
        for index in range(SLOT_FIRST_ROOT, ROOT_SLOTS):
            slot = self.cspace.slots.get(index)
            if slot is None or (slot.cap is None and slot.cause is None):
                return self.cspace.slot(index)
        for index in range(SLOT_FIRST_ROOT, ROOT_SLOTS):
            if self.cspace.slot(index).cap is None:
                return self.cspace.slot(index)
        return None

    @property
    def room(self) -> int:
        """How many capabilities the root task can still give it."""
        slots = self.cspace.slots
        taken = sum(
            (slot := slots.get(index)) is not None and slot.cap is not None
            for index in range(SLOT_FIRST_ROOT, ROOT_SLOTS)
        )
        return ROOT_SLOTS - SLOT_FIRST_ROOT - taken

    def claim(self, slot: Slot) -> None:
        """A slot is about to be filled: a name that still meant what was in it means nothing."""
        if slot.cause is not None:
            self.forget(slot.index)

    def forget(self, index: int) -> None:
        """Forget the names of a slot."""
        self.names = {name: at for name, at in self.names.items() if at.slot != index}

    def forget_names(self) -> None:
        """Forget the names of capabilities that are gone."""
        slots = self.cspace.slots
        self.names = {
            name: at
            for name, at in self.names.items()
            if (slot := slots.get(at.slot)) is not None and slot.cap is not None
        }


def create(
    k: Kernel, root: RootTask, name: str, spec: dict[str, Any], ads: ADS | None = None
) -> PD:
    """Make a PD with its CSpace, TCBs, own capabilities and work notification; not started.

    It has the address space `ads`, otherwise one of its own.

    The fixed slots (abi SLOT_*) hold the first TCB, the CNode, the PD's own root-task capability
    and its work notification; `tcb.N` name the spare TCBs.
    """
    pd = PD(k.number("pd"), name, spec)
    pd.cspace.live = True
    k.cnodes[pd.cspace] = None
    root_cap = Cap(ObjectType.CNODE, pd.cspace, Rights.ALL, ROOT_GUARD)
    if name in root.latest:
        root.forget(root.latest[name])
    root.pds[pd.number] = pd
    root.latest[name] = pd
    for index in range(int(spec.get("threads") or 1)):
        number = k.number("tcb")
        tcb = TCB(number, pd, index, CNode(-number, pd, radix=4))
        tcb.priority = tcb.mcp = spec.get("priority", PRIORITY_DEFAULT)
        tcb.domain = spec.get("domain", 0)
        pd.tcbs.append(tcb)
        k.tcbs[number] = tcb
        give_root(k, tcb, root_cap, None)
    pd.notification = Notification(k.number("notification"))
    own = (
        (SLOT_TCB, Cap(ObjectType.TCB, pd.tcbs[0], Rights.ALL)),
        (SLOT_CNODE, root_cap),
        (SLOT_PD, Cap(ObjectType.PD, pd, Rights.ALL)),
        (SLOT_WORK, Cap(ObjectType.NOTIFICATION, pd.notification, Rights.ALL)),
    )
    for index, cap in own:
        k.put(pd.cspace.slot(index), cap, None, "root")
    for tcb in pd.tcbs[1:]:
        give(k, pd, f"tcb.{tcb.index}", Cap(ObjectType.TCB, tcb, Rights.ALL), None, "root")
    give_memory(k, root, pd)
    root.move_in(k, pd, ads)
    for service in spec.get("rdes") or ():
        if service == DOMAIN:
            cap = Cap(ObjectType.DOMAIN_SET, k.domains, Rights.ALL)
        elif service == VMR:
            cap = Cap(ObjectType.ADS, pd.ads, Rights.ALL)
        else:
            cap = Cap(ObjectType.SERVICE, root.services[service], Rights.ALL)
        give(k, pd, f"rde:{service}", cap, None, "root")
    pd.registers = root.give_devices(k, pd)
    for arm in spec.get("arms") or ():
        pd.arms.append(Arm(arm["action"], arm["how"], arm.get("after")))
    regate(pd)
    return pd


def pieces(untyped: int | None) -> list[int]:
    """log2 of the powers of two that make up the manifest's `untyped:`, the largest first."""
    given = UNTYPED_DEFAULT if untyped is None else untyped
    bits = range(given.bit_length() - 1, PAGE_SIZE.bit_length() - 2, -1)
    return [bit for bit in bits if given >> bit & 1]


def names_given(spec: dict[str, Any]) -> int:
    """How many capabilities a PD begins with in the root task's half of its CSpace."""
    lists = ("rdes", "devices", "uses", "manages")
    one_each = sum(bool(spec.get(key)) for key in ("serves", "faults"))
    one_each += isinstance(spec.get("serves"), dict)
    spare = int(spec.get("threads") or 1) - 1
    memory = len(pieces(spec.get("untyped")))
    return spare + memory + one_each + sum(len(spec.get(key) or ()) for key in lists)


def give_memory(k: Kernel, root: RootTask, pd: PD) -> None:
    """Untyped memory for what the PD makes, a capability per power of two."""
    for piece, bits in enumerate(pieces(pd.spec.get("untyped"))):
        made = Untyped(k.number("untyped"), root.take_memory(bits), bits)
        name = f"untyped.{piece}" if piece else "untyped"
        give(k, pd, name, Cap(ObjectType.UNTYPED, made, Rights.ALL), None, "root")


def serve(k: Kernel, root: RootTask, pd: PD) -> None:
    """Make the endpoint a PD serves. The root task's own capability keeps nobody from being deaf,
    because no TCB reaches the root task's CSpace; besides it only the server's has Read."""
    pd.endpoint = Endpoint(k.number("endpoint"))
    pd.endpoint.owner = pd
    own = root.new_slot()
    k.put(own, Cap(ObjectType.ENDPOINT, pd.endpoint, Rights.ALL), None, "root")
    pd.master = own
    cap = Cap(ObjectType.ENDPOINT, pd.endpoint, Rights.ALL)
    give(k, pd, "server", cap, own, "root")


def give(k: Kernel, pd: PD, name: str | None, cap: Cap, source: Slot | None, origin: str) -> int:
    """Put a capability into the root task's half of a CSpace; the slot.

    There is room: whoever asks for more than that is refused before, by `check` or by PD_Create.
    """
    slot = pd.free_slot()
    if slot is None:
        raise KernelBug(f"{pd.name} has no slot left for {name or 'another'}")
    pd.claim(slot)
    k.put(slot, cap, source, origin)
    if name is not None:
        pd.names[name] = Entry(slot.index, int(cap.type), origin)
    return slot.index


def use(
    k: Kernel,
    client: PD,
    name: str,
    server: PD,
    at: Slot | None = None,
    gone: Cause | None = None,
) -> None:
    """Give a client its badged copy of a server's endpoint, under the client's name for it.

    It goes to the slot `at`, if one is said. Of a server that is dead, or where `gone` says why
    there is nothing to use, it is a dead one, which a restart replaces.
    """
    source, endpoint = server.master, server.endpoint
    if source is None or endpoint is None or gone is not None:
        source, endpoint = None, StandIn(k.number("endpoint"))
        endpoint.owner = server
        endpoint.cause = gone or k.cause(Status.DIED_BEFORE_RECV, server)
    badge = server.next_badge
    server.next_badge += 1
    endpoint.clients[badge] = client.number
    cap = Cap(ObjectType.ENDPOINT, endpoint, CLIENT_RIGHTS, badge)
    if at is None:
        give(k, client, name, cap, source, server.name)
    else:
        k.put(at, cap, source, server.name)
        client.names[name] = Entry(at.index, int(ObjectType.ENDPOINT), server.name)
    server.users.append(client)


def handled(pd: PD) -> None:
    """Let the faults of a PD's TCBs go to its fault handler, if it was given one."""
    entry = pd.names.get(FAULT_HANDLER)
    for tcb in pd.tcbs:
        tcb.fault_ep = entry.slot if entry is not None else 0


def spawn(k: Kernel, pd: PD) -> None:
    """Ask the host for the process."""
    spec = pd.spec
    pd.state = "started"
    # A debug PD is left to other tracers, which its user may want to attach.
    pd.traced = not spec.get("debug") and any(tcb.fault_ep for tcb in pd.tcbs)
    k.effects.append(
        Spawn(
            pd.number,
            {
                "name": pd.name,
                "generation": pd.generation,
                "run": spec["run"],
                "args": spec.get("args") or {},
                "path": spec.get("path") or [],
                "tcbs": [tcb.number for tcb in pd.tcbs],
                "devices": pd.registers,
                "confinement": spec.get("confinement"),
                "traced": pd.traced,
                "debug": bool(spec.get("debug")),
                "console": spec.get("console") or {},
            },
        )
    )


def regate(pd: PD) -> None:
    """Set each TCB's gate from what stands before its next call."""
    unready = pd.role == "server" and not pd.received
    for tcb in pd.tcbs:
        tcb.gate = bool(
            unready or pd.arms or pd.doomed or tcb.suspended or tcb.number in pd.to_stop
        )
