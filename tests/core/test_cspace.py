"""CSpaces of several levels: guards, radices, and what a pointer that leads nowhere says."""

import pytest

from caplab.kernel.abi import SLOT_CNODE, SLOT_TCB, LookupFailure, ObjectType, Status
from caplab.kernel.core.cap import guard_word
from caplab.kernel.core.sweep import Revocation
from lab import Lab, Thread, ok, pair, refused

GUARDED = guard_word(0b101, 3)


def retype(app: Thread, kind: int, slot: int, size_bits: int = 0, count: int = 1):
    return app.invoke(
        "untyped_retype",
        "untyped",
        caps=[SLOT_CNODE],
        type=kind,
        size_bits=size_bits,
        node_index=0,
        node_depth=0,
        node_offset=slot,
        num_objects=count,
    )


def set_space(app: Thread, root: int, data: int = 0):
    caps = [root, SLOT_CNODE]
    words = {"fault_ep": 0, "cspace_root_data": data, "vspace_root_data": 0}
    return app.invoke("tcb_set_space", SLOT_TCB, caps=caps, **words)


def two_levels() -> tuple[Lab, Thread]:
    """`app` runs in a CSpace of 16 slots over one of 8: slot 1 of the first is the second."""
    lab = pair()
    app = lab["app"]
    ok(retype(app, ObjectType.CNODE, 20, 4))
    ok(retype(app, ObjectType.CNODE, 21, 3))
    return lab, app


def test_a_second_level_is_reached_through_its_guard() -> None:
    lab, app = two_levels()
    fs = lab["fs"]
    here = {"dest_depth": 4, "src_depth": 64, "rights": 15}
    into = {"caps": [SLOT_CNODE], "dest_depth": 4, "src_depth": 64, "rights": 15}
    ok(app.invoke("cnode_mint", 20, dest_index=1, src_index=21, badge=GUARDED, **into))
    uses = app.slot("fs")
    deep = {**into, "dest_depth": 4 + 3 + 3}
    ok(app.invoke("cnode_copy", 20, dest_index=1 << 6 | 0b101 << 3 | 2, src_index=uses, **deep))
    assert here["dest_depth"] == 4
    ok(set_space(app, 20, guard_word(0, 64 - 10)))
    assert fs.recv() is None
    assert app.call(1 << 6 | 0b101 << 3 | 2, b"through two levels") is None
    assert ok(fs.woken()).body == b"through two levels"


@pytest.mark.parametrize(
    ("cptr", "words"),
    [
        (1 << 10, (0, LookupFailure.GUARD_MISMATCH, 64, 0, 54)),
        (1 << 6 | 0b111 << 3, (0, LookupFailure.GUARD_MISMATCH, 6, 0b101, 3)),
    ],
)
def test_a_pointer_past_a_guard_says_where_it_failed(cptr: int, words: tuple[int, ...]) -> None:
    _, app = two_levels()
    into = {"caps": [SLOT_CNODE], "dest_depth": 4, "src_depth": 64, "rights": 15}
    ok(app.invoke("cnode_mint", 20, dest_index=1, src_index=21, badge=GUARDED, **into))
    ok(set_space(app, 20, guard_word(0, 64 - 10)))
    assert refused(Status.FAILED_LOOKUP, app.call, cptr).words == words


def test_a_tcb_without_a_root_finds_nothing() -> None:
    lab, app = two_levels()
    ok(set_space(app, 20, guard_word(0, 60)))
    lab.k.start_job(Revocation(app.pd.cspace.slot(20), lab.k.cause(Status.REVOKED, app.pd)), None)
    assert app.pd.tcbs[0].root is None, "the TCB's copy was derived from slot 20"
    nowhere = (0, LookupFailure.INVALID_ROOT)
    for cptr in (0, 1, 99):
        assert refused(Status.FAILED_LOOKUP, app.call, cptr).words == nowhere


def test_a_destroyed_cnode_empties_its_slots_and_its_reads_count_no_more() -> None:
    lab, app = two_levels()
    ok(retype(app, ObjectType.ENDPOINT, 22))
    into = {"caps": [SLOT_CNODE], "dest_depth": 4, "src_depth": 64, "rights": 15}
    ok(app.invoke("cnode_copy", 20, dest_index=3, src_index=22, **into))
    endpoint = app.cap(22).obj
    assert (endpoint.refs, endpoint.readers) == (2, 2)
    ok(app.delete(20))
    assert (endpoint.refs, endpoint.readers) == (1, 1)
    assert lab.k.jobs_pending is False


def test_a_large_cnode_is_emptied_in_slices_and_its_deleter_waits() -> None:
    lab, app = pair(), None
    app = lab["app"]
    ok(retype(app, ObjectType.CNODE, 20, 10))
    ok(retype(app, ObjectType.ENDPOINT, 22))
    into = {"caps": [SLOT_CNODE], "dest_depth": 10, "src_depth": 64, "rights": 15}
    for index in range(600):
        ok(app.invoke("cnode_copy", 20, dest_index=index, src_index=22, **into))
    assert app.delete(20) is None
    lab.work()
    ok(app.woken())
    assert app.cap(22).obj.refs == 1


def test_mutate_replaces_a_guard_and_never_a_badge() -> None:
    _, app = two_levels()
    move = {"caps": [SLOT_CNODE], "dest_depth": 64, "src_depth": 64}
    ok(app.invoke("cnode_mutate", SLOT_CNODE, dest_index=30, src_index=21, badge=GUARDED, **move))
    assert app.cap(30).badge == GUARDED
    ok(retype(app, ObjectType.ENDPOINT, 22))
    arguments = {**move, "dest_index": 31, "src_index": 22, "badge": 5}
    refused(Status.ILLEGAL_OPERATION, app.invoke, "cnode_mutate", SLOT_CNODE, **arguments)


def rotate(app: Thread, destination: int, pivot: int, source: int):
    depths = {"dest_depth": 64, "pivot_depth": 64, "src_depth": 64}
    badges = {"dest_badge": 0, "pivot_badge": 0}
    where = {"dest_index": destination, "pivot_index": pivot, "src_index": source}
    both = [SLOT_CNODE, SLOT_CNODE]
    return app.invoke("cnode_rotate", SLOT_CNODE, caps=both, **depths, **badges, **where)


def test_rotate_moves_two_capabilities_at_once_and_swaps_in_place() -> None:
    _, app = two_levels()
    first, second = app.cap(20).obj, app.cap(21).obj
    ok(rotate(app, 30, 20, 21))
    assert (app.cap(30).obj, app.cap(20).obj) == (first, second)
    assert app.pd.cspace.slot(21).cap is None
    ok(rotate(app, 30, 20, 30))
    assert (app.cap(30).obj, app.cap(20).obj) == (second, first)
    refused(Status.ILLEGAL_OPERATION, rotate, app, 31, 30, 30)
    refused(Status.DELETE_FIRST, rotate, app, SLOT_TCB, 30, 20)
    refused(Status.FAILED_LOOKUP, rotate, app, 31, 40, 41)


def test_a_slot_operation_whose_depth_goes_past_the_slot_says_what_is_left() -> None:
    """Where an invocation would use what it has found, an operation on slots wants them exact."""
    _, app = two_levels()
    answer = refused(Status.FAILED_LOOKUP, app.invoke, "cnode_delete", 20, index=0b10010, depth=6)
    assert answer.words == (0, LookupFailure.DEPTH_MISMATCH, 2, 0)


def test_a_retype_into_what_is_no_cnode_finds_it_missing() -> None:
    app = pair()["app"]
    words = {"type": 2, "size_bits": 0, "node_offset": 20, "num_objects": 1}
    for root, index, depth, said in (
        (300, 0, 0, (0, LookupFailure.MISSING, 0)),
        (SLOT_TCB, 0, 0, (0, LookupFailure.MISSING, 0)),
        (SLOT_CNODE, SLOT_TCB, 64, (0, LookupFailure.MISSING, 64)),
        (300, 30, 64, (0, LookupFailure.INVALID_ROOT)),
    ):
        path = {"node_index": index, "node_depth": depth}
        do = {"caps": [root], **words, **path}
        answer = refused(Status.FAILED_LOOKUP, app.invoke, "untyped_retype", "untyped", **do)
        assert answer.words == said
