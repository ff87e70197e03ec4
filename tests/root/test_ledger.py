"""Records are paid for from the asker's untyped memory, and paid back."""

from typing import Any

from caplab.kernel.abi import PAGE_SIZE, PRICE_HOLD, PRICE_RESOURCE, PRICE_SPACE, ObjectType, Status
from lab import Lab, Thread, ok, refused
from spaces import ask, connect, give, given, held, kinds, made, pd_cap, work


def poor(untyped: int, **more: Any) -> tuple[Lab, Thread, Thread]:
    """A server with that much untyped memory, and a client."""
    lab = Lab(
        {
            "lot": {"serves": {"space": "LOT"}, "rdes": ["resspc"], "untyped": untyped, **more},
            "car": {"uses": {"lot": "lot"}, "untyped": untyped},
        }
    )
    return lab, lab["lot"], lab["car"]


def slabs(lab: Lab) -> int:
    caps = [slot.cap for slot in lab.root.cspace.slots.values() if slot.cap]
    return sum(cap.type == ObjectType.SLAB for cap in caps)


def test_a_default_space_is_a_gift_and_what_is_asked_for_is_paid() -> None:
    lab, lot, car = poor(0)
    assert lab.root.spaces
    refused(Status.NOT_ENOUGH_MEMORY, ask, lot, "create")
    refused(Status.NOT_ENOUGH_MEMORY, connect, lot, 30)
    assert car.cap("lot") is not None


def test_one_page_pays_for_so_many_records_and_no_more() -> None:
    lab, lot, _ = poor(PAGE_SIZE)
    for _ in range(PAGE_SIZE // PRICE_RESOURCE):
        made(lot)
    refused(Status.NOT_ENOUGH_MEMORY, ask, lot, "create")
    assert slabs(lab) == 1
    ok(ask(lot, "delete", object=1))
    made(lot)


def test_a_hold_is_paid_by_who_gives_it_and_once_however_often_it_counts() -> None:
    lab, lot, car = poor(PAGE_SIZE)
    for _ in range(PAGE_SIZE // PRICE_RESOURCE - 1):
        made(lot)
    given(lot, 1, car)
    ok(give(lot, 1, car))
    refused(Status.NOT_ENOUGH_MEMORY, give, lot, 2, car)
    assert not car.pd.slabs
    ok(ask(lot, "revoke", object=1, pd=car.pd.number))
    given(lot, 2, car)
    assert PRICE_HOLD == PRICE_RESOURCE
    assert slabs(lab) == 1


def test_a_hold_that_went_by_itself_is_paid_back_when_its_manager_has_seen_to_it() -> None:
    """What waits for a server that does nothing must fill nobody's memory but the payer's."""
    _, lot, car = poor(PAGE_SIZE)
    for _ in range(PAGE_SIZE // PRICE_RESOURCE - 1):
        made(lot)
    ok(car.delete(given(lot, 1, car)))
    refused(Status.NOT_ENOUGH_MEMORY, give, lot, 1, car)
    assert kinds(work(lot)) == ["free"]
    refused(Status.NOT_ENOUGH_MEMORY, give, lot, 1, car)
    assert work(lot) == []
    given(lot, 1, car)


def test_a_server_that_makes_and_deletes_for_ever_needs_no_more_memory() -> None:
    """An untyped that is never without children hands no page out twice, so pages are kept."""
    lab, lot, _ = poor(4 * PAGE_SIZE)
    lot.alloc(ObjectType.ENDPOINT, 20)
    for _ in range(3):
        for number in range(1, 3 * PAGE_SIZE // PRICE_RESOURCE + 1):
            made(lot, number)
        for number in range(1, 3 * PAGE_SIZE // PRICE_RESOURCE + 1):
            ok(ask(lot, "delete", object=number))
        assert slabs(lab) == 3
    lab.die("lot")
    assert slabs(lab) == 0


def test_empty_pages_go_back_when_the_room_is_needed_and_nothing_else_is_made_of_it() -> None:
    lab, lot, _ = poor(4 * PAGE_SIZE, rdes=["resspc", "mo"])
    lot.alloc(ObjectType.ENDPOINT, 20)
    for _ in range(2):
        made(lot, 1)
        refused(Status.NOT_ENOUGH_MEMORY, lot.retype, ObjectType.FRAME, 30, count=4)
        ok(lot.delete(20))
        refused(Status.NOT_ENOUGH_MEMORY, lot.retype, ObjectType.FRAME, 30, count=4)
        ok(ask(lot, "delete", object=1))
        refused(Status.NOT_ENOUGH_MEMORY, lot.retype, ObjectType.FRAME, 30, count=5)
        assert slabs(lab) == 1
        ok(lot.retype(ObjectType.FRAME, 30, count=4))
        assert slabs(lab) == 0
        for slot in range(30, 34):
            ok(lot.delete(slot))
        lot.alloc(ObjectType.ENDPOINT, 20)
    made(lot, 1)
    ok(ask(lot, "delete", object=1))
    ok(lot.delete(20))
    ok(lot.invoke("mo_connect", "rde:mo", receive=30, pages=4))
    assert slabs(lab) == 0
    refused(Status.NOT_ENOUGH_MEMORY, lot.invoke, "mo_connect", "rde:mo", receive=31, pages=8)


def test_revoking_the_untyped_takes_back_what_it_paid_for() -> None:
    lab, lot, car = poor(4 * PAGE_SIZE)
    number = made(lot)
    slot = given(lot, number, car)
    ok(connect(lot, 30, type_name="BAY"))
    made(lot, 5, 30)
    assert slabs(lab) == 1
    ok(lot.revoke("untyped"))
    lab.work()
    assert held(car) == {}
    assert car.cap(slot) is None
    assert [space.type_name for space in lab.root.spaces.values()] == ["LOT"]
    assert not next(iter(lab.root.spaces.values())).resources
    assert lot.cap(30) is None
    assert slabs(lab) == 0
    assert made(lot) == number + 1


def test_who_sends_a_resource_on_pays_for_the_new_hold() -> None:
    lab = Lab(
        {
            "lot": {"serves": {"space": "LOT"}},
            "car": {"uses": {"lot": "lot"}},
            "poor": {"uses": {"lot": "lot"}, "untyped": 0},
            "idle": {},
        }
    )
    lot, car, idle = lab["lot"], lab["car"], lab["idle"]
    made(lot)
    slots = {one.pd.name: given(lot, 1, one) for one in (car, lab["poor"])}
    refused(
        Status.NOT_ENOUGH_MEMORY,
        lab["poor"].pd_call,
        "send",
        pd_cap(lab, "poor", "idle"),
        caps=[slots["poor"]],
    )
    ok(car.pd_call("send", pd_cap(lab, "car", "idle"), caps=[slots["car"]]))
    assert slabs(lab) == 2
    lab.die("car")
    assert held(idle) == {(16, 1): 1}  # its sender's page outlives the sender
    assert slabs(lab) == 2
    lab.die("idle")
    work(lot)
    work(lot)
    assert slabs(lab) == 1


def test_a_device_pays_for_nothing() -> None:
    lab, lot, _ = poor(PAGE_SIZE)
    slot = lot.pd.cspace.slots[lot.slot("untyped")]
    assert slot.cap is not None
    slot.cap.obj.device = True
    refused(Status.NOT_ENOUGH_MEMORY, ask, lot, "create")
    assert PRICE_SPACE + PRICE_HOLD < PAGE_SIZE
    assert slabs(lab) == 0
