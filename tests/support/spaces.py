"""Systems with resource servers, and what their PDs ask of the root task."""

from typing import Any

import msgpack

from caplab.kernel.abi import SLOT_PD, ObjectType, badge_parts
from caplab.kernel.core.events import Exited
from lab import Answer, Cptr, Lab, Thread, ok

ALL_RDES = ["pd", "resspc"]


def chain(*names: str, clients: dict[str, list[str]] | None = None, **spec: Any) -> Lab:
    """Servers, each of which uses the one before it, and clients of them."""
    pds: dict[str, dict[str, Any]] = {}
    for below, name in zip(("", *names), names, strict=False):
        uses = {below: below} if below else {}
        pds[name] = {"serves": {"space": name.upper()}, "rdes": ALL_RDES, "uses": uses}
    for name, used in (clients or {}).items():
        pds[name] = {"uses": {one: one for one in used}, "rdes": ALL_RDES}
    return Lab(pds, **spec)


def parking(**spec: Any) -> Lab:
    """A server `lot` with a space of type LOT, clients `car` and `van`, and `idle`."""
    uses = {"uses": {"lot": "lot"}, "rdes": ALL_RDES}
    pds = {
        "lot": {"serves": {"space": "LOT"}, "rdes": ALL_RDES},
        "car": {**uses, "manages": ["van"]},
        "van": uses,
        "idle": {"rdes": ALL_RDES},
    }
    return Lab(pds, **spec)


def ask(thread: Thread, name: str, cptr: Cptr = "space", /, **arguments: Any) -> Answer | None:
    """An invocation on a RESSPC capability."""
    return thread.invoke(f"resspc_{name}", cptr, **arguments)


def connect(thread: Thread, slot: int, endpoint: Cptr = "server", **more: Any) -> Answer | None:
    more.setdefault("type_name", "LOT")
    return thread.invoke("resspc_connect", "rde:resspc", caps=[endpoint], receive=slot, **more)


def made(thread: Thread, number: int | None = None, space: Cptr = "space") -> int:
    """A new resource; its number."""
    found: int = ok(ask(thread, "create", space, object=number)).map["object"]
    return found


def give(thread: Thread, number: int, to: Thread, space: Cptr = "space") -> Answer | None:
    return ask(thread, "give", space, object=number, pd=to.pd.number)


def given(thread: Thread, number: int, to: Thread, space: Cptr = "space") -> int:
    """Give a resource; the slot it lies in."""
    found: int = ok(give(thread, number, to, space)).map["slot"]
    return found


def held(thread: Thread) -> dict[tuple[int, int], int]:
    """What a PD holds: space and object -> count. RDEs are not among them."""
    found = {}
    for badge, hold in thread.pd.holds.items():
        parts = badge_parts(badge)
        if parts.object != (1 << 24) - 1:
            found[parts.space, parts.object] = hold.count
    return found


def rdes(thread: Thread) -> dict[str, int]:
    """Type -> slot of a PD's RDEs."""
    answer = ok(thread.pd_call("rdes", SLOT_PD)).map["rdes"]
    return {row["type"]: row["slot"] for row in answer}


def work(thread: Thread) -> list[dict[str, Any]]:
    """The next batch of work."""
    found: list[dict[str, Any]] = ok(thread.pd_call("get_work")).map["items"]
    return found


def kinds(items: list[dict[str, Any]]) -> list[str]:
    return [item["kind"] for item in items]


def pd_cap(lab: Lab, holder: str, target: str, rights: int = 15) -> int:
    """Let one PD have a capability to another, as a parent has; its slot."""
    pd = lab.pd(holder)
    slot = pd.free_slot()
    assert slot is not None
    source = lab.pd(target).cspace.slot(SLOT_PD)
    assert source.cap is not None
    lab.k.put(slot, source.cap._replace(rights=rights), source, "test")
    return slot.index


def caps_of(lab: Lab, badge: int) -> int:
    """How many capabilities with this badge there are outside the root task."""
    return sum(
        slot.cap is not None and slot.cap.type == ObjectType.ENDPOINT and slot.cap.badge == badge
        for cnode in lab.k.cnodes
        if cnode.pd.number
        for slot in cnode.slots.values()
    )


def packed(**arguments: Any) -> bytes:
    body: bytes = msgpack.packb(arguments)
    return body


def gpicl(**spec: Any) -> Lab:
    """The toy chain: `block` <- `file` <- `db` <- `app`, and `idle`, which concerns nobody.

    Each server makes two objects and gives them to its client; those of `file` and `db` are
    mapped onto the space below.
    """
    lab = chain("block", "file", "db", clients={"app": ["db"], "idle": []}, **spec)
    for below, above in (("block", "file"), ("file", "db"), ("db", "app")):
        for _ in range(2):
            given(lab[below], made(lab[below]), lab[above])
        if above != "app":
            space = ok(ask(lab[below], "info")).map["space"]
            ok(ask(lab[above], "map", space=space))
    return lab


def space_names(lab: Lab) -> set[str]:
    """`FILE` for the space of file, and so on."""
    return {space.type_name for space in lab.root.spaces.values()}


def alive(lab: Lab) -> set[str]:
    return {one.name for one in lab.root.latest.values() if one.alive}


def bury(lab: Lab) -> None:
    """The processes that were to be killed have ended, and what follows is done."""
    lab.work()
    for _ in lab.root.pds:
        for one in list(lab.root.pds.values()):
            if one.state == "started" and one.doomed is not None:
                lab.step(Exited(lab.now, one.number, 9))
                lab.work()
