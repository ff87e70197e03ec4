"""Resource directory entries: issued, shared, listed, removed, of servers and of the root task."""

from caplab.kernel.abi import BADGE_OBJ_ID_NULL, SLOT_PD, ObjectType, Status, badge_parts
from caplab.kernel.boot.model import OWN_TYPES
from caplab.kernel.root.core_rdes import OWN_NAMES
from lab import Lab, ok, refused
from spaces import ask, caps_of, connect, held, kinds, parking, pd_cap, rdes, work

SPACE = 16


def test_the_list_has_the_root_tasks_services_and_the_servers_spaces() -> None:
    lab = parking()
    car = lab["car"]
    rows = ok(car.pd_call("rdes")).map["rdes"]
    assert rows == [
        {"type": "pd", "code": 6, "space": 2, "slot": car.slot("rde:pd"), "manager": 0},
        {"type": "resspc", "code": 8, "space": 1, "slot": car.slot("rde:resspc"), "manager": 0},
        {
            "type": "LOT",
            "code": 10,
            "space": SPACE,
            "slot": car.slot("lot"),
            "manager": lab.pd("lot").number,
        },
    ]
    slot = pd_cap(lab, "car", "van", rights=1)
    refused(Status.INVALID_CAPABILITY, car.pd_call, "rdes", slot)


def test_a_manager_issues_rdes_of_its_space() -> None:
    lab = parking()
    lot, idle = lab["lot"], lab["idle"]
    slot = ok(ask(lot, "issue", pd=idle.pd.number)).map["slot"]
    assert idle.slot("rde:LOT") == slot
    assert badge_parts(idle.cap(slot).badge)[1:] == (SPACE, idle.pd.number, BADGE_OBJ_ID_NULL)
    again = ok(ask(lot, "issue", pd=idle.pd.number, name="lot")).map["slot"]
    assert again == slot == idle.slot("lot")
    refused(Status.DELETE_FIRST, ask, lot, "issue", pd=idle.pd.number, name="lot")
    refused(Status.INVALID_ARGUMENT, ask, lot, "issue", pd=idle.pd.number, name="")
    refused(Status.FAILED_LOOKUP, ask, lot, "issue", pd=1000)
    lab.die("idle")
    refused(Status.PD_DEAD, ask, lot, "issue", pd=lab.pd("idle").number)
    assert held(idle) == {}


def test_names_of_rdes_have_an_end() -> None:
    lab = parking()
    lab.checked = False
    lot, idle = lab["lot"], lab["idle"]
    for number in range(1024 - len(idle.pd.names)):
        ok(ask(lot, "issue", pd=idle.pd.number, name=f"n{number}"))
    refused(Status.NOT_ENOUGH_MEMORY, ask, lot, "issue", pd=idle.pd.number, name="more")


def test_an_rde_is_shared_with_a_badge_of_its_own() -> None:
    lab = parking()
    car, idle = lab["car"], lab["idle"]
    to_idle = pd_cap(lab, "car", "idle")
    slot = ok(car.pd_call("share_rde", to_idle, type="LOT")).map["slot"]
    assert badge_parts(idle.cap(slot).badge).client == idle.pd.number
    assert ok(car.pd_call("share_rde", to_idle, type="LOT", space=SPACE)).map["slot"] == slot
    lab.die("car")
    assert idle.cap(slot) is not None


def test_an_rde_that_is_sent_is_shared() -> None:
    lab = parking()
    car, idle = lab["car"], lab["idle"]
    to_idle = pd_cap(lab, "car", "idle")
    slot = ok(car.pd_call("send", to_idle, caps=["lot"], name="there")).map["slot"]
    assert idle.slot("there") == slot
    assert badge_parts(idle.cap(slot).badge).client == idle.pd.number


def test_a_service_of_the_root_task_is_shared_and_removed_like_any() -> None:
    lab = Lab({"boss": {"rdes": ["pd", "resspc"]}, "child": {}, "other": {}})
    boss, child = lab["boss"], lab["child"]
    to_child = pd_cap(lab, "boss", "child")
    slot = ok(boss.pd_call("share_rde", to_child, type="pd")).map["slot"]
    assert child.cap("rde:pd").type == ObjectType.SERVICE
    assert ok(boss.pd_call("share_rde", to_child, type="pd")).map["slot"] == slot
    assert rdes(child) == {"pd": slot}
    ok(child.copy(slot, 40))
    assert ok(boss.pd_call("remove_rde", to_child, type="pd")).map == {"removed": 1}
    assert rdes(child) == {}
    assert child.cap(40) is None
    assert "rde:pd" not in child.pd.names
    assert "pd" in rdes(boss)
    refused(Status.NEVER_HELD, boss.pd_call, "remove_rde", to_child, type="pd")
    refused(Status.NEVER_HELD, child.pd_call, "share_rde", SLOT_PD, type="resspc")


def test_what_cannot_be_shared_is_refused_each_by_its_name() -> None:
    lab = parking()
    car, idle = lab["car"], lab["idle"]
    to_idle, to_car = pd_cap(lab, "car", "idle"), pd_cap(lab, "idle", "car")
    refused(Status.WRONG_TYPE, car.pd_call, "share_rde", to_idle, type="BAY")
    refused(Status.NEVER_HELD, idle.pd_call, "share_rde", to_car, type="LOT")
    refused(Status.NEVER_HELD, car.pd_call, "share_rde", to_idle, type="LOT", space=17)
    refused(Status.NEVER_HELD, car.pd_call, "share_rde", to_idle, type="pd", space=17)
    refused(Status.INVALID_CAPABILITY, car.pd_call, "share_rde", "pd:van", type="LOT")
    refused(Status.DELETE_FIRST, car.pd_call, "share_rde", to_idle, type="LOT", name="untyped")
    lab.die("idle")
    refused(Status.PD_DEAD, car.pd_call, "share_rde", to_idle, type="LOT")


def test_removing_an_rde_takes_every_copy_and_tells_the_manager() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    badge = car.cap("lot").badge
    ok(car.copy("lot", 40))
    assert ok(car.pd_call("remove_rde", type="LOT")).map == {"removed": 1}
    assert caps_of(lab, badge) == 0
    assert "lot" not in car.pd.names
    [item] = work(lot)
    assert (item["kind"], item["space"], item["badge"]) == ("client-gone", SPACE, badge)
    assert (item["pd"], item["endpoint"]) == (car.pd.number, lot.slot("server"))
    refused(Status.NEVER_HELD, car.pd_call, "remove_rde", type="LOT")
    refused(Status.WRONG_TYPE, car.pd_call, "remove_rde", type="BAY")


def test_the_rde_of_one_space_or_those_of_all_are_removed() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    for slot in (30, 31):
        ok(connect(lot, slot, client=car.pd.number))
    assert ok(car.pd_call("remove_rde", type="LOT", space=SPACE + 1)).map == {"removed": 1}
    assert ok(car.pd_call("remove_rde", type="LOT")).map == {"removed": 2}
    assert kinds(work(lot)) == ["client-gone"] * 3


def test_a_manager_that_removes_an_rde_is_not_told() -> None:
    lab = parking()
    lot = lab["lot"]
    to_car = pd_cap(lab, "lot", "car")
    ok(lot.pd_call("remove_rde", to_car, type="LOT"))
    assert work(lot) == []


def test_a_client_that_lets_its_rde_go_is_gone() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    ok(car.delete("lot"))
    assert kinds(work(lot)) == ["client-gone"]
    assert rdes(car).keys() == {"pd", "resspc"}
    assert ok(ask(lot, "issue", pd=car.pd.number)).map["slot"]


def test_an_rde_moved_within_a_pd_is_still_its_own() -> None:
    lab = parking()
    car = lab["car"]
    ok(car.move("lot", 40))
    assert rdes(car)["LOT"] == 40
    to_idle = pd_cap(lab, "car", "idle")
    ok(car.pd_call("share_rde", to_idle, type="LOT"))


def test_who_may_attach_in_its_own_address_space_may_let_another_in_its() -> None:
    lab = Lab({"boss": {"rdes": ["pd", "vmr"]}, "poor": {"rdes": ["pd"]}, "child": {}})
    boss, child = lab["boss"], lab["child"]
    to_child = pd_cap(lab, "boss", "child")
    assert rdes(boss).keys() == {"pd", "vmr"}
    refused(Status.NEVER_HELD, boss.pd_call, "share_rde", to_child, type="vmr", space=3)
    other = pd_cap(lab, "poor", "child")
    refused(Status.NEVER_HELD, lab["poor"].pd_call, "share_rde", other, type="vmr")
    refused(Status.NEVER_HELD, boss.pd_call, "remove_rde", to_child, type="vmr")
    slot = ok(boss.pd_call("share_rde", to_child, type="vmr")).map["slot"]
    assert rdes(child) == {"vmr": slot}
    assert child.cap(slot).obj is child.pd.ads
    assert ok(boss.pd_call("share_rde", to_child, type="vmr")).map["slot"] == slot
    ok(child.copy(slot, 40))
    assert ok(boss.pd_call("remove_rde", to_child, type="vmr")).map == {"removed": 1}
    assert rdes(child) == {}


def test_types_that_are_the_root_tasks_own_are_nobodys_else() -> None:
    assert {name.lower() for name in OWN_TYPES} == OWN_NAMES
    lab = parking()
    for name in ("VMR", "vcpu", "Sel4"):
        refused(Status.INVALID_ARGUMENT, connect, lab["lot"], 40, type_name=name)
