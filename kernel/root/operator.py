"""Commands from outside (the control socket), and the kills and crashes they ask for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import ObjectType, Rights, Status
from caplab.kernel.core import blocking
from caplab.kernel.core.cap import Cap, Cause
from caplab.kernel.core.effects import Answer, Continue, Kill
from caplab.kernel.core.irq import arrive
from caplab.kernel.core.outcome import Result
from caplab.kernel.core.states import DEAD, RUNNING
from caplab.kernel.root import caps, death, extract, focus, look, machine, pd, space, stop, writing
from caplab.kernel.root.death import signal_name, signal_number
from caplab.kernel.root.pd import PD, Arm, regate
from caplab.kernel.root.report import Report

if TYPE_CHECKING:
    from caplab.kernel.core.events import Operator
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.root.task import RootTask

_CRASHES = re.compile(r"(segv|abort|exception|exit:\d{1,3}|hang|oom|bus)\Z")
HARMLESS = (0, 17, 18, 19, 20, 21, 22, 23, 28)
"""Signals that end nobody: the null signal, CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH."""


def command(k: Kernel, root: RootTask, event: Operator) -> None:
    """Run one command; every command gets exactly one answer, some of them later."""
    run = _COMMANDS.get(str(event.command.get("op")))
    if run is None:
        refuse(k, event, "no-such-command", f"no command `{event.command.get('op')}`")
    else:
        run(k, root, event)


def refuse(k: Kernel, event: Operator, code: str, message: str) -> None:
    body = {"error": {"code": code, "message": message}}
    k.effects.append(Answer(event.request, body))


def known_crash(how: str) -> bool:
    return _CRASHES.match(how) is not None


def managing(managed: PD) -> Cap:
    """What lets one PD list, kill and crash another."""
    return Cap(ObjectType.PD, managed, Rights.READ | Rights.WRITE)


def manage(k: Kernel, manager: PD, managed: PD) -> None:
    """Let one PD list, kill and crash another."""
    pd.give(k, manager, f"pd:{managed.name}", managing(managed), None, managed.name)


def report_of(target: PD) -> Report:
    """The account of a death that is about to be caused."""
    if target.report is None:
        target.report = Report(target)
    return target.report


def deliver(k: Kernel, root: RootTask, target: PD, number: int, who: str) -> None:
    """Send a signal; a deadly one silences the PD at once."""
    report = report_of(target)
    report.began = k.now
    report.add("kill", target.name, signal=signal_name(number))
    if target.state == "created":
        target.doomed = f"{signal_name(number)} by {who}"
        death.abandoned(k, root, target)
    elif number == 9:
        doom(k, target, f"SIGKILL by {who}")
    else:
        k.effects.append(Kill(target.number, number))
        if all(tcb.suspended for tcb in target.tcbs):
            # A stopped process gets no other signal; its threads stay suspended.
            k.effects.append(Continue(target.number))


def passing(k: Kernel, target: PD, number: int) -> dict[str, Any]:
    """Send a signal that ends nobody; there is no death to report."""
    k.effects.append(Kill(target.number, number))
    report = Report(target)
    report.add("kill", target.name, signal=signal_name(number))
    return report.as_dict()


def doom(k: Kernel, target: PD, why: str) -> None:
    """Kill a PD; whatever it says from now on is not heard."""
    if target.doomed is None:
        target.doomed = why
    regate(target)
    k.effects.append(Kill(target.number, 9))


def reclaimed(k: Kernel, root: RootTask, target: PD, cause: Cause) -> None:
    """The memory that pays for a PD is taken back, and so it ends."""
    if target.alive and target.doomed is None:
        report_of(target).begin(k.now)
        why = f"the memory that pays for it was taken back by {cause.name}"
        if target.state == "created":
            target.doomed = why
            death.abandoned(k, root, target)
        else:
            doom(k, target, why)


def arm(k: Kernel, root: RootTask, target: PD, what: Arm) -> None:
    """Fire at the current call if the PD is in one, else when it makes the call."""
    if what.after is None:
        for tcb in target.tcbs:
            if tcb.suspended:
                blocking.resume(k, tcb)
        for tcb in target.tcbs:
            if tcb.state not in (RUNNING, DEAD) and not tcb.outside:
                blocking.unqueue(k, tcb, k.cause(Status.CANCELLED, target))
                fire(k, root, target, what, tcb)
                return
    target.arms.append(what)
    regate(target)


def fire(k: Kernel, root: RootTask, target: PD, what: Arm, tcb: TCB) -> None:
    """Do what was armed: kill, or answer the call with a crash."""
    if what in target.arms:
        target.arms.remove(what)
    if what.action == "kill":
        tcb.state = RUNNING
        deliver(k, root, target, signal_number(what.how), "operator")
        if target.doomed is None:
            regate(target)
            k.execute(tcb)
        return
    report = report_of(target)
    report.begin(k.now)
    report.add("crash", target.name, how=what.how)
    target.crash = what.how
    regate(target)
    k.finish(tcb, Result(Status.CRASH, what.how.encode()))


def _target(k: Kernel, root: RootTask, event: Operator) -> PD | None:
    name = event.command.get("pd")
    found = root.latest.get(name) if isinstance(name, str) else None
    if found is None:
        names = ", ".join(root.latest)
        refuse(k, event, "no-such-pd", f"no PD `{name}`; there are: {names}")
        return None
    return found


def _alive(k: Kernel, root: RootTask, event: Operator) -> PD | None:
    found = _target(k, root, event)
    if found is not None and not found.alive:
        refuse(
            k,
            event,
            "not-running",
            f"`{found.name}` has ended: {found.ended} {found.reason}".strip(),
        )
        return None
    return found


def _running(k: Kernel, root: RootTask, event: Operator) -> PD | None:
    found = _alive(k, root, event)
    if found is not None and found.state == "created":
        refuse(k, event, "not-started", f"`{found.name}` was created, but nobody has started it")
        return None
    return found


def _after(k: Kernel, event: Operator, target: PD) -> tuple[bool, int | None]:
    after = event.command.get("after")
    if after is None:
        return True, None
    if not isinstance(after, int) or isinstance(after, bool) or after < 1:
        refuse(k, event, "bad-after", f"after is a number of system calls from 1, not `{after}`")
        return False, None
    if target.calls >= after:
        refuse(
            k,
            event,
            "too-late",
            f"`{target.name}` has made {target.calls} system calls already, so {after} is past",
        )
        return False, None
    return True, after


def _kill(k: Kernel, root: RootTask, event: Operator) -> None:
    target = _alive(k, root, event)
    if target is None:
        return
    number = event.command.get("signal", 9)
    if not isinstance(number, int) or not 1 <= number <= 64:
        refuse(k, event, "bad-signal", f"no signal `{number}`")
        return
    fine, after = _after(k, event, target)
    if not fine:
        return
    if number in HARMLESS:
        k.effects.append(Answer(event.request, passing(k, target, number)))
        return
    policy = {key: event.command.get(key) for key in ("pd_depth", "space_depth")}
    for key, depth in policy.items():
        if not space.valid_depth(depth):
            why = f"{key} is a number from 0 up or `all`, not `{depth}`"
            refuse(k, event, "bad-depth", why)
            return
    report = report_of(target)
    report.requests.append(event.request)
    report.policy = policy
    if after is None:
        deliver(k, root, target, number, "operator")
    else:
        arm(k, root, target, Arm("kill", str(number), after))


def _crash(k: Kernel, root: RootTask, event: Operator) -> None:
    target = _running(k, root, event)
    if target is None:
        return
    how = event.command.get("how")
    if not isinstance(how, str) or not known_crash(how):
        refuse(
            k,
            event,
            "bad-how",
            f"no crash `{how}`: segv, abort, exception, exit:N, hang, oom or bus",
        )
        return
    fine, after = _after(k, event, target)
    if not fine:
        return
    if how == "hang":
        # A PD that hangs does not end, so there is no cleanup to wait for.
        k.effects.append(Answer(event.request, report_of(target).as_dict()))
    else:
        report_of(target).requests.append(event.request)
    arm(k, root, target, Arm("crash", how, after))


def _restart(k: Kernel, root: RootTask, event: Operator) -> None:
    target = _target(k, root, event)
    if target is not None:
        refused = root.restart(k, target, event.request)
        if refused:
            refuse(k, event, "no-restart", refused)


def _suspend(k: Kernel, root: RootTask, event: Operator) -> None:
    target = _running(k, root, event)
    if target is not None:
        for tcb in target.tcbs:
            blocking.suspend(k, tcb)
        k.effects.append(Answer(event.request, look.row(target)))


def _resume(k: Kernel, root: RootTask, event: Operator) -> None:
    target = _running(k, root, event)
    if target is not None:
        for tcb in target.tcbs:
            if tcb.suspended:
                blocking.resume(k, tcb)
        k.effects.append(Answer(event.request, look.row(target)))


def _ps(k: Kernel, root: RootTask, event: Operator) -> None:
    rows = [{**look.row(one), "drives": machine.driven(root, one)} for one in root.latest.values()]
    k.effects.append(Answer(event.request, {"pds": rows}))


def _caps(k: Kernel, root: RootTask, event: Operator) -> None:
    if event.command.get("pd") == root.me.name and root.me.name not in root.latest:
        target: PD | None = root.me
    else:
        target = _target(k, root, event)
    if target is not None:
        k.start_job(caps.Listing(event.request, target, bool(event.command.get("tree"))), None)


def _down(k: Kernel, root: RootTask, event: Operator) -> None:
    stop.begin(k, root, event.request, patient=event.command.get("patient") is True)


def _wait(k: Kernel, root: RootTask, event: Operator) -> None:
    root.waiting.append(event.request)
    root.check_finished(k)


def _ready(k: Kernel, root: RootTask, event: Operator) -> None:
    root.readiness.append(event.request)
    root.check_ready(k)


def _graph(k: Kernel, root: RootTask, event: Operator) -> None:
    """The model state, or the next rows of one that was too long for one answer."""
    number = event.command.get("model")
    if number is not None:
        body = writing.page(root, number) if isinstance(number, int) else None
        if body is None:
            refuse(k, event, "no-such-model", f"no model `{number}` has more rows")
        else:
            k.effects.append(Answer(event.request, body))
        return
    patience = event.command.get("timeout", extract.PATIENCE)
    if isinstance(patience, bool) or not isinstance(patience, int | float) or not 0 < patience < 60:
        refuse(k, event, "bad-timeout", f"timeout is seconds, more than 0, not `{patience}`")
    else:
        extract.begin(k, root, event.request, patience)


def _focus(k: Kernel, root: RootTask, event: Operator) -> None:
    refused = focus.begin(k, root, event)
    if refused is not None:
        refuse(k, event, *refused)


def _irq(k: Kernel, root: RootTask, event: Operator) -> None:
    """Raise an interrupt line by hand; without a number, tell of all lines."""
    number = event.command.get("irq")
    if number is None:
        k.effects.append(Answer(event.request, {"irqs": machine.rows(k)}))
        return
    line = k.irqs.get(number) if type(number) is int else None
    if line is None:
        there = ", ".join(machine.named(k.irqs[one]) for one in sorted(k.irqs)) or "none"
        refuse(k, event, "no-such-irq", f"no interrupt `{number}`; there are: {there}")
    elif not line.refs:
        why = f"nobody has the handler of interrupt {machine.named(line)}"
        refuse(k, event, "irq-free", why)
    elif line.slot.cap is None:
        why = f"`{line.holder}` has the handler of interrupt {machine.named(line)}"
        refuse(k, event, "irq-unbound", f"{why}, and has set no notification for it to signal")
    else:
        told = {"irq": number, "pd": line.holder, "delivered": not line.masked}
        k.effects.append(Answer(event.request, {**told, "pending": line.masked}))
        arrive(k, line)


_COMMANDS: dict[str, Callable[[Kernel, RootTask, Operator], None]] = {
    "ps": _ps,
    "caps": _caps,
    "kill": _kill,
    "crash": _crash,
    "focus": _focus,
    "graph": _graph,
    "irq": _irq,
    "restart": _restart,
    "suspend": _suspend,
    "resume": _resume,
    "down": _down,
    "wait": _wait,
    "ready": _ready,
}
