"""Control bodies: the named arguments of root-task invocations, checked before use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgpack

from caplab.kernel.abi import ROOT_SLOTS, SLOT_FIRST_FREE, SLOT_FIRST_ROOT, WORD_BITS, Status
from caplab.kernel.core.outcome import Result, error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caplab.kernel.core.cap import Slot
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.root.pd import PD

Kind = type | tuple[type, ...]
NAME_MAX = 64
"""Characters of a name in a PD's environment."""


def unpack(caller: TCB, kinds: Mapping[str, Kind]) -> dict[str, Any] | Result:
    """The arguments by name; one left out is None if its kinds allow that.

    A call without arguments ignores what is sent, as those of the core ignore further words.

    Errors: TRUNCATED_MESSAGE (not a msgpack map), INVALID_ARGUMENT with the argument's position
    """
    body = caller.request.body if kinds else b""
    try:
        found = msgpack.unpackb(body) if body else {}
    except (ValueError, msgpack.UnpackException):
        return error(Status.TRUNCATED_MESSAGE)
    if not isinstance(found, dict):
        return error(Status.TRUNCATED_MESSAGE)
    if found.keys() - kinds.keys():
        return error(Status.INVALID_ARGUMENT, len(kinds))
    for position, (name, kind) in enumerate(kinds.items()):
        value = found.setdefault(name, None)
        # A bool is an int to Python, and no argument is a bool.
        if isinstance(value, bool) or not isinstance(value, kind):
            return error(Status.INVALID_ARGUMENT, position)
    return found


def own_slot(caller: TCB, index: int) -> Slot | Result:
    """An empty slot in the half of the CSpace that is the PD's own.

    Errors: RANGE_ERROR, DELETE_FIRST
    """
    if not SLOT_FIRST_FREE <= index < SLOT_FIRST_ROOT:
        return error(Status.RANGE_ERROR, SLOT_FIRST_FREE, SLOT_FIRST_ROOT - 1)
    slot = caller.pd.cspace.slot(index)
    return slot if slot.cap is None else error(Status.DELETE_FIRST)


def receive_slot(caller: TCB) -> Slot | Result:
    """The empty slot of the PD's own half that it named for a capability.

    Errors: FAILED_LOOKUP (none named), RANGE_ERROR, DELETE_FIRST
    """
    path = caller.request.path
    if path is None or path[0] != 0 or path[2] != WORD_BITS:
        return error(Status.FAILED_LOOKUP, 0)
    return own_slot(caller, path[1])


def name_refused(target: PD, name: str) -> Result | None:
    """Why a capability may not have that name in a PD's environment, if there is a reason.

    Errors: INVALID_ARGUMENT, DELETE_FIRST, NOT_ENOUGH_MEMORY (too many names)
    """
    if not 1 <= len(name) <= NAME_MAX:
        return error(Status.INVALID_ARGUMENT, 0)
    entry = target.names.get(name)
    if entry is None:
        return error(Status.NOT_ENOUGH_MEMORY, 0) if len(target.names) >= ROOT_SLOTS else None
    # A name whose capability is gone may be given to another.
    return None if target.cspace.slot(entry.slot).cap is None else error(Status.DELETE_FIRST)
