"""CNODEOP: what each operation does to slots, and what it says when it does nothing."""

import pytest

from caplab.kernel.abi import SLOT_TCB, LookupFailure, ObjectType, Status
from lab import Thread, ok, refused
from sel4 import cnode, endpoint, is_empty, made, mutate, notification, one, rotate

TCB, FULL, EMPTY, OTHER = 100, 101, 102, 103


@pytest.fixture
def test() -> Thread:
    """A TCB capability at TCB, an endpoint at FULL."""
    test = one(threads=2)
    ok(test.copy("tcb.1", TCB))
    endpoint(test, FULL)
    return test


def same_tcb(test: Thread, slot: int) -> bool:
    """Is it a capability to that very TCB? What is written through one is read through another."""
    words = {"resume": 0, "arch_flags": 0, "count": 1, "registers": [0xCAFE + slot]}
    ok(test.invoke("tcb_write_registers", slot, **words))
    read = test.invoke("tcb_read_registers", "tcb.1", suspend_source=0, arch_flags=0, count=1)
    return ok(read).words == (0xCAFE + slot,)


def test_copy_fills_a_free_slot_and_no_other(test: Thread) -> None:
    """CNODEOP0001: Copy to a free slot, to a full one (8), from an empty one (6), and
    from an empty to a full one (8)."""
    ok(test.copy(TCB, EMPTY))
    assert same_tcb(test, EMPTY)
    assert same_tcb(test, TCB)
    refused(Status.DELETE_FIRST, test.copy, TCB, FULL)
    refused(Status.FAILED_LOOKUP, test.copy, OTHER, OTHER + 1)
    refused(Status.DELETE_FIRST, test.copy, OTHER, FULL)


def test_delete_empties_a_slot_full_or_not(test: Thread) -> None:
    """CNODEOP0002: Delete of a full slot and of an empty one; both succeed, both are empty."""
    ok(cnode(test, "delete", TCB))
    assert is_empty(test, TCB)
    ok(cnode(test, "delete", TCB))
    assert is_empty(test, TCB)


def test_mint_fills_a_free_slot_and_no_other(test: Thread) -> None:
    """CNODEOP0003: Mint to a free slot, to a full one (8), from an empty one (6)."""
    ok(test.mint(TCB, EMPTY, badge=0))
    assert same_tcb(test, EMPTY)
    refused(Status.DELETE_FIRST, test.mint, TCB, FULL, badge=0)
    refused(Status.FAILED_LOOKUP, test.mint, OTHER, OTHER + 1, badge=0)


@pytest.mark.parametrize("operation", ["move", "mutate"])
def test_move_and_mutate_empty_the_source_or_change_nothing(test: Thread, operation: str) -> None:
    """CNODEOP0004, CNODEOP0005: Move and Mutate(0) to a free slot empty the source; from an empty
    one (6), to a full one (8) both slots stay as they are."""
    move = Thread.move if operation == "move" else mutate
    ok(move(test, TCB, EMPTY))
    assert is_empty(test, TCB)
    assert same_tcb(test, EMPTY)
    refused(Status.FAILED_LOOKUP, move, test, TCB, OTHER)
    refused(Status.DELETE_FIRST, move, test, EMPTY, FULL)
    assert same_tcb(test, EMPTY)
    assert test.cap(FULL).type == ObjectType.ENDPOINT


def test_cancel_badged_sends_keeps_an_endpoint_and_takes_nothing_else(test: Thread) -> None:
    """CNODEOP0006: CancelBadgedSends on an endpoint keeps it; on an empty slot, on what is no
    endpoint and without one of the four rights it is 3."""
    ok(cnode(test, "cancel_badged_sends", FULL))
    assert not is_empty(test, FULL)
    refused(Status.ILLEGAL_OPERATION, cnode, test, "cancel_badged_sends", EMPTY)
    refused(Status.ILLEGAL_OPERATION, cnode, test, "cancel_badged_sends", TCB)
    for missing in (1, 2, 4, 8):
        ok(test.mint(FULL, EMPTY, badge=7, rights=15 & ~missing))
        refused(Status.ILLEGAL_OPERATION, cnode, test, "cancel_badged_sends", EMPTY)
        ok(test.delete(EMPTY))


def test_revoke_keeps_the_capability(test: Thread) -> None:
    """CNODEOP0007: Revoke keeps the capability and takes what was derived; of an empty slot it
    succeeds."""
    ok(test.copy(FULL, EMPTY))
    ok(cnode(test, "revoke", FULL))
    assert not is_empty(test, FULL)
    assert is_empty(test, EMPTY)
    ok(cnode(test, "revoke", OTHER))
    assert is_empty(test, OTHER)


def test_rotate_moves_two_at_once_or_neither(test: Thread) -> None:
    """CNODEOP0008: Rotate to an empty slot, to a full one (8), with destination and source the
    same (a swap), with pivot and source the same (3), with all slots empty (6)."""
    second = made(test, ObjectType.CNODE, OTHER, 4)
    before = test.cap(TCB), test.cap(second)
    ok(rotate(test, EMPTY, TCB, second))
    assert (test.cap(EMPTY), test.cap(TCB), test.cap(second)) == (*before, None)
    refused(Status.DELETE_FIRST, rotate, test, FULL, EMPTY, TCB)
    ok(rotate(test, EMPTY, TCB, EMPTY))
    assert (test.cap(TCB), test.cap(EMPTY)) == before
    refused(Status.ILLEGAL_OPERATION, rotate, test, 200, TCB, TCB)
    nowhere = refused(Status.FAILED_LOOKUP, rotate, test, 200, 201, 202)
    assert nowhere.words == (1, LookupFailure.MISSING, 64)
    no_pivot = refused(Status.FAILED_LOOKUP, rotate, test, 200, 201, TCB)
    assert no_pivot.words == (0, LookupFailure.MISSING, 64)


def test_rotate_and_mutate_never_touch_a_badge(test: Thread) -> None:
    """CNODEOP0005, CNODEOP0008: Mutate and Rotate of an endpoint or a notification are 3, even
    with badge 0; Move is what moves them."""
    notification(test, OTHER)
    for slot in (FULL, OTHER):
        refused(Status.ILLEGAL_OPERATION, mutate, test, slot, EMPTY)
        refused(Status.ILLEGAL_OPERATION, rotate, test, EMPTY, TCB, slot)
        ok(test.move(slot, EMPTY))
        ok(test.move(EMPTY, slot))


def test_save_caller_moves_the_reply_if_there_is_one(test: Thread) -> None:
    """CNODEOP0009: SaveCaller without a caller succeeds and saves nothing; with one it saves the
    reply; into a full slot it is 8."""
    ok(cnode(test, "save_caller", EMPTY))
    assert is_empty(test, EMPTY)
    refused(Status.DELETE_FIRST, cnode, test, "save_caller", FULL)
    helper = test.lab["test.1"]
    assert helper.call(FULL, b"call") is None
    assert ok(test.recv(FULL)).body == b"call"
    refused(Status.DELETE_FIRST, cnode, test, "save_caller", SLOT_TCB)
    ok(cnode(test, "save_caller", EMPTY))
    assert not is_empty(test, EMPTY)
    ok(test.send(EMPTY, b"reply"))
    assert helper.woken().body == b"reply"
    assert is_empty(test, EMPTY)
