"""Untyped memory: what objects cost, where they come from, and that revoking gives it back."""

import pytest

from caplab.kernel.abi import SIZE_BITS, SLOT_CNODE, ObjectType, Status
from caplab.kernel.core.effects import CreateSegment, DestroySegment
from lab import Thread, ok, pair, refused


@pytest.fixture
def app() -> Thread:
    return pair()["app"]


def test_each_object_takes_its_price(app: Thread) -> None:
    used = []
    for slot, kind in enumerate((2, 3, 4, 7), 30):
        ok(app.retype(kind, slot))
        used.append(app.cap("untyped").badge)
    assert used == [16, 64, 4096, 8192]


def test_a_row_of_objects_fills_a_row_of_slots(app: Thread) -> None:
    ok(app.retype(ObjectType.ENDPOINT, 40, count=5))
    objects = {id(app.cap(slot).obj) for slot in range(40, 45)}
    assert len(objects) == 5


def test_revoke_gives_the_memory_back(app: Thread) -> None:
    ok(app.retype(ObjectType.UNTYPED, 30, 22))
    refused(Status.NOT_ENOUGH_MEMORY, app.retype, ObjectType.ENDPOINT, 31)
    ok(app.revoke("untyped"))
    assert app.pd.cspace.slot(30).cap is None
    ok(app.retype(ObjectType.ENDPOINT, 31))


def test_revoking_an_untyped_takes_what_was_made_of_its_parts(app: Thread) -> None:
    ok(app.retype(ObjectType.UNTYPED, 30, 16))
    ok(app.retype(ObjectType.ENDPOINT, 31, of=30))
    ok(app.mint(31, 32, badge=7))
    ok(app.revoke("untyped"))
    assert [app.pd.cspace.slot(index).cap for index in (30, 31, 32)] == [None] * 3


def test_an_untyped_with_children_is_not_copied_and_a_copy_uses_the_original_up(
    app: Thread,
) -> None:
    ok(app.retype(ObjectType.UNTYPED, 30, 12))
    ok(app.copy(30, 31))
    refused(Status.NOT_ENOUGH_MEMORY, app.retype, ObjectType.ENDPOINT, 32, of=30)
    ok(app.retype(ObjectType.ENDPOINT, 32, of=31))
    refused(Status.REVOKE_FIRST, app.copy, 31, 33)


def test_pages_are_segments_that_end_with_the_last_capability(app: Thread) -> None:
    ok(app.retype(ObjectType.FRAME, 30))
    made = app.lab.of(CreateSegment)
    assert [effect.size for effect in made] == [4096]
    ok(app.delete(30))
    assert [effect.mo for effect in app.lab.of(DestroySegment)] == [made[0].mo]


@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        (Status.INVALID_ARGUMENT, {"kind": 99, "slot": 30}),
        (Status.INVALID_ARGUMENT, {"kind": ObjectType.CNODE, "slot": 30, "size_bits": 0}),
        (Status.INVALID_ARGUMENT, {"kind": ObjectType.UNTYPED, "slot": 30, "size_bits": 3}),
        (Status.RANGE_ERROR, {"kind": ObjectType.UNTYPED, "slot": 30, "size_bits": 64}),
        (Status.RANGE_ERROR, {"kind": ObjectType.ENDPOINT, "slot": 1024}),
        (Status.RANGE_ERROR, {"kind": ObjectType.ENDPOINT, "slot": 30, "count": 0}),
        (Status.RANGE_ERROR, {"kind": ObjectType.ENDPOINT, "slot": 30, "count": 257}),
        (Status.RANGE_ERROR, {"kind": ObjectType.ENDPOINT, "slot": 1023, "count": 2}),
        (Status.DELETE_FIRST, {"kind": ObjectType.ENDPOINT, "slot": SLOT_CNODE}),
        (Status.NOT_ENOUGH_MEMORY, {"kind": ObjectType.UNTYPED, "slot": 30, "size_bits": 23}),
        (Status.FAILED_LOOKUP, {"kind": ObjectType.ENDPOINT, "slot": 30, "node_depth": 64}),
    ],
)
def test_what_cannot_be_made_is_refused_with_its_number(
    app: Thread, status: Status, arguments: dict
) -> None:
    refused(status, app.retype, **arguments)


@pytest.mark.parametrize("kind", SIZE_BITS)
def test_every_price_of_the_table_is_what_retype_takes(app: Thread, kind: ObjectType) -> None:
    slots_bits = 4 if kind == ObjectType.CNODE else 0
    ok(app.retype(ObjectType.UNTYPED, 30, 20))
    ok(app.retype(kind, 31, slots_bits, of=30))
    price = 1 << (SIZE_BITS[kind] + slots_bits)
    assert app.cap(30).badge == price
    ok(app.retype(kind, 32, slots_bits, count=3, of=30))
    assert app.cap(30).badge == 4 * price
    ok(app.revoke(30))
    ok(app.retype(kind, 31, slots_bits, of=30))
    assert app.cap(30).badge == price


def test_the_prices_are_sel4s() -> None:
    assert {kind.name: 1 << bits for kind, bits in SIZE_BITS.items()} == {
        "CNODE": 32,  # per slot
        "ENDPOINT": 16,
        "NOTIFICATION": 32,
        "TCB": 2048,
        "FRAME": 4096,
    }
