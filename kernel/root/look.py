"""What people see of PDs: the rows of `ps`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import Inv, ObjectType
from caplab.kernel.core import states
from caplab.kernel.core.jobs import Job
from caplab.kernel.root import debug
from caplab.kernel.root.report import Report

if TYPE_CHECKING:
    from caplab.kernel.core.endpoint import Endpoint
    from caplab.kernel.core.gate import Gate
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.root.pd import PD


def row(one: PD) -> dict[str, Any]:
    """One PD as `ps --format json` shows it (without what the reader measures itself)."""
    tcbs = [{"tcb": tcb.name, "state": state(tcb), "reason": reason(tcb)} for tcb in one.tcbs]
    return {
        "pd": one.name,
        "generation": one.generation,
        "pid": one.pid if one.alive else None,
        "role": one.role,
        "state": _pd_state(one),
        "reason": one.reason if not one.alive else _why(one),
        "exit_code": one.exit_code,
        "calls": one.calls if one.tcbs else one.calls_ended,
        "caps": one.caps if one.alive else 0,
        "confinement": one.spec.get("confinement") or "none",
        "debug": bool(one.spec.get("debug")),
        "tcbs": tcbs,
    }


def holdings(one: PD) -> dict[str, int]:
    """How many capabilities of each type a PD holds."""
    types = (slot.cap.type for slot in one.cspace.slots.values() if slot.cap is not None)
    counts = Counter(types)
    return {type_name(kind): counts[kind] for kind in sorted(counts)}


def type_name(kind: int) -> str:
    """`endpoint`, `irq handler`: an object's type, in words."""
    return ObjectType(kind).name.lower().replace("_", " ")


def _pd_state(one: PD) -> str:
    if one.ended:
        return one.ended
    if one.state != "created" and all(tcb.suspended for tcb in one.tcbs):
        return "suspended"
    if one.state == "created" or not one.calls:
        return "starting"
    return "running" if any(state(tcb) == "running" for tcb in one.tcbs) else "waiting"


def _why(one: PD) -> str:
    if one.state == "created":
        return "created, not started"
    if any(debug.stands(tcb) for tcb in one.tcbs):
        return debug.sentence(one)
    return reason(one.tcbs[0])


def record(one: PD) -> list[Any]:
    """What the root task knows of a PD and acts by, as plain data for the state hash."""
    queued = [item.record_state() for item in one.work]
    return [
        one.number,
        one.name,
        one.state,
        one.ended,
        [one.doomed is not None, one.fault is not None, one.crash is not None, one.stopping],
        [sorted(one.to_stop), sorted(one.breakpoints)],
        [list(arm) for arm in one.arms],
        [[name, *map(int, entry[:2])] for name, entry in one.names.items()],
        one.next_badge,
        [one.generation, one.restarts, one.again is not None, len(one.asked)],
        [queued, [item.record_state() for item in one.fetched.values()]],
        [slab.left for slab in one.slabs.values()],
        one.refs,
    ]


def state(tcb: TCB) -> str:
    if tcb.suspended:
        return "suspended"
    return "running" if tcb.state == states.RUNNING and not debug.stands(tcb) else "waiting"


def reason(tcb: TCB) -> str:
    """What a TCB waits for, in words."""
    if debug.stands(tcb):
        return "at a breakpoint"
    if tcb.state == states.READY:
        return f"ready{_runs(tcb, tcb.on)}"
    if tcb.fault is not None:
        return f"FAULT: {tcb.fault.text}, {_fate(tcb)}"
    if tcb.state == states.SEND:
        return f"send to {_place(tcb.on)}"
    if tcb.state == states.RECV:
        return "recv"
    if tcb.state == states.REPLY:
        return f"reply from {_holder(tcb)}"
    if tcb.state == states.NOTIFICATION:
        return "notification"
    if tcb.state == states.JOB:
        if isinstance(tcb.on, Report):
            return f"the end of {tcb.on.pd.name}"
        return _operation(tcb) if isinstance(tcb.on, Job) else "kernel"
    return "" if tcb.state == states.RUNNING else states.NAMES[tcb.state]


def _operation(tcb: TCB) -> str:
    """`revoke`, `delete`, `set space`: what an invocation that takes several steps is doing."""
    _, _, words = Inv(tcb.request.label).name.partition("_")
    return words.lower().replace("_", " ")


def _fate(tcb: TCB) -> str:
    """Who has the fault of a TCB in hand."""
    if tcb.state == states.SEND:
        return f"sent to {_place(tcb.on)}"
    if tcb.state == states.REPLY:
        return f"handled by {_holder(tcb)}"
    return "restarting" if isinstance(tcb.on, Job) else "nobody mends it"


def _runs(tcb: TCB, gate: Gate) -> str:
    if gate.running is not None:
        return f": {gate.running.name} runs, priority {gate.running.priority}"
    if not gate.has_turn(tcb.domain):
        return f": it is not the turn of its domain, {tcb.domain}"
    return ""  # who runs next shows at the end of this step


def _place(endpoint: Endpoint) -> str:
    owner = endpoint.owner
    return f"endpoint {endpoint.number}" if owner is None else _full_name(owner)


def _holder(tcb: TCB) -> str:
    reply = tcb.reply
    if reply.holder is not None:
        return _full_name(reply.holder.pd)
    assert reply.slot is not None
    return _full_name(reply.slot.cnode.pd)


def _full_name(one: PD) -> str:
    return f"{one.name}/gen{one.generation}"
