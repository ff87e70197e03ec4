"""The kernel runs without the cyclic collector, so it must leave it nothing to do."""

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from caplab.kernel.abi import SLOT_CNODE, SLOT_PD, SLOT_TCB, ObjectType, Sys
from caplab.kernel.core.events import Started
from lab import Lab, ok

SYSTEM = {
    "fs": {"serves": "endpoint", "threads": 2},
    "boss": {"uses": {"fs": "fs"}, "rdes": ["pd"], "devices": ["uart0"], "threads": 2},
}

Make = Callable[..., Lab]


@pytest.fixture
def system() -> Iterator[Make]:
    """Makes systems that stay alive until what only the collector could find has been counted."""
    enabled, flags = gc.isenabled(), gc.get_debug()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.garbage.clear()
    kept: list[Lab] = []

    def make(pds: dict[str, Any] = SYSTEM) -> Lab:
        kept.append(Lab(pds, uarts=["uart0"]))
        return kept[-1]

    yield make
    for lab in kept:
        lab.threads.clear()  # the test's own handles, on the dead as on the living
    gc.collect()
    found = [
        f"{type(each).__module__}.{type(each).__name__}"
        for each in gc.garbage
        if type(each).__module__.startswith("caplab")
    ]
    gc.set_debug(flags)
    gc.garbage.clear()
    if enabled:
        gc.enable()
    assert found == []


def used(lab: Lab) -> None:
    """Calls, transfers, saved replies, notifications, time limits, suspends, revokes."""
    fs, boss = lab["fs"], lab["boss"]
    boss.alloc(ObjectType.ENDPOINT, 20)
    boss.alloc(ObjectType.NOTIFICATION, 21)
    boss.alloc(ObjectType.FRAME, 22)
    for caps in ([22], [SLOT_CNODE], [SLOT_TCB], [SLOT_PD], [20], [21]):
        boss.call("fs", caps=caps, timeout=10)
        ok(fs.recv(slot=40))
        ok(fs.save_caller(41))
        ok(fs.send(41))
        ok(boss.woken())
        ok(fs.delete(40))
    ok(boss.bind(21))
    ok(boss.mint(20, 23, badge=5))
    for slot in range(100, 400):
        ok(boss.copy(20, slot))
    assert lab["boss.1"].call(20, timeout=1) is None
    lab.pass_time(1)
    lab["boss.1"].woken()
    boss.revoke(20)
    lab.work()
    ok(boss.woken())
    lab.operator("suspend", pd="boss")
    lab.operator("resume", pd="boss")
    for slot in (20, 21, 22):
        ok(boss.delete(slot))


def child_lives(lab: Lab) -> None:
    """A server that is called, holds pages, replies and a device, and dies in the middle of it."""
    boss, second = lab["boss"], lab["boss.1"]
    ok(boss.retype(ObjectType.UNTYPED, 32, 16))
    answer = ok(
        boss.invoke(
            "pd_create",
            "rde:pd",
            name="child",
            run="x",
            serves="endpoint",
            threads=3,
            devices=["uart0"],
            untyped=32,
            receive=30,
        )
    )
    master = answer.map["endpoint"]
    ok(boss.pd_call("install", 30, caps=[SLOT_PD], name="boss", rights=15, badge=None))
    ok(boss.pd_call("start", 30))
    child = lab["child"]
    ok(child.invoke("device_claim", "uart0", slot=20))
    child.alloc(ObjectType.NOTIFICATION, 21)
    child.alloc(ObjectType.FRAME, 22)
    ok(child.invoke("irq_set_notification", 20, caps=[21]))
    ok(child.bind(21))
    ok(boss.mint(master, 31, badge=7))
    second.call(31)
    ok(child.recv())
    ok(child.save_caller(23))
    ok(boss.nb_send(31))
    lab["child.1"].recv()
    lab["child.2"].syscall(Sys.PARK, timeout=100)
    request = lab.ask("kill", pd="child")
    lab.die("child")
    assert second.woken().blames == "child"
    assert request in lab.answers
    for slot in (30, 31, 32, master):
        ok(boss.delete(slot))


def test_a_system_that_works_leaves_the_collector_nothing(system: Make) -> None:
    lab = system()
    for _ in range(2):
        used(lab)


def test_pds_that_come_and_go_leave_the_collector_nothing(system: Make) -> None:
    lab = system()
    for _ in range(3):
        child_lives(lab)
    assert len(lab.root.pds) == 3


def test_a_client_that_is_still_work_to_a_server_leaves_the_collector_nothing(
    system: Make,
) -> None:
    lab = system({**SYSTEM, "app": {"uses": {"fs": "fs"}}})
    lab.ask("kill", pd="app")
    lab.die("app")
    ok(lab["boss"].invoke("pd_create", "rde:pd", name="app", run="x", receive=30))
    lab.pass_time(3)
    for _ in range(2):
        ok(lab["fs"].pd_call("get_work"))
    ok(lab["boss"].delete(30))
    lab.work()


def test_a_pd_that_was_never_started_leaves_the_collector_nothing(system: Make) -> None:
    lab = system()
    boss = lab["boss"]
    for _ in range(3):
        ok(boss.invoke("pd_create", "rde:pd", name="child", run="x", receive=30))
        ok(boss.delete(30))
        lab.work()


def test_going_down_leaves_the_collector_nothing(system: Make) -> None:
    lab = system()
    lab.ask("down")
    lab.die("boss", 0)
    lab.die("fs", 0)
    assert lab.k.finished


def test_refusals_and_faults_leave_the_collector_nothing(system: Make) -> None:
    lab = system()
    boss = lab["boss"]
    for body in (b"\xc1", b"\x80", b"\x81\xa4name\x01", b""):
        boss.call("rde:pd", body, label=96)
        boss.call(SLOT_CNODE, body, label=32)
    boss.send_frame(b"garbage")
    lab.die("boss")
    assert lab.ps("boss")["state"] == "faulted"


def filled_node(lab: Lab, slot: int = 30, count: int = 600) -> None:
    """A CNode of `boss`, made of untyped, with copies of everything it has."""
    boss = lab["boss"]
    ok(boss.retype(ObjectType.CNODE, slot, 10))
    lab.checked = False
    for index in range(count):
        source = (20, 21, 22, 23, SLOT_TCB)[index % 5]
        words = {"dest_index": index, "dest_depth": 10, "src_index": source, "src_depth": 64}
        ok(boss.invoke("cnode_copy", slot, caps=[SLOT_CNODE], rights=15, **words))
    lab.checked = True


def made_of_untyped(lab: Lab) -> None:
    """Objects of every kind that refer to each other, and a thread that waits on one."""
    boss = lab["boss"]
    kinds = (ObjectType.ENDPOINT, ObjectType.NOTIFICATION, ObjectType.FRAME, ObjectType.TCB)
    for slot, kind in enumerate(kinds, 20):
        ok(boss.retype(kind, slot))
    ok(boss.bind(21, tcb=23))
    ok(boss.invoke("device_claim", "uart0", slot=24))
    ok(boss.invoke("irq_set_notification", 24, caps=[21]))
    words = {"fault_ep": 20, "cspace_root_data": 0, "vspace_root_data": 0}
    ok(boss.invoke("tcb_set_space", 23, caps=[SLOT_CNODE, SLOT_CNODE], **words))
    filled_node(lab)
    assert lab["boss.1"].call(20, timeout=9) is None


@pytest.mark.parametrize("end", ["revoke", "delete", "die", "die in the middle", "down"])
def test_much_that_goes_in_slices_leaves_the_collector_nothing(system: Make, end: str) -> None:
    """A CNode of 600 capabilities, and what they name, by the work of several jobs."""
    lab = system()
    made_of_untyped(lab)
    boss = lab["boss"]
    if end == "delete":
        assert boss.delete(30) is None
        lab.work()
        ok(boss.woken())
    if end in ("revoke", "die in the middle"):
        assert boss.revoke("untyped") is None
        assert lab.k.jobs_pending
    if end == "revoke":
        lab.work()
        ok(boss.woken())
        assert lab["boss.1"].woken().blames == "boss"
    if end.startswith("die"):
        lab.die("boss")
        lab.ask("down")
    if end == "down":
        lab.ask("down")
        lab.die("boss", 0)
        lab.die("fs", 0)
        assert lab.k.finished


def test_replies_that_nobody_gives_leave_the_collector_nothing(system: Make) -> None:
    """Saved, moved, dropped by a delete, by a death and by a caller's own death."""
    uses = {"uses": {"fs": "fs"}}
    lab = system({**SYSTEM, "a": uses, "b": uses, "c": uses})
    fs = lab["fs"]
    for slot, name in enumerate("abc", 40):
        lab[name].call("fs")
        ok(fs.recv())
        ok(fs.save_caller(slot))
        ok(fs.move(slot, slot + 10))
    ok(fs.delete(50))
    lab["a"].woken()
    lab.die("b")
    lab.die("fs")
    assert lab["c"].woken().blames == "fs"


def test_faults_and_their_handlers_leave_the_collector_nothing(system: Make) -> None:
    faults = {"faults": "fs", "uses": {"fs": "fs"}}
    lab = system({**SYSTEM, "a": faults, "b": faults, "c": faults})
    fs = lab["fs"]
    for name in "abc":
        lab[name].recv(300)
        ok(fs.recv())
        ok(fs.save_caller(40 + ord(name)))
    ok(fs.send(40 + ord("a")))
    lab.work()
    assert lab["a"].blocked
    lab.die("b")
    lab.die("fs")
    assert lab["c"].woken().status


CHAIN = {
    "low": {"serves": {"space": "LOW"}, "rdes": ["resspc"], "restart": "always"},
    "high": {"serves": {"space": "HIGH"}, "rdes": ["resspc", "vmr"], "uses": {"low": "low"}},
    "app": {"uses": {"high": "high", "low": "low"}, "restart": "always"},
}


def resources_live(lab: Lab) -> None:
    """Spaces, holds, work, a model and attachments, all given back or lost with the dead."""
    low, high, app = lab["low"], lab["high"], lab["app"]
    for server, to in ((low, high), (high, app), (low, app)):
        made = ok(server.invoke("resspc_create", "space", object=None)).map["object"]
        ok(server.invoke("resspc_give", "space", object=made, pd=to.pd.number))
    ok(
        high.invoke(
            "resspc_map", "space", space=ok(low.invoke("resspc_info", "space")).map["space"]
        )
    )
    ok(high.invoke("resspc_connect", "rde:resspc", caps=["server"], type_name="X", receive=30))
    high.alloc(ObjectType.FRAME, 31)
    ok(high.invoke("ads_attach", "rde:vmr", caps=[31], name="page", rights=15))
    ok(high.invoke("ads_detach", "rde:vmr", name="page"))
    lab.ask("graph", timeout=1)
    for server in (low, high):
        for item in ok(server.pd_call("get_work")).map["items"]:
            ok(server.pd_call("finish_work", id=item["id"]))
    lab.work()
    ok(high.delete(30))
    lab.work()
    ok(low.revoke("untyped"))
    lab.work()


def test_resources_that_come_and_go_leave_the_collector_nothing(system: Make) -> None:
    lab = system(CHAIN)
    for _ in range(3):
        resources_live(lab)
        request = lab.ask("kill", pd="low", pd_depth=0, space_depth=1)
        lab.die("low")
        lab.die("app")
        lab.pass_time(61)
        assert request in lab.answers
        for name in ("low", "app"):
            pd = lab.pd(name)
            lab.step(Started(lab.now, pd.number, 1000 + pd.number))
        lab.die("high", 0)
        lab.operator("restart", pd="high")
        lab.step(Started(lab.now, lab.pd("high").number, 7))
        lab.pass_time(61)


def test_a_death_that_takes_others_with_it_leaves_the_collector_nothing(system: Make) -> None:
    lab = system({name: {**entry, "restart": "no"} for name, entry in CHAIN.items()})
    resources_live(lab)
    lab.ask("kill", pd="low", pd_depth="all", space_depth="all")
    lab.die("low")
    lab.die("high")
    lab.die("app")
    lab.pass_time(3)
    assert not lab.root.spaces
    lab.ask("down")
    assert lab.k.finished
