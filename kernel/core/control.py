"""System calls that concern the calling TCB alone: Yield, Park, Sleep, Fault, Debug."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.core import blocking
from caplab.kernel.core import fault as faults
from caplab.kernel.core.cap import Cap
from caplab.kernel.core.outcome import OK, Outcome
from caplab.kernel.core.states import PARKED, SLEEP

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB


def yield_(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Let others run.

    seL4:    seL4_Yield
    Differs: with `scheduler: strict` the caller goes behind its equals; else the host's
        scheduler decides, and the call only goes to the kernel and back
    """
    return OK


def park(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Wait to be started: how a spare thread spends its time.

    Blocks: until TCB_Resume, which answers with the entry in `label` and its argument as one word
    """
    caller.state = PARKED
    if caller.start:
        blocking.unpark(k, caller)
    return None


def sleep(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Wait until the request's time limit has passed; without one, for ever.

    Blocks: as long as asked; Stop, crash and suspend reach a sleeper as any other caller
    """
    caller.state = SLEEP
    return None


def fault(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Announce an uncaught exception before the process ends.

    It is a user exception to the PD's fault handler, which gets the label as its number; the
    traceback's last line becomes the reason that `ps` shows.

    Arguments: label: a FaultLabel; body: the traceback (UTF-8)
    Blocks:    with a fault handler, until it replies
    Answer:    the registers as the handler left them, when there is one
    Differs:   without a handler lab mode answers, and the process ends; under sel4 the TCB stays
        blocked
    """
    text = k.root.fault(k, caller)
    return faults.exception(k, caller, caller.request.label, text)


def debug(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Say that the caller stands at a breakpoint, or goes on.

    While one of its TCBs stands there no time limit of a call runs out that the PD has made, or
    that waits for the PD; each begins anew when it goes on. A stop that is patient waits for it.
    With `scheduler: strict` the caller lets others run.

    Arguments: label: where it is: At.BREAKPOINT, At.STEP (there again after a step), At.NOTHING
    Errors:    ILLEGAL_OPERATION for a PD without `debug: true`
    Differs:   seL4 has hardware breakpoints, which are faults
    """
    return k.root.at_breakpoint(k, caller)
