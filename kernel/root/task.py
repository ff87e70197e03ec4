"""The root task: it owns every PD, furnishes them, and cleans up after them.

It is resident in the kernel process (PD 0: a CSpace, no TCB) and as pure as the core: the methods
here are the core's questions and the host's events, handed to the file that knows.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import FAULT_HANDLER, FIRST_DYNAMIC_TYPE, FIRST_SPACE, Status, Sys
from caplab.kernel.core import gate
from caplab.kernel.core.effects import Announce, Answer, Kill, Stop
from caplab.kernel.core.outcome import Outcome, Result
from caplab.kernel.core.states import INACTIVE
from caplab.kernel.core.tcb import TCB
from caplab.kernel.core.timer import Timer
from caplab.kernel.root import (
    ads,
    connect,
    death,
    debug,
    extract,
    focus,
    holds,
    ledger,
    look,
    machine,
    operator,
    pd,
    restart,
    space,
    stop,
    truths,
    work,
)
from caplab.kernel.root.ads import ADS
from caplab.kernel.root.machine import Machine
from caplab.kernel.root.pd import PD, regate
from caplab.kernel.root.report import Report
from caplab.kernel.root.service import SERVICES, Service
from caplab.kernel.root.space import Hold, Resource, Space

if TYPE_CHECKING:
    from caplab.kernel.core.cap import Cause, Slot
    from caplab.kernel.core.endpoint import Endpoint
    from caplab.kernel.core.events import Boot, Exited, Operator, Started
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.ledger import Record

REASON_MAX = 300
"""Characters of an exception's last line that become the reason; the log has all of it."""
_RECEIVING = (Sys.RECV, Sys.NB_RECV, Sys.REPLY_RECV, Sys.WAIT, Sys.POLL)


class RootTask:
    """State of the root task."""

    def __init__(self) -> None:
        self.me = PD(0, "root", {"role": "root"})
        self.cspace = self.me.cspace
        self.slots_made = 0
        self.pds: dict[int, PD] = {}
        self.latest: dict[str, PD] = {}
        """The newest PD of each name."""
        self.services: dict[str, Service] = {}
        self.machine = Machine()
        self.spaces: dict[int, Space] = {}
        """Resource spaces by number, oldest first."""
        self.types: dict[str, int] = {}
        """Codes of the types of resource that servers serve."""
        self.last_space = 0
        """The highest number that a space has had."""
        self.next_space, self.next_type = FIRST_SPACE, FIRST_DYNAMIC_TYPE
        self.address_spaces: dict[int, ADS] = {}
        self.models: dict[int, deque[list[str]]] = {}
        """Rows of models that were asked for and not fetched yet."""
        self.cleanup: dict[str, Any] = {}
        """The system's cleanup policy, as the manifest has it."""
        self.shm_prefix = ""
        self.system = ""
        self.active: Report | None = None
        """The report of the death being dealt with in this step."""
        self.memory_used = 1 << 20
        """Pretended physical memory given away so far, in bytes; none of it lies at address 0."""
        self.waiting: list[int] = []
        self.readiness: list[int] = []
        self.stop: stop.Shutdown | None = None
        self.finished = False

    def new_slot(self) -> Slot:
        """A slot of the root task's own CSpace, which has no end; numbers are never reused."""
        self.slots_made += 1
        return self.cspace.slot(self.slots_made)

    def forget(self, one: PD) -> None:
        """Let go of a dead PD whose name another takes; its capabilities are gone already.

        Whoever still has a capability to it finds it dead. What points in a circle is cut.
        """
        del self.pds[one.number]
        one.report = one.cspace.pd = None

    def take_memory(self, bits: int) -> int:
        """The address of the next free range of this size, aligned to it."""
        base = machine.around(self.machine.holes, self.memory_used, bits)
        self.memory_used = base + (1 << bits)
        return base

    def segment(self, number: int) -> str:
        """The host's name for a memory object."""
        return f"{self.shm_prefix}{number}"

    def move_in(self, k: Kernel, one: PD, home: ADS | None) -> None:
        """Let a new PD have an address space, its own or another's."""
        ads.enter(k, one, home if home is not None else ads.make(k, None))

    def give_devices(self, k: Kernel, one: PD) -> list[str]:
        """Give a new PD what it is to drive of the machine; what has a register of the host's."""
        machine.give(k, self, one)
        return machine.registers(self, one)

    def restart(self, k: Kernel, target: PD, request: int) -> str:
        """An operator wants another generation of a PD; the answer is why not, if so."""
        return restart.ask(k, self, target, request)

    def follow(self, k: Kernel, dead: PD) -> None:
        """A PD is gone: it may be that another generation follows."""
        restart.follow(k, self, dead)

    def returns(self, k: Kernel, dead: PD) -> bool:
        """Whether another generation of it is to follow."""
        return restart.wanted(k, self, dead)

    def stay_dead(self) -> None:
        restart.cancel(self)

    def keepers(self, k: Kernel, dead: PD) -> dict[int, None]:
        return restart.keepers(k, self, dead)

    def kill_after(self, k: Kernel, victim: PD, dead: PD, report: Report) -> None:
        """A cleanup policy has it that a PD dies of another's death."""
        death.follow(k, self, victim, dead, report)

    def violations(self, k: Kernel) -> list[str]:
        """What is broken of the truths about the root task's records."""
        return truths.violations(k, self)

    def describe(self) -> list[Any]:
        """The root task's part of the capability state; that a PD was heard of is statistics."""
        return [
            *(look.record(one) for one in self.pds.values()),
            space.describe(self),
            ads.describe(self),
            self.machine.describe(),
        ]

    # -- events -----------------------------------------------------------------------------

    def boot(self, k: Kernel, event: Boot) -> None:
        """Make every endpoint and PD of the manifest, then ask for the processes."""
        spec = event.spec
        k.cnodes[self.cspace] = None
        k.lab = spec.get("semantics", "lab") == "lab"
        if spec.get("scheduler") == "strict":
            gate.install(k)
        self.system = spec["name"]
        self.shm_prefix = spec["shm_prefix"]
        self.cleanup = spec.get("cleanup") or {}
        for service in SERVICES:
            self.services[service] = Service(service, self)
        machine.assemble(k, self, spec)
        armed: dict[str, list[Any]] = {}
        for arm in spec.get("arms") or ():
            armed.setdefault(arm["pd"], []).append(arm)
        made = [
            pd.create(k, self, entry["name"], {**entry, "arms": armed.get(entry["name"])})
            for entry in spec["pds"]
        ]
        for one in made:
            connect.serve(k, self, one)
        for one in made:
            self.wire(k, one)
        for one in made:
            pd.spawn(k, one)

    def wire(self, k: Kernel, one: PD) -> None:
        """Give a PD what its manifest entry says of other PDs."""
        for name, provider in (one.spec.get("uses") or {}).items():
            connect.use(k, self, one, name, self.latest[provider])
        if one.spec.get("faults"):
            connect.use(k, self, one, FAULT_HANDLER, self.latest[one.spec["faults"]])
            pd.handled(one)
        for name in one.spec.get("manages") or ():
            operator.manage(k, one, self.latest[name])

    def started(self, k: Kernel, event: Started) -> None:
        one = self.pds.get(event.pd)
        if one is None or not one.alive:
            return
        one.pid = event.pid
        if one.doomed:
            k.effects.append(Kill(one.number, 9))
        elif all(tcb.suspended for tcb in one.tcbs):
            # Suspended before there was a process to stop.
            k.effects.append(Stop(one.number))
        news = {"state": "starting", "pid": one.pid, "drives": machine.driven(self, one)}
        k.effects.append(Announce({**death.state_of(one), **news}))

    def exited(self, k: Kernel, event: Exited) -> None:
        one = self.pds.get(event.pd)
        if one is not None and one.alive:
            death.happened(k, self, one, event)

    def operator(self, k: Kernel, event: Operator) -> None:
        operator.command(k, self, event)

    def expired(self, k: Kernel, timer: Any) -> None:
        """A timer of ours: a report has waited long enough, or a PD was asked to stop in vain; or
        one of the machine.
        """
        if isinstance(timer, Timer):
            timer.expired(k)
        elif isinstance(timer, Report):
            death.conclude(k, timer)
        elif isinstance(timer, extract.Extraction):
            extract.too_late(k, self, timer)
        elif isinstance(timer, focus.Asking):
            focus.too_late(k, timer)
        elif isinstance(timer, restart.Again):
            restart.revive(k, self, timer.pd)
        else:
            stop.too_late(k, self, timer)

    # -- the core's questions -----------------------------------------------------------------

    def gate(self, k: Kernel, tcb: TCB) -> bool:
        """Look before a call is executed; true when it must not be."""
        one: PD = tcb.pd
        if one.doomed is not None:
            tcb.state = INACTIVE
            return True
        if one.role == "server" and not one.received and tcb.request.call in _RECEIVING:
            one.received = True
            self.check_ready(k)
        if tcb.request.call == Sys.DEBUG:
            return False  # what was meant for its user's program waits for that one's next call
        for arm in one.arms:
            if arm.after is None or one.calls >= arm.after:
                operator.fire(k, self, one, arm, tcb)
                return True
        if tcb.number in one.to_stop:
            one.to_stop.discard(tcb.number)
            regate(one)
            k.finish(tcb, Result(Status.STOP))
            return True
        regate(one)
        return False

    def fault(self, k: Kernel, tcb: TCB) -> str:
        """A PD announces its uncaught exception; the answer is what it comes to, in one line."""
        text = tcb.request.body.decode("utf-8", "replace").rstrip()
        reason: str = text.rsplit("\n", 1)[-1][:REASON_MAX] or "exception"
        tcb.pd.fault = reason
        return reason

    def at_breakpoint(self, k: Kernel, tcb: TCB) -> Outcome:
        """A TCB says that it stands at a breakpoint, or goes on."""
        return debug.said(k, tcb, death.state_of(tcb.pd))

    def holds_time(self, tcb: TCB) -> bool:
        """Whether a time limit must not run out, because of a PD at a breakpoint."""
        return debug.holds_time(tcb)

    def broke_abi(self, k: Kernel, tcb: TCB, reason: str) -> None:
        """A PD broke the rules of the wire: it is faulted, everybody else runs on."""
        self.unhandled(k, tcb, f"broke the ABI: {reason}")

    def unhandled(self, k: Kernel, tcb: TCB, reason: str) -> None:
        """A PD has done what nobody handles: it ends."""
        one: PD = tcb.pd
        if one.doomed is not None:
            # It is being killed; that its connection ends, or what it still says, is no news.
            return
        if one.fault is None:
            one.fault = reason
        operator.doom(k, one, one.fault)

    def badge_gone(self, k: Kernel, endpoint: Endpoint, badge: int) -> None:
        client = endpoint.clients.pop(badge, 0)
        if not holds.badge_gone(k, self, endpoint, badge) and not isinstance(endpoint, pd.StandIn):
            work.client_gone(k, endpoint, badge, client, self.active)

    def reclaim(self, k: Kernel, record: Record, cause: Cause) -> None:
        """The memory that paid for a record is taken back, and so is the record."""
        if isinstance(record, Hold):
            holds.reclaimed(k, record, cause)
        elif isinstance(record, Resource):
            holds.resource_reclaimed(k, record, cause)
        elif isinstance(record, Space):
            holds.start_destruction(k, record, cause)
        elif isinstance(record, PD):
            operator.reclaimed(k, self, record, cause)
        else:
            ads.reclaimed(k, record, cause)

    def give_way(self, k: Kernel, source: Slot) -> bool:
        """An untyped has no room: give back what was taken of it for records, if that is free."""
        return ledger.give_way(k, source)

    def act(self, k: Kernel, action: str, target: str, maker: int) -> None:
        report = self.active
        if report is None and maker in self.pds:
            report = self.pds[maker].report
        if report is not None:
            report.add(action, target)

    # -- who waits for the system as a whole ------------------------------------------------------

    def buried(self, k: Kernel, one: PD) -> None:
        """A PD is gone altogether: tell who waited for that."""
        self.check_ready(k)
        if self.stop is not None:
            stop.advance(k, self)
        self.check_finished(k)

    def check_ready(self, k: Kernel) -> None:
        servers = [one for one in self.latest.values() if one.role == "server"]
        unheard = [one for one in servers if not one.received]
        if self.readiness and not any(one.alive or one.again is not None for one in unheard):
            ended = [one for one in servers if not one.alive]
            failed = [death.state_of(one) for one in ended if death.failed(one) or not one.meant]
            for request in self.readiness:
                k.effects.append(Answer(request, {"ready": not failed, "failed": failed}))
            self.readiness = []

    def check_finished(self, k: Kernel) -> None:
        # Servers alone are waited for until the last of them has ended.
        clients = [one for one in self.latest.values() if one.role != "server"]
        awaited = clients or self.latest.values()
        if not self.waiting or any(one.state != "dead" or one.again is not None for one in awaited):
            return
        body = {"finished": True, "failed": self.failures()}
        for request in self.waiting:
            k.effects.append(Answer(request, body))
        self.waiting = []

    def failures(self) -> list[dict[str, Any]]:
        """PDs that did not end well."""
        return [death.state_of(one) for one in self.latest.values() if death.failed(one)]
