"""What the manager of a resource space does with it.

An `object` argument is a number of the space, or a whole resource badge; then type and space must
be this space's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgpack

from caplab.kernel.abi import (
    FIRST_OBJECT,
    LAST_OBJECT,
    PRICE_RESOURCE,
    Status,
    badge_parts,
)
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.jobs import Job
from caplab.kernel.core.outcome import Outcome, Result, error, gone
from caplab.kernel.root import bodies, cleanup, connect, holds, ledger, space
from caplab.kernel.root.space import Resource, Space

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.root.task import RootTask

_NONE = type(None)
Arguments = dict[str, Any]


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    if slot.cnode.pd.number:
        cap.obj.refs += 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    """A space that nobody can manage any more is destroyed."""
    one: Space = cap.obj
    if slot.cnode.pd.number:
        one.refs -= 1
        if not one.refs and one.manager is not None and one.manager.alive:
            # A dead manager's spaces go in their order.
            holds.start_destruction(k, one, cause)


def _root(k: Kernel) -> RootTask:
    return cast("RootTask", k.root)


def _done(**answer: Any) -> Result:
    return Result(body=msgpack.packb(answer))


def _managed(caller: TCB, cap: Cap, kinds: dict[str, bodies.Kind]) -> Arguments | Result:
    """The arguments of a request that only the manager may make.

    Errors: TRUNCATED_MESSAGE, INVALID_ARGUMENT, NOT_MANAGER, REVOKED (the space is being destroyed)
    """
    arguments = bodies.unpack(caller, kinds)
    if isinstance(arguments, Result):
        return arguments
    one: Space = cap.obj
    if one.cause is not None:
        return gone(one.cause._replace(status=Status.REVOKED))
    return arguments if one.manager is caller.pd else error(Status.NOT_MANAGER)


def object_of(one: Space, value: int) -> int | Result:
    """The number of an object in this space, from a number or a whole badge.

    Errors: WRONG_TYPE, OTHER_SPACE, RANGE_ERROR
    """
    if LAST_OBJECT + 1 < value < 1 << 64:
        parts = badge_parts(value)
        if parts.type != one.type:
            return error(Status.WRONG_TYPE)
        if parts.space != one.number:
            return error(Status.OTHER_SPACE)
        value = parts.object
    if not FIRST_OBJECT <= value <= LAST_OBJECT:
        return error(Status.RANGE_ERROR, FIRST_OBJECT, LAST_OBJECT)
    return value


def resource_of(one: Space, value: int) -> Resource | Result:
    """A resource of this space.

    Errors: WRONG_TYPE, OTHER_SPACE, RANGE_ERROR, REVOKED (deleted, as far as it is remembered),
        NEVER_HELD (none yet)
    """
    number = object_of(one, value)
    if isinstance(number, Result):
        return number
    found = one.resources.get(number)
    if found is not None:
        return found
    cause = one.deleted.get(number)
    return error(Status.NEVER_HELD) if cause is None else gone(cause)


def map_space(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Say that this space is built on another, which its manager uses.

    Object:    RESSPC
    Arguments: space: the number of the other
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT (itself), NOT_MANAGER, REVOKED, FAILED_LOOKUP (no
        such space), NEVER_HELD (the caller has neither an RDE of it nor a resource in it)
    """
    arguments = _managed(caller, cap, {"space": int})
    if isinstance(arguments, Result):
        return arguments
    one: Space = cap.obj
    below = _root(k).spaces.get(arguments["space"])
    if below is one:
        return error(Status.INVALID_ARGUMENT, 0)
    if below is None or below.cause is not None:
        return error(Status.FAILED_LOOKUP)
    if caller.pd.number not in below.clients and below.manager is not caller.pd:
        return error(Status.NEVER_HELD)
    one.maps[below.number] = None
    below.mapped[one.number] = None
    return _done()


def create(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Make a resource, which nobody holds yet.

    Object:    RESSPC
    Arguments: object: its number, or nothing: the next free one
    Answer:    object
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT, NOT_MANAGER, REVOKED, WRONG_TYPE, OTHER_SPACE,
        RANGE_ERROR, DELETE_FIRST (the number is in use), NOT_ENOUGH_MEMORY (the caller's untyped,
        or no number left)
    """
    arguments = _managed(caller, cap, {"object": (int, _NONE)})
    if isinstance(arguments, Result):
        return arguments
    one: Space = cap.obj
    wanted: int | None = arguments["object"]
    number = None if wanted is None else object_of(one, wanted)
    if isinstance(number, Result):
        return number
    if number in one.resources:
        return error(Status.DELETE_FIRST)
    if len(one.resources) > LAST_OBJECT - FIRST_OBJECT:
        return error(Status.NOT_ENOUGH_MEMORY, 0)
    slab = ledger.room(k, _root(k), caller.pd, PRICE_RESOURCE)
    if slab is None:
        return error(Status.NOT_ENOUGH_MEMORY, 0)
    made = Resource(one.number, one.free_object() if number is None else number)
    ledger.enter(slab, made, PRICE_RESOURCE)
    one.resources[made.number] = made
    one.deleted.pop(made.number, None)
    return _done(object=made.number)


def give(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Let a PD hold a resource: it gets a capability that this space's server will know it by.

    Given again, the hold counts one more and the capability stays.

    Object:    RESSPC
    Arguments: object; pd: the number of the PD, as a badge names it
    Answer:    slot: where the PD has it (0: it has moved it away); count
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT, NOT_MANAGER, REVOKED (it was deleted),
        WRONG_TYPE, OTHER_SPACE, RANGE_ERROR, NEVER_HELD (there never was one), FAILED_LOOKUP (no
        such PD), PD_DEAD, NOT_ENOUGH_MEMORY (the caller's untyped, or the PD's slots),
        INVALID_CAPABILITY (the server's endpoint was taken from under the space)
    """
    arguments = _managed(caller, cap, {"object": int, "pd": int})
    if isinstance(arguments, Result):
        return arguments
    one: Space = cap.obj
    resource = resource_of(one, arguments["object"])
    if isinstance(resource, Result):
        return resource
    pd = connect.pd_of(k, arguments["pd"])
    if isinstance(pd, Result):
        return pd
    hold = holds.give(k, one, resource.number, pd, caller.pd)
    if isinstance(hold, Status):
        return error(hold, 0)
    return _done(slot=holds.slot_of(hold, pd), count=hold.count)


def revoke(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Take a resource from one PD, or let it count less. The manager is not told: it asked.

    Object:    RESSPC
    Arguments: object; pd; count: how many of its holds, or nothing: all
    Blocks:    until every copy of the capability is deleted
    Answer:    count: what is left
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT, NOT_MANAGER, REVOKED (it was deleted, or taken
        from that PD before), WRONG_TYPE, OTHER_SPACE, RANGE_ERROR (object, or a count of less than
        1 or more than it holds), NEVER_HELD, FAILED_LOOKUP (no such PD), PD_DEAD, TIMED_OUT (it is
        taken nevertheless)
    """
    arguments = _managed(caller, cap, {"object": int, "pd": int, "count": (int, _NONE)})
    if isinstance(arguments, Result):
        return arguments
    resource = resource_of(cap.obj, arguments["object"])
    if isinstance(resource, Result):
        return resource
    pd = connect.pd_of(k, arguments["pd"])
    if isinstance(pd, Result):
        return pd
    hold = resource.holds.get(pd.number)
    if hold is None:
        before = resource.taken.get(pd.number)
        return error(Status.NEVER_HELD) if before is None else gone(before)
    count = arguments["count"]
    if count is not None and not 1 <= count <= hold.count:
        return error(Status.RANGE_ERROR, 1, hold.count)
    if count is not None and count < hold.count:
        hold.count -= count
        return _done(count=hold.count)
    cause = k.cause(Status.REVOKED, caller.pd)
    resource.taken[pd.number] = cause
    return _await(k, caller, holds.take(k, [hold], cause, caller.pd), count=0)


def _await(k: Kernel, caller: TCB, job: Job, **answer: Any) -> Outcome:
    outcome = k.start_job(job, caller)
    return outcome if outcome is None else _done(**answer)


def delete(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Delete a resource: every hold of every PD goes, however often it counts.

    Object:    RESSPC
    Arguments: object
    Blocks:    until every capability to it is deleted
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT, NOT_MANAGER, REVOKED (it was deleted before),
        WRONG_TYPE, OTHER_SPACE, RANGE_ERROR, NEVER_HELD (there never was one), TIMED_OUT (it is
        deleted nevertheless)
    """
    arguments = _managed(caller, cap, {"object": int})
    if isinstance(arguments, Result):
        return arguments
    resource = resource_of(cap.obj, arguments["object"])
    if isinstance(resource, Result):
        return resource
    cause = k.cause(Status.REVOKED, caller.pd)
    return _await(k, caller, holds.delete_resource(k, cap.obj, resource, cause))


def destroy(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Destroy the space: every resource, hold and RDE in it.

    What is built on it within the space's space_depth goes too; its managers are told.

    Object: RESSPC
    Blocks: until all of it is gone
    Errors: NOT_MANAGER, REVOKED (it is being destroyed), TIMED_OUT (it goes nevertheless)
    """
    arguments = _managed(caller, cap, {})
    if isinstance(arguments, Result):
        return arguments
    cause = k.cause(Status.REVOKED, caller.pd)
    return _await(k, caller, cleanup.destroy(k, _root(k), cap.obj, cause))


def issue(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Give a PD an RDE of this space: a capability to ask its server for resources.

    Object:    RESSPC
    Arguments: pd: its number; name: in the PD's environment, or nothing: `rde:TYPE`, and for a
        second space of the type `rde:TYPE.SPACE`
    Answer:    slot: where the PD has it
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT (name), NOT_MANAGER, REVOKED, FAILED_LOOKUP (no
        such PD), PD_DEAD, DELETE_FIRST (the name is taken), NOT_ENOUGH_MEMORY (the caller's
        untyped, the PD's slots or its names), INVALID_CAPABILITY (as RESSPC_Give)
    """
    arguments = _managed(caller, cap, {"pd": int, "name": (str, _NONE)})
    if isinstance(arguments, Result):
        return arguments
    pd = connect.pd_of(k, arguments["pd"])
    if isinstance(pd, Result):
        return pd
    return connect.issue(k, cap.obj, pd, arguments["name"], caller.pd)


def info(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Look at a space.

    Object: RESSPC
    Answer: space, type, type_name, manager (PD numbers), resources, holds (how many there are),
        clients (PD numbers), maps (spaces it is built on), pd_depth, space_depth
    """
    one: Space = cap.obj
    depths = space.depths(one, _root(k), {})
    return _done(
        space=one.number,
        type=one.type,
        type_name=one.type_name,
        manager=one.manager.number if one.manager is not None else 0,
        resources=len(one.resources),
        holds=one.held,
        clients=list(one.clients),
        maps=list(one.maps),
        pd_depth="all" if depths.pd_depth is None else depths.pd_depth,
        space_depth="all" if depths.space_depth is None else depths.space_depth,
    )
