"""What happens when a PD's process has ended.

In the step of the Exited event itself everybody who waits for the dead PD is freed; emptying its
CSpace is a job. A report collects what was done, in order, for whoever asked for the kill.
"""

from __future__ import annotations

from signal import Signals
from typing import TYPE_CHECKING, Any, cast

import msgpack

from caplab.kernel.abi import Status
from caplab.kernel.core import blocking, reach
from caplab.kernel.core import cap as caps
from caplab.kernel.core import reply as replies
from caplab.kernel.core.cap import Cause
from caplab.kernel.core.effects import Announce, Answer, Kill
from caplab.kernel.core.outcome import Result
from caplab.kernel.core.states import DEAD, JOB
from caplab.kernel.core.sweep import Sweep
from caplab.kernel.root import ads, cleanup, debug, extract, focus, ledger, machine, work
from caplab.kernel.root.cleanup import Aftermath
from caplab.kernel.root.pd import regate
from caplab.kernel.root.report import Report

if TYPE_CHECKING:
    from caplab.kernel.core.events import Exited
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.pd import PD
    from caplab.kernel.root.space import Space
    from caplab.kernel.root.task import RootTask
    from caplab.kernel.root.work import WorkItem

FAULT_SIGNALS = ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE", "SIGSYS", "SIGTRAP")
VM_SIGNALS = ("SIGSEGV", "SIGBUS")
PENDING_LIMIT = 2.0
"""Seconds a kill waits for work that lies with servers."""


def abandoned(k: Kernel, root: RootTask, pd: PD) -> None:
    """A PD that has no process yet ends; nothing of it ever ran, but it may hold capabilities.

    The sweep waits for its turn: this may be called from another's, or once for each of many.
    """
    k.jobs.append(_begin(k, root, pd, 9 if pd.doomed else 0))


def happened(k: Kernel, root: RootTask, pd: PD, event: Exited) -> None:
    """Free the callers, make its endpoints deaf, and start the sweep."""
    k.start_job(_begin(k, root, pd, event.status), None)


def _begin(k: Kernel, root: RootTask, pd: PD, status: int) -> Burial:
    """What happens in the very step in which a PD ends; the rest is a job."""
    _verdict(pd, status)
    pd.state = "dying"
    pd.calls_ended, pd.caps_ended = pd.calls, pd.caps
    report = pd.report = pd.report or Report(pd)
    report.begin(k.now)
    outer, root.active = root.active, report
    cause = k.cause(Status.DIED_BEFORE_RECV, pd)
    for tcb in pd.tcbs:
        blocking.unqueue(k, tcb, cause)
        tcb.state = DEAD
        tcb.withheld = tcb.fault = None
    for tcb in pd.tcbs:
        if tcb.caller is not None:
            replies.drop(k, tcb.caller, cause)
        if tcb.bound is not None:
            tcb.bound.bound = None
            tcb.bound = None
    reach.catch_up(k)
    pd.cspace.dying = True
    for cnode in [one for one in k.cnodes if one.pd is pd]:
        for reply in list(cnode.replies.values()):
            assert reply.slot is not None
            k.delete(reply.slot, cause)
    reach.refresh(k, cause)
    for tcb in pd.tcbs:
        k.delete(tcb.hidden.slot(0), cause)
    for item in work.discard(pd):
        settle(k, item)
    k.effects.append(Announce(_news(k, root, pd)))
    if pd.breakpoints:
        pd.breakpoints.clear()
        debug.thaw(k, pd)
    report.add("revoke", pd.name, capabilities=pd.caps)
    burial = Burial(pd, root, cleanup.spread(k, root, pd, report), cause)
    burial.after.keep = root.keepers(k, pd)
    root.active = outer
    return burial


class Burial(Sweep):
    """The sweep of a dead PD's CSpace, and what follows when it is empty."""

    __slots__ = ("after", "pd", "root")

    def __init__(self, pd: PD, root: RootTask, spaces: list[Space], cause: Cause) -> None:
        super().__init__([pd.cspace], cause)
        self.pd = pd
        self.root = root
        self.after = Aftermath(root, pd, spaces, cause)

    def run(self, k: Kernel, units: int) -> bool:
        self.root.active = self.pd.report
        finished = super().run(k, units) and self._take_back(k) and self.after.run(k, k.units)
        self.root.active = None
        return finished

    def _take_back(self, k: Kernel) -> bool:
        """Delete what is left of the device memory it had: what it made of it for others."""
        for slot in machine.ranges_of(self.root, self.pd):
            k.units = self.empty(k, k.units, slot)
            if caps.has_children(slot):
                return False
        return True

    def done(self, k: Kernel) -> None:
        super().done(k)
        pd, root = self.pd, self.root
        root.active = pd.report
        if pd.master is not None:
            k.delete(pd.master, self.cause)
            del root.cspace.slots[pd.master.index]
            pd.master = None
        for tcb in pd.tcbs:
            del k.tcbs[tcb.number]
            tcb.cut()
        pd.tcbs = []
        k.withdrawals.forget(pd.number)
        pd.endpoint = pd.notification = None
        pd.users.clear()
        ads.leave(k, pd, self.cause)
        ledger.release(k, pd)
        pd.state = "dead"
        ledger.refund(k, pd)
        root.active = None
        assert pd.report is not None
        pd.report.swept = True
        pd.report.ended = k.now
        report = pd.report
        root.follow(k, pd)
        _closed(k, report)
        root.buried(k, pd)


def _closed(k: Kernel, report: Report) -> None:
    """All that the root task does about a death is done: tell who waits, or wait for servers."""
    if report.complete:
        conclude(k, report)
    else:
        k.set_timer(report, PENDING_LIMIT)
    # A report of what follows from another has it only while it goes on: nobody collects cycles.
    origin, report.origin = report.origin, None
    if origin is not None:
        del origin.awaited[report.pd.number]
        if origin.complete:
            conclude(k, origin)


def follow(k: Kernel, root: RootTask, victim: PD, dead: PD, origin: Report) -> None:
    """Kill a PD because another has died; what is done about it is told with that death."""
    report = victim.report = victim.report or Report(victim)
    report.begin(k.now)
    if report.origin is None and victim is not dead:
        report.origin = origin
        origin.awaited[victim.number] = victim.name
    if victim.doomed is not None:
        return
    why = f"cleanup after {dead.name}/gen{dead.generation}"
    report.add("kill", victim.name, signal="SIGKILL")
    victim.doomed = why
    if victim.state == "created":
        abandoned(k, root, victim)
    else:
        regate(victim)
        k.effects.append(Kill(victim.number, 9))


def settle(k: Kernel, item: WorkItem) -> None:
    """An item of work is done: answer whoever waits for its report, if that is complete now."""
    item.done = True
    if item.kind == "focus":
        focus.answered(k, item)
    else:
        extract.answered(k, cast("RootTask", k.root), item)
    if item.record is not None:
        ledger.refund(k, item.record)
        item.record = None
    # The report has the item and the item the report, and nobody collects cycles here.
    report, item.report = item.report, None
    if report is not None and report.complete:
        conclude(k, report)


def conclude(k: Kernel, report: Report) -> None:
    """Answer whoever waits for the report, complete or not."""
    if report.requests or report.tcbs:
        report.ended = k.now
    report.deadline = None
    body = report.as_dict()
    for request in report.requests:
        k.effects.append(Answer(request, body))
    for tcb in report.tcbs:
        if tcb.state == JOB and tcb.on is report:
            k.finish(tcb, Result(body=msgpack.packb(body)))
    report.requests, report.tcbs = [], []


def state_of(pd: PD) -> dict[str, Any]:
    return {
        "pd": pd.name,
        "generation": pd.generation,
        "role": pd.role,
        "state": pd.ended or pd.state,
        "reason": pd.reason,
        "exit_code": pd.exit_code,
        "failed": failed(pd),
    }


def _news(k: Kernel, root: RootTask, pd: PD) -> dict[str, Any]:
    """What is announced of an end: also what is without its driver now, whether another
    generation follows, and whether it ended because the whole system does.
    """
    return {
        **state_of(pd),
        "drives": machine.driven(root, pd),
        "restart": root.returns(k, pd),
        "down": root.stop is not None,
    }


def failed(pd: PD) -> bool:
    """Did it end badly: faulted, killed, or with an exit code?

    It is no failure that a PD ends one that was made while the system runs, or takes those it made
    along.
    """
    if pd.ended == "exited":
        return bool(pd.exit_code) and not pd.meant
    return pd.ended == "faulted" or (pd.ended == "killed" and not pd.meant)


def _verdict(pd: PD, status: int) -> None:
    """Exited, faulted or killed, and why, from the wait status and what the kernel knows."""
    number = status & 0x7F
    code = status >> 8 & 0xFF
    pd.exit_code = 128 + number if number else code
    name = signal_name(number) if number else ""
    by = f" (crash {pd.crash})" if pd.crash else ""
    if pd.fault is not None:
        pd.ended, pd.reason = "faulted", pd.fault + (by if number else "")
    elif pd.doomed is not None:
        pd.ended, pd.reason = "killed", pd.doomed
    elif pd.state == "created":
        pd.ended, pd.reason = "exited", "never started"
    elif number:
        faulted = name in FAULT_SIGNALS or pd.crash is not None
        at = _fault_of(pd) if name in VM_SIGNALS else None
        pd.ended, pd.reason = ("faulted" if faulted else "killed"), (at or name) + by
    else:
        pd.ended = "exited"
        pd.reason = (f"exit code {code}" if code else "") + by


def _fault_of(pd: PD) -> str | None:
    """What a handler was asked to mend when the process died of it all the same."""
    outside = (tcb.fault for tcb in pd.tcbs if tcb.fault is not None and tcb.fault.outside)
    fault = next(outside, None)
    return None if fault is None else f"FAULT: {fault.text}"


def signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"


def signal_number(how: str) -> int:
    """The number of a signal given by number or by name."""
    return int(how) if how.isdigit() else int(Signals[how])
