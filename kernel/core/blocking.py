"""Blocked TCBs: taking them out of their wait, withholding their answers, letting them go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.abi import REG_ARG, REG_IP, Status
from caplab.kernel.core import endpoint as endpoints
from caplab.kernel.core import fault as faults
from caplab.kernel.core import reply as replies
from caplab.kernel.core import requests
from caplab.kernel.core.cap import Cause
from caplab.kernel.core.effects import Continue, Resume, Stop
from caplab.kernel.core.outcome import Result
from caplab.kernel.core.states import (
    INACTIVE,
    NOTIFICATION,
    PARKED,
    READY,
    RECV,
    REPLY,
    RUNNING,
    SEND,
)

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB


def unqueue(k: Kernel, tcb: TCB, cause: Cause) -> None:
    """Take a TCB out of whatever it waits in; its request is kept."""
    state, on = tcb.state, tcb.on
    tcb.on = tcb.deadline = None
    if state in (SEND, RECV):
        endpoints.cancel(on, tcb)
    elif state == NOTIFICATION:
        on.queue.remove(tcb)
    elif state == REPLY:
        replies.detached(tcb.reply, cause)
    elif state == READY:
        on.withdraw(tcb)
    if tcb.fault is not None:
        tcb.fault.settle(tcb)
        if not tcb.fault.outside:
            tcb.fault = None


def _waits(tcb: TCB) -> bool:
    """Blocked as seL4 knows it: its Resume restarts such a thread, suspended before or not."""
    return tcb.state in (SEND, RECV, NOTIFICATION, REPLY)


def suspend(k: Kernel, tcb: TCB) -> None:
    """Withhold the answer of the current or next call; see tcb.suspend."""
    if tcb.suspended:
        return
    tcb.suspended = tcb.gate = True
    served = tcb.state == REPLY and k.lab and tcb.fault is None
    if tcb.state in (SEND, RECV, NOTIFICATION, REPLY) and not served:
        remaining = tcb.deadline
        unqueue(k, tcb, k.cause(Status.CANCELLED, tcb.pd))
        tcb.deadline = remaining
        tcb.state = INACTIVE
    elif tcb.state == READY:
        tcb.withheld = tcb.on.withdraw(tcb)
        tcb.state = INACTIVE
    if all(other.suspended for other in tcb.pd.tcbs):
        k.effects.append(Stop(tcb.pd.number))


def resume(k: Kernel, tcb: TCB) -> None:
    """Give the withheld answer, or execute the interrupted call again."""
    if tcb.suspended and all(other.suspended for other in tcb.pd.tcbs):
        k.effects.append(Continue(tcb.pd.number))
    tcb.suspended = False
    if tcb.withheld is not None:
        frame, tcb.withheld = tcb.withheld, None
        tcb.state, tcb.on, tcb.deadline = RUNNING, None, None
        k.effects.append(Resume(tcb.number, frame))
    elif tcb.state == INACTIVE or tcb.fault is not None or (not k.lab and _waits(tcb)):
        remaining = tcb.deadline
        unqueue(k, tcb, k.cause(Status.CANCELLED, tcb.pd))
        tcb.deadline = remaining
        faults.restart(k, tcb)


def wake(k: Kernel, tcb: TCB) -> None:
    """Let a live TCB run: start a parked one, continue any other; see tcb.resume."""
    if tcb.state == PARKED and not tcb.suspended:
        unpark(k, tcb)
    elif tcb.state in (RUNNING, READY) and tcb.fresh and not tcb.suspended:
        # Its Park is still on the way here: it starts when that arrives.
        tcb.start = True
    else:
        resume(k, tcb)


def unpark(k: Kernel, tcb: TCB) -> None:
    """Answer a Park with the entry written last."""
    tcb.start = tcb.fresh = False
    registers = tcb.registers
    body = requests.pack_words((registers[REG_ARG],))
    k.finish(tcb, Result(body=body, label=registers[REG_IP]))
