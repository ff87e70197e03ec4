"""PDs at breakpoints: what is shown of them, and whose time stands still meanwhile.

A `debug: true` PD says with a system call that one of its TCBs stands at a breakpoint, and that it
goes on. That TCB computes, as far as the core can tell; it is its user who thinks. Meanwhile no
time limit runs out of a call the PD has made, or of one that waits for it: each begins anew when
the PD goes on. All others go on as if the PD were busy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import At, Status
from caplab.kernel.core import states
from caplab.kernel.core.effects import Announce
from caplab.kernel.core.outcome import OK, Outcome, error

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.root.pd import PD

_TIMED = (states.SEND, states.RECV, states.REPLY, states.NOTIFICATION, states.SLEEP)
"""States in which a call's time limit runs."""


def sentence(one: PD) -> str:
    """What `ps` and `up` say of a PD at a breakpoint."""
    return f"at a breakpoint: caplab attach {one.name}"


def stands(tcb: TCB) -> bool:
    """Whether this TCB is at a breakpoint, and not in a call that its user had it make there."""
    return tcb.state == states.RUNNING and tcb.number in tcb.pd.breakpoints


def said(k: Kernel, caller: TCB, state: dict[str, Any]) -> Outcome:
    """A TCB has said where it is; `state` is what else is announced of its PD."""
    one: PD = caller.pd
    at = caller.request.label
    if not one.spec.get("debug") or at not in (At.NOTHING, At.BREAKPOINT, At.STEP):
        return error(Status.ILLEGAL_OPERATION)
    if at:
        one.breakpoints.add(caller.number)
        if at == At.BREAKPOINT:
            k.effects.append(Announce({**state, "state": "waiting", "reason": sentence(one)}))
    elif caller.number in one.breakpoints:
        one.breakpoints.discard(caller.number)
        thaw(k, one)
        k.effects.append(Announce({**state, "state": "running"}))
    return OK


def holds_time(tcb: TCB) -> bool:
    """Whether the time limit of this TCB's call may not run out now."""
    awaited = _awaited(tcb)
    return bool(tcb.pd.breakpoints or (awaited is not None and awaited.breakpoints))


def thaw(k: Kernel, one: PD) -> None:
    """Time goes on for a PD, and for whoever waits for it: time limits begin anew."""
    if one.breakpoints:
        return
    for tcb in k.tcbs.values():
        limit = tcb.request.timeout
        if limit is None or tcb.state not in _TIMED or holds_time(tcb):
            continue
        # One that ran out meanwhile is missing, whomever it waits for by now.
        if tcb.deadline is None or one in (tcb.pd, _awaited(tcb)):
            k.set_timer(tcb, limit)


def _awaited(tcb: TCB) -> PD | None:
    """The PD that must do something before this TCB's call is answered."""
    found: PD | None = None
    if tcb.state == states.SEND:
        found = tcb.on.owner
    elif tcb.state == states.REPLY:
        reply = tcb.reply
        if reply.holder is not None:
            found = reply.holder.pd
        else:
            assert reply.slot is not None
            found = reply.slot.cnode.pd
    return found
