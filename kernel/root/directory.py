"""Resource directory entries (RDEs), and sending what a PD holds to another.

An RDE of a server's space is a hold whose object is BADGE_OBJ_ID_NULL; one of the root task's own
services is a capability to that service. Both are shared, listed and removed in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgpack

from caplab.kernel.abi import (
    BADGE_OBJ_ID_NULL,
    ObjectType,
    ResourceType,
    Rights,
    Status,
    badge_parts,
)
from caplab.kernel.core import cspace
from caplab.kernel.core.cap import Cap, Slot
from caplab.kernel.core.outcome import Outcome, Result, error
from caplab.kernel.root import bodies, connect, holds, pd_calls
from caplab.kernel.root import pd as pds
from caplab.kernel.root.core_rdes import CORE, homes, services
from caplab.kernel.root.space import Hold, Space, find

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.root.pd import PD
    from caplab.kernel.root.task import RootTask

_NONE = type(None)


def _root(k: Kernel) -> RootTask:
    return cast("RootTask", k.root)


def _done(**answer: Any) -> Result:
    return Result(body=msgpack.packb(answer))


def _target(cap: Cap) -> PD | Result:
    """The live PD that a capability lets one give to.

    Errors: INVALID_CAPABILITY (without Grant), PD_DEAD
    """
    if not cap.rights & Rights.GRANT:
        return error(Status.INVALID_CAPABILITY, 0)
    found: PD = cap.obj
    return found if found.alive and found.doomed is None else error(Status.PD_DEAD)


def rdes(root: RootTask, pd: PD, kind: str, number: int | None) -> list[tuple[Space, Hold]]:
    """A PD's RDEs of a type, of one space or of all."""
    found = [
        (root.spaces[badge_parts(badge).space], hold)
        for badge, hold in pd.holds.items()
        if badge_parts(badge).object == BADGE_OBJ_ID_NULL
    ]
    return [
        (space, hold)
        for space, hold in found
        if space.type_name == kind and number in (None, space.number)
    ]


def listing(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """List the RDEs of a PD: the spaces it may ask for resources.

    Object: PD
    Rights: Read
    Answer: rdes: maps with type (its name), code, space, slot (0: moved away), manager (a PD's
        number, 0: the root task)
    Errors: INVALID_CAPABILITY
    """
    if not cap.rights & Rights.READ:
        return error(Status.INVALID_CAPABILITY, 0)
    pd: PD = cap.obj
    rows = [
        {
            "type": name,
            "code": CORE[name][0],
            "space": CORE[name][1],
            "slot": at[0].index,
            "manager": 0,
        }
        for name, at in services(pd).items()
    ]
    if pd.ads is not None and (home := homes(pd)):
        row = {"type": pds.VMR, "code": ResourceType.VMR, "space": pd.ads.number}
        rows.append({**row, "slot": home[0].index, "manager": 0})
    for badge, hold in pd.holds.items():
        if badge_parts(badge).object == BADGE_OBJ_ID_NULL:
            space = _root(k).spaces[badge_parts(badge).space]
            rows.append(
                {
                    "type": space.type_name,
                    "code": space.type,
                    "space": space.number,
                    "slot": holds.slot_of(hold, pd),
                    "manager": space.manager.number if space.manager is not None else 0,
                }
            )
    return _done(rdes=rows)


def share(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Give a PD an RDE that the caller has; one that it has already stays where it is.

    Object:    PD
    Arguments: type: a type of resource by its name, or a service (`mo`, `pd` …; with `vmr` who may
        ask for attachments in its own address space lets that PD in its own); space: its
        number, or nothing: the caller's first of that type; name: in the PD's environment, or
        nothing (as RESSPC_Issue)
    Rights:    Grant
    Answer:    slot: where the PD has it
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT, INVALID_CAPABILITY, PD_DEAD, WRONG_TYPE (nobody
        knows such a type), NEVER_HELD (the caller has no such RDE), DELETE_FIRST (the name is
        taken), NOT_ENOUGH_MEMORY (the caller's untyped, the PD's slots or its names)
    """
    arguments = bodies.unpack(caller, {"type": str, "space": (int, _NONE), "name": (str, _NONE)})
    if isinstance(arguments, Result):
        return arguments
    target = _target(cap)
    if isinstance(target, Result):
        return target
    root = _root(k)
    kind = arguments["type"]
    if kind in root.services:
        return _share_service(k, caller, target, arguments)
    if kind == pds.VMR:
        return _share_home(k, caller, target, arguments)
    if kind not in root.types:
        return error(Status.WRONG_TYPE)
    mine = rdes(root, caller.pd, kind, arguments["space"])
    if not mine:
        return error(Status.NEVER_HELD)
    return connect.issue(k, mine[0][0], target, arguments["name"], caller.pd)


def _share_service(k: Kernel, caller: TCB, target: PD, arguments: dict[str, Any]) -> Outcome:
    kind = arguments["type"]
    sources = services(caller.pd).get(kind)
    if sources is None or arguments["space"] not in (None, CORE[kind][1]):
        return error(Status.NEVER_HELD)
    shared = sources[0].cap
    assert shared is not None
    return _place(k, caller, target, services(target).get(kind, []), arguments, shared)


def _share_home(k: Kernel, caller: TCB, target: PD, arguments: dict[str, Any]) -> Outcome:
    if not homes(caller.pd) or arguments["space"] is not None:
        return error(Status.NEVER_HELD)
    shared = Cap(ObjectType.ADS, target.ads, Rights.ALL)
    return _place(k, caller, target, homes(target), arguments, shared)


def _place(
    k: Kernel, caller: TCB, target: PD, there: list[Slot], arguments: dict[str, Any], shared: Cap
) -> Outcome:
    """Put what is shared where the PD finds it, unless it has it."""
    if there:
        return _done(slot=there[0].index)
    name = f"rde:{arguments['type']}" if arguments["name"] is None else arguments["name"]
    refused = bodies.name_refused(target, name)
    if refused is not None:
        return refused
    if target.free_slot() is None:
        return error(Status.NOT_ENOUGH_MEMORY, 0)
    return _done(slot=pds.give(k, target, name, shared, None, caller.pd.name))


def remove(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Take RDEs from a PD, and every copy made of them.

    Object:    PD
    Arguments: type, as PD_Share_RDE; space: its number, or nothing: all of that type
    Rights:    Grant
    Blocks:    until every copy is deleted
    Answer:    removed: how many
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT, INVALID_CAPABILITY, PD_DEAD, WRONG_TYPE,
        NEVER_HELD (the PD has no such RDE), TIMED_OUT (they are taken nevertheless)
    """
    arguments = bodies.unpack(caller, {"type": str, "space": (int, _NONE)})
    if isinstance(arguments, Result):
        return arguments
    target = _target(cap)
    if isinstance(target, Result):
        return target
    root = _root(k)
    kind = arguments["type"]
    cause = k.cause(Status.REVOKED, caller.pd)
    if kind in root.services or kind == pds.VMR:
        there = homes(target) if kind == pds.VMR else services(target).get(kind)
        if not there or arguments["space"] not in (None, CORE.get(kind, (0, None))[1]):
            return error(Status.NEVER_HELD)
        for slot in there:
            target.forget(slot.index)
        return _await(k, caller, holds.Taking(root, cause, there), 1)
    if kind not in root.types:
        return error(Status.WRONG_TYPE)
    found = rdes(root, target, kind, arguments["space"])
    if not found:
        return error(Status.NEVER_HELD)
    for _, hold in found:
        target.forget(holds.slot_of(hold, target))
    taken = holds.take(k, [hold for _, hold in found], cause, caller.pd)
    return _await(k, caller, taken, len(found))


def _await(k: Kernel, caller: TCB, job: holds.Taking, removed: int) -> Outcome:
    outcome = k.start_job(job, caller)
    return outcome if outcome is None else _done(removed=removed)


def send(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Send a capability to a PD, which then holds what it names in its own right.

    A resource is held once more, under a badge of that PD's own; an RDE is shared; of anything
    else it gets a copy. The manager is not asked.

    Object:    PD
    Arguments: name: in the PD's environment, or nothing; caps: cap
    Rights:    Grant
    Answer:    slot: where the PD has it; count: its holds on it (0 for what is not counted)
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT (name), INVALID_CAPABILITY, PD_DEAD,
        FAILED_LOOKUP (nothing in the slot), NEVER_HELD (the caller has the capability from
        another, and does not hold the resource), DELETE_FIRST (the name is taken),
        NOT_ENOUGH_MEMORY (the caller's untyped, the PD's slots or its names), ILLEGAL_OPERATION
        (of a reply), REVOKE_FIRST (an untyped with children)
    """
    arguments = bodies.unpack(caller, {"name": (str, _NONE)})
    if isinstance(arguments, Result):
        return arguments
    target = _target(cap)
    if isinstance(target, Result):
        return target
    sent = caller.request.caps
    if not sent:
        return error(Status.TRUNCATED_MESSAGE)
    source = cspace.lookup(caller, sent[0])
    if source is None or source.cap is None:
        return error(Status.FAILED_LOOKUP, 1, sent[0])
    space = None
    if source.cap.type == ObjectType.ENDPOINT and source.cap.badge:
        space = find(_root(k), source.cap.badge, source.cap.obj)
    if space is not None:
        return _send_hold(k, caller, target, space, source.cap.badge, arguments["name"])
    given = {"name": arguments["name"], "slot": None, "rights": int(Rights.ALL), "badge": None}
    answer = pd_calls.install_copy(k, caller, target, given)
    if isinstance(answer, Result) and not answer.status:
        counted = source.cap.type == ObjectType.FRAME
        count = source.cap.obj.holds[target.number] if counted else 0
        return _done(**msgpack.unpackb(answer.body), count=count)
    return answer


def _send_hold(
    k: Kernel, caller: TCB, target: PD, space: Space, badge: int, name: str | None
) -> Outcome:
    parts = badge_parts(badge)
    if parts.client != caller.pd.number or space.held_by(parts.client, parts.object) is None:
        return error(Status.NEVER_HELD)
    if parts.object == BADGE_OBJ_ID_NULL:
        return connect.issue(k, space, target, name, caller.pd)
    if name is not None:
        refused = bodies.name_refused(target, name)
        if refused is not None:
            return refused
    hold = holds.give(k, space, parts.object, target, caller.pd)
    if isinstance(hold, Status):
        return error(hold, 0)
    if name is not None:
        holds.name_rde(space, target, hold, name)
    return _done(slot=holds.slot_of(hold, target), count=hold.count)
