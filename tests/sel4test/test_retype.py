"""RETYPE: objects from untyped memory, and everything that may be wrong with the request."""

import pytest

from caplab.kernel.abi import RETYPE_MAX, SIZE_BITS, ObjectType, Status
from lab import Thread, ok, refused
from sel4 import cnode, made, one, retype

NODE, MEMORY, FIRST = 100, 101, 200
TCB, PAGE = ObjectType.TCB, ObjectType.FRAME
SLOTS = 4


@pytest.fixture
def test() -> Thread:
    return one()


def test_objects_go_into_free_slots_of_a_cnode_and_nowhere_else(test: Thread) -> None:
    """RETYPE0000: 0 objects and too many are 4 (with minimum and maximum), beyond the CNode is 4,
    a full slot is 8; what fits is made."""
    made(test, ObjectType.CNODE, NODE, 2)
    made(test, ObjectType.UNTYPED, MEMORY, SIZE_BITS[TCB] + 3)
    here = {"node": NODE, "of": MEMORY}
    none = refused(Status.RANGE_ERROR, retype, test, TCB, 1, count=0, **here)
    assert none.words == (1, RETYPE_MAX)
    refused(Status.RANGE_ERROR, retype, test, TCB, SLOTS - 1, count=2, **here)
    for slot in range(SLOTS):
        ok(retype(test, TCB, slot, **here))
    refused(Status.RANGE_ERROR, retype, test, TCB, SLOTS, count=2, **here)
    for slot in range(SLOTS):
        refused(Status.DELETE_FIRST, retype, test, TCB, slot, **here)
    for slot in range(SLOTS):
        ok(test.invoke("cnode_delete", NODE, index=slot, depth=2))
    for count in (1 << 31, SLOTS + 1):
        refused(Status.RANGE_ERROR, retype, test, TCB, 0, count=count, **here)
    ok(retype(test, TCB, 0, count=SLOTS - 1, **here))
    for slot in range(SLOTS - 1):
        refused(Status.DELETE_FIRST, retype, test, TCB, slot, **here)
    ok(retype(test, TCB, SLOTS - 1, **here))


def test_an_object_as_large_as_the_untyped_fits_and_none_larger(test: Thread) -> None:
    """RETYPE0001: a CNode of up to 2^40 times the untyped's size is refused; one of exactly its
    size is made."""
    bits = 13
    exact = bits - SIZE_BITS[ObjectType.CNODE]
    made(test, ObjectType.UNTYPED, MEMORY, bits)
    for more in range(40, 0, -1):
        answer = retype(test, ObjectType.CNODE, FIRST, exact + more, of=MEMORY)
        assert answer is not None
        assert answer.status in (Status.NOT_ENOUGH_MEMORY, Status.RANGE_ERROR)
    ok(retype(test, ObjectType.CNODE, FIRST, exact, of=MEMORY))


def test_an_untyped_is_used_to_the_last_page(test: Thread) -> None:
    """RETYPE0002: 16 pages fit into 64 KiB; a million are 4, over a full slot is 8, one more is
    10 (no bytes left)."""
    made(test, ObjectType.UNTYPED, MEMORY, 16)
    for slot in range(FIRST, FIRST + 16):
        ok(retype(test, PAGE, slot, of=MEMORY))
    refused(Status.RANGE_ERROR, retype, test, PAGE, FIRST + 16, count=1 << 20, of=MEMORY)
    refused(Status.DELETE_FIRST, retype, test, PAGE, FIRST, count=8, of=MEMORY)
    full = refused(Status.NOT_ENOUGH_MEMORY, retype, test, PAGE, FIRST + 16, of=MEMORY)
    assert full.words == (0,)
    ok(cnode(test, "revoke", MEMORY))
    ok(retype(test, PAGE, FIRST, count=16, of=MEMORY))
