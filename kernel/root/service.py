"""Services of the root task that a manifest grants by `rdes`: for now, creating PDs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgpack

from caplab.kernel.abi import (
    BADGE_OBJ_ID_NULL,
    CLIENT_MAX,
    FAULT_HANDLER,
    PRICE_PD,
    ObjectType,
    Rights,
    Status,
)
from caplab.kernel.core import cap as caps
from caplab.kernel.core import cspace
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.outcome import Outcome, Result, error
from caplab.kernel.root import bodies, connect, holds, ledger, machine, pd, space

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.root.ads import ADS
    from caplab.kernel.root.pd import PD
    from caplab.kernel.root.task import RootTask

_NONE = type(None)
SERVICES = ("pd", "resspc", "mo", "ep", "ads", "cpu")
SHARED_MAX = 256
"""Attachments of an address space that a new PD may share."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}\Z")


class Service:
    """One kind of request the root task serves."""

    def __init__(self, name: str, root: RootTask) -> None:
        self.name = name
        self.root = root
        self.refs = 0


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    cap.obj.refs += 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    cap.obj.refs -= 1


def create_pd(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Make a PD that runs a program; it starts with PD_Start.

    It has the caller's priority and is in its domain. The caller's untyped memory pays for the
    record of it (`abi.PRICE_PD`) until it is dead; when that memory is taken back it is killed.

    Object:    SERVICE pd
    Arguments: name; run (as in a manifest); args: keyword arguments of main; threads; devices:
        names of devices the caller has, device memory apart; serves: `endpoint`, a map that names
        the type of the space it serves (`space`), or nothing; path: code roots, the caller's when
        left out; faults: pointer to an endpoint that the PD's faults go to, with the badge they
        have there; untyped: pointer to untyped memory of the caller's, which pays for what the PD
        makes and can be used again when that is gone; ads: pointer to the address space that it
        shares, otherwise it has one of its own; receive slot: where the PD capability goes
    Answer:    pd: its number; endpoint: slot of the master copy of the endpoint it serves, or 0;
        space: number of the space it serves, or 0; rde: slot of the caller's RDE for it, or 0;
        ads: number of its address space
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT with the argument's position, RANGE_ERROR
        (threads, or a receive slot outside the own half), ILLEGAL_OPERATION (another service),
        DELETE_FIRST (the name is taken, or the receive slot is full), FAILED_LOOKUP (no receive
        slot), REVOKE_FIRST (something is made of the untyped), NOT_ENOUGH_MEMORY (the caller's
        untyped, too many PDs, or no slot for the master copy)
    """
    kinds: dict[str, bodies.Kind] = {
        "name": str,
        "run": str,
        "args": (dict, _NONE),
        "threads": (int, _NONE),
        "devices": (list, _NONE),
        "serves": (str, dict, _NONE),
        "path": (list, _NONE),
        "faults": (int, _NONE),
        "untyped": (int, _NONE),
        "ads": (int, _NONE),
    }
    arguments = bodies.unpack(caller, kinds)
    if isinstance(arguments, Result):
        return arguments
    if cap.obj.name != "pd":
        return error(Status.ILLEGAL_OPERATION)
    root: RootTask = cap.obj.root
    refused = _refusal(k, root, caller.pd, arguments)
    if refused is not None:
        return refused
    if arguments["ads"] is not None and _home(caller, arguments["ads"]) is None:
        return error(Status.INVALID_ARGUMENT, 9)
    given = _given(caller, arguments)
    if isinstance(given, Result):
        return given
    slot = bodies.receive_slot(caller)
    if isinstance(slot, Result):
        return slot
    slab = ledger.room(k, root, caller.pd, PRICE_PD, given.get("untyped"))
    if slab is None:
        return error(Status.NOT_ENOUGH_MEMORY, 0)
    spec = {**_spec(caller.pd, arguments), "priority": caller.priority, "domain": caller.domain}
    made = pd.create(k, root, arguments["name"], spec, _home(caller, arguments["ads"]))
    ledger.enter(slab, made, PRICE_PD)
    for name, source in given.items():
        assert source.cap is not None
        pd.give(k, made, name, caps.masked(source.cap, pd.CLIENT_RIGHTS), source, caller.pd.name)
    pd.handled(made)
    k.put(slot, Cap(ObjectType.PD, made, Rights.ALL), None, "root")
    assert made.ads is not None
    answer = {"pd": made.number, "endpoint": 0, "space": 0, "rde": 0, "ads": made.ads.number}
    served = connect.serve(k, root, made)
    if served is not None:
        hold = holds.give(k, served, BADGE_OBJ_ID_NULL, caller.pd, None)
        assert not isinstance(hold, Status), "there was room for it"
        holds.name_rde(served, caller.pd, hold, None)
        answer |= {"space": served.number, "rde": holds.slot_of(hold, caller.pd)}
    elif made.master is not None:
        assert made.master.cap is not None
        copy = caps.masked(made.master.cap, pd.CLIENT_RIGHTS)
        answer["endpoint"] = pd.give(k, caller.pd, None, copy, made.master, "root")
    return Result(body=msgpack.packb(answer), landed=(slot.index,))


def _home(caller: TCB, cptr: int | None) -> ADS | None:
    """The address space a pointer names, if it may be shared and a new PD has room for it all."""
    slot = cspace.lookup(caller, cptr) if cptr is not None else None
    cap = slot.cap if slot is not None else None
    if cap is None or cap.type != ObjectType.ADS or not cap.rights & Rights.WRITE:
        return None
    found: ADS = cap.obj
    return found if len(found.attached) <= SHARED_MAX else None


def _spec(creator: PD, arguments: dict[str, Any]) -> dict[str, Any]:
    path = arguments["path"]
    return {
        **arguments,
        "path": list(creator.spec.get("path") or ()) if path is None else path,
        "role": "server" if arguments["serves"] else "client",
        "creator": creator.name,
        # The root task gives it none: whoever asks pays.
        "untyped": 0,
        "confinement": creator.spec.get("confinement"),
    }


def _given(caller: TCB, arguments: dict[str, Any]) -> dict[str, Slot] | Result:
    """What the caller gives the PD of its own, by the PD's name for it."""
    found: dict[str, Slot] = {}
    kinds = ((7, "faults", FAULT_HANDLER), (8, "untyped", "untyped"))
    for position, argument, name in kinds:
        cptr = arguments[argument]
        if cptr is None:
            continue
        slot = cspace.lookup(caller, cptr)
        cap = slot.cap if slot is not None else None
        if slot is None or cap is None or not _FITS[argument](cap):
            return error(Status.INVALID_ARGUMENT, position)
        if isinstance(caps.derived(slot, cap), Status):
            return error(Status.REVOKE_FIRST)
        found[name] = slot
    return found


def _is_handler(cap: Cap) -> bool:
    either = Rights.GRANT | Rights.GRANT_REPLY
    sends = cap.rights & Rights.WRITE and cap.rights & either
    return cap.type == ObjectType.ENDPOINT and bool(sends)


def _is_memory(cap: Cap) -> bool:
    return cap.type == ObjectType.UNTYPED and not cap.obj.device


_FITS = {"faults": _is_handler, "untyped": _is_memory}


def _servable(root: RootTask, serves: Any) -> bool:
    if not isinstance(serves, dict):
        return serves in (None, "", "endpoint")
    name = serves.get("space")
    if not isinstance(name, str) or len(serves) != 1:
        return False
    return connect.valid_type(root, name) and space.possible(root, name)


def _refusal(k: Kernel, root: RootTask, creator: PD, arguments: dict[str, Any]) -> Result | None:
    """Positions are those of the table: name, run, args, threads, devices, serves, path …"""
    if not _NAME.match(arguments["name"]):
        return error(Status.INVALID_ARGUMENT, 0)
    if not all(isinstance(key, str) for key in arguments["args"] or ()):
        return error(Status.INVALID_ARGUMENT, 2)
    threads = arguments["threads"]
    if threads is not None and not 1 <= threads <= pd.MAX_TCBS:
        return error(Status.RANGE_ERROR, 1, pd.MAX_TCBS)
    devices = arguments["devices"] or []
    known = [name for name in creator.spec.get("devices") or () if name != machine.RANGES]
    if any(device not in known for device in devices) or len(set(devices)) < len(devices):
        return error(Status.INVALID_ARGUMENT, 4)
    if not _servable(root, arguments["serves"]):
        return error(Status.INVALID_ARGUMENT, 5)
    if not all(isinstance(root_path, str) for root_path in arguments["path"] or ()):
        return error(Status.INVALID_ARGUMENT, 6)
    taken = root.latest.get(arguments["name"])
    if taken is not None and taken.state != "dead":
        return error(Status.DELETE_FIRST)
    if arguments["serves"] and creator.free_slot() is None:
        return error(Status.NOT_ENOUGH_MEMORY, 0)
    living = sum(1 for one in root.pds.values() if one.state != "dead")
    if living >= pd.MAX_PDS or k.numbers["pd"] >= CLIENT_MAX:
        return error(Status.NOT_ENOUGH_MEMORY, 0)
    return None
