"""Going down in order: who uses others goes first, and everybody gets two seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.abi import Status
from caplab.kernel.core import blocking
from caplab.kernel.core.effects import Answer, Kill
from caplab.kernel.core.outcome import Result
from caplab.kernel.core.states import RUNNING
from caplab.kernel.root import death
from caplab.kernel.root.pd import PD, regate

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.task import RootTask

GRACE = 2.0
"""Seconds between Stop and SIGKILL."""


class Shutdown:
    """The system is going down."""

    def __init__(self, now: int) -> None:
        self.began = now
        self.patient = True
        """Nobody is in a hurry: a PD at a breakpoint is not killed for not stopping."""
        self.requests: list[int] = []


def begin(k: Kernel, root: RootTask, request: int, *, patient: bool = False) -> None:
    """Start going down; asking again adds who is told, and may end the patience."""
    if root.stop is None:
        root.stop = Shutdown(k.now)
        root.stay_dead()
    root.stop.patient = root.stop.patient and patient
    root.stop.requests.append(request)
    advance(k, root)


def advance(k: Kernel, root: RootTask) -> None:
    """Stop every PD whose users are gone; in a circle of users, the one declared last."""
    assert root.stop is not None
    left = [one for one in root.pds.values() if one.state != "dead"]
    if not left:
        _conclude(k, root)
        return
    ready = [
        one
        for one in left
        if not one.stopping and not any(user.state != "dead" for user in one.users)
    ]
    if not ready and not any(one.stopping for one in left):
        ready = [left[-1]]
    for one in reversed(ready):
        stop(k, root, one)


def stop(k: Kernel, root: RootTask, one: PD) -> None:
    """Answer every TCB's current or next call with STOP, and set the time limit."""
    one.stopping = True
    if one.state == "created":
        death.abandoned(k, root, one)
    if not one.alive:
        # It is being swept, and there is no process to wait for.
        return
    one.arms.clear()
    cause = k.cause(Status.CANCELLED, one)
    for tcb in one.tcbs:
        if tcb.suspended:
            blocking.resume(k, tcb)
        if tcb.state == RUNNING or tcb.outside:
            one.to_stop.add(tcb.number)
        else:
            blocking.unqueue(k, tcb, cause)
            k.finish(tcb, Result(Status.STOP))
    regate(one)
    k.set_timer(one, GRACE)


def too_late(k: Kernel, root: RootTask, one: PD) -> None:
    """It did not stop in time."""
    if one.alive and one.breakpoints and root.stop is not None and root.stop.patient:
        k.set_timer(one, GRACE)
    elif one.alive:
        one.doomed = f"SIGKILL: did not stop within {GRACE:g} s"
        regate(one)
        k.effects.append(Kill(one.number, 9))


def _conclude(k: Kernel, root: RootTask) -> None:
    assert root.stop is not None
    root.finished = True
    body = {
        "pds": len(root.pds),
        "failed": root.failures(),
        "seconds": (k.now - root.stop.began) / 1e9,
    }
    for request in root.stop.requests:
        k.effects.append(Answer(request, body))
    root.stop.requests = []
