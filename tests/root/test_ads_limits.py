"""Address spaces: what does not fit, what is paid for, what was changed behind their back."""

import pytest

from caplab.kernel.abi import SLOT_CNODE, ObjectType, Rights, Status
from lab import Lab, Thread, ok, refused
from spaces import pd_cap

SERVICES = ["pd", "ads", "vmr"]


def system() -> tuple[Lab, Thread, Thread]:
    """`boss`, and `poor`, who has no memory, in address spaces of their own."""
    lab = Lab({"boss": {"rdes": SERVICES}, "poor": {"rdes": SERVICES, "untyped": 0}})
    return lab, lab["boss"], lab["poor"]


def frame(boss: Thread, slot: int = 20) -> int:
    return boss.alloc(ObjectType.FRAME, slot)


def attach(thread: Thread, name: str, slot: int, ads: int | str = "rde:vmr") -> object:
    return thread.invoke("ads_attach", ads, caps=[slot], name=name, rights=15)


def separate(boss: Thread, slot: int) -> int:
    """An address space that no PD has yet."""
    ok(boss.invoke("ads_connect", "rde:ads", receive=slot))
    return slot


def filled(lab: Lab, thread: Thread, but: int = 0) -> None:
    """Leave the root task so many slots in a PD's CSpace."""
    lab.checked = False
    while thread.pd.room > but:
        slot = thread.pd.free_slot()
        assert slot is not None
        lab.k.put(slot, thread.cap(SLOT_CNODE), None, "test")


def test_an_address_space_is_paid_for() -> None:
    _, _, poor = system()
    refused(Status.NOT_ENOUGH_MEMORY, poor.invoke, "ads_connect", "rde:ads", receive=30)


def test_nothing_is_attached_where_a_pd_has_no_slot_for_it() -> None:
    lab, boss, _ = system()
    frame(boss)
    filled(lab, boss)
    refused(Status.NOT_ENOUGH_MEMORY, attach, boss, "x", 20)


def test_nothing_is_attached_where_a_pd_has_the_name_for_something_else() -> None:
    lab, boss, _ = system()
    frame(boss)
    to_boss = pd_cap(lab, "poor", "boss")
    ok(lab["poor"].pd_call("send", to_boss, caps=[SLOT_CNODE], name="vmr:x"))
    refused(Status.DELETE_FIRST, attach, boss, "x", 20)


def test_a_copy_needs_read_memory_and_slots_for_all_of_it() -> None:
    lab, boss, poor = system()
    for number, slot in enumerate((20, 21)):
        ok(attach(boss, f"n{number}", frame(boss, slot)))  # type: ignore[arg-type]
    ok(boss.copy("rde:vmr", 24, rights=int(Rights.WRITE)))
    refused(Status.INVALID_CAPABILITY, boss.invoke, "ads_copy", separate(boss, 30), caps=[24])
    theirs = poor.pd.cspace.slot(40)
    lab.k.put(theirs, boss.cap("rde:vmr"), None, "test")
    refused(Status.NOT_ENOUGH_MEMORY, poor.invoke, "ads_copy", "rde:vmr", caps=[40])
    ok(boss.invoke("ads_copy", 30, caps=["rde:vmr"]))
    other = boss.pd.cspace.slot(31)
    lab.k.put(other, poor.cap("rde:vmr"), None, "test")
    filled(lab, poor, but=1)
    refused(Status.NOT_ENOUGH_MEMORY, boss.invoke, "ads_copy", 31, caps=["rde:vmr"])


def test_what_a_pd_deleted_itself_is_detached_all_the_same() -> None:
    _, boss, _ = system()
    ok(attach(boss, "x", frame(boss)))  # type: ignore[arg-type]
    ok(boss.delete("vmr:x"))
    ok(boss.invoke("ads_detach", "rde:vmr", name="x"))
    assert "vmr:x" not in boss.pd.names
    assert boss.cap(20) is not None


@pytest.mark.parametrize("slot", ["memory", "endpoint"])
def test_what_a_pd_put_in_its_place_is_its_own(slot: str) -> None:
    _, boss, _ = system()
    ok(attach(boss, "x", frame(boss)))  # type: ignore[arg-type]
    at = boss.slot("vmr:x")
    ok(boss.delete(at))
    boss.alloc(ObjectType.FRAME if slot == "memory" else ObjectType.ENDPOINT, 21)
    ok(boss.move(21, at))
    ok(boss.invoke("ads_detach", "rde:vmr", name="x"))
    assert boss.cap(at) is not None


def test_an_address_space_whose_memory_is_taken_back_is_empty() -> None:
    """Whoever paid for what is attached there."""
    lab = Lab({name: {"rdes": SERVICES} for name in ("boss", "other")})
    boss, other = lab["boss"], lab["other"]
    separate(boss, 30)
    ads = boss.cap(30).obj
    lab.k.put(other.pd.cspace.slot(40), boss.cap(30), None, "test")
    mo = other.cap(frame(other)).obj
    ok(attach(other, "x", 20, 40))  # type: ignore[arg-type]
    ok(boss.revoke("untyped"))
    lab.work()
    assert not ads.attached
    assert other.cap(20) is not None
    assert mo.refs == 1


def test_a_pd_begins_in_no_address_space_of_which_it_has_not_room_for_all() -> None:
    lab, boss, _ = system()
    lab.checked = False
    separate(boss, 30)
    frame(boss)
    for number in range(600):
        ok(attach(boss, f"n{number}", 20, 30))  # type: ignore[arg-type]
    arguments = {"name": "child", "run": "x", "ads": 30, "receive": 31}
    refused(Status.INVALID_ARGUMENT, boss.invoke, "pd_create", "rde:pd", **arguments)
