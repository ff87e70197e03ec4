"""The capability kernel as a pure function: `Kernel.step(event)` returns effects.

Read in this order: `step` and `_syscall` here, the table in `syscalls.py`, then the object files.
Nothing in this folder does I/O, reads a clock, starts a thread, logs or draws random numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from struct import error as StructError
from typing import Any

from caplab.kernel.abi import (
    ANSWER,
    BODY_MAX,
    HEADER_SIZE,
    REQUEST,
    VERSION,
    ObjectType,
    Status,
    Sys,
)
from caplab.kernel.core import blocking, cspace, requests, state, syscalls
from caplab.kernel.core import cap as caps
from caplab.kernel.core import endpoint as endpoints
from caplab.kernel.core import fault as faults
from caplab.kernel.core import irq as irqs
from caplab.kernel.core import notification as notifications
from caplab.kernel.core import reply as replies
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.cnode import CNode
from caplab.kernel.core.deadlines import Deadlines, Timed
from caplab.kernel.core.domain import Domains
from caplab.kernel.core.effects import Effect, Resume, new
from caplab.kernel.core.events import (
    BadFrame,
    Boot,
    Deadline,
    Event,
    Exited,
    Faulted,
    Interrupt,
    Operator,
    Started,
    Syscall,
    Work,
)
from caplab.kernel.core.gate import Gate
from caplab.kernel.core.jobs import SLICE, Job
from caplab.kernel.core.outcome import OK, KernelBug, Outcome, Result, death_body, error, gone
from caplab.kernel.core.requests import AFTER_RENEWAL, RENEWED, unpack_renewal
from caplab.kernel.core.rootlink import Root
from caplab.kernel.core.states import DEAD, INACTIVE, JOB, RUNNING
from caplab.kernel.core.sweep import Sweep
from caplab.kernel.core.tcb import TCB
from caplab.kernel.core.withdrawal import Withdrawals

NO_CAP = Cap(ObjectType.NULL, None, 0, 0)
NANOSECONDS = 1_000_000_000
_unpack = REQUEST.unpack_from
_pack = ANSWER.pack


class Kernel:
    """All state of one system. Two kernels fit in one process."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self.lab = True
        self.now = 0
        self.event = 0
        self.tcbs: dict[int, TCB] = {}
        self.cnodes: dict[CNode, None] = {}
        """Every CNode that is not being destroyed, oldest first; not those of TCBs."""
        self.unfinished: Job | None = None
        """What the last delete could not finish in one step."""
        self.sweep: Sweep | None = None
        """The job that is emptying CNodes right now; those it destroys join it."""
        self.irqs: dict[int, irqs.IRQ] = {}
        self.jobs: deque[Job] = deque()
        self.units = 0
        """Of long work that may still be done in this step, if `counted` is its event."""
        self.counted = 0
        self.deadlines = Deadlines()
        self.domains = Domains()
        self.withdrawals = Withdrawals()
        self.effects: list[Effect] = []
        self.numbers: dict[str, int] = {}
        self.gate: Gate | None = None
        """Of `scheduler: strict`; it puts itself before what is below."""
        self.reactions: dict[type, Callable[[Any], None]] = {
            Syscall: self._syscall,
            Boot: lambda event: root.boot(self, event),
            Started: lambda event: root.started(self, event),
            Exited: lambda event: root.exited(self, event),
            Operator: lambda event: root.operator(self, event),
            BadFrame: self._bad_frame,
            Interrupt: lambda event: irqs.happened(self, event),
            Deadline: self._deadline,
            Work: self._work,
            Faulted: lambda event: faults.happened(self, event),
        }

    # -- the host's side ------------------------------------------------------------------

    def step(self, event: Event) -> list[Effect]:
        """Let one event happen; the effects are to be performed in the order of the list."""
        self.event += 1
        self.now = event.now
        effects: list[Effect] = []
        self.effects = effects
        self.reactions[type(event)](event)
        if self.withdrawals.due:
            self.withdrawals.tell(effects)
        return effects

    @property
    def next_deadline(self) -> int | None:
        """Nanoseconds at which a Deadline event is wanted."""
        return self.deadlines.next

    @property
    def jobs_pending(self) -> bool:
        """Work events are wanted between the frames."""
        return bool(self.jobs)

    @property
    def restless(self) -> bool:
        """One question for deadline, jobs and end, because it is asked after every message."""
        return bool(self.deadlines.heap or self.jobs or self.root.finished)

    def state_hash(self) -> str:
        """Hash of the capability state; statistics are not in it."""
        return state.state_hash(self)

    @property
    def finished(self) -> bool:
        """The system is down and the host may end."""
        return self.root.finished

    # -- events -----------------------------------------------------------------------------

    def _syscall(self, event: Syscall) -> None:
        tcb = self.tcbs.get(event.tcb)
        if tcb is None:
            return
        if tcb.state != RUNNING:
            if tcb.state != DEAD:
                self.root.broke_abi(self, tcb, "two calls at once")
            return
        frame = event.frame
        request = tcb.request
        try:
            version, call, flags, length, cptr, label, ncaps = _unpack(frame)
        except StructError:
            self.root.broke_abi(self, tcb, f"a frame of {len(frame)} bytes, shorter than a header")
            return
        request.call = call
        request.cptr = cptr
        request.label = label
        at = AFTER_RENEWAL if flags == RENEWED else HEADER_SIZE
        odd = ncaps or (flags and flags != RENEWED) or version != VERSION
        if odd or length > BODY_MAX or len(frame) != at + length:
            wrong = requests.decode(request, frame, version, flags, length, ncaps)
            if wrong:
                self.root.broke_abi(self, tcb, wrong)
                return
        else:
            request.flags = flags
            if flags:
                request.renewal = unpack_renewal(frame, HEADER_SIZE)[0]
            request.body = frame[at:]
            request.caps = ()
            request.path = request.timeout = None
        tcb.calls += 1
        if tcb.gate and self.gated(tcb):
            return
        self.execute(tcb)

    def gated(self, tcb: TCB) -> bool:
        """Something stands before the call: an armed crash, a stop, a suspend."""
        if self.root.gate(self, tcb):
            return True
        if tcb.suspended:
            tcb.state = INACTIVE
        return tcb.suspended

    def execute(self, tcb: TCB) -> None:
        """Run the TCB's request: for the first time, or again after a restart."""
        request = tcb.request
        handler = syscalls.ON_CAPS.get(request.call)
        if handler is not None:
            slot = tcb.slots.get(request.cptr) or cspace.lookup(tcb, request.cptr)
            cap = slot.cap if slot is not None else None
            if cap is None or (request.flags and requests.renewed(request, slot)):
                outcome = faults.missing(self, tcb, slot, syscalls.ROWS[request.call].silence)
            else:
                outcome = handler(self, tcb, cap)
        else:
            row = syscalls.ROWS.get(request.call)
            if row is None:
                faults.unknown_call(self, tcb)
                return
            outcome = row.handler(self, tcb, NO_CAP)
        if outcome is not None:
            self.finish(tcb, outcome)
        elif request.timeout is not None and tcb.state != RUNNING and tcb.deadline is None:
            # A call that is executed again keeps the limit it began with.
            self.set_timer(tcb, request.timeout)

    def _bad_frame(self, event: BadFrame) -> None:
        tcb = self.tcbs.get(event.tcb)
        if tcb is not None and tcb.state != DEAD:
            self.root.broke_abi(self, tcb, event.reason)

    def _deadline(self, event: Deadline) -> None:
        for owner in self.deadlines.expired(event.now):
            if isinstance(owner, TCB):
                self._timed_out(owner)
            elif owner is self.domains:
                self.domains.expired(self)
            else:
                self.root.expired(self, owner)

    def _timed_out(self, tcb: TCB) -> None:
        if self.root.holds_time(tcb):
            return
        late = self.cause(Status.TIMED_OUT, tcb.pd)
        slept = tcb.request.call == Sys.SLEEP
        blocking.unqueue(self, tcb, late)
        self.finish(tcb, OK if slept else gone(late))

    def _work(self, event: Work) -> None:
        if not self.jobs:
            return
        job = self.jobs.popleft()
        if self._slice(job):
            self._job_done(job)
        else:
            self.jobs.append(job)

    # -- answers ---------------------------------------------------------------------------

    def answer_frame(self, tcb: TCB, result: Result) -> bytes:
        status, body, label, badge, flags, landed = result
        if not self.lab and not label and 1 <= status <= 10:
            label = status
        call = tcb.request.call
        header = _pack(VERSION, call, status, len(body), badge, label, len(landed), 0, flags)
        if landed:
            return header + body + requests.pack_words(landed)
        return header + body

    def finish(self, tcb: TCB, result: Result) -> None:
        """Answer the TCB's outstanding call; a suspended one gets it when it is resumed."""
        frame = self.answer_frame(tcb, result)
        tcb.on = tcb.deadline = None
        if tcb.suspended:
            tcb.state = INACTIVE
            tcb.withheld = frame
            return
        tcb.state = RUNNING
        self.effects.append(new(Resume, (tcb.number, frame)))

    def free(self, tcb: TCB, cause: Cause) -> None:
        """Answer a caller whose wait can never end, with who is to blame."""
        tcb.on = None
        told: Outcome = Result(cause.status, death_body(cause))
        if tcb.fault is not None:
            told = faults.unhandled(self, tcb)
        if told is not None:
            self.finish(tcb, told)
        self.root.act(self, "free_caller", tcb.name, cause.pd)

    def restart_or_free(self, tcb: TCB, cause: Cause) -> None:
        """The object waited on is gone: lab explains, seL4 executes the call again."""
        if self.lab:
            self.free(tcb, cause)
            return
        if tcb.fault is not None:
            tcb.fault.settle(tcb)
        faults.restart_after_sweep(self, tcb)

    def deactivate(self, tcb: TCB) -> None:
        """Block a TCB for ever (until Resume): what seL4 does where lab mode would explain."""
        tcb.state, tcb.on, tcb.deadline = INACTIVE, None, None
        if tcb.fault is not None:
            tcb.fault.settle(tcb)

    def silent(self, outcome: Result) -> Result:
        """A refusal seL4 says nothing about."""
        return outcome if self.lab else OK

    def cap_fault(self, tcb: TCB, refused: Result) -> Outcome:
        """A capability fault: without a handler lab mode returns it as an error."""
        return faults.capability(self, tcb, refused)

    def cause(self, status: Status, pd: Any) -> Cause:
        return Cause(status, pd.number, pd.generation, pd.name, self.event)

    # -- capabilities ------------------------------------------------------------------------

    def number(self, kind: str) -> int:
        """The next number of a kind of object; numbers are never reused."""
        self.numbers[kind] = self.numbers.get(kind, 0) + 1
        return self.numbers[kind]

    def put(self, slot: Slot, cap: Cap, source: Slot | None, origin: str) -> None:
        """Fill an empty slot and count the capability."""
        if slot.cap is not None:
            raise KernelBug(f"slot {slot.index} is full")
        caps.link(slot, cap, source)
        if cap.type == ObjectType.UNTYPED and source is not None:
            caps.fill_up(source, cap)
        slot.origin = origin
        syscalls.OBJECTS[cap.type].attach(self, slot, cap)

    def delete(self, slot: Slot, cause: Cause) -> None:
        """Empty a slot; nothing happens when it is empty."""
        cap = slot.cap
        if cap is None:
            return
        caps.unlink(slot, cause)
        syscalls.OBJECTS[cap.type].detach(self, slot, cap, cause)

    def move(self, source: Slot, to: Slot, pd: Any, new: Cap | None = None) -> None:
        """Move a capability, changed to `new` if given. Counting it in first keeps it alive."""
        cap = source.cap
        if cap is None:
            raise KernelBug(f"slot {source.index} is empty")
        cause = self.cause(Status.REVOKED, pd)
        caps.shift(source, to, new or cap, cause)
        if cap.type == ObjectType.REPLY:
            source.cnode.replies.pop(source.index, None)
            replies.attach(self, to, cap)
            return
        kind = syscalls.OBJECTS[cap.type]
        kind.attach(self, to, new or cap)
        kind.detach(self, source, cap, cause)

    def invoke(self, caller: TCB, cap: Cap) -> Outcome:
        """Find the invocation by the object's type and the label, and run it."""
        if cap.type == ObjectType.REPLY:
            return replies.send_on_reply(self, caller, cap)
        if cap.type == ObjectType.NOTIFICATION:
            return notifications.signal(self, caller, cap)
        row = syscalls.INVOCATION_ROWS.get((cap.type, caller.request.label))
        if row is None:
            return error(Status.ILLEGAL_OPERATION)
        return row.handler(self, caller, cap)

    def send(self, k: Kernel, caller: TCB, cap: Cap) -> Outcome:
        return endpoints.send(k, caller, cap)

    def set_timer(self, owner: Timed, seconds: float) -> None:
        """Ask for a Deadline event for `owner`, `seconds` from now."""
        self.deadlines.set(owner, self.now + int(seconds * NANOSECONDS), len(self.tcbs))

    # -- jobs -----------------------------------------------------------------------------------

    def _slice(self, job: Job) -> bool:
        """Let a job do what may still be done of long work in this step; is all of it done?"""
        if self.counted != self.event:
            self.counted, self.units = self.event, SLICE
        # A job that does less gives the rest back, for what follows from it.
        units, self.units = self.units, 0
        return units > 0 and job.run(self, units)

    def start_job(self, job: Job, asker: TCB | None) -> Outcome:
        """Do the first slice now, if the step still has one; queue the job when there is more."""
        if self._slice(job):
            job.done(self)
            return OK
        job.asker = asker
        if asker is not None:
            asker.state, asker.on = JOB, job
        self.jobs.append(job)
        return None

    def await_job(self, caller: TCB) -> Outcome:
        """The answer to a call whose delete may not be finished: when the job is done."""
        job, self.unfinished = self.unfinished, None
        if job is None or job.asker is not None:
            return OK
        job.asker = caller
        caller.state, caller.on = JOB, job
        return None

    def _job_done(self, job: Job) -> None:
        job.done(self)
        asker = job.asker
        if asker is not None and asker.state == JOB and asker.on is job:
            self.finish(asker, OK)

    def act(self, action: str, target: str, maker: int = 0) -> None:
        """Tell the root task what was done, for its report on a death."""
        self.root.act(self, action, target, maker)
