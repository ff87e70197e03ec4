"""PD_Install: a capability put into another PD, with a badge and under a name."""

import pytest

from caplab.kernel.abi import SLOT_FIRST_ROOT, SLOT_PD, ObjectType, Rights, Status
from lab import Answer, Lab, Thread, ok, pair, refused

NONE = {"name": None, "slot": None, "badge": None, "rights": 15}


def parent() -> tuple[Lab, Thread, Thread]:
    """A boss with an endpoint in 20 and a running child in 30."""
    lab = Lab({"boss": {"rdes": ["pd"]}})
    boss = lab["boss"]
    boss.alloc(ObjectType.ENDPOINT, 20)
    return lab, boss, boss.create("child", 30)


def install(boss: Thread, source: int = 20, target: int = 30, **more: object) -> Answer | None:
    return boss.pd_call("install", target, caps=[source], **{**NONE, **more})


def test_an_untyped_that_something_was_made_of_is_not_given_away() -> None:
    _, boss, child = parent()
    ok(boss.retype(ObjectType.UNTYPED, 50, 13))
    ok(boss.retype(ObjectType.ENDPOINT, 51, of=50))
    install = {**NONE, "name": "more", "caps": [50]}
    refused(Status.REVOKE_FIRST, boss.pd_call, "install", 30, **install)
    ok(boss.delete(51))
    ok(boss.pd_call("install", 30, **install))
    refused(Status.NOT_ENOUGH_MEMORY, boss.retype, ObjectType.ENDPOINT, 51, of=50)
    ok(child.retype(ObjectType.ENDPOINT, 51, of="more"))


def test_the_root_task_chooses_a_slot_of_its_half_when_none_is_given() -> None:
    _, boss, child = parent()
    slot = ok(install(boss)).map["slot"]
    assert slot >= SLOT_FIRST_ROOT
    assert child.cap(slot) == boss.cap(20)


def test_a_slot_of_the_own_half_may_be_chosen() -> None:
    _, boss, child = parent()
    assert ok(install(boss, slot=99)).map == {"slot": 99}
    assert child.cap(99) == boss.cap(20)


def test_a_badge_and_fewer_rights_may_be_given() -> None:
    _, boss, child = parent()
    ok(install(boss, name="srv", badge=7, rights=Rights.WRITE | Rights.GRANT))
    cap = child.cap("srv")
    assert (cap.badge, cap.rights) == (7, Rights.WRITE | Rights.GRANT)


def test_a_name_makes_it_visible_in_the_environment() -> None:
    _, boss, child = parent()
    slot = ok(install(boss, name="srv")).map["slot"]
    found = ok(child.pd_call("lookup", name="srv")).map
    assert (found["slot"], found["type"], found["from"]) == (slot, ObjectType.ENDPOINT, "boss")
    assert (found["renewal"], found["pd"]) == (0, child.pd.number)


def test_it_works_before_the_pd_is_started() -> None:
    lab, boss, _ = parent()
    ok(boss.invoke("pd_create", "rde:pd", name="later", run="x", receive=31))
    ok(install(boss, target=31, name="srv", badge=5))
    ok(boss.pd_call("start", 31))
    lab["later"].send("srv")
    assert ok(boss.recv(20)).badge == 5


def test_a_pd_may_install_into_itself() -> None:
    _, boss, _ = parent()
    ok(install(boss, target=SLOT_PD, name="mine"))
    assert boss.cap("mine") == boss.cap(20)


def test_the_copy_is_derived_from_the_parents() -> None:
    _, boss, child = parent()
    ok(install(boss, name="srv", badge=7))
    ok(boss.revoke(20))
    assert refused(Status.REVOKED, child.call, "srv").blames == "boss"


def test_installing_needs_grant_on_the_pd() -> None:
    _, boss, _ = parent()
    ok(boss.copy(30, 31, Rights.READ | Rights.WRITE))
    refused(Status.INVALID_CAPABILITY, install, boss, target=31)


@pytest.mark.parametrize(
    "wrong", [{"name": 3}, {"slot": "x"}, {"rights": None}, {"badge": "x"}, {"badge": True}]
)
def test_wrong_arguments_are_refused(wrong: dict[str, object]) -> None:
    _, boss, _ = parent()
    refused(Status.INVALID_ARGUMENT, install, boss, **wrong)


def test_what_is_not_there_cannot_be_installed() -> None:
    _, boss, _ = parent()
    assert refused(Status.FAILED_LOOKUP, install, boss, source=300).words == (1, 300)
    refused(Status.TRUNCATED_MESSAGE, boss.pd_call, "install", 30, **NONE)


def test_a_taken_name_or_slot_is_refused() -> None:
    _, boss, _ = parent()
    ok(install(boss, name="srv", slot=40))
    refused(Status.DELETE_FIRST, install, boss, name="srv")
    refused(Status.DELETE_FIRST, install, boss, slot=40)


def test_a_name_whose_capability_is_gone_may_be_given_anew() -> None:
    _, boss, child = parent()
    ok(install(boss, name="srv"))
    ok(child.delete("srv"))
    refused(Status.REVOKED, child.call, "srv")
    ok(install(boss, name="srv", badge=9))
    assert child.cap("srv").badge == 9


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_name_has_one_to_64_characters(name: str) -> None:
    _, boss, _ = parent()
    refused(Status.INVALID_ARGUMENT, install, boss, name=name)


def test_a_name_ends_when_its_slot_is_filled_anew() -> None:
    """What it meant is gone, and it must not come to mean a stranger."""
    _, boss, child = parent()
    ok(install(boss, name="old", slot=100))
    ok(child.delete(100))
    assert "old" in child.pd.names
    ok(install(boss, name="new", slot=100))
    assert "old" not in child.pd.names
    assert child.slot("new") == 100


@pytest.mark.parametrize("slot", [0, 15, 512, 5000, -3])
def test_a_slot_outside_the_own_half_is_refused(slot: int) -> None:
    _, boss, _ = parent()
    refused(Status.RANGE_ERROR, install, boss, slot=slot)


@pytest.mark.parametrize("badge", [-1])
def test_a_badge_has_64_bits(badge: int) -> None:
    _, boss, _ = parent()
    refused(Status.RANGE_ERROR, install, boss, badge=badge)
    ok(install(boss, badge=2**64 - 1))


def test_a_badge_is_set_once() -> None:
    _, boss, _ = parent()
    ok(boss.mint(20, 21, badge=5))
    refused(Status.ILLEGAL_OPERATION, install, boss, source=21, badge=6)
    ok(install(boss, source=21))


def test_a_reply_capability_is_nobody_elses() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs")
    ok(fs.recv())
    ok(fs.save_caller(20))
    refused(Status.ILLEGAL_OPERATION, install, fs, target=SLOT_PD)


def test_a_dead_pd_takes_nothing() -> None:
    lab, boss, _ = parent()
    lab.die("child")
    refused(Status.ILLEGAL_OPERATION, install, boss)


def test_a_full_half_is_refused() -> None:
    lab, boss, child = parent()
    lab.checked = False
    for slot in range(SLOT_FIRST_ROOT, 1024):
        if child.cap(slot) is None:
            ok(child.copy(SLOT_PD, slot))
    refused(Status.NOT_ENOUGH_MEMORY, install, boss)
    ok(install(boss, slot=40))


def test_slots_without_a_tombstone_are_filled_first() -> None:
    _, boss, child = parent()
    first = ok(install(boss)).map["slot"]
    ok(child.delete(first))
    second = ok(install(boss)).map["slot"]
    assert second != first
    refused(Status.REVOKED, child.call, first)


def test_when_all_have_tombstones_the_first_empty_one_is_taken() -> None:
    lab, boss, child = parent()
    lab.checked = False
    for slot in range(SLOT_FIRST_ROOT, 1024):
        if child.cap(slot) is None:
            ok(child.copy(SLOT_PD, slot))
    ok(child.delete(700))
    assert ok(install(boss)).map["slot"] == 700


def test_whoever_is_given_read_is_told_of_clients_that_go() -> None:
    """Work about an endpoint goes to the PD that receives on it."""
    _, boss, child = parent()
    ok(install(boss, name="in"))
    ok(boss.mint(20, 21, badge=9))
    ok(boss.delete(21))
    items = ok(child.pd_call("get_work")).map["items"]
    assert [(item["kind"], item["badge"]) for item in items] == [("client-gone", 9)]
    assert items[0]["endpoint"] == child.slot("in")
    assert ok(boss.pd_call("get_work")).map["items"] == []
