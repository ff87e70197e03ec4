"""Revoking and emptying much: how much one step does, when it is answered, and what happens when
others change things between two slices."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caplab.kernel.abi import SLOT_CNODE, SLOT_TCB, WORD_BITS, ObjectType, Status, Sys
from caplab.kernel.core.cap import guard_word, has_children
from caplab.kernel.core.events import Work
from caplab.kernel.core.jobs import SLICE
from lab import Lab, Thread, ok

CNODE, EP, UNTYPED = ObjectType.CNODE, ObjectType.ENDPOINT, ObjectType.UNTYPED
MEMORY, SOURCE, FIRST = 20, 21, 30
RADIX = 9
ALL = 1 << RADIX
sizes = st.lists(st.integers(0, ALL), min_size=1, max_size=12)


def filled(lab: Lab) -> int:
    return sum(slot.cap is not None for node in lab.k.cnodes for slot in node.slots.values())


def system(contents: list[int], **spec: Any) -> tuple[Lab, Thread]:
    """`app` has an untyped in MEMORY, made of it a row of CNodes, and in each so many copies of the
    endpoint in SOURCE, which is of other memory."""
    lab = Lab({"app": {"threads": 2, "untyped": 64 << 20}}, checked=False, **spec)
    app = lab["app"]
    ok(app.retype(UNTYPED, MEMORY, 25))
    app.alloc(EP, SOURCE)
    source = app.pd.cspace.slot(SOURCE)
    ok(app.retype(CNODE, FIRST, RADIX, len(contents), of=MEMORY))
    for position, count in enumerate(contents):
        node = app.cap(FIRST + position).obj
        for index in range(count):
            lab.k.put(node.slot(index), source.cap, source, "test")
    lab.checked = True
    return lab, app


def slices(lab: Lab) -> list[int]:
    """Do all the pending work; how many capabilities went in each step."""
    gone = []
    while lab.k.jobs_pending:
        before = filled(lab)
        lab.step(Work(lab.now))
        gone.append(before - filled(lab))
    return gone


@settings(max_examples=30)
@given(sizes)
def test_no_step_of_a_revoke_does_more_than_a_slice(contents: list[int]) -> None:
    lab, app = system(contents)
    whole = filled(lab)
    answer = app.revoke(MEMORY)
    first = whole - filled(lab)
    rest = slices(lab)
    assert max([first, *rest]) <= SLICE
    # Each CNode costs its own capability, its slots and one look that it is empty.
    units = sum(contents) + 2 * len(contents)
    assert len(rest) == (units // SLICE if units >= SLICE else 0)
    ok(answer or app.woken())
    assert filled(lab) == whole - sum(contents) - len(contents)


@settings(max_examples=30)
@given(sizes)
def test_a_revoke_answers_when_all_it_destroyed_is_empty(contents: list[int]) -> None:
    lab, app = system(contents)
    nodes = len(lab.k.cnodes) - len(contents)
    answer = app.revoke(MEMORY)
    finished = 0
    while answer is None and app.blocked:
        finished += app.cap(SOURCE).obj.refs == 1 and len(lab.k.cnodes) == nodes
        lab.step(Work(lab.now))
    assert finished <= 1  # where the work fills its last slice, the next one finds none
    assert app.cap(SOURCE).obj.refs == 1
    assert len(lab.k.cnodes) == nodes
    assert not [node for node in lab.k.cnodes if node.dying]


def test_the_memory_can_be_used_again_as_soon_as_the_revoke_is_answered() -> None:
    lab, app = system([ALL])
    assert app.revoke(MEMORY) is None
    lab.work()
    ok(app.woken())
    ok(app.retype(CNODE, FIRST, 20, of=MEMORY))


@settings(max_examples=15)
@given(st.lists(st.integers(200, ALL), min_size=2, max_size=6))
def test_the_death_of_a_pd_with_many_cspaces_takes_steps_of_a_slice(contents: list[int]) -> None:
    """Each of its threads has a CSpace of its own, which nothing else holds."""
    count = len(contents)
    lab = Lab({"app": {"threads": count, "untyped": 16 << 20}, "web": {}}, checked=False)
    app, web = lab["app"], lab["web"]
    app.alloc(EP, SOURCE)
    source = app.pd.cspace.slot(SOURCE)
    ok(app.retype(CNODE, FIRST, RADIX, count))
    words = {"fault_ep": 0, "cspace_root_data": guard_word(0, WORD_BITS - RADIX)}
    for position, size in reversed(list(enumerate(contents))):
        node = app.cap(FIRST + position).obj
        for index in range(size):
            lab.k.put(node.slot(index), source.cap, source, "test")
        tcb = f"tcb.{position}" if position else SLOT_TCB
        more = {**words, "vspace_root_data": 0, "caps": [FIRST + position, SLOT_CNODE]}
        ok(app.invoke("tcb_set_space", tcb, **more))
    lab.checked = True
    before = filled(lab)
    lab.exited("app")
    steps = [before - filled(lab), *slices(lab)]
    # What lies in the hidden slots of the threads is deleted in the step of the death itself.
    assert max(steps) <= SLICE + count
    assert lab.pd("app").state == "dead"
    assert filled(lab) == web.pd.caps


# -- what others do between two slices ------------------------------------------------------------


def busy(**spec: Any) -> tuple[Lab, Thread, Thread]:
    """A Revoke of MEMORY under way by `app`'s first thread, and its second."""
    lab, app = system([ALL, ALL, ALL], **spec)
    assert app.revoke(MEMORY) is None
    return lab, app, lab["app.1"]


@pytest.mark.parametrize("semantics", ["lab", "sel4"])
def test_an_untyped_whose_capability_is_replaced_meanwhile_is_revoked_all_the_same(
    semantics: str,
) -> None:
    """What is made of it between two slices goes too: the call is executed again and finds it."""
    lab, app, second = busy(semantics=semantics)
    ok(second.retype(EP, 50, of=MEMORY))
    assert app.cap(50) is not None
    lab.work()
    ok(app.woken())
    assert [app.cap(slot) for slot in (FIRST, FIRST + 1, FIRST + 2, 50)] == [None] * 4


def test_an_untyped_that_is_moved_meanwhile_is_revoked_no_further() -> None:
    """The slot is empty then, and an empty slot has nothing to revoke."""
    lab, app, second = busy()
    ok(second.move(MEMORY, 60))
    lab.work()
    ok(app.woken())
    assert app.cap(60) is not None
    left = [slot for slot in range(FIRST, FIRST + 3) if app.cap(slot) is not None]
    assert left
    assert not [node for node in lab.k.cnodes if node.dying]
    ok(second.revoke(60) or (lab.work() and second.woken()))
    assert [app.cap(slot) for slot in left] == [None] * len(left)


def test_an_untyped_that_is_moved_away_and_back_is_revoked() -> None:
    lab, app, second = busy()
    ok(second.move(MEMORY, 60))
    ok(second.move(60, MEMORY))
    lab.work()
    ok(app.woken())
    assert app.cap(FIRST) is None


@pytest.mark.parametrize("semantics", ["lab", "sel4"])
def test_a_revoke_whose_cspace_is_taken_away_meanwhile_is_told_so(semantics: str) -> None:
    lab, app, second = busy(semantics=semantics)
    ok(second.delete(SLOT_CNODE))
    lab.work()
    answer = app.woken()
    assert answer.status == (Status.REVOKED if semantics == "lab" else Status.INVALID_CAPABILITY)
    assert not [node for node in lab.k.cnodes if node.dying]


def test_a_suspended_asker_revokes_on_when_it_is_resumed() -> None:
    lab, app, second = busy()
    ok(second.invoke("tcb_suspend", SLOT_TCB))
    lab.work()
    assert app.cap(FIRST) is not None
    ok(second.invoke("tcb_resume", SLOT_TCB))
    lab.work()
    ok(app.woken())
    assert app.cap(FIRST) is None


def test_a_revoke_of_a_low_priority_waits_for_its_turn_after_each_slice() -> None:
    lab = Lab(
        {"low": {"priority": 10}, "high": {"priority": 20}}, scheduler="strict", checked=False
    )
    low, high = lab["low"], lab["high"]
    ok(low.syscall(Sys.YIELD))
    low.alloc(EP, SOURCE)
    room = [slot for slot in range(30, 1024) if low.cap(slot) is None][: 2 * SLICE]
    for slot in room:
        ok(low.copy(SOURCE, slot))
    lab.checked = True
    assert low.revoke(SOURCE) is None
    ok(high.syscall(Sys.YIELD))
    slices(lab)
    assert low.cap(SOURCE).obj.refs == 1 + SLICE
    assert high.syscall(Sys.PARK) is None
    slices(lab)
    ok(low.woken())
    assert low.cap(SOURCE).obj.refs == 1


moves = st.lists(
    st.tuples(
        st.sampled_from(["retype", "move", "back", "copy", "delete", "wait", "wait"]),
        st.integers(0, 40),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(sizes, moves)
def test_whatever_others_do_between_the_slices_nothing_is_left_half_done(
    contents: list[int], doing: list[tuple[str, int]]
) -> None:
    """The invariants hold after each step; at the end the asker is answered, nothing destroyed is
    left, and what lies in the slot then has no child."""
    lab, app = system(contents)
    second = lab["app.1"]
    answer = app.revoke(MEMORY)
    for what, number in doing:
        if what == "wait":
            lab.step(Work(lab.now))
        elif what == "retype":
            second.retype(EP, 100 + number, of=MEMORY)
        elif what == "move":
            second.move(MEMORY, 60)
        elif what == "back":
            second.move(60, MEMORY)
        elif what == "copy":
            second.copy(MEMORY, 61)
        elif second.delete(FIRST + number % len(contents)) is None:
            lab.work()
            second.woken()
    under_way = answer is None and app.blocked
    assert max(slices(lab), default=0) <= SLICE
    ok(answer or app.woken())
    assert not [node for node in lab.k.cnodes if node.dying]
    assert not (under_way and has_children(app.pd.cspace.slot(MEMORY)))


@pytest.mark.parametrize("by", ["delete", "revoke"])
def test_what_a_sweep_puts_out_of_reach_makes_endpoints_deaf(by: str) -> None:
    """A CNode that holds itself and the last Read outlives the one it hung in, unreachable."""
    lab = Lab({"fs": {"serves": "endpoint"}, "app": {"uses": {"fs": "fs"}}})
    fs, app = lab["fs"], lab["app"]
    ok(fs.retype(UNTYPED, MEMORY, 16))
    ok(fs.retype(CNODE, FIRST, 4, of=MEMORY))
    ok(fs.retype(CNODE, FIRST + 1, 4))
    words = {"dest_depth": 4, "src_depth": 64, "caps": [SLOT_CNODE]}
    moves = ((FIRST + 1, 1, fs.slot("server")), (FIRST, 2, FIRST + 1))
    itself = {**words, "dest_index": 0, "src_index": FIRST + 1, "rights": 15}
    ok(fs.invoke("cnode_copy", FIRST + 1, **itself))
    for node, index, source in moves:
        ok(fs.invoke("cnode_move", node, dest_index=index, src_index=source, **words))
    assert app.call("fs") is None
    ok(fs.delete(FIRST) if by == "delete" else fs.revoke(MEMORY))
    answer = app.woken()
    assert (answer.status, answer.blames) == (Status.REVOKED, "fs")


def test_a_change_of_root_that_destroys_the_old_one_answers_when_that_is_empty() -> None:
    lab, app = system([ALL], semantics="sel4")
    words = {"fault_ep": 0, "vspace_root_data": 0}
    own = {**words, "cspace_root_data": guard_word(0, WORD_BITS - RADIX)}
    ok(app.invoke("tcb_set_space", "tcb.1", caps=[FIRST, SLOT_CNODE], **own))
    ok(app.delete(FIRST))
    back = {**words, "cspace_root_data": 0}
    assert app.invoke("tcb_set_space", "tcb.1", caps=[SLOT_CNODE, SLOT_CNODE], **back) is None
    assert app.cap(SOURCE).obj.refs > 1
    assert len(slices(lab)) == 2
    ok(app.woken())
    assert app.cap(SOURCE).obj.refs == 1


def test_a_change_of_root_does_not_wait_for_what_another_destroyed() -> None:
    lab, app = system([ALL])
    other = lab["app.1"]
    words = {"fault_ep": 0, "vspace_root_data": 0}
    own = {**words, "cspace_root_data": guard_word(0, WORD_BITS - RADIX)}
    ok(app.invoke("tcb_set_space", "tcb.1", caps=[FIRST, SLOT_CNODE], **own))
    ok(app.delete(FIRST))
    cause = lab.k.cause(Status.REVOKED, app.pd)
    lab.k.delete(other.tcb.hidden.slot(0), cause)  # as when a PD dies, with nobody who waits
    assert lab.k.jobs_pending
    ok(app.invoke("tcb_set_space", SLOT_TCB, caps=[SLOT_CNODE] * 2, cspace_root_data=0, **words))
