"""The derivation list and the CNode invocations: copy, mint, move, delete, revoke."""

import pytest

from caplab.kernel.abi import ROOT_SLOTS, SLOT_CNODE, LookupFailure, ObjectType, Rights, Status
from lab import Lab, Thread, ok, pair, refused

HERE = {"dest_depth": 64, "src_depth": 64}


def owner() -> tuple[Lab, Thread]:
    """A PD with an endpoint of its own in slot 20."""
    lab = Lab({"app": {}})
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    return lab, app


def filled(thread: Thread, *slots: int) -> list[int]:
    return [slot for slot in slots if thread.cap(slot) is not None]


# -- copy and mint -----------------------------------------------------------------------------


def test_a_copy_is_the_same_capability() -> None:
    _, app = owner()
    ok(app.copy(20, 21))
    assert app.cap(21) == app.cap(20)


@pytest.mark.parametrize("rights", [0, 1, 2, 6, 9, 15])
def test_a_copy_has_at_most_the_rights_asked_for(rights: int) -> None:
    _, app = owner()
    ok(app.copy(20, 21, rights))
    assert app.cap(21).rights == rights


def test_rights_only_shrink() -> None:
    _, app = owner()
    ok(app.copy(20, 21, Rights.READ))
    ok(app.copy(21, 22, Rights.ALL))
    assert app.cap(22).rights == Rights.READ


def test_a_mint_sets_a_badge() -> None:
    _, app = owner()
    ok(app.mint(20, 21, badge=2**64 - 1, rights=Rights.WRITE))
    assert (app.cap(21).badge, app.cap(21).rights) == (2**64 - 1, Rights.WRITE)


@pytest.mark.parametrize("badge", [0, 5, 6])
def test_a_badge_is_set_once(badge: int) -> None:
    _, app = owner()
    ok(app.mint(20, 21, badge=5))
    refused(Status.ILLEGAL_OPERATION, app.mint, 21, 22, badge=badge)
    ok(app.copy(21, 22))


def test_a_mint_of_an_object_without_badges_is_a_copy() -> None:
    lab = Lab({"app": {}})
    app = lab["app"]
    app.alloc(ObjectType.FRAME, 20)
    ok(app.mint(20, 21, badge=9, rights=Rights.READ))
    assert (app.cap(21).badge, app.cap(21).rights) == (0, Rights.READ)


def test_a_reply_capability_cannot_be_copied_but_moved() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs")
    ok(fs.recv())
    ok(fs.save_caller(20))
    refused(Status.ILLEGAL_OPERATION, fs.copy, 20, 21)
    refused(Status.ILLEGAL_OPERATION, fs.mint, 20, 21, badge=0)
    ok(fs.move(20, 21))
    ok(fs.send(21, b"moved"))
    assert app.woken().body == b"moved"
    assert fs.cap(21) is None


# -- what is refused, in seL4's order --------------------------------------------------------------


def test_a_copy_that_says_too_little_is_truncated() -> None:
    _, app = owner()
    label = 32
    refused(Status.TRUNCATED_MESSAGE, app.call, SLOT_CNODE, [21, 64], label=label, caps=[2])
    refused(Status.TRUNCATED_MESSAGE, app.call, SLOT_CNODE, [21, 64, 20, 64, 15], label=label)


@pytest.mark.parametrize("depth", [0, 65, 1000])
def test_a_depth_outside_the_word_is_a_range_error(depth: int) -> None:
    _, app = owner()
    answer = refused(
        Status.RANGE_ERROR,
        app.invoke,
        "cnode_delete",
        SLOT_CNODE,
        index=20,
        depth=depth,
    )
    assert answer.words == (1, 64)


@pytest.mark.parametrize(("index", "depth"), [(ROOT_SLOTS, 64), (20, 10), (2**64 - 1, 64)])
def test_a_slot_that_cannot_be_reached_is_a_failed_lookup(index: int, depth: int) -> None:
    _, app = owner()
    for name in ("cnode_delete", "cnode_revoke", "cnode_save_caller"):
        answer = refused(
            Status.FAILED_LOOKUP, app.invoke, name, SLOT_CNODE, index=index, depth=depth
        )
        assert answer.words[:2] == (0, LookupFailure.GUARD_MISMATCH)


def test_the_destination_is_looked_at_before_the_source() -> None:
    _, app = owner()
    app.alloc(ObjectType.ENDPOINT, 30)
    refused(Status.DELETE_FIRST, app.copy, 300, 30)
    refused(Status.FAILED_LOOKUP, app.copy, 300, 5000)


def test_an_empty_source_is_a_failed_lookup_of_the_source() -> None:
    _, app = owner()
    for do in (app.copy, app.move):
        assert refused(Status.FAILED_LOOKUP, do, 300, 30).words == (1, 2, 64)
    assert refused(Status.FAILED_LOOKUP, app.mint, 300, 30, badge=1).words == (1, 2, 64)
    assert refused(Status.FAILED_LOOKUP, app.copy, 5000, 30).words == (1, 4, 64, 0, 54)


def test_a_source_root_that_is_no_cnode_finds_nothing() -> None:
    _, app = owner()
    arguments = {**HERE, "dest_index": 30, "src_index": 20}
    for root in (1, 300):
        answer = refused(
            Status.FAILED_LOOKUP, app.invoke, "cnode_move", SLOT_CNODE, caps=[root], **arguments
        )
        assert answer.words == (1, LookupFailure.INVALID_ROOT)


def test_delete_and_revoke_of_too_few_words_are_truncated() -> None:
    _, app = owner()
    for label in (34, 35, 36, 37):
        refused(Status.TRUNCATED_MESSAGE, app.call, SLOT_CNODE, [20], label=label, caps=[2])


# -- the list --------------------------------------------------------------------------------


def test_revoke_takes_all_that_was_derived_and_keeps_the_capability() -> None:
    _, app = owner()
    ok(app.copy(20, 21))
    ok(app.copy(21, 22))
    ok(app.mint(20, 23, badge=5))
    ok(app.copy(23, 24))
    ok(app.revoke(20))
    assert filled(app, 20, 21, 22, 23, 24) == [20]


def test_revoking_a_copy_takes_nothing() -> None:
    """Copies are not original: the list forgets who was copied from whom."""
    _, app = owner()
    ok(app.copy(20, 21))
    ok(app.copy(21, 22))
    ok(app.revoke(21))
    assert filled(app, 20, 21, 22) == [20, 21, 22]


def test_revoking_a_badged_original_takes_its_own_badge_only() -> None:
    _, app = owner()
    ok(app.mint(20, 21, badge=5))
    ok(app.mint(20, 22, badge=6))
    ok(app.copy(21, 23))
    ok(app.copy(22, 24))
    ok(app.copy(20, 25))
    ok(app.revoke(21))
    assert filled(app, 20, 21, 22, 23, 24, 25) == [20, 21, 22, 24, 25]


def test_two_mints_of_one_badge_are_two_runs() -> None:
    _, app = owner()
    ok(app.mint(20, 21, badge=5))
    ok(app.copy(21, 22))
    ok(app.mint(20, 23, badge=5))
    ok(app.copy(23, 24))
    ok(app.revoke(23))
    assert filled(app, 21, 22, 23, 24) == [21, 22, 23]
    ok(app.revoke(21))
    assert filled(app, 21, 22, 23, 24) == [21, 23]


def test_deleting_a_badged_original_orphans_its_copies() -> None:
    """Nobody but the unbadged original can revoke them now, not even another of their badge."""
    _, app = owner()
    ok(app.mint(20, 21, badge=5))
    ok(app.copy(21, 22))
    ok(app.mint(20, 23, badge=5))
    ok(app.delete(21))
    ok(app.revoke(23))
    assert filled(app, 22, 23) == [22, 23]
    ok(app.revoke(20))
    assert filled(app, 22, 23) == []


def test_a_mint_of_badge_zero_is_an_unbadged_child() -> None:
    _, app = owner()
    ok(app.mint(20, 21, badge=0))
    ok(app.copy(20, 22))
    ok(app.revoke(21))
    assert filled(app, 20, 21, 22) == [20, 21, 22]
    ok(app.revoke(20))
    assert filled(app, 20, 21, 22) == [20]


def test_a_move_keeps_its_place_in_the_list() -> None:
    _, app = owner()
    ok(app.copy(20, 21))
    ok(app.move(20, 30))
    assert app.cap(20) is None
    ok(app.revoke(30))
    assert filled(app, 21, 30) == [30]


def test_a_moved_badged_original_still_covers_its_copies() -> None:
    _, app = owner()
    ok(app.mint(20, 21, badge=5))
    ok(app.copy(21, 22))
    ok(app.move(21, 31))
    ok(app.move(22, 32))
    ok(app.revoke(31))
    assert filled(app, 20, 31, 32) == [20, 31]


def test_deleting_an_empty_slot_does_nothing() -> None:
    lab, app = owner()
    before = lab.k.state_hash()
    ok(app.delete(300))
    assert lab.k.state_hash() == before


def test_revoking_an_empty_slot_does_nothing() -> None:
    lab, app = owner()
    before = lab.k.state_hash()
    ok(app.revoke(300))
    assert lab.k.state_hash() == before


def test_a_pd_may_delete_its_own_first_capabilities() -> None:
    lab = pair()
    app = lab["app"]
    for slot in (1, 3, 4, 2):
        ok(app.delete(slot))
    refused(Status.REVOKED, app.invoke, "cnode_delete", SLOT_CNODE, index=1, depth=64)
    assert app.call("fs") is None


def test_copies_may_go_into_another_pds_cspace_by_its_cnode_capability() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.alloc(ObjectType.FRAME, 22)
    app.call("fs", caps=[SLOT_CNODE])
    ok(fs.recv(slot=40))
    fs.alloc(ObjectType.NOTIFICATION, 41)
    arguments = {**HERE, "dest_index": 99, "src_index": 41, "rights": 15}
    ok(fs.invoke("cnode_copy", 40, caps=[SLOT_CNODE], **arguments))
    arguments = {**HERE, "dest_index": 50, "src_index": 22}
    ok(fs.invoke("cnode_move", SLOT_CNODE, caps=[40], **arguments))
    ok(fs.reply())
    ok(app.woken())
    assert ok(app.poll(99)).nothing
    assert app.cap(22) is None
    assert fs.cap(50).obj.holds == {fs.pd.number: 1}
