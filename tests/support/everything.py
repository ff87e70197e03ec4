"""A system in which one PD has a capability of every kind."""

from typing import Any

from caplab.kernel.abi import SLOT_CNODE, SLOT_TCB, TIMER_PORT, TIMER_PORTS, ObjectType
from lab import Lab, Thread, ok

EP, NTFN, CNODE = ObjectType.ENDPOINT, ObjectType.NOTIFICATION, ObjectType.CNODE
UNTYPED, TCB, FRAME = ObjectType.UNTYPED, ObjectType.TCB, ObjectType.FRAME

# What lies in the caller's slots.
ENDPOINT, BELL, PAGE, IRQ, BADGED, CHILD, SAVED, NODE = range(20, 28)
DEVICE, SPARE, MEMORY, SPLIT, OF_SPLIT, DEAD_TCB, WEAK, BOUND = range(28, 36)
SPACE, PAGED, HOME, PORTS = 36, 37, 38, 39
FREE = 40
EMPTY, NOWHERE, HUGE = 99, 5000, 2**64 - 1
INSIDE = 1
"""The slot of NODE that holds an endpoint."""
BOSS, FS, OTHER, LATE, DEAD = range(1, 6)
"""Numbers of the PDs."""
KNOWN = 21
"""The badge of ENDPOINT that CHILD has been given."""
WORK = 1
"""The item of work that BOSS has fetched: DEAD is gone."""
LOT, CAR = 16, 17
"""Numbers of the spaces: the one that is served, and SPACE."""

PDS: dict[str, dict[str, Any]] = {
    "boss": {
        "serves": {"space": "LOT"},
        "rdes": ["pd", "domain", "resspc", "mo", "ep", "ads", "vmr", "cpu"],
        "devices": ["uart0", "uart1", "timer0", "timer1", "irqs", "ioports", "ranges"],
        "threads": 2,
        "manages": ["other", "dead", "paged"],
        "uses": {"fs": "fs"},
    },
    "fs": {"serves": "endpoint"},
    "other": {"uses": {"boss": "boss"}},
    "late": {"uses": {"boss": "boss"}},
    "dead": {"uses": {"boss": "boss"}},
    "paged": {"faults": "fs"},
}
MACHINE: dict[str, Any] = {
    "uarts": ["uart0", "uart1"],
    "timers": ["timer0", "timer1"],
    "irqs": [40, 41],
    "ranges": [{"address": 1 << 40, "size": 1 << 16}],
}
FIRST_PORT = TIMER_PORT + TIMER_PORTS
"""Of timer1, whose ports are in PORTS."""


def world(**spec: Any) -> tuple[Lab, Thread]:
    """A system, and the second thread of a PD that has a capability of every kind.

    The first thread waits in a call; the second has been called by `late`, and `other` waits for
    the answer that SAVED can give.
    """
    lab = Lab(PDS, **MACHINE, checked=False, **spec)
    boss = lab["boss.1"]
    for kind, slot in ((EP, ENDPOINT), (NTFN, BELL), (FRAME, PAGE), (TCB, SPARE), (NTFN, BOUND)):
        ok(boss.retype(kind, slot))
    ok(boss.invoke("device_claim", "uart0", slot=IRQ))
    ok(boss.mint(ENDPOINT, BADGED, badge=9))
    ok(boss.invoke("pd_create", "rde:pd", name="child", run="x", receive=CHILD))
    ok(boss.invoke("pd_install", CHILD, caps=[ENDPOINT], rights=15, badge=KNOWN))
    ok(boss.retype(CNODE, NODE, 4))
    inside = {"dest_index": INSIDE, "dest_depth": 4, "src_index": ENDPOINT, "src_depth": 64}
    ok(boss.invoke("cnode_copy", NODE, caps=[SLOT_CNODE], rights=15, **inside))
    for slot in (MEMORY, SPLIT):
        ok(boss.retype(UNTYPED, slot, 13))
    ok(boss.retype(EP, OF_SPLIT, of=SPLIT))
    ok(boss.copy(PAGE, WEAK, 0))
    ok(boss.copy("pd:paged", PAGED))
    ok(boss.bind(BOUND, SPARE))
    ok(boss.move("ranges", DEVICE))
    ok(boss.invoke("device_ports", "timer1", slot=PORTS))
    _make_spaces(boss)
    _make_homes(boss)
    lab["dead"].call("boss", caps=[SLOT_TCB])
    ok(boss.recv(slot=DEAD_TCB))
    lab.die("dead")
    [item] = ok(boss.pd_call("get_work")).map["items"]
    assert item["id"] == WORK
    lab["other"].call("boss")
    ok(boss.recv())
    ok(boss.save_caller(SAVED))
    lab["late"].call("boss")
    ok(boss.recv())
    lab["boss"].call("fs")
    return lab, boss


def _make_homes(boss: Thread) -> None:
    """Two address spaces, each with something attached; one of them is the PD's own."""
    ok(boss.invoke("ads_connect", "rde:ads", receive=HOME))
    for home, name in (("rde:vmr", "stack"), (HOME, "heap")):
        ok(boss.invoke("ads_attach", home, caps=[PAGE], name=name, rights=15))


def _make_spaces(boss: Thread) -> None:
    """Two spaces; the first has two resources and their holders, and an RDE that CHILD has too."""
    ok(boss.invoke("resspc_connect", "rde:resspc", caps=[ENDPOINT], type_name="CAR", receive=SPACE))
    for number, holder in ((1, OTHER), (2, BOSS)):
        ok(boss.invoke("resspc_create", "space", object=number))
        ok(boss.invoke("resspc_give", "space", object=number, pd=holder))
    for space in ("space", SPACE):
        ok(boss.invoke("resspc_issue", space, pd=BOSS))
    ok(boss.pd_call("share_rde", CHILD, type="LOT"))
