"""Resource spaces: who makes one, what its manager may do, and how it ends."""

import pytest

from caplab.kernel.abi import (
    BADGE_OBJ_ID_NULL,
    FIRST_DYNAMIC_TYPE,
    FIRST_SPACE,
    LAST_DYNAMIC_TYPE,
    ObjectType,
    Status,
    badge_parts,
    resource_badge,
)
from lab import Lab, Thread, ok, refused
from spaces import ask, connect, give, given, held, made, parking, pd_cap, rdes, work


def test_a_badge_has_type_space_client_and_object() -> None:
    badge = resource_badge(0x12, 0x3456, 0x789A, 0xBCDEF0)
    assert badge == 0x123456789ABCDEF0
    assert badge_parts(badge) == (0x12, 0x3456, 0x789A, 0xBCDEF0)


def test_a_default_space_exists_before_its_server_runs() -> None:
    lab = parking(start=False)
    lot, car = lab["lot"], lab["car"]
    assert lot.cap("space").type == ObjectType.RESSPC
    parts = badge_parts(car.cap("lot").badge)
    assert parts == (FIRST_DYNAMIC_TYPE, FIRST_SPACE, car.pd.number, BADGE_OBJ_ID_NULL)
    assert car.cap("lot").obj is lot.cap("server").obj


def test_a_request_on_an_rde_reaches_the_server_with_its_badge() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    assert car.call("lot", b"park") is None
    message = ok(lot.recv())
    assert (message.body, message.badge) == (b"park", car.cap("lot").badge)


def test_a_server_makes_a_space_and_its_client_gets_the_rde() -> None:
    lab = parking()
    lot, idle = lab["lot"], lab["idle"]
    answer = ok(connect(lot, 30, type_name="BAY", client=idle.pd.number))
    assert answer.map["space"] == FIRST_SPACE + 1
    assert answer.map["type"] == FIRST_DYNAMIC_TYPE + 1
    assert answer.extra == (30,)
    assert lot.cap(30).type == ObjectType.RESSPC
    assert rdes(idle)["BAY"] == answer.map["rde"] == idle.slot("rde:BAY")


def test_spaces_of_one_type_share_its_code_and_their_rdes_have_names_of_their_own() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    answer = ok(connect(lot, 30, client=lab["idle"].pd.number)).map
    assert answer["type"] == FIRST_DYNAMIC_TYPE
    again = ok(connect(lot, 31, client=lab["idle"].pd.number)).map
    assert lab["idle"].slot("rde:LOT") == answer["rde"]
    assert lab["idle"].slot(f"rde:LOT.{again['space']}") == again["rde"]
    assert "rde:LOT" not in car.pd.names


@pytest.mark.parametrize("name", ["", "1", "has space", "x" * 32, "pd", "PD", "resspc", "é"])
def test_a_type_has_a_proper_name(name: str) -> None:
    lab = parking()
    refused(Status.INVALID_ARGUMENT, connect, lab["lot"], 30, type_name=name)


@pytest.mark.parametrize("depth", [-2, "some", 2**70])
def test_a_depth_is_a_number_from_0_or_all(depth: object) -> None:
    lab = parking()
    if depth == 2**70:
        depth = -1
    for key in ("pd_depth", "space_depth"):
        refused(Status.INVALID_ARGUMENT, connect, lab["lot"], 30, **{key: depth})
        ok(connect(lab["lot"], 30, **{key: "all"}))
        ok(lab["lot"].delete(30))
        lab.work()


def test_a_space_needs_an_unbadged_endpoint_with_all_rights() -> None:
    lab = parking()
    lot = lab["lot"]
    ok(lot.mint("server", 20, badge=5))
    ok(lot.copy("server", 21, rights=1))
    lot.alloc(ObjectType.NOTIFICATION, 22)
    for slot in (20, 21, 22):
        refused(Status.INVALID_CAPABILITY, connect, lot, 30, slot)
    refused(Status.FAILED_LOOKUP, connect, lot, 30, 99)
    refused(Status.TRUNCATED_MESSAGE, without_caps, lot)


def without_caps(lot: Thread) -> object:
    return lot.invoke("resspc_connect", "rde:resspc", type_name="LOT", receive=30)


def test_the_capability_needs_an_empty_slot_of_the_own_half() -> None:
    lab = parking()
    lot = lab["lot"]
    ok(lot.copy("server", 20))
    refused(Status.DELETE_FIRST, connect, lot, 20)
    refused(Status.RANGE_ERROR, connect, lot, 600)
    refused(Status.RANGE_ERROR, connect, lot, 3)
    refused(
        Status.FAILED_LOOKUP,
        lot.invoke,
        "resspc_connect",
        "rde:resspc",
        caps=["server"],
        type_name="LOT",
    )


def test_the_first_client_is_a_live_pd() -> None:
    lab = parking()
    lot = lab["lot"]
    lab.die("idle")
    refused(Status.PD_DEAD, connect, lot, 30, client=lab.pd("idle").number)
    refused(Status.FAILED_LOOKUP, connect, lot, 30, client=999)
    refused(Status.FAILED_LOOKUP, connect, lot, 30, client=0)
    refused(Status.FAILED_LOOKUP, connect, lot, 30, client=-1)


def test_each_service_does_its_own_work_only() -> None:
    lab = parking()
    lot = lab["lot"]
    refused(
        Status.ILLEGAL_OPERATION,
        lot.invoke,
        "resspc_connect",
        "rde:pd",
        caps=["server"],
        type_name="LOT",
        receive=30,
    )
    refused(Status.ILLEGAL_OPERATION, lot.invoke, "pd_create", "rde:resspc", name="x", run="x")


def test_objects_are_numbered_from_1_or_by_their_server() -> None:
    lab = parking()
    lot = lab["lot"]
    assert [made(lot), made(lot), made(lot, 7), made(lot)] == [1, 2, 7, 3]
    refused(Status.DELETE_FIRST, ask, lot, "create", object=7)
    for number in range(4, 7):
        assert made(lot) == number
    assert made(lot) == 8


@pytest.mark.parametrize("number", [0, BADGE_OBJ_ID_NULL, -1, 2**64, 2**70 % 2**64])
def test_an_object_number_is_in_range(number: int) -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    number = min(number, 2**64 - 1) if number < 2**64 else BADGE_OBJ_ID_NULL
    for name in ("create", "delete"):
        refused(Status.RANGE_ERROR, ask, lot, name, object=number)
    for name in ("give", "revoke"):
        refused(Status.RANGE_ERROR, ask, lot, name, object=number, pd=car.pd.number)


def test_the_number_of_a_deleted_object_is_not_used_again_soon() -> None:
    lab = parking()
    lot = lab["lot"]
    first = made(lot)
    ok(ask(lot, "delete", object=first))
    assert made(lot) == first + 1
    assert made(lot, first) == first  # unless its server says so
    assert held(lab["car"]) == {}


def test_only_the_manager_may_use_its_space() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    made(lot)
    cap = lot.pd.cspace.slots[lot.slot("space")]
    stolen = car.pd.cspace.slot(40)
    lab.k.put(stolen, cap.cap, cap, "test")
    refused(Status.NOT_MANAGER, give, car, 1, car, 40)
    refused(Status.NOT_MANAGER, ask, car, "create", 40)
    refused(Status.NOT_MANAGER, ask, car, "delete", 40, object=1)
    refused(Status.NOT_MANAGER, ask, car, "revoke", 40, object=1, pd=car.pd.number)
    refused(Status.NOT_MANAGER, ask, car, "destroy", 40)
    refused(Status.NOT_MANAGER, ask, car, "map", 40, space=FIRST_SPACE)
    refused(Status.NOT_MANAGER, ask, car, "issue", 40, pd=car.pd.number)
    assert ok(ask(car, "info", 40)).map["manager"] == lot.pd.number


def test_an_object_of_another_space_is_told_from_one_of_another_type() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    made(lot)
    ok(connect(lot, 30))
    ok(connect(lot, 31, type_name="BAY"))
    made(lot, 1, 30)
    badge = car.pd.cspace.slots[given(lot, 1, car)].cap
    assert badge is not None
    refused(Status.OTHER_SPACE, give, lot, badge.badge, car, 30)
    refused(Status.WRONG_TYPE, give, lot, badge.badge, car, 31)
    assert ok(give(lot, badge.badge, car)).map["count"] == 2
    refused(Status.RANGE_ERROR, give, lot, badge.badge | 0xFFFFFF, car)


def test_a_space_is_mapped_onto_another_whose_client_its_manager_is() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    car.alloc(ObjectType.ENDPOINT, 20)
    ok(connect(car, 30, 20, type_name="TRIP"))
    ok(ask(car, "map", 30, space=FIRST_SPACE))
    ok(ask(car, "map", 30, space=FIRST_SPACE))
    assert ok(ask(car, "info", 30)).map["maps"] == [FIRST_SPACE]
    refused(Status.NEVER_HELD, ask, lot, "map", "space", space=FIRST_SPACE + 1)
    refused(Status.INVALID_ARGUMENT, ask, lot, "map", "space", space=FIRST_SPACE)
    refused(Status.FAILED_LOOKUP, ask, lot, "map", "space", space=99)


def test_a_destroyed_space_leaves_nothing() -> None:
    lab = parking()
    lot, car, van = lab["lot"], lab["car"], lab["van"]
    for number in range(1, 4):
        made(lot, number)
        for client in (car, van):
            given(lot, number, client)
    van.call("lot", b"queued")
    ok(ask(lot, "destroy"))
    assert van.woken().status == Status.REVOKED
    assert lab.root.spaces == {}
    assert lab.root.types == {}
    assert held(car) == held(van) == {}
    assert car.cap("lot") is None
    assert lot.cap("space") is None
    assert Status(ok_status(lot)) == Status.REVOKED
    assert work(lot) == []  # it asked for it
    assert lot.cap("server") is not None


def ok_status(lot: Thread) -> int:
    answer = ask(lot, "info")
    assert answer is not None
    return answer.status


def test_a_space_that_nobody_can_manage_any_more_is_destroyed() -> None:
    lab = parking()
    lot = lab["lot"]
    ok(lot.copy("space", 30))
    ok(lot.delete("space"))
    assert len(lab.root.spaces) == 1
    ok(lot.delete(30))
    lab.work()
    assert lab.root.spaces == {}
    assert lab["car"].cap("lot") is None


def test_a_large_space_is_destroyed_in_slices_and_refuses_meanwhile() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    for number in range(1, 301):
        made(lot, number)
        given(lot, number, car)
    ok(lot.copy("space", 30))
    assert ask(lot, "destroy") is None
    other = next(iter(lab.root.spaces.values()))
    assert other.cause is not None
    assert lab.work() > 1
    ok(lot.woken())
    assert held(car) == {}
    assert lab.root.spaces == {}


def test_who_waits_with_a_time_limit_for_a_destruction_is_told_and_it_goes_on() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    for number in range(1, 301):
        made(lot, number)
        given(lot, number, car)
    assert ask(lot, "destroy", timeout=0.5) is None
    lab.pass_time(1)
    assert lot.woken().status == Status.TIMED_OUT
    answer = ask(lot, "create")
    assert answer is not None
    assert answer.status == Status.REVOKED
    lab.work()
    assert lab.root.spaces == {}


def test_a_dead_servers_spaces_go_and_its_clients_are_told_who_died() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    made(lot)
    slot = given(lot, 1, car)
    car.call("lot")
    lab.die("lot")
    assert car.woken().blames == "lot"
    assert lab.root.spaces == {}
    answer = car.call(slot)
    assert answer is not None
    assert (answer.status, answer.blames) == (Status.DIED_BEFORE_RECV, "lot")


def test_there_are_only_so_many_types() -> None:
    lab = parking()
    lot = lab["lot"]
    for number in range(LAST_DYNAMIC_TYPE - FIRST_DYNAMIC_TYPE):
        ok(connect(lot, 30 + number, type_name=f"T{number}"))
    refused(Status.NOT_ENOUGH_MEMORY, connect, lot, 400, type_name="ONE_MORE")
    ok(connect(lot, 400, type_name="T0"))
    ok(lot.delete(31))
    lab.work()
    ok(connect(lot, 401, type_name="ONE_MORE"))


def test_a_pd_that_is_made_serves_a_space_to_its_creator() -> None:
    lab = parking()
    car = lab["car"]
    serves = {"space": "TRIP"}
    made = ok(
        car.invoke("pd_create", "rde:pd", name="trip", run="x", serves=serves, receive=30)
    ).map
    assert made["endpoint"] == 0
    assert rdes(car)["TRIP"] == made["rde"] == car.slot("rde:TRIP")
    for bad in ({"space": "pd"}, {"space": 3}, {}, {"space": "A", "b": 1}, "LOT"):
        refused(
            Status.INVALID_ARGUMENT,
            car.invoke,
            "pd_create",
            "rde:pd",
            name="two",
            run="x",
            serves=bad,
            receive=31,
        )


def test_what_info_says_of_a_space() -> None:
    lab = parking(cleanup={"pd_depth": 2})
    lot, car = lab["lot"], lab["car"]
    made(lot)
    given(lot, 1, car)
    given(lot, 1, car)
    assert ok(ask(lot, "info")).map == {
        "space": FIRST_SPACE,
        "type": FIRST_DYNAMIC_TYPE,
        "type_name": "LOT",
        "manager": lot.pd.number,
        "resources": 1,
        "holds": 1,
        "clients": [car.pd.number, lab.pd("van").number],
        "maps": [],
        "pd_depth": 2,
        "space_depth": 0,
    }
    ok(connect(lot, 30, pd_depth="all", space_depth=3))
    found = ok(ask(lot, "info", 30)).map
    assert (found["pd_depth"], found["space_depth"]) == ("all", 3)


def test_a_system_with_spaces_goes_down_and_leaves_nothing() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    made(lot)
    given(lot, 1, car)
    lab.ask("down")
    for name in ("idle", "van", "car", "lot"):
        lab.die(name, 0)
    assert lab.k.finished
    assert lab.root.spaces == {}
    filled = [slot for cnode in lab.k.cnodes for slot in cnode.slots.values() if slot.cap]
    assert filled == []


def test_a_pd_capability_reaches_nobody_else() -> None:
    """What tests use to make one up is what a parent has."""
    lab = parking()
    slot = pd_cap(lab, "car", "idle")
    assert ok(lab["car"].pd_call("info", slot)).map["pd"] == "idle"
    assert isinstance(lab, Lab)
