"""Priorities of TCBs: who may change them, and to what. What they do is `gate.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.abi import ObjectType, Status
from caplab.kernel.core import cspace, message
from caplab.kernel.core.cap import Cap
from caplab.kernel.core.outcome import OK, Outcome, Result, error
from caplab.kernel.core.states import DEAD

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB


def set_priority(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Change a TCB's priority, which acts with `scheduler: strict`.

    One that is ready goes behind its new equals. Whoever is the highest then runs, at once.

    seL4:      seL4_TCB_SetPriority
    Object:    TCB
    Arguments: priority (0 to 255, the highest); caps: authority, a TCB that may give as much
    Errors:    TRUNCATED_MESSAGE, INVALID_CAPABILITY (authority is not a TCB), RANGE_ERROR (0 and
        the authority's maximum), ILLEGAL_OPERATION (the TCB has ended)
    """
    priority = _within_authority(caller)
    if isinstance(priority, Result):
        return priority
    target: TCB = cap.obj
    if target.state == DEAD:
        return error(Status.ILLEGAL_OPERATION)
    if k.gate is None:
        target.priority = priority
    else:
        k.gate.reorder(target, priority, target.domain)
    return OK


def set_mc_priority(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Change the highest priority that the TCB's authority may give; its own stays as it is.

    seL4:      seL4_TCB_SetMCPriority
    Object:    TCB
    Arguments: mcp; caps: authority, a TCB that may give as much
    Errors:    as TCB_SetPriority
    """
    mcp = _within_authority(caller)
    if isinstance(mcp, Result):
        return mcp
    target: TCB = cap.obj
    if target.state == DEAD:
        return error(Status.ILLEGAL_OPERATION)
    target.mcp = mcp
    return OK


def _within_authority(caller: TCB) -> int | Result:
    """The priority in the message, if the TCB sent with it may give that (seL4: checkPrio)."""
    words = message.words(caller, 1)
    if isinstance(words, Result):
        return words
    if not caller.request.caps:
        return error(Status.TRUNCATED_MESSAGE)
    slot = cspace.lookup(caller, caller.request.caps[0])
    if slot is None or slot.cap is None or slot.cap.type != ObjectType.TCB:
        return error(Status.INVALID_CAPABILITY, 1)
    mcp = slot.cap.obj.mcp
    return words[0] if words[0] <= mcp else error(Status.RANGE_ERROR, 0, mcp)
