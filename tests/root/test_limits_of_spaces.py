"""What has an end: slots, names, numbers and memory of the root task's records."""

import pytest

from caplab.kernel.abi import (
    FIRST_SPACE,
    LAST_SPACE,
    ROOT_SLOTS,
    SLOT_CNODE,
    SLOT_PD,
    Inv,
    Status,
)
from caplab.kernel.root import resspc
from caplab.kernel.root.space import REMEMBERED
from lab import Lab, Thread, ok, refused
from spaces import ask, connect, made, parking, pd_cap, rdes


def full(lab: Lab, name: str) -> Thread:
    """A PD whose CSpace takes nothing more of the root task's."""
    lab.checked = False
    one = lab[name]
    while (slot := one.pd.free_slot()) is not None:
        lab.k.put(slot, one.cap(SLOT_CNODE), None, "test")
    return one


def test_a_client_without_a_slot_gets_no_rde() -> None:
    lab = parking()
    lot, number = lab["lot"], full(lab, "idle").pd.number
    refused(Status.NOT_ENOUGH_MEMORY, connect, lot, 30, client=number)
    refused(Status.NOT_ENOUGH_MEMORY, ask, lot, "issue", pd=number)
    to_idle = pd_cap(lab, "car", "idle")
    refused(Status.NOT_ENOUGH_MEMORY, lab["car"].pd_call, "share_rde", to_idle, type="LOT")
    assert lab.root.spaces.keys() == {FIRST_SPACE}


def test_a_pd_without_a_slot_gets_no_service() -> None:
    lab = Lab({"boss": {"rdes": ["pd"]}, "child": {}})
    to_child = pd_cap(lab, "boss", "child")
    full(lab, "child")
    boss = lab["boss"]
    refused(Status.NOT_ENOUGH_MEMORY, boss.pd_call, "share_rde", to_child, type="pd")


def test_a_service_is_shared_under_a_name_that_is_free() -> None:
    lab = Lab({"boss": {"rdes": ["pd"]}, "child": {}})
    boss, child = lab["boss"], lab["child"]
    to_child = pd_cap(lab, "boss", "child")
    share = ("share_rde", to_child)
    refused(Status.DELETE_FIRST, boss.pd_call, *share, type="pd", name="untyped")
    refused(Status.INVALID_ARGUMENT, boss.pd_call, *share, type="pd", name="")
    slot = ok(boss.pd_call(*share, type="pd", name="maker")).map["slot"]
    assert child.slot("maker") == slot


def test_an_rde_is_removed_from_live_pds_only() -> None:
    lab = parking()
    to_idle = pd_cap(lab, "car", "idle")
    lab.die("idle")
    refused(Status.PD_DEAD, lab["car"].pd_call, "remove_rde", to_idle, type="LOT")


def test_names_of_what_is_gone_make_room_for_the_name_of_an_rde() -> None:
    lab = parking()
    lab.checked = False
    lot, idle = lab["lot"], lab["idle"]
    for number in range(ROOT_SLOTS - len(idle.pd.names)):
        ok(ask(lot, "issue", pd=idle.pd.number, name=f"n{number}"))
    ok(idle.delete("n0"))
    assert len(idle.pd.names) == ROOT_SLOTS
    slot = ok(ask(lot, "issue", pd=idle.pd.number)).map["slot"]
    assert idle.slot("rde:LOT") == slot
    assert idle.pd.names.keys() == {"rde:LOT", "untyped", "rde:pd", "rde:resspc"}


def test_a_space_has_so_many_numbers_for_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = parking()
    lot = lab["lot"]
    monkeypatch.setattr(resspc, "LAST_OBJECT", 3)
    for _ in range(3):
        made(lot)
    refused(Status.NOT_ENOUGH_MEMORY, ask, lot, "create")
    ok(ask(lot, "delete", object=2))
    made(lot, 2)


def test_a_deleted_object_is_remembered_until_so_many_others_were_deleted() -> None:
    lab = parking()
    lab.checked = False
    lot = lab["lot"]
    for number in range(1, REMEMBERED + 2):
        ok(ask(lot, "delete", object=made(lot, number)))
    refused(Status.NEVER_HELD, ask, lot, "delete", object=1)
    refused(Status.REVOKED, ask, lot, "delete", object=2)


def test_numbers_of_spaces_begin_anew_and_pass_over_those_in_use() -> None:
    lab = parking()
    lab.root.next_space = LAST_SPACE
    lot = lab["lot"]
    spaces = [ok(connect(lot, slot)).map["space"] for slot in (30, 31)]
    assert spaces == [LAST_SPACE, FIRST_SPACE + 1]
    assert rdes(lab["car"]).keys() >= {"LOT"}


@pytest.mark.parametrize("body", [b"", b"\xff\xff", b"\x81\xa1x\x01", b"words" * 20])
@pytest.mark.parametrize(
    ("cptr", "label"),
    [
        ("space", Inv.RESSPC_INFO),
        ("space", Inv.RESSPC_DESTROY),
        (SLOT_PD, Inv.PD_INFO),
        (SLOT_PD, Inv.PD_GET_WORK),
        ("rde:ep", Inv.EP_CONNECT),
    ],
)
def test_a_call_without_arguments_ignores_what_is_sent(
    cptr: str | int, label: Inv, body: bytes
) -> None:
    lab = Lab({"lot": {"serves": {"space": "LOT"}, "rdes": ["ep"]}})
    ok(lab["lot"].call(cptr, body, label=int(label), slot=30))
