"""Address spaces, and what the root task's own services give."""

from typing import Any

import pytest

from caplab.kernel.abi import SLOT_TCB, ObjectType, Rights, Status
from lab import Answer, Lab, Thread, ok, refused

SERVICES = ["pd", "mo", "ep", "ads", "vmr", "cpu"]


def system(**more: Any) -> tuple[Lab, Thread]:
    lab = Lab(
        {"boss": {"rdes": SERVICES, "threads": 3, **more}, "poor": {"rdes": SERVICES, "untyped": 0}}
    )
    return lab, lab["boss"]


def connect(thread: Thread, service: str, slot: int | None, /, **more: Any) -> Answer | None:
    return thread.invoke(f"{service}_connect", f"rde:{service}", receive=slot, **more)


def attach(thread: Thread, name: str, frame: int, ads: Any = "rde:vmr", rights: int = 15) -> Any:
    return thread.invoke("ads_attach", ads, caps=[frame], name=name, rights=rights)


def names(thread: Thread, ads: Any = "rde:vmr") -> list[str]:
    return [one["name"] for one in ok(thread.invoke("ads_list", ads)).map["attached"]]


def child(boss: Thread, slot: int, ads: Any = "rde:vmr", name: str = "child") -> Thread:
    """A PD that shares an address space."""
    given = {"name": name, "run": "x", "ads": boss.slot(ads)}
    ok(boss.invoke("pd_create", "rde:pd", receive=slot, **given))
    ok(boss.pd_call("start", slot))
    return boss.lab[name]


def test_memory_is_made_by_the_service_and_paid_by_who_asks() -> None:
    lab, boss = system()
    answer = ok(connect(boss, "mo", 20, pages=3))
    assert (answer.map["pages"], answer.extra) == (4, (20,))
    assert boss.cap(20).obj.number == answer.map["mo"]
    assert boss.cap(20).type == ObjectType.FRAME
    refused(Status.NOT_ENOUGH_MEMORY, connect, lab["poor"], "mo", 20, pages=1)
    for pages in (0, 513, -1):
        refused(Status.RANGE_ERROR, connect, boss, "mo", 21, pages=pages)


def test_an_endpoint_is_made_by_the_service() -> None:
    lab, boss = system()
    assert ok(connect(boss, "ep", 20)).map["ep"] == boss.cap(20).obj.number
    assert boss.cap(20).rights == Rights.ALL
    refused(Status.NOT_ENOUGH_MEMORY, connect, lab["poor"], "ep", 20)


def test_the_cpus_of_a_pd_are_its_spare_threads_each_once() -> None:
    lab, boss = system()
    taken = [ok(connect(boss, "cpu", slot, thread=None)).map for slot in (20, 21)]
    assert taken == [{"cpu": boss.pd.tcbs[n].number, "thread": n} for n in (2, 1)]
    refused(Status.NOT_ENOUGH_MEMORY, connect, boss, "cpu", 22, thread=None)
    refused(Status.NOT_ENOUGH_MEMORY, connect, lab["poor"], "cpu", 22, thread=None)
    ok(boss.delete(20))
    assert ok(connect(boss, "cpu", 22, thread=None)).map["thread"] == 2


def test_a_thread_may_be_asked_for_by_its_number_unless_somebody_has_it() -> None:
    _, boss = system()
    assert ok(connect(boss, "cpu", 20, thread=1)).map["thread"] == 1
    refused(Status.DELETE_FIRST, connect, boss, "cpu", 21, thread=1)
    for thread in (0, 3, -1):
        refused(Status.RANGE_ERROR, connect, boss, "cpu", 21, thread=thread)
    ok(boss.copy("tcb.2", 22))  # in whatever hands a copy is
    refused(Status.NOT_ENOUGH_MEMORY, connect, boss, "cpu", 21, thread=None)
    ok(boss.delete("tcb.2"))
    refused(Status.DELETE_FIRST, connect, boss, "cpu", 21, thread=2)


@pytest.mark.parametrize("service", ["mo", "ep", "ads", "cpu"])
def test_every_service_wants_a_slot_and_its_own_capability(service: str) -> None:
    _, boss = system()
    more = {"pages": 1} if service == "mo" else {}
    refused(Status.FAILED_LOOKUP, connect, boss, service, None, **more)
    refused(Status.RANGE_ERROR, connect, boss, service, 600, **more)
    refused(Status.RANGE_ERROR, connect, boss, service, SLOT_TCB, **more)
    row = f"{service}_connect"
    refused(Status.ILLEGAL_OPERATION, boss.invoke, row, "rde:pd", receive=20, **more)


def test_what_is_attached_has_a_name_in_every_pd_of_the_address_space() -> None:
    _, boss = system()
    boss.alloc(ObjectType.FRAME, 20)
    answer = ok(attach(boss, "stack", 20)).map
    assert boss.slot("vmr:stack") == answer["slot"]
    one = child(boss, 30)
    assert one.cap("vmr:stack").obj is boss.cap(20).obj
    boss.alloc(ObjectType.FRAME, 21)
    ok(attach(boss, "heap", 21, rights=int(Rights.READ)))
    assert one.cap("vmr:heap").obj is boss.cap(21).obj
    assert one.cap("vmr:heap").rights == Rights.READ
    assert one.pd.ads is boss.pd.ads
    assert one.pd.cspace is not boss.pd.cspace
    maps = [ok(each.invoke("frame_map", "vmr:stack")).body for each in (boss, one)]
    assert maps[0] == maps[1]


def test_a_pd_has_an_address_space_of_its_own_unless_it_shares_one() -> None:
    lab, boss = system()
    assert boss.pd.ads is not lab["poor"].pd.ads
    ok(boss.invoke("pd_create", "rde:pd", name="alone", run="x", receive=30))
    assert ok(boss.pd_call("info", 30)).map["ads"] == lab.pd("alone").ads.number
    row = ok(boss.pd_call("info", 30)).map
    assert (row["number"], row["creator"]) == (lab.pd("alone").number, boss.pd.number)
    for bad in (99, SLOT_TCB, boss.slot("rde:pd")):
        given = {"name": "x", "run": "x", "ads": bad}
        refused(Status.INVALID_ARGUMENT, boss.invoke, "pd_create", "rde:pd", receive=31, **given)


def test_what_is_detached_is_taken_from_every_pd() -> None:
    _, boss = system()
    boss.alloc(ObjectType.FRAME, 20)
    ok(attach(boss, "stack", 20))
    one = child(boss, 30)
    ok(one.copy("vmr:stack", 40))
    slot = one.slot("vmr:stack")
    ok(boss.invoke("ads_detach", "rde:vmr", name="stack"))
    assert one.cap(slot) is None
    assert one.cap(40) is not None  # its own copy
    assert "vmr:stack" not in one.pd.names
    assert boss.cap(20) is not None
    refused(Status.FAILED_LOOKUP, boss.invoke, "ads_detach", "rde:vmr", name="stack")
    ok(attach(boss, "stack", 20))


def test_memory_that_is_attached_outlives_who_made_it() -> None:
    lab, boss = system()
    one = child(boss, 30)
    boss.alloc(ObjectType.FRAME, 20)
    ok(attach(boss, "shared", 20))
    lab.die("boss")
    assert one.cap("vmr:shared") is not None
    mo = one.cap("vmr:shared").obj
    lab.die("child")
    lab.work()
    assert mo.refs == 0
    assert list(lab.root.address_spaces) == [lab["poor"].pd.ads.number]


def test_one_address_space_is_copied_into_another() -> None:
    _, boss = system()
    for slot, name in ((20, "a"), (21, "b")):
        boss.alloc(ObjectType.FRAME, slot)
        ok(attach(boss, name, slot))
    ok(connect(boss, "ads", 30))
    assert ok(boss.invoke("ads_copy", 30, caps=["rde:vmr"])).map == {"attached": 2}
    assert names(boss, 30) == ["a", "b"]
    refused(Status.DELETE_FIRST, boss.invoke, "ads_copy", 30, caps=["rde:vmr"])
    refused(Status.INVALID_ARGUMENT, boss.invoke, "ads_copy", 30, caps=[30])
    refused(Status.INVALID_CAPABILITY, boss.invoke, "ads_copy", 30, caps=[20])
    one = child(boss, 31, 30)
    assert {"vmr:a", "vmr:b"} <= one.pd.names.keys()
    ok(boss.invoke("ads_detach", "rde:vmr", name="a"))
    assert one.cap("vmr:a") is not None


def test_an_address_space_that_nobody_has_goes_with_its_last_capability() -> None:
    lab, boss = system()
    ok(connect(boss, "ads", 30))
    boss.alloc(ObjectType.FRAME, 20)
    answer = ok(attach(boss, "x", 20, 30)).map
    assert answer["slot"] == 0
    mo = boss.cap(20).obj
    ok(boss.delete(20))
    assert mo.refs == 1
    ok(boss.delete(30))
    lab.work()
    assert mo.refs == 0
    assert len(lab.root.address_spaces) == 2


def test_what_cannot_be_attached_is_refused() -> None:
    lab, boss = system()
    boss.alloc(ObjectType.FRAME, 20)
    boss.alloc(ObjectType.ENDPOINT, 21)
    ok(boss.copy("rde:vmr", 22, rights=int(Rights.READ)))
    ok(boss.copy("rde:vmr", 23, rights=int(Rights.WRITE)))
    refused(Status.INVALID_CAPABILITY, attach, boss, "x", 20, 22)
    refused(Status.INVALID_CAPABILITY, attach, boss, "x", 21)
    refused(Status.FAILED_LOOKUP, attach, boss, "x", 99)
    refused(Status.INVALID_ARGUMENT, attach, boss, "", 20)
    refused(Status.INVALID_ARGUMENT, attach, boss, "x" * 61, 20)
    refused(Status.INVALID_CAPABILITY, boss.invoke, "ads_detach", 22, name="x")
    refused(Status.INVALID_CAPABILITY, boss.invoke, "ads_list", 23)
    refused(Status.INVALID_CAPABILITY, boss.invoke, "ads_copy", 22, caps=[23])
    ok(attach(boss, "x", 20))
    refused(Status.DELETE_FIRST, attach, boss, "x", 20)
    poor = lab["poor"]
    lab.k.put(poor.pd.cspace.slot(40), boss.cap(20), boss.pd.cspace.slot(20), "test")
    refused(Status.NOT_ENOUGH_MEMORY, attach, poor, "x", 40)


def test_revoking_the_untyped_takes_attachments_back() -> None:
    _, boss = system(untyped=3 << 20)
    boss.alloc(ObjectType.FRAME, 20)
    ok(attach(boss, "x", 20))
    ok(boss.revoke("untyped"))
    ok(boss.revoke("untyped.1"))
    boss.lab.work()
    assert names(boss) == []
    assert "vmr:x" not in boss.pd.names


def test_shared_address_spaces_are_one_node_of_the_model() -> None:
    lab, boss = system()
    boss.alloc(ObjectType.FRAME, 20)
    ok(attach(boss, "x", 20))
    one = child(boss, 30)
    for each in (boss, one):
        ok(each.invoke("frame_map", "vmr:x"))
    request = lab.ask("graph")
    lab.work()
    rows = lab.answers[request]["rows"]
    spaces = {row[1] for row in rows if row[0] == "RESOURCE_SPACE" and row[2] == "ADS"}
    assert spaces == {"ADS_SPACE_3", f"ADS_SPACE_{boss.pd.ads.number:x}"}
    held = {
        row[4] for row in rows if row[3] == "HOLD" and row[5] == f"ADS_SPACE_{boss.pd.ads.number:x}"
    }
    assert held == {f"PD_{boss.pd.number:x}", f"PD_{one.pd.number:x}"}


def test_more_than_one_page_pays_for_is_not_copied_at_once() -> None:
    lab, boss = system()
    lab.checked = False
    boss.alloc(ObjectType.FRAME, 20)
    ok(connect(boss, "ads", 30))
    ok(connect(boss, "ads", 31))
    for number in range(129):
        ok(attach(boss, f"n{number}", 20, 30))
    refused(Status.NOT_ENOUGH_MEMORY, boss.invoke, "ads_copy", 31, caps=[30])
    ok(boss.invoke("ads_detach", 30, name="n7"))
    assert ok(boss.invoke("ads_copy", 31, caps=[30])).map == {"attached": 128}


def test_revoking_the_untyped_empties_the_address_space_it_paid_for() -> None:
    _, boss = system(untyped=1 << 16)
    ok(connect(boss, "ads", 30))
    boss.alloc(ObjectType.FRAME, 20)
    ok(attach(boss, "x", 20, 30))
    ok(boss.revoke("untyped"))
    boss.lab.work()
    assert names(boss, 30) == []
