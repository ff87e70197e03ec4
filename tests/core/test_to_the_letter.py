"""Where the order of checks and the moment of an answer are seL4's, to the letter."""

from typing import Any

import pytest

from caplab.kernel.abi import (
    SLOT_CNODE,
    FaultLabel,
    Inv,
    LookupFailure,
    ObjectType,
    Status,
    Sys,
)
from caplab.kernel.core.cap import guard_word
from lab import Lab, Thread, ok, refused

NOWHERE = 1 << 40
"""A pointer that the guard of a first CSpace refuses."""


def handled(**more: object) -> tuple[Lab, Thread, Thread]:
    """`app`, whose faults go to `handler`."""
    pds = {
        "handler": {"serves": "endpoint"},
        "app": {"faults": "handler", "threads": 2, "uses": {"out": "handler"}},
    }
    lab = Lab(pds, **{"semantics": "sel4", **more})
    return lab, lab["handler"], lab["app"]


def rotate(thread: Thread, **other: int) -> object:
    words = {
        "dest_index": 30,
        "dest_depth": 64,
        "dest_badge": 0,
        "pivot_index": 31,
        "pivot_depth": 64,
        "pivot_badge": 0,
        "src_index": 32,
        "src_depth": 64,
    }
    return thread.invoke(
        "cnode_rotate", SLOT_CNODE, caps=[SLOT_CNODE, SLOT_CNODE], **{**words, **other}
    )


def test_rotate_looks_for_its_source_before_its_pivot() -> None:
    _, _, app = handled()
    answer = refused(Status.RANGE_ERROR, rotate, app, src_depth=0, pivot_index=NOWHERE)
    assert answer.words == (1, 64)
    answer = refused(Status.FAILED_LOOKUP, rotate, app, src_index=NOWHERE, pivot_depth=0)
    assert answer.words[:2] == (1, LookupFailure.GUARD_MISMATCH)
    refused(Status.RANGE_ERROR, rotate, app, pivot_depth=0)


def copy_from(thread: Thread, root: int, call: Sys = Sys.CALL) -> Any:
    """Copy, with that pointer sent as the root of the source."""
    words = [30, 64, 31, 64, 15]
    return thread.syscall(call, SLOT_CNODE, words, caps=[root], label=int(Inv.CNODE_COPY))


@pytest.mark.parametrize("call", [Sys.CALL, Sys.SEND])
def test_a_pointer_that_leads_nowhere_is_a_fault_before_the_invocation_is_looked_at(
    call: Sys,
) -> None:
    _, handler, app = handled()
    assert handler.recv() is None
    assert copy_from(app, NOWHERE, call) is None
    told = handler.woken()
    assert told.label == FaultLabel.CAP_FAULT
    assert told.words[1:4] == (NOWHERE, 0, LookupFailure.GUARD_MISMATCH)


def test_an_nb_send_whose_pointer_leads_nowhere_says_nothing() -> None:
    _, handler, app = handled()
    assert handler.recv() is None
    ok(copy_from(app, NOWHERE, Sys.NB_SEND))
    assert handler.blocked


def test_in_lab_mode_the_invocation_answers_an_error() -> None:
    _, _, app = handled(semantics="lab")
    refused(Status.FAILED_LOOKUP, copy_from, app, NOWHERE)


def test_an_empty_slot_that_is_sent_is_the_invocations_affair() -> None:
    _, _, app = handled()
    answer = refused(Status.FAILED_LOOKUP, copy_from, app, 300)
    assert answer.words == (1, LookupFailure.INVALID_ROOT)


def test_a_fault_blames_the_pointer_that_leads_nowhere_and_no_empty_slot() -> None:
    _, handler, app = handled()
    assert handler.recv() is None
    assert app.call("out", caps=[300, NOWHERE]) is None
    assert handler.woken().words[1] == NOWHERE


def test_to_sel4_nothing_and_what_is_no_notification_are_both_an_invalid_capability() -> None:
    lab = Lab({"serial": {"devices": ["uart0"]}}, uarts=["uart0"], semantics="sel4")
    serial = lab["serial"]
    ok(serial.invoke("device_claim", "uart0", slot=21))
    for slot in (99, 21):
        answer = refused(
            Status.INVALID_CAPABILITY, serial.invoke, "irq_set_notification", 21, caps=[slot]
        )
        assert answer.words == (0,)
    refused(Status.TRUNCATED_MESSAGE, serial.invoke, "irq_set_notification", 21)


def full_cnode(app: Thread, slot: int) -> Any:
    """A CNode of 512 slots with so many capabilities that a slice cannot empty it."""
    ok(app.retype(ObjectType.CNODE, slot, size_bits=9))
    app.alloc(ObjectType.NOTIFICATION, 50)
    for index in range(400):
        ok(
            app.invoke(
                "cnode_copy",
                slot,
                caps=[SLOT_CNODE],
                dest_index=index,
                dest_depth=9,
                src_index=50,
                src_depth=64,
                rights=15,
            )
        )
    return app.cap(slot).obj


def test_a_call_restarted_by_a_sweep_is_answered_when_what_it_destroys_is_empty() -> None:
    """What it was sent to goes with a CNode; sent again it is an invocation, and destroys more."""
    lab, _, app = handled()
    other = lab["app.1"]
    app.alloc(ObjectType.ENDPOINT, 20)
    assert other.call(20, [60, 64], label=int(Inv.CNODE_DELETE)) is None
    ok(app.retype(ObjectType.CNODE, 41, size_bits=4))
    ok(
        app.invoke(
            "cnode_move",
            41,
            caps=[SLOT_CNODE],
            dest_index=3,
            dest_depth=4,
            src_index=20,
            src_depth=64,
        )
    )
    ok(app.copy(SLOT_CNODE, 20))
    cnode = full_cnode(app, 60)
    app.delete(41)
    assert other.blocked
    lab.work()
    ok(other.woken())
    assert app.cap(60) is None
    assert cnode not in lab.k.cnodes
    if app.mail:
        ok(app.woken())


def test_one_that_was_suspended_or_killed_meanwhile_is_not_restarted() -> None:
    for end in ("suspend", "kill"):
        lab, _, app = handled()
        other = lab["app.1"]
        app.alloc(ObjectType.ENDPOINT, 20)
        assert other.call(20, label=0) is None
        ok(app.retype(ObjectType.CNODE, 41, size_bits=4))
        words = {"dest_index": 3, "dest_depth": 4, "src_index": 20, "src_depth": 64}
        ok(app.invoke("cnode_move", 41, caps=[SLOT_CNODE], **words))
        ok(app.delete(41))
        assert lab.k.jobs_pending
        if end == "suspend":
            ok(app.invoke("tcb_suspend", "tcb.1"))
            lab.work()
            assert other.blocked
            ok(app.invoke("tcb_resume", "tcb.1"))
            assert other.woken().label == Status.INVALID_CAPABILITY
        else:
            lab.die("app")
            assert other.blocked


@pytest.mark.parametrize(
    ("name", "reason"), [("cnode_delete", "delete"), ("tcb_set_space", "set space")]
)
def test_ps_says_which_call_takes_several_steps(name: str, reason: str) -> None:
    lab, _, app = handled(semantics="lab")
    lab.checked = False
    full_cnode(app, 60)
    if name == "cnode_delete":
        assert app.delete(60) is None
    else:
        ok(enter(app, 60))
        assert enter(app, SLOT_CNODE, drop=60) is None
    assert lab.ps("app")["tcbs"][0]["reason"] == reason
    lab.work()
    ok(app.woken())


def enter(app: Thread, root: int, drop: int = 0) -> Any:
    """Let the second thread live in another CSpace; `drop`: its old root is named there alone."""
    if drop:
        ok(app.delete(drop))
    return app.invoke(
        "tcb_set_space",
        "tcb.1",
        caps=[root, root],
        fault_ep=0,
        cspace_root_data=guard_word(0, 55) if not drop else 0,
        vspace_root_data=0,
    )


def space_of_two_levels(app: Thread) -> tuple[int, int]:
    """Slots 70 and 71: a CNode of 16 slots behind 56 zero bits, which leaves four bits of a pointer
    over, and one of 16 slots that takes them.
    """
    for slot in (72, 73):
        ok(app.retype(ObjectType.CNODE, slot, size_bits=4))
    ok(app.mint(72, 70, badge=guard_word(0, 56)))
    return 70, 73


def into(app: Thread, cnode: int, index: int, source: int) -> None:
    words = {"dest_index": index, "dest_depth": 4, "src_index": source, "src_depth": 64}
    ok(app.invoke("cnode_copy", cnode, caps=[SLOT_CNODE], rights=15, **words))


def test_of_capabilities_of_which_one_can_no_longer_be_found_none_is_sent() -> None:
    """The message waits in a queue meanwhile; its words arrive."""
    lab, _, app = handled()
    other = lab["app.1"]
    root, below = space_of_two_levels(app)
    app.alloc(ObjectType.ENDPOINT, 20)
    app.alloc(ObjectType.FRAME, 21)
    for index, source in ((1, 20), (2, 21), (3, below)):
        into(app, 72, index, source)
    into(app, below, 5, 21)
    ok(
        app.invoke(
            "tcb_set_space",
            "tcb.1",
            caps=[root, root],
            fault_ep=0,
            cspace_root_data=0,
            vspace_root_data=0,
        )
    )
    assert other.syscall(Sys.SEND, 1 << 4, b"words", caps=[2 << 4, 3 << 4 | 5]) is None
    ok(app.invoke("cnode_delete", 72, index=3, depth=4))
    ok(app.mint(below, 74, badge=guard_word(0, 1)))
    into(app, 72, 3, 74)
    message = ok(app.recv(20, slot=40))
    assert message.body == b"words"
    assert message.extra == ()
    assert app.cap(40) is None
