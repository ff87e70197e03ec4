"""Holds: exact counts, whoever gives, sends, revokes, deletes or dies."""

import pytest

from caplab.kernel.abi import SLOT_CNODE, SLOT_PD, ObjectType, Rights, Status, badge_parts
from lab import Lab, Thread, ok, refused
from spaces import ask, caps_of, connect, give, given, held, kinds, made, parking, pd_cap, work

SPACE = 16


def system() -> tuple[Lab, Thread, Thread, Thread]:
    """A lot with places 1, 2 and 3."""
    lab = parking()
    lot = lab["lot"]
    for number in (1, 2, 3):
        made(lot, number)
    return lab, lot, lab["car"], lab["van"]


def test_who_is_given_a_resource_calls_its_server_under_a_badge_of_its_own() -> None:
    _, lot, car, van = system()
    for client in (car, van):
        slot = given(lot, 2, client)
        assert client.cap(slot).rights == Rights.WRITE | Rights.GRANT | Rights.GRANT_REPLY
        client.call(slot, b"x")
        message = ok(lot.recv())
        assert badge_parts(message.badge)[1:] == (SPACE, client.pd.number, 2)
        ok(lot.reply())
        client.woken()


def test_given_again_the_hold_counts_more_in_the_same_slot() -> None:
    lab, lot, car, _ = system()
    first = ok(give(lot, 1, car)).map
    again = ok(give(lot, 1, car)).map
    assert first == {"slot": again["slot"], "count": 1}
    assert again["count"] == 2
    assert held(car) == {(SPACE, 1): 2}
    assert caps_of(lab, car.cap(again["slot"]).badge) == 1


def test_what_cannot_be_given_is_refused_each_by_its_name() -> None:
    lab, lot, car, _ = system()
    ok(ask(lot, "delete", object=3))
    refused(Status.REVOKED, give, lot, 3, car)
    refused(Status.NEVER_HELD, give, lot, 4, car)
    refused(Status.RANGE_ERROR, give, lot, 0, car)
    refused(Status.FAILED_LOOKUP, ask, lot, "give", object=1, pd=777)
    number = lab.pd("idle").number
    lab.ask("kill", pd="idle")
    refused(Status.PD_DEAD, ask, lot, "give", object=1, pd=number)
    lab.die("idle")
    refused(Status.PD_DEAD, ask, lot, "give", object=1, pd=number)


def test_a_pd_whose_name_another_took_is_still_dead() -> None:
    lab, lot, car, _ = system()
    number = lab.pd("idle").number
    lab.die("idle")
    ok(car.invoke("pd_create", "rde:pd", name="idle", run="x", receive=30))
    refused(Status.PD_DEAD, ask, lot, "give", object=1, pd=number)


def test_a_full_cspace_takes_no_resource() -> None:
    lab, lot, car, _ = system()
    lab.checked = False
    while (slot := car.pd.free_slot()) is not None:
        lab.k.put(slot, car.cap(SLOT_CNODE), None, "test")
    refused(Status.NOT_ENOUGH_MEMORY, give, lot, 1, car)


def test_revoke_takes_every_hold_of_one_pd_and_every_copy() -> None:
    lab, lot, car, van = system()
    slot = given(lot, 1, car)
    given(lot, 1, car)
    given(lot, 1, van)
    badge = car.cap(slot).badge
    ok(car.copy(slot, 40))
    ok(car.move(slot, 41))
    assert ok(ask(lot, "revoke", object=1, pd=car.pd.number)).map == {"count": 0}
    assert caps_of(lab, badge) == 0
    assert held(car) == {}
    assert held(van) == {(SPACE, 1): 1}
    assert work(lot) == []  # it asked for it
    answer = car.call(41)
    assert answer is not None
    assert (answer.status, answer.blames) == (Status.REVOKED, "lot")


def test_a_hold_may_be_made_to_count_less() -> None:
    _, lot, car, _ = system()
    for _ in range(3):
        slot = given(lot, 1, car)
    number = car.pd.number
    assert ok(ask(lot, "revoke", object=1, pd=number, count=2)).map == {"count": 1}
    refused(Status.RANGE_ERROR, ask, lot, "revoke", object=1, pd=number, count=2)
    refused(Status.RANGE_ERROR, ask, lot, "revoke", object=1, pd=number, count=0)
    assert car.cap(slot) is not None
    assert ok(ask(lot, "revoke", object=1, pd=number, count=1)).map == {"count": 0}
    assert car.cap(slot) is None


def test_revoked_before_and_never_held_are_told_apart() -> None:
    _, lot, car, van = system()
    given(lot, 1, car)
    ok(ask(lot, "revoke", object=1, pd=car.pd.number))
    answer = refused(Status.REVOKED, ask, lot, "revoke", object=1, pd=car.pd.number)
    assert answer.blames == "lot"
    refused(Status.NEVER_HELD, ask, lot, "revoke", object=1, pd=van.pd.number)
    ok(give(lot, 1, car))
    ok(ask(lot, "revoke", object=1, pd=car.pd.number))


def test_delete_drops_every_hold_however_often_it_counts() -> None:
    lab, lot, car, van = system()
    badges = [client.cap(given(lot, 2, client)).badge for client in (car, car, van)]
    ok(ask(lot, "delete", object=2))
    assert held(car) == held(van) == {}
    assert [caps_of(lab, badge) for badge in badges] == [0, 0, 0]
    refused(Status.REVOKED, ask, lot, "delete", object=2)
    refused(Status.NEVER_HELD, ask, lot, "delete", object=9)
    assert work(lot) == []


def test_who_is_queued_with_a_capability_that_is_taken_is_freed() -> None:
    _, lot, car, van = system()
    slot = given(lot, 1, car)
    other = given(lot, 2, van)
    car.call(slot)
    van.call(other)
    ok(ask(lot, "delete", object=1))
    assert car.woken().blames == "lot"
    assert van.blocked
    assert badge_parts(ok(lot.recv()).badge).object == 2


def test_the_last_capability_that_goes_frees_the_resource() -> None:
    _, lot, car, _ = system()
    slot = given(lot, 1, car)
    given(lot, 1, car)
    ok(car.copy(slot, 40))
    ok(car.delete(slot))
    assert held(car) == {(SPACE, 1): 2}
    assert work(lot) == []
    ok(car.delete(40))
    assert held(car) == {}
    [item] = work(lot)
    del item["id"]
    assert item == {
        "kind": "free",
        "space": SPACE,
        "object": 1,
        "pd": car.pd.number,
        "count": 2,
        "left": 0,
    }


def test_a_client_that_dies_frees_everything_it_held() -> None:
    lab, lot, car, van = system()
    for number in (1, 2):
        given(lot, number, car)
        given(lot, number, van)
    lab.die("car")
    items = work(lot)
    assert sorted((item["kind"], item.get("object")) for item in items) == [
        ("client-gone", None),
        ("free", 1),
        ("free", 2),
    ]
    assert {item["pd"] for item in items} == {car.pd.number}
    assert held(van) == {(SPACE, 1): 1, (SPACE, 2): 1}


def test_a_dead_pds_hold_goes_even_from_whom_it_was_copied_to() -> None:
    lab, lot, car, van = system()
    slot = given(lot, 1, car)
    badge = car.cap(slot).badge
    copy = van.pd.cspace.slot(40)
    source = car.pd.cspace.slots[slot]
    assert source.cap is not None
    lab.k.put(copy, source.cap, source, "car")
    lab.die("car")
    assert van.cap(40) is None
    assert caps_of(lab, badge) == 0
    assert "free" in kinds(work(lot))
    answer = van.call(40)
    assert answer is not None
    assert answer.blames == "car"


def test_a_resource_that_is_sent_is_held_once_more() -> None:
    lab, lot, car, van = system()
    slot = given(lot, 1, car)
    to_van = pd_cap(lab, "car", "van")
    sent = ok(car.pd_call("send", to_van, caps=[slot], name="place")).map
    assert sent["count"] == 1
    assert van.slot("place") == sent["slot"]
    assert badge_parts(van.cap("place").badge).client == van.pd.number
    assert ok(car.pd_call("send", to_van, caps=[slot])).map == {**sent, "count": 2}
    assert (held(car), held(van)) == ({(SPACE, 1): 1}, {(SPACE, 1): 2})
    lab.die("car")
    assert held(van) == {(SPACE, 1): 2}


def test_who_has_a_copy_but_not_the_hold_cannot_send_it_on() -> None:
    lab, lot, car, van = system()
    slot = given(lot, 1, car)
    source = car.pd.cspace.slots[slot]
    assert source.cap is not None
    lab.k.put(van.pd.cspace.slot(40), source.cap, source, "car")
    to_idle = pd_cap(lab, "van", "idle")
    refused(Status.NEVER_HELD, van.pd_call, "send", to_idle, caps=[40])


def test_anything_else_that_is_sent_is_copied() -> None:
    lab, _, car, van = system()
    car.alloc(ObjectType.FRAME, 20, pages=2)
    car.alloc(ObjectType.ENDPOINT, 21)
    to_van = pd_cap(lab, "car", "van")
    memory = ok(car.pd_call("send", to_van, caps=[20])).map
    assert van.cap(memory["slot"]).obj is car.cap(20).obj
    assert memory["count"] == 1
    assert ok(car.pd_call("send", to_van, caps=[21])).map["count"] == 0


def test_sending_needs_a_right_a_capability_and_a_live_pd() -> None:
    lab, lot, car, _ = system()
    slot = given(lot, 1, car)
    refused(Status.INVALID_CAPABILITY, car.pd_call, "send", "pd:van", caps=[slot])
    to_idle = pd_cap(lab, "car", "idle")
    refused(Status.TRUNCATED_MESSAGE, car.pd_call, "send", to_idle)
    refused(Status.FAILED_LOOKUP, car.pd_call, "send", to_idle, caps=[99])
    refused(Status.INVALID_ARGUMENT, car.pd_call, "send", to_idle, caps=[slot], name="")
    lab.die("idle")
    refused(Status.PD_DEAD, car.pd_call, "send", to_idle, caps=[slot])
    assert held(car) == {(SPACE, 1): 1}


@pytest.mark.parametrize("how", ["revoke", "delete", "destroy", "die"])
def test_a_resource_with_very_many_copies_goes_in_slices(how: str) -> None:
    lab, lot, car, _ = system()
    slot = given(lot, 1, car)
    badge = car.cap(slot).badge
    for index in range(16, 400):
        ok(car.copy(slot, index))
    arguments = {"revoke": {"object": 1, "pd": car.pd.number}, "delete": {"object": 1}}
    if how == "die":
        lab.exited("car")
    else:
        assert ask(lot, how, **arguments.get(how, {})) is None
    assert caps_of(lab, badge) > 0
    lab.work()
    assert caps_of(lab, badge) == 0
    if how != "die":
        ok(lot.woken())


def test_a_server_that_took_its_endpoint_back_can_give_nothing() -> None:
    _, lot, car, _ = system()
    lot.alloc(ObjectType.ENDPOINT, 20)
    ok(connect(lot, 30, 20))
    made(lot, 1, 30)
    slot = given(lot, 1, car, 30)
    ok(lot.revoke(20))
    assert held(car) == {}
    assert car.cap(slot) is None
    refused(Status.INVALID_CAPABILITY, give, lot, 1, car, 30)
    assert kinds(work(lot)) == ["free"]
    ok(ask(lot, "destroy", 30))


def test_badges_that_a_server_makes_up_concern_the_root_task_not() -> None:
    lab, lot, car, _ = system()
    slot = given(lot, 1, car)
    badge = car.cap(slot).badge
    ok(lot.mint("server", 40, badge=badge))
    ok(lot.mint("server", 41, badge=badge + 77))
    ok(lot.delete(41))
    ok(car.delete(slot))
    assert held(car) == {(SPACE, 1): 1}  # the server keeps it alive by its own doing
    ok(lot.delete(40))
    assert held(car) == {}
    assert kinds(work(lot)) == ["free"]
    assert lab.pd("lot").alive


def test_a_manager_may_hold_its_own_resources() -> None:
    lab, lot, _, _ = system()
    slot = given(lot, 1, lot)
    ok(lot.delete(slot))
    assert kinds(work(lot)) == ["free"]
    given(lot, 1, lot)
    lab.die("lot")
    assert lab.root.spaces == {}


def test_a_pds_own_capability_gives_nothing_to_another() -> None:
    _, lot, car, van = system()
    slot = given(lot, 1, car)
    answer = ok(car.pd_call("send", SLOT_PD, caps=[slot])).map
    assert answer["count"] == 2
    assert held(van) == {}


def test_a_resource_moved_out_of_the_first_cspace_is_still_held_and_has_no_slot_there() -> None:
    _, lot, car, _ = system()
    slot = given(lot, 1, car)
    ok(car.retype(ObjectType.CNODE, 40, 4))
    path = {"dest_index": 1, "dest_depth": 4, "src_index": slot, "src_depth": 64}
    ok(car.invoke("cnode_move", 40, caps=[SLOT_CNODE], **path))
    assert ok(give(lot, 1, car)).map == {"slot": 0, "count": 2}
    ok(car.delete(40))
    assert held(car) == {}
    assert kinds(work(lot)) == ["free"]


def test_deleted_objects_are_told_from_those_that_never_were_for_a_while() -> None:
    lab, lot, car, _ = system()
    lab.checked = False
    for _ in range(1025):
        ok(ask(lot, "delete", object=made(lot)))
    refused(Status.NEVER_HELD, give, lot, 4, car)
    refused(Status.REVOKED, give, lot, 5, car)
