"""Ends that overlap: a space, a hold or a PD goes while another end of it is going on."""

import pytest

from caplab.kernel.abi import ObjectType, Status
from lab import Lab, Thread, ok
from spaces import (
    alive,
    ask,
    bury,
    given,
    gpicl,
    held,
    kinds,
    made,
    parking,
    pd_cap,
    rdes,
    space_names,
    work,
)

MANY = 400
"""More resources than a job does in one slice."""


def large(**spec: object) -> tuple[Lab, Thread, Thread]:
    """A lot whose end takes more than a slice; a car holds the first place."""
    lab = parking(**spec)
    lot, car = lab["lot"], lab["car"]
    for _ in range(MANY):
        made(lot)
    given(lot, 1, car)
    return lab, lot, car


def test_what_is_let_go_while_its_space_is_destroyed_is_told_to_nobody() -> None:
    lab, lot, car = large()
    given(lot, MANY, car)
    slot = given(lot, MANY - 1, car)
    assert ask(lot, "destroy") is None
    assert lab.k.jobs_pending
    assert car.cap(slot) is not None
    ok(car.delete(slot))
    lab.work()
    ok(lot.woken())
    assert work(lot) == []
    assert held(car) == {}


def test_a_space_that_is_being_destroyed_is_destroyed_once() -> None:
    lab = gpicl(cleanup={"space_depth": "all"})
    db = lab["db"]
    for _ in range(MANY):
        made(db)
    assert ask(db, "destroy") is None
    ok(ask(lab["block"], "destroy"))
    assert space_names(lab) == {"DB"}
    lab.work()
    ok(db.woken())
    assert lab.root.spaces == {}
    assert work(db) == []  # it asked for it
    assert kinds(work(lab["file"])).count("destroy") == 1


def test_a_death_passes_over_the_spaces_of_those_who_are_linked_to_it() -> None:
    lab = gpicl()
    ok(lab["block"].pd_call("link", pd_cap(lab, "block", "file")))
    request = lab.ask("kill", pd="block", space_depth=1)
    bury(lab)
    lab.pass_time(3)
    assert alive(lab) == {"db", "app", "idle"}
    marked = [one for one in lab.answers[request]["actions"] if one["action"] == "mark_space"]
    assert [one["target"] for one in marked] == ["BLOCK_SPACE_10"]  # the other was its own to end


def test_who_dies_of_two_deaths_is_awaited_by_the_first() -> None:
    lab = gpicl()
    first = lab.ask("kill", pd="block", pd_depth=1)
    lab.exited("block")
    lab.work()
    second = lab.ask("kill", pd="idle")
    lab.pd("idle").linked[lab.pd("file").number] = None
    lab.exited("idle")
    lab.work()
    assert second in lab.answers
    assert first not in lab.answers
    lab.exited("file")
    lab.work()
    work(lab["db"])
    lab.pass_time(3)
    assert lab.answers[first]["pending"] == []


def test_a_server_that_waits_is_left_alone_when_its_client_dies() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    made(lot)
    given(lot, 1, car)
    assert lot.recv() is None
    lab.die("car")
    assert lot.blocked
    lab["van"].call("lot", b"park")
    assert lot.woken().body == b"park"
    ok(lot.reply())
    lab["van"].woken()
    assert kinds(work(lot)) == ["free", "client-gone"]


def test_an_rde_is_taken_while_its_server_waits_for_requests() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    assert lot.recv() is None
    ok(car.pd_call("remove_rde", type="LOT"))
    assert lot.blocked
    lab["van"].call("lot", b"park")
    assert lot.woken().body == b"park"


def test_who_is_linked_and_has_ended_already_is_left_in_peace() -> None:
    lab = parking()
    ok(lab["car"].pd_call("link", pd_cap(lab, "car", "idle")))
    lab.die("idle", 0)
    lab.die("car")
    assert alive(lab) == {"lot", "van"}
    assert lab.ps("idle")["state"] == "exited"


def test_under_sel4_those_queued_with_a_space_that_goes_send_again_and_find_nothing() -> None:
    lab, lot, car = large(semantics="sel4")
    assert car.call("lot", b"park") is None
    assert ask(lot, "destroy") is None
    assert car.blocked
    lab.work()
    ok(lot.woken())
    assert car.woken().label == Status.INVALID_CAPABILITY


def test_memory_that_is_taken_back_pays_for_no_hold_that_its_server_has_yet_to_see_to() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    made(lot)
    ok(car.delete(given(lot, 1, car)))
    ok(lot.revoke("untyped"))
    lab.work()
    assert held(car) == {}
    assert kinds(work(lot)) == ["free"]
    assert work(lot) == []


def test_an_empty_page_goes_with_its_owner() -> None:
    lab = parking()
    lot = lab["lot"]
    ok(ask(lot, "delete", object=made(lot)))
    assert slabs(lab) == 1
    lab.die("lot")
    assert slabs(lab) == 0


def slabs(lab: Lab) -> int:
    caps = [slot.cap for slot in lab.root.cspace.slots.values() if slot.cap]
    return sum(cap.type == ObjectType.SLAB for cap in caps)


def test_a_pd_that_is_being_buried_is_restarted_when_that_is_over() -> None:
    lab, _, _ = large()
    lab.exited("lot")
    assert lab.pd("lot").state == "dying"
    request = lab.ask("restart", pd="lot")
    assert request not in lab.answers
    lab.work()
    assert lab.answers[request]["restarted"] == 1
    assert lab.pd("lot").generation == 1


@pytest.mark.parametrize("use", ["deleted", "memory", "forgotten"])
def test_a_manager_that_put_the_slot_to_another_use_is_given_no_new_capability(use: str) -> None:
    lab = Lab({"fs": {"serves": "endpoint", "restart": "always"}, "app": {"manages": ["fs"]}})
    app = lab["app"]
    slot = app.slot("pd:fs")
    ok(app.delete(slot))
    if use == "memory":
        app.alloc(ObjectType.FRAME, 20)
        ok(app.move(20, slot))
    elif use == "forgotten":
        app.pd.forget(slot)
    before = app.cap(slot)
    lab.die("fs")
    lab.pass_time(1)
    assert lab.pd("fs").generation == 1
    assert app.cap(slot) == before
    answer = app.pd_call("info", slot)
    assert answer is not None
    assert answer.status != Status.OK


def test_an_rde_moved_out_of_the_first_cspace_is_held_without_a_slot() -> None:
    lab = parking()
    car = lab["car"]
    ok(car.retype(ObjectType.CNODE, 20, size_bits=4))
    ok(
        car.invoke(
            "cnode_move",
            20,
            caps=[2],
            dest_index=3,
            dest_depth=4,
            src_index=car.slot("lot"),
            src_depth=64,
        )
    )
    assert rdes(car)["LOT"] == 0
    assert ok(ask(lab["lot"], "issue", pd=car.pd.number)).map["slot"] == 0
