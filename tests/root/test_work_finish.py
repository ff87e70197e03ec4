"""Work that is finished by its number, in the order of its kinds, by its own server only."""

import pytest

from caplab.kernel.abi import SLOT_WORK, WORK_BIT, Status, notification_badge
from lab import Lab, ok, refused
from spaces import ask, given, gpicl, kinds, made, parking, pd_cap, work


def finish(server: object, number: object, **more: object) -> object:
    return server.pd_call("finish_work", id=number, **more)  # type: ignore[attr-defined]


def test_the_notification_says_that_there_is_work() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    ok(lot.poll(SLOT_WORK))
    ok(car.delete("lot"))
    assert ok(lot.poll(SLOT_WORK)).badge == notification_badge(WORK_BIT)


def test_work_comes_by_kind_and_then_in_its_order_at_most_16_at_once() -> None:
    lab = parking()
    lot, car, van = lab["lot"], lab["car"], lab["van"]
    slots = [given(lot, made(lot), car) for _ in range(20)]
    ok(van.delete("lot"))
    for slot in slots:
        ok(car.delete(slot))
    lab.ask("graph")
    first = work(lot)
    assert kinds(first) == ["extract"] + ["free"] * 15
    assert [one["object"] for one in first[1:]] == list(range(1, 16))
    assert kinds(work(lot)) == ["free"] * 5 + ["client-gone"]
    assert work(lot) == []


def test_an_item_is_finished_by_its_number_and_once() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    slot = given(lot, made(lot), car)
    request = lab.ask("kill", pd="car")
    lab.die("car")
    items = work(lot)
    assert request not in lab.answers
    for item in items:
        ok(finish(lot, item["id"]))  # type: ignore[arg-type]
    assert lab.answers[request]["pending"] == []
    refused(Status.FAILED_LOOKUP, lot.pd_call, "finish_work", id=items[0]["id"])
    refused(Status.FAILED_LOOKUP, lot.pd_call, "finish_work", id=999)
    assert slot


def test_what_was_not_fetched_cannot_be_finished() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    ok(car.delete("lot"))
    refused(Status.FAILED_LOOKUP, lot.pd_call, "finish_work", id=1)


def test_another_server_finishes_nobodys_work_but_its_own() -> None:
    lab = gpicl()
    db, file = lab["db"], lab["file"]
    ok(db.delete("file"))
    [item] = work(file)
    refused(Status.NOT_MANAGER, db.pd_call, "finish_work", id=item["id"])
    slot = pd_cap(lab, "db", "file")
    refused(Status.INVALID_CAPABILITY, db.pd_call, "finish_work", slot, id=item["id"])
    ok(file.pd_call("finish_work", id=item["id"]))


def test_each_thread_of_a_server_finishes_what_it_fetched() -> None:
    lab = Lab(
        {
            "lot": {"serves": {"space": "LOT"}, "threads": 2},
            "car": {"uses": {"lot": "lot"}},
        }
    )
    lot, second, car = lab["lot"], lab["lot.1"], lab["car"]
    ok(car.delete("lot"))
    [item] = work(lot)
    assert work(second) == []
    assert item["id"] in lot.pd.fetched
    ok(second.pd_call("finish_work", id=item["id"]))
    assert not lot.pd.fetched


def test_only_an_extraction_is_answered_with_rows() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    ok(car.delete("lot"))
    [item] = work(lot)
    refused(Status.INVALID_ARGUMENT, lot.pd_call, "finish_work", id=item["id"], rows=[])
    refused(Status.INVALID_ARGUMENT, lot.pd_call, "finish_work", id=item["id"], more=1)
    refused(Status.INVALID_ARGUMENT, lot.pd_call, "finish_work", id=item["id"], more=2)


@pytest.mark.parametrize("when", ["queued", "fetched"])
def test_nothing_is_left_for_a_dead_server(when: str) -> None:
    lab = gpicl()
    file = lab["file"]
    request = lab.ask("kill", pd="db")
    lab.die("db")
    if when == "fetched":
        assert kinds(work(file)) == ["free", "free", "client-gone"]
    lab.die("file")
    assert not len(file.pd.work)
    assert not file.pd.fetched
    lab.pass_time(3)
    assert request in lab.answers


def test_a_manager_that_takes_something_itself_is_not_asked_to_free_it() -> None:
    lab = parking()
    lot, car = lab["lot"], lab["car"]
    number = made(lot)
    given(lot, number, car)
    ok(ask(lot, "revoke", object=number, pd=car.pd.number))
    assert work(lot) == []
