"""Restart: a new generation of a PD that has died, in the slots where others know it.

Who dies is dead for good; a new PD of the same name, with the next generation and a number of its
own, takes its place after a while that doubles each time. What its manifest entry gives it is made
anew. In every PD whose entry names it, the capability in the slot that it was found in is replaced
and the slot's renewal count goes up: a pointer works again, while an object bound to the old
generation is refused by that count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from caplab.kernel.abi import CLIENT_MAX, FAULT_HANDLER, ObjectType, Status
from caplab.kernel.core.cap import Cap, Slot
from caplab.kernel.core.effects import Answer
from caplab.kernel.root import connect, operator, pd, stop
from caplab.kernel.root.pd import PD, Entry

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.task import RootTask

BACKOFF, MOST = 0.5, 5
"""Seconds before the first restart, and how many there are, when the manifest says nothing."""
LONGEST = 60.0
"""Seconds a restart waits at most."""


class Plan(NamedTuple):
    """What a manifest says of a PD's restarts."""

    policy: str
    backoff: float
    most: int


class Again:
    """A restart that waits for its time."""

    __slots__ = ("deadline", "pd")

    def __init__(self, one: PD) -> None:
        self.pd = one
        self.deadline: int | None = None


def plan(one: PD) -> Plan:
    """A PD's `restart:` in full."""
    said: Any = one.spec.get("restart") or "no"
    given = said if isinstance(said, dict) else {"policy": said}
    return Plan(given.get("policy", "no"), given.get("backoff", BACKOFF), given.get("max", MOST))


def wanted(k: Kernel, root: RootTask, one: PD) -> bool:
    """Is there to be another generation of a PD that has ended?"""
    if root.stop is not None or "creator" in one.spec or k.numbers["pd"] >= CLIENT_MAX:
        return False
    said = plan(one)
    failed = one.ended != "exited" or bool(one.exit_code)
    meant = said.policy == "always" or (said.policy == "on-failure" and failed)
    return bool(one.asked) or (meant and one.restarts < said.most)


def keepers(k: Kernel, root: RootTask, dead: PD) -> dict[int, None]:
    """PDs that keep their dead capability to a server's default space until it is renewed."""
    if not wanted(k, root, dead):
        return {}
    return {client.number: None for client, _ in _users(root, dead.name)}


def follow(k: Kernel, root: RootTask, dead: PD) -> None:
    """A PD is gone: let the next generation come, now or after a while, or say that none does."""
    assert dead.report is not None
    if wanted(k, root, dead):
        said = plan(dead)
        delay = 0.0 if dead.asked else min(said.backoff * 2**dead.restarts, LONGEST)
        dead.report.add(
            "restart", dead.name, generation=dead.generation + 1, seconds=round(delay, 3)
        )
        dead.again = Again(dead)
        if delay:
            k.set_timer(dead.again, delay)
        else:
            revive(k, root, dead)
    elif plan(dead).policy != "no" and root.stop is None and dead.restarts:
        dead.reason += f" (restarted {dead.restarts} times, and no more)"


def cancel(root: RootTask) -> None:
    """The system goes down: nobody is restarted any more."""
    for one in root.pds.values():
        if one.again is not None:
            one.again.deadline = None
            one.again = None


def revive(k: Kernel, root: RootTask, dead: PD) -> PD:
    """Make and start the next generation."""
    again, dead.again = dead.again, None
    if again is not None:
        again.deadline = None
    assert dead.report is not None
    body = {**dead.report.as_dict(), "restarted": dead.generation + 1}
    asked, dead.asked = dead.asked, []
    made = pd.create(k, root, dead.name, {**dead.spec, "arms": None})
    made.generation = dead.generation + 1
    made.restarts = dead.restarts + (not asked)
    connect.serve(k, root, made)
    root.wire(k, made)
    _renew_all(k, root, made)
    pd.spawn(k, made)
    for request in asked:
        k.effects.append(Answer(request, body))
    return made


# -- the slots of others ---------------------------------------------------------------------------


def _users(root: RootTask, name: str) -> list[tuple[PD, str]]:
    """PDs whose manifest entry has them use a server, and their name for it."""
    return [
        (client, known)
        for client in root.pds.values()
        for known, provider in (client.spec.get("uses") or {}).items()
        if provider == name and client.alive
    ]


def _renew_all(k: Kernel, root: RootTask, made: PD) -> None:
    users = _users(root, made.name)
    handled = [
        (client, FAULT_HANDLER)
        for client in root.pds.values()
        if client.spec.get("faults") == made.name and client.alive
    ]
    for client, name in (*users, *handled):
        slot = _renewable(client, name, made) if client is not made else None
        if slot is not None:
            _empty(k, slot, made)
            connect.use(k, root, client, name, made, slot)
            slot.renewals += 1
    for client in root.pds.values():
        if made.name in (client.spec.get("manages") or ()) and client.alive:
            name = f"pd:{made.name}"
            slot = _renewable(client, name, made) if client is not made else None
            if slot is not None:
                _empty(k, slot, made)
                k.put(slot, operator.managing(made), None, made.name)
                client.names[name] = Entry(slot.index, int(ObjectType.PD), made.name)
                slot.renewals += 1


def _renewable(client: PD, name: str, made: PD) -> Slot | None:
    """The slot that the old generation is known by, unless the PD has put it to another use."""
    entry = client.names.get(name)
    slot = client.cspace.slots.get(entry.slot) if entry is not None else None
    if slot is None:
        return None
    if slot.cap is None:
        deleted = slot.cause is not None and slot.cause.pd == client.number
        return None if deleted else slot
    return slot if _is_old(slot.cap, made) else None


def _is_old(cap: Cap, made: PD) -> bool:
    """Does a capability name an earlier generation, or what it served?"""
    if cap.type not in (ObjectType.ENDPOINT, ObjectType.PD):
        return False
    owner: PD | None = cap.obj if cap.type == ObjectType.PD else cap.obj.owner
    return owner is not None and owner.name == made.name and not owner.alive


def _empty(k: Kernel, slot: Slot, made: PD) -> None:
    k.delete(slot, k.cause(Status.DIED_BEFORE_RECV, made))


# -- when somebody asks for it -------------------------------------------------------------------


def ask(k: Kernel, root: RootTask, target: PD, request: int) -> str:
    """An operator wants another generation; the answer is why there will be none, or nothing.

    A PD that lives is stopped politely first. Who asked is told when the new one is started.
    """
    if "creator" in target.spec:
        return (
            f"`{target.name}` was made by `{target.spec['creator']}`, which alone can make another"
        )
    if root.stop is not None:
        return "the system is going down"
    if k.numbers["pd"] >= CLIENT_MAX:
        return f"there have been {CLIENT_MAX} PDs, and that is all a badge can tell apart"
    target.asked.append(request)
    if target.state == "dead":
        revive(k, root, target)
    elif target.alive:
        stop.stop(k, root, target)
    return ""
