"""CNodes that end: emptied, in a chain, moved under themselves, lost to everybody."""

import pytest

from caplab.kernel.abi import SLOT_CNODE, SLOT_TCB, LookupFailure, ObjectType, Status
from caplab.kernel.core.cap import guard_word
from lab import Lab, Thread, ok, pair, refused

CNODE, EP = ObjectType.CNODE, ObjectType.ENDPOINT


def retype(app: Thread, kind: int, slot: int, size_bits: int = 0, count: int = 1, **more):
    words = {"node_index": 0, "node_depth": 0, **more}
    return app.invoke(
        "untyped_retype",
        words.pop("of", "untyped"),
        caps=[words.pop("root", SLOT_CNODE)],
        type=kind,
        size_bits=size_bits,
        node_offset=slot,
        num_objects=count,
        **words,
    )


def put_into(app: Thread, node: int, index: int, depth: int, source: int, how: str = "copy"):
    """Copy or move a capability of the first CSpace into another CNode."""
    words = {"dest_index": index, "dest_depth": depth, "src_index": source, "src_depth": 64}
    if how == "copy":
        words["rights"] = 15
    return app.invoke(f"cnode_{how}", node, caps=[SLOT_CNODE], **words)


def set_space(app: Thread, tcb: int, root: int, data: int = 0):
    words = {"fault_ep": 0, "cspace_root_data": data, "vspace_root_data": 0}
    return app.invoke("tcb_set_space", tcb, caps=[root, SLOT_CNODE], **words)


@pytest.fixture
def app() -> Thread:
    return pair()["app"]


def filled(lab: Lab) -> int:
    return sum(slot.cap is not None for node in lab.k.cnodes for slot in node.slots.values())


def half_emptied() -> tuple[Lab, Thread]:
    """`app` deletes a CNode with 600 capabilities and waits; the first 256 are gone."""
    lab = pair()
    app = lab["app"]
    ok(retype(app, CNODE, 20, 10))
    ok(retype(app, EP, 22))
    lab.checked = False
    for index in range(600):
        ok(put_into(app, 20, index, 10, 22))
    lab.checked = True
    assert app.delete(20) is None
    return lab, app


def test_a_cnode_being_emptied_still_holds_what_it_holds() -> None:
    lab, app = half_emptied()
    assert app.cap(22).obj.refs == 1 + 600 - 256
    slices = lab.work()
    assert slices == 2
    ok(app.woken())
    assert app.cap(22).obj.refs == 1


def test_a_chain_of_cnodes_as_deep_as_a_cspace_is_emptied_without_recursion(app: Thread) -> None:
    """Each holds the only capability to the next; deleting the first ends them all."""
    lab = app.lab
    lab.checked = False
    ok(retype(app, CNODE, 100, 1, count=256))
    ok(retype(app, CNODE, 356, 1, count=144))
    before = filled(lab) - 400
    for slot in range(498, 99, -1):
        ok(put_into(app, slot, 0, 1, slot + 1, "move"))
    if app.delete(100) is None:
        lab.work()
        ok(app.woken())
    assert filled(lab) == before
    assert len(lab.k.cnodes) == 3


def test_a_cnode_that_holds_itself_outlives_its_last_name_until_its_memory_is_revoked(
    app: Thread,
) -> None:
    before = len(app.lab.k.cnodes)
    ok(retype(app, CNODE, 20, 4))
    ok(put_into(app, 20, 3, 4, 20, "move"))
    assert app.cap(20) is None
    assert len(app.lab.k.cnodes) == before + 1
    ok(app.revoke("untyped"))
    assert len(app.lab.k.cnodes) == before


def test_two_cnodes_that_hold_each_other_end_together_with_their_memory(app: Thread) -> None:
    before = len(app.lab.k.cnodes)
    ok(retype(app, CNODE, 20, 4, count=2))
    ok(put_into(app, 20, 0, 4, 21))
    ok(put_into(app, 21, 0, 4, 20, "move"))
    ok(app.delete(21))
    assert len(app.lab.k.cnodes) == before + 2
    ok(app.revoke("untyped"))
    assert len(app.lab.k.cnodes) == before


def test_a_pointer_into_a_cnode_that_holds_itself_ends_with_its_bits(app: Thread) -> None:
    """Every level eats five bits, so the walk is finite; what is left over does not matter."""
    ok(retype(app, CNODE, 20, 5))
    ok(put_into(app, 20, 0, 5, 20))
    ok(retype(app, EP, 22))
    ok(put_into(app, 20, 7, 5, 22))
    deep = {"dest_index": 30, "dest_depth": 64, "src_index": 7, "src_depth": 60, "rights": 15}
    ok(app.invoke("cnode_copy", SLOT_CNODE, caps=[20], **deep))
    assert app.cap(30).obj is app.cap(22).obj
    refused(
        Status.FAILED_LOOKUP,
        app.invoke,
        "cnode_copy",
        SLOT_CNODE,
        caps=[20],
        **{**deep, "dest_index": 31, "src_depth": 58},
    )


def test_cutting_off_a_second_level_makes_its_endpoints_deaf() -> None:
    """The capability still exists, in a CNode no thread reaches: lab mode frees who waits on it."""
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    ok(retype(fs, CNODE, 20, 4))
    ok(put_into(fs, 20, 1, 4, fs.slot("server"), "move"))
    assert app.call("fs") is None
    ok(put_into(fs, 20, 2, 4, 20, "move"))
    assert app.woken().status == Status.REVOKED
    assert refused(Status.REVOKED, app.call, "fs").blames == "fs"


def test_a_thread_may_delete_the_root_of_its_own_cspace(app: Thread) -> None:
    """Its capability lies in a hidden slot, so nothing changes until that one is revoked."""
    ok(app.delete(SLOT_CNODE))
    ok(app.signal(4))
    assert ok(app.poll(4)).badge == 0
    refused(Status.REVOKED, app.delete, 1)


def test_revoking_the_memory_of_its_own_cspace_leaves_a_thread_nothing_to_name(app: Thread) -> None:
    """The call that does it is still answered."""
    own = app.slot("untyped")
    ok(retype(app, CNODE, 20, 4))
    ok(put_into(app, 20, 1, 4, SLOT_CNODE))
    ok(set_space(app, SLOT_TCB, 20, guard_word(0, 60)))
    assert app.call(own).words == (0, LookupFailure.GUARD_MISMATCH, 64, 0, 60)
    ok(app.invoke("cnode_revoke", 1, index=own, depth=64))
    answer = refused(Status.FAILED_LOOKUP, app.call, 1)
    assert answer.words == (0, LookupFailure.INVALID_ROOT)


def test_a_new_root_that_only_the_old_one_held_goes_with_it(app: Thread) -> None:
    """seL4 deletes the old root first, and puts in the new one only if it is still there."""
    before = len(app.lab.k.cnodes)
    ok(retype(app, CNODE, 20, 4, count=2))
    ok(put_into(app, 20, 1, 4, 21, "move"))
    ok(put_into(app, 20, 2, 4, SLOT_TCB))
    ok(put_into(app, 20, 3, 4, SLOT_CNODE))
    ok(set_space(app, SLOT_TCB, 20, guard_word(0, 60)))
    ok(app.invoke("cnode_delete", 3, index=20, depth=64))
    ok(set_space(app, 2, 1, guard_word(0, 60)))
    assert refused(Status.FAILED_LOOKUP, app.call, 1).words == (0, LookupFailure.INVALID_ROOT)
    assert len(app.lab.k.cnodes) == before
