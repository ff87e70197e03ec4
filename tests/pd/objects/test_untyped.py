"""Untyped memory by hand, and the operations on CNodes and TCBs that go with it."""

from collections.abc import Iterator

import pytest

from caplab.kernel.abi import WORD_BITS, ObjectType
from caplab.pd.env import Env
from caplab.pd.errors import (
    Cancelled,
    CapError,
    DeleteFirst,
    IllegalOperation,
    InvalidArgument,
    MissingCap,
    NeverExisted,
    NotEnoughMemory,
    RangeError,
    Revoked,
    SlotsExhausted,
)
from caplab.pd.objects import CNode, Endpoint, Memory, Notification, Tcb, Untyped
from caplab.pd.objects.cnode import guard_word
from threaded_system import ThreadedSystem

KINDS = {
    ObjectType.CNODE: CNode,
    ObjectType.ENDPOINT: Endpoint,
    ObjectType.NOTIFICATION: Notification,
    ObjectType.TCB: Tcb,
    ObjectType.FRAME: Memory,
}


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    with ThreadedSystem({"name": "app", "threads": 2}) as system:
        yield system


@pytest.fixture
def env(system: ThreadedSystem) -> Env:
    return system.env("app")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_object_is_made_with_its_class(env: Env, kind: ObjectType) -> None:
    before = env.slots.used()
    made = env.untyped().retype(kind, count=3, size_bits=4 if kind == ObjectType.CNODE else 0)
    assert [type(one) for one in made] == [KINDS[kind]] * 3
    assert [one.slot for one in made] == list(range(made[0].slot, made[0].slot + 3))
    for one in made:
        one.delete()
    assert env.slots.used() == before


def test_an_untyped_is_split_and_its_part_pays(env: Env) -> None:
    (part,) = env.untyped().retype(ObjectType.UNTYPED, size_bits=13)
    assert isinstance(part, Untyped)
    (memory,) = part.retype(ObjectType.FRAME, size_bits=13)
    assert isinstance(memory, Memory)
    assert memory.size == 8192
    with pytest.raises(NotEnoughMemory) as info:
        part.retype(ObjectType.ENDPOINT)
    assert info.value.words == (0,)
    part.revoke()
    with pytest.raises(Revoked):
        memory.map()
    assert part.retype(ObjectType.ENDPOINT)


def test_objects_go_to_the_row_of_slots_that_is_named(env: Env) -> None:
    made = env.untyped().retype(ObjectType.NOTIFICATION, range(100, 104))
    assert [one.slot for one in made] == [100, 101, 102, 103]
    with pytest.raises(DeleteFirst):
        env.untyped().retype(ObjectType.NOTIFICATION, [103, 104])
    for slots in ([], [105, 107], [107, 106]):
        with pytest.raises(ValueError, match="one row of slots"):
            env.untyped().retype(ObjectType.NOTIFICATION, slots)


def test_a_refused_retype_takes_no_slot(env: Env) -> None:
    before = env.slots.used()
    with pytest.raises(InvalidArgument):
        env.untyped().retype(ObjectType.CNODE)
    with pytest.raises(RangeError):
        env.untyped().retype(ObjectType.ENDPOINT, count=257)
    with pytest.raises(RangeError):
        env.untyped().retype(ObjectType.FRAME, size_bits=22)
    with pytest.raises(SlotsExhausted):
        env.untyped().retype(ObjectType.ENDPOINT, count=500)
    with pytest.raises(ValueError, match="at least one"):
        env.untyped().retype(ObjectType.ENDPOINT, count=0)
    assert env.slots.used() == before


def test_a_missing_untyped_says_which_line_gives_one(env: Env) -> None:
    with pytest.raises(MissingCap, match=r"untyped: 4MiB"):
        env.untyped("untyped.9")


def test_rotate_moves_two_capabilities_in_one_step(env: Env) -> None:
    first, second = env.untyped().retype(ObjectType.CNODE, [100, 101], size_bits=1)
    cnode = env.cnode
    word = guard_word(0, 4)
    cnode.rotate(102, 101, 100, dest_badge=word, pivot_badge=word)
    assert [cnode.is_full(slot) for slot in (100, 101, 102)] == [False, True, True]
    cnode.rotate(102, 101, 102, dest_badge=word, pivot_badge=word)
    assert [cnode.is_full(slot) for slot in (100, 101, 102)] == [False, True, True]
    with pytest.raises(IllegalOperation):
        cnode.rotate(101, 101, 102)
    with pytest.raises(DeleteFirst):
        cnode.rotate(env.untyped().slot, 101, 102)
    assert (first.slot, second.slot) == (100, 101)


def test_mutate_moves_a_cnode_and_gives_it_another_guard(env: Env) -> None:
    (node,) = env.untyped().retype(ObjectType.CNODE, size_bits=2)
    bell = env.notification()
    to = env.slots.alloc()
    env.cnode.mutate(to, node.slot, guard_word(5, 8))
    table = env.cap(CNode, to)
    table.copy_slot(5 << 2 | 3, bell.slot, dest_depth=10)
    with pytest.raises(DeleteFirst):
        table.copy_slot(5 << 2 | 3, bell.slot, dest_depth=10)
    with pytest.raises(IllegalOperation):
        env.cnode.mutate(env.slots.alloc(), bell.slot, 1)


def test_who_waits_to_send_with_a_badge_is_cancelled(system: ThreadedSystem) -> None:
    env = system.env("app")
    endpoint = env.endpoint()
    badged = endpoint.mint(7)

    def main(env: Env, _: int) -> None:
        with pytest.raises(Cancelled):
            env.cap(Endpoint, badged.slot).send(1)
        endpoint.send(2)

    env.thread(main)
    system.until(lambda: system.blocked("app", 1))
    env.cnode.cancel_badged_sends(badged.slot)
    assert endpoint.recv(timeout=10).label == 2
    with pytest.raises(IllegalOperation):
        env.cnode.cancel_badged_sends(env.untyped().slot)


def test_a_thread_looks_up_from_the_root_it_is_given(system: ThreadedSystem, env: Env) -> None:
    (node,) = env.untyped().retype(ObjectType.CNODE, size_bits=8)
    assert isinstance(node, CNode)
    bell, heard = env.notification(), env.notification()
    size = WORD_BITS - 8
    node.copy_slot(heard.slot, heard.slot, dest_depth=8)
    found = env.pd.lookup("tcb.1")
    env.cap(Tcb, found.slot).set_space(node, guard=guard_word(0, size))
    seen: list[CapError] = []

    def main(env: Env, _: int) -> None:
        with pytest.raises(CapError) as info:
            bell.signal()
        seen.append(info.value)
        heard.signal()

    env.thread(main)
    heard.wait(timeout=10)
    assert [type(each) for each in seen] == [NeverExisted]
    with pytest.raises(IllegalOperation):
        env.tcb.set_space(env.cap(CNode, bell.slot))
