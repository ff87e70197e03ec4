"""Invocations on PD capabilities: what a PD asks of its own, and what a manager does to others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgpack

from caplab.kernel.abi import ObjectType, Rights, Status
from caplab.kernel.core import blocking, cspace
from caplab.kernel.core import cap as caps
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.outcome import Outcome, Result, error
from caplab.kernel.core.states import JOB
from caplab.kernel.root import bodies, death, look, operator, pd, space
from caplab.kernel.root.pd import PD, Entry

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.root.task import RootTask

MAX_PAGES = 4096
_NONE = type(None)


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    """A PD lives as long as its process, whoever names it."""
    cap.obj.refs += 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    """Deleting a PD capability does nothing to a PD that runs; nobody else could start one."""
    target: PD = cap.obj
    target.refs -= 1
    if target.refs <= 1 and target.state == "created":
        death.abandoned(k, _root(k), target)


def done(**answer: Any) -> Result:
    return Result(body=msgpack.packb(answer))


def _root(k: Kernel) -> RootTask:
    return cast("RootTask", k.root)


def lookup(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Find a capability of the PD's environment by its name; without a name, list them all.

    Object:    PD, the caller's own
    Arguments: name, or nothing
    Answer:    slot, type, from, renewal, pd (of an endpoint: the number of the PD that receives
        there, 0 for nobody); or names: a map of such entries
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT, FAILED_LOOKUP (no such name),
        INVALID_CAPABILITY (another PD's)
    """
    arguments = bodies.unpack(caller, {"name": (str, _NONE)})
    if isinstance(arguments, Result):
        return arguments
    if cap.obj is not caller.pd:
        return error(Status.INVALID_CAPABILITY, 0)
    one: PD = cap.obj
    name = arguments["name"]
    if name is None:
        return done(names={name: _entry(one, entry) for name, entry in one.names.items()})
    entry = one.names.get(name)
    if entry is None:
        return error(Status.FAILED_LOOKUP)
    return done(**_entry(one, entry))


def _entry(one: PD, entry: Entry) -> dict[str, Any]:
    slot = one.cspace.slot(entry.slot)
    return {
        "slot": entry.slot,
        "type": entry.type,
        "from": entry.provider,
        "renewal": slot.renewals,
        "pd": _receiver(slot.cap),
    }


def _receiver(cap: Cap | None) -> int:
    if cap is None or cap.type != ObjectType.ENDPOINT or not cap.obj.readers:
        return 0
    return cast("PD", cap.obj.owner).number


def info(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Look at a PD.

    Object: PD
    Rights: Read
    Answer: the row `ps` shows, and number: the PD's; creator: that of the PD that made it (0: the
        manifest, or dead); ads: of its address space (0: it is dead)
    Errors: INVALID_CAPABILITY
    """
    if not cap.rights & Rights.READ:
        return error(Status.INVALID_CAPABILITY, 0)
    one: PD = cap.obj
    creator = _root(k).latest.get(one.spec.get("creator", ""))
    more = {
        "number": one.number,
        "creator": creator.number if creator is not None and creator.alive else 0,
        "ads": one.ads.number if one.ads is not None else 0,
    }
    return done(**look.row(one), **more)


def client(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Say to whom a badge of an endpoint was given, and what the manifest says of its console.

    Object:    PD, the caller's own
    Arguments: badge; caps: endpoint, one that the caller receives on
    Answer:    pd: the PD's name; number; generation; which: of the badges of this endpoint that it
        was given, from 0; console: its `console:`, a map
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT, INVALID_CAPABILITY (another PD's; no endpoint,
        or no Read), FAILED_LOOKUP (no such capability; neither the root task nor PD_Install has
        put this badge anywhere, or none is left)
    """
    arguments = bodies.unpack(caller, {"badge": int})
    if isinstance(arguments, Result):
        return arguments
    if cap.obj is not caller.pd:
        return error(Status.INVALID_CAPABILITY, 0)
    sent = caller.request.caps
    if not sent:
        return error(Status.TRUNCATED_MESSAGE)
    source = cspace.lookup(caller, sent[0])
    if source is None or source.cap is None:
        return error(Status.FAILED_LOOKUP, 1, sent[0])
    if source.cap.type != ObjectType.ENDPOINT or not source.cap.rights & Rights.READ:
        return error(Status.INVALID_CAPABILITY, 1)
    given, badge = source.cap.obj.clients, arguments["badge"]
    number = given.get(badge)
    one = _root(k).pds.get(number)
    if one is None:
        return error(Status.FAILED_LOOKUP)
    which = sum(at < badge for at, other in given.items() if other == number)
    more = {"number": number, "generation": one.generation, "which": which}
    return done(pd=one.name, console=one.spec.get("console") or {}, **more)


def install(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Put a copy of a capability, with a badge if wanted, into a PD's CSpace.

    Object:    PD
    Arguments: name (makes it visible in the PD's env) or nothing; slot (of the PD's own half), or
        nothing: the root task chooses in its half; rights; badge, or nothing; caps: cap
    Rights:    Grant
    Answer:    slot
    Errors:    INVALID_CAPABILITY, INVALID_ARGUMENT, TRUNCATED_MESSAGE, FAILED_LOOKUP, RANGE_ERROR,
        DELETE_FIRST (slot full, or the name taken by a capability that is still there),
        ILLEGAL_OPERATION (badged already, or the PD is dead), REVOKE_FIRST (an untyped with
        children), NOT_ENOUGH_MEMORY (no slot left, or too many names)
    """
    if not cap.rights & Rights.GRANT:
        return error(Status.INVALID_CAPABILITY, 0)
    kinds: dict[str, bodies.Kind] = {
        "name": (str, _NONE),
        "slot": (int, _NONE),
        "rights": int,
        "badge": (int, _NONE),
    }
    arguments = bodies.unpack(caller, kinds)
    if isinstance(arguments, Result):
        return arguments
    return install_copy(k, caller, cap.obj, arguments)


def install_copy(k: Kernel, caller: TCB, target: PD, arguments: dict[str, Any]) -> Outcome:
    """Put the capability that was sent into the PD's CSpace; errors as PD_Install."""
    sent = caller.request.caps
    if not sent:
        return error(Status.TRUNCATED_MESSAGE)
    source = cspace.lookup(caller, sent[0])
    if source is None or source.cap is None:
        return error(Status.FAILED_LOOKUP, 1, sent[0])
    if not target.alive:
        return error(Status.ILLEGAL_OPERATION)
    new: Cap | Status = caps.masked(source.cap, arguments["rights"])
    if arguments["badge"] is not None and not isinstance(new, Status):
        if not 0 <= arguments["badge"] < 1 << 64:
            return error(Status.RANGE_ERROR, 0, (1 << 64) - 1)
        new = caps.badged(new, arguments["badge"])
    if not isinstance(new, Status):
        new = caps.derived(source, new)
    if isinstance(new, Status):
        return error(new)
    name = arguments["name"]
    if name is not None:
        refused = bodies.name_refused(target, name)
        if refused is not None:
            return refused
    slot: Slot | Result | None = target.free_slot()
    if arguments["slot"] is not None:
        slot = bodies.own_slot(target.tcbs[0], arguments["slot"])
    if isinstance(slot, Result):
        return slot
    if slot is None:
        return error(Status.NOT_ENOUGH_MEMORY, 0)
    target.claim(slot)
    k.put(slot, new, source, caller.pd.name)
    if name is not None:
        target.names[name] = Entry(slot.index, int(new.type), caller.pd.name)
    if new.type == ObjectType.ENDPOINT:
        if new.badge:
            new.obj.clients.setdefault(new.badge, target.number)
        if new.rights & Rights.READ:
            new.obj.owner = target
    return done(slot=slot.index)


def start(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Start a PD that was created.

    Object: PD
    Rights: Write
    Errors: INVALID_CAPABILITY, ILLEGAL_OPERATION (started before)
    """
    if not cap.rights & Rights.WRITE:
        return error(Status.INVALID_CAPABILITY, 0)
    if cap.obj.state != "created":
        return error(Status.ILLEGAL_OPERATION)
    pd.spawn(k, cap.obj)
    return done()


def kill(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Kill a PD and wait until it is cleaned up.

    Object:    PD
    Arguments: signal, SIGKILL when left out; pd_depth, space_depth: how far the death spreads, each
        a number, `all`, or nothing: as the policies say
    Rights:    Write
    Blocks:    until the PD is gone; at most two seconds longer for work that lies with servers;
        not for a signal that ends nobody
    Answer:    pd, generation, actions, freed_callers, pending, seconds
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT, INVALID_CAPABILITY, ILLEGAL_OPERATION (it has
        ended), TIMED_OUT (the death goes on)
    """
    depth = (int, str, _NONE)
    kinds = {"signal": (int, _NONE), "pd_depth": depth, "space_depth": depth}
    arguments = bodies.unpack(caller, kinds)
    if isinstance(arguments, Result):
        return arguments
    for position, key in ((1, "pd_depth"), (2, "space_depth")):
        if not space.valid_depth(arguments[key]):
            return error(Status.INVALID_ARGUMENT, position)
    number = 9 if arguments["signal"] is None else arguments["signal"]
    if not 1 <= number <= 64:
        return error(Status.INVALID_ARGUMENT, 0)
    if not cap.rights & Rights.WRITE:
        return error(Status.INVALID_CAPABILITY, 0)
    target: PD = cap.obj
    if not target.alive:
        return error(Status.ILLEGAL_OPERATION)
    if number in operator.HARMLESS:
        return done(**operator.passing(k, target, number))
    report = operator.report_of(target)
    report.policy = {key: arguments[key] for key in ("pd_depth", "space_depth")}
    _await(caller, report)
    target.meant = "creator" in target.spec
    operator.deliver(k, _root(k), target, number, caller.pd.name)
    return None


def link(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Let a PD die with the caller's: it is killed when the caller's PD ends, however it does.

    Object: PD
    Rights: Write
    Errors: INVALID_CAPABILITY, INVALID_ARGUMENT (the caller's own), PD_DEAD
    """
    if not cap.rights & Rights.WRITE:
        return error(Status.INVALID_CAPABILITY, 0)
    target: PD = cap.obj
    if target is caller.pd:
        return error(Status.INVALID_ARGUMENT, 0)
    if not target.alive or target.doomed is not None:
        return error(Status.PD_DEAD)
    caller.pd.linked[target.number] = None
    return done()


def crash(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Make a PD crash at its current, next or N-th system call, and wait until it is cleaned up.

    Object:    PD
    Arguments: how: segv, abort, exception, exit:N, hang, oom or bus; after: N, or nothing
    Rights:    Write
    Blocks:    until the PD is gone; not for `hang`, which ends nobody
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT, INVALID_CAPABILITY, ILLEGAL_OPERATION (not
        running, or past N), TIMED_OUT (the crash stays armed)
    """
    arguments = bodies.unpack(caller, {"how": str, "after": (int, _NONE)})
    if isinstance(arguments, Result):
        return arguments
    if not operator.known_crash(arguments["how"]):
        return error(Status.INVALID_ARGUMENT, 0)
    target = _running(cap)
    if isinstance(target, Result):
        return target
    after = arguments["after"]
    if after is not None and target.calls >= after:
        return error(Status.ILLEGAL_OPERATION)
    arm = pd.Arm("crash", arguments["how"], after)
    if arm.how == "hang":
        operator.arm(k, _root(k), target, arm)
        return done()
    _await(caller, operator.report_of(target))
    operator.arm(k, _root(k), target, arm)
    return None


def _running(cap: Cap) -> PD | Result:
    if not cap.rights & Rights.WRITE:
        return error(Status.INVALID_CAPABILITY, 0)
    target: PD = cap.obj
    if target.state != "started":
        return error(Status.ILLEGAL_OPERATION)
    return target


def _await(caller: TCB, report: Any) -> None:
    caller.state = JOB
    caller.on = report
    report.tcbs.append(caller)


def suspend(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Suspend every TCB of a PD.

    Object: PD
    Rights: Write
    Errors: INVALID_CAPABILITY, ILLEGAL_OPERATION (not running)
    """
    target = _running(cap)
    if isinstance(target, Result):
        return target
    for tcb in target.tcbs:
        blocking.suspend(k, tcb)
    return done()


def resume(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Resume every suspended TCB of a PD.

    Object: PD
    Rights: Write
    Errors: INVALID_CAPABILITY, ILLEGAL_OPERATION (not running)
    """
    target = _running(cap)
    if isinstance(target, Result):
        return target
    for tcb in target.tcbs:
        if tcb.suspended:
            blocking.resume(k, tcb)
    return done()
