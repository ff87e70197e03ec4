"""Making resource spaces: by the service that PDs ask, and by the manifest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import msgpack

from caplab.kernel.abi import (
    BADGE_OBJ_ID_NULL,
    FAULT_HANDLER,
    PRICE_HOLD,
    PRICE_SPACE,
    ObjectType,
    Rights,
    Status,
)
from caplab.kernel.core import cspace
from caplab.kernel.core.cap import Cap, Slot
from caplab.kernel.core.outcome import Outcome, Result, error
from caplab.kernel.root import bodies, holds, ledger, pd, space
from caplab.kernel.root.core_rdes import OWN_NAMES
from caplab.kernel.root.pd import PD
from caplab.kernel.root.space import Space

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.root.task import RootTask

_NONE = type(None)
_TYPE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}\Z")


def _root(k: Kernel) -> RootTask:
    return cast("RootTask", k.root)


def _done(**answer: Any) -> Result:
    return Result(body=msgpack.packb(answer))


def connect(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Make a resource space that the caller manages, and give a client its RDE.

    Object:    SERVICE resspc
    Arguments: type_name: of the resources in it, a new one or not; client: the number of the PD
        that gets the first RDE, or nothing; pd_depth, space_depth: its own cleanup policy, each a
        number, `all` or nothing; caps: endpoint, unbadged and with all rights; receive slot:
        where the RESSPC capability goes
    Answer:    space: its number; type: the type's code; rde: slot of the RDE in the client's
        CSpace, or 0
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT with the argument's position, ILLEGAL_OPERATION
        (another service), FAILED_LOOKUP (no endpoint sent, no receive slot, no such PD), PD_DEAD,
        INVALID_CAPABILITY (not such an endpoint), RANGE_ERROR, DELETE_FIRST (receive slot),
        NOT_ENOUGH_MEMORY (the caller's untyped, or the client's slots, types or spaces)
    """
    kinds: dict[str, bodies.Kind] = {
        "type_name": str,
        "client": (int, _NONE),
        "pd_depth": (int, str, _NONE),
        "space_depth": (int, str, _NONE),
    }
    arguments = bodies.unpack(caller, kinds)
    if isinstance(arguments, Result):
        return arguments
    if cap.obj.name != "resspc":
        return error(Status.ILLEGAL_OPERATION)
    root = _root(k)
    refused = _refused(root, arguments)
    if refused is not None:
        return refused
    client: PD | Result | None = None
    if arguments["client"] is not None:
        client = pd_of(k, arguments["client"])
    if isinstance(client, Result):
        return client
    source = _endpoint(caller)
    if isinstance(source, Result):
        return source
    slot = bodies.receive_slot(caller)
    if isinstance(slot, Result):
        return slot
    made = _make(k, caller.pd, arguments, source, client, slot)
    if made is None:
        return error(Status.NOT_ENOUGH_MEMORY, 0)
    k.put(slot, _capability(made), made.own, "root")
    rde = 0
    if client is not None:
        hold = holds.give(k, made, BADGE_OBJ_ID_NULL, client, caller.pd)
        assert not isinstance(hold, Status), "there was room for it"
        holds.name_rde(made, client, hold, None)
        rde = holds.slot_of(hold, client)
    answer = _done(space=made.number, type=made.type, rde=rde)
    return answer._replace(landed=(slot.index,))


def valid_type(root: RootTask, name: str) -> bool:
    """May a type of resource have this name? The root task's own are taken."""
    return bool(_TYPE_NAME.match(name)) and name.lower() not in OWN_NAMES


def _refused(root: RootTask, arguments: dict[str, Any]) -> Result | None:
    if not valid_type(root, arguments["type_name"]):
        return error(Status.INVALID_ARGUMENT, 0)
    for position, key in ((2, "pd_depth"), (3, "space_depth")):
        if not space.valid_depth(arguments[key]):
            return error(Status.INVALID_ARGUMENT, position)
    return None


def pd_of(k: Kernel, number: int) -> PD | Result:
    """A live PD by its number.

    Errors: FAILED_LOOKUP (there never was one), PD_DEAD
    """
    found = _root(k).pds.get(number)
    if found is None:
        known = 0 < number <= k.numbers["pd"]
        return error(Status.PD_DEAD if known else Status.FAILED_LOOKUP)
    return found if found.alive and found.doomed is None else error(Status.PD_DEAD)


def _endpoint(caller: TCB) -> Slot | Result:
    sent = caller.request.caps
    if not sent:
        return error(Status.TRUNCATED_MESSAGE)
    source = cspace.lookup(caller, sent[0])
    if source is None or source.cap is None:
        return error(Status.FAILED_LOOKUP, 1, sent[0])
    cap = source.cap
    if cap.type != ObjectType.ENDPOINT or cap.badge or cap.rights != Rights.ALL:
        return error(Status.INVALID_CAPABILITY, 1)
    return source


def _make(
    k: Kernel, manager: PD, arguments: dict[str, Any], source: Slot, client: PD | None, slot: Slot
) -> Space | None:
    root = _root(k)
    if client is not None and client.free_slot() is None:
        return None
    if not space.possible(root, arguments["type_name"]):
        return None
    # Space and RDE on one page, so that there is room for both or for neither.
    slab = ledger.room(k, root, manager, PRICE_SPACE + PRICE_HOLD)
    if slab is None:
        return None
    made = space.make(k, root, manager, arguments["type_name"], source, slab)
    made.policy = (arguments["pd_depth"], arguments["space_depth"])
    return made


def _capability(made: Space) -> Cap:
    return Cap(ObjectType.RESSPC, made, Rights.ALL)


def serve(k: Kernel, root: RootTask, one: PD) -> Space | None:
    """Make what a PD serves: its endpoint, and its default space if it serves one.

    Both are the root task's gifts, under the names `server` and `space`.
    """
    serves = one.spec.get("serves")
    if not serves:
        return None
    pd.serve(k, root, one)
    if serves == "endpoint":
        return None
    assert one.master is not None
    made = space.make(k, root, one, serves["space"], one.master, None)
    one.default_space = made.number
    pd.give(k, one, "space", _capability(made), made.own, "root")
    return made


def use(
    k: Kernel, root: RootTask, client: PD, name: str, server: PD, at: Slot | None = None
) -> None:
    """Give a client its way to a server: the RDE of its default space, or a badged endpoint.

    It goes to the slot `at`, if one is said. Faults go to an endpoint, whatever it serves besides.
    """
    if name == FAULT_HANDLER or not server.default_space or server.master is None:
        pd.use(k, client, name, server, at)
        return
    one = root.spaces.get(server.default_space)
    if one is None or one.cause is not None:
        # It lives, and its space was taken away or destroyed.
        pd.use(k, client, name, server, at, k.cause(Status.REVOKED, server))
        return
    hold = holds.give(k, one, BADGE_OBJ_ID_NULL, client, None, at)
    assert not isinstance(hold, Status), "there was room for it"
    holds.name_rde(one, client, hold, name)
    server.users.append(client)


def issue(k: Kernel, one: Space, client: PD, name: str | None, payer: PD | None) -> Outcome:
    """Give a PD an RDE of a space; one that it has already stays where it is.

    Errors: INVALID_ARGUMENT, DELETE_FIRST, NOT_ENOUGH_MEMORY, INVALID_CAPABILITY
    """
    if name is not None:
        refused = bodies.name_refused(client, name)
        if refused is not None:
            return refused
    hold = holds.give(k, one, BADGE_OBJ_ID_NULL, client, payer)
    if isinstance(hold, Status):
        return error(hold, 0)
    holds.name_rde(one, client, hold, name)
    return _done(slot=holds.slot_of(hold, client))
