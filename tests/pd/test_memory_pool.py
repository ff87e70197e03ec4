"""A PD's objects are paid from its own untyped memory, and give it back."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from caplab.kernel.abi import PAGE_SIZE, SLOT_FIRST_FREE, SLOT_FIRST_ROOT, ObjectType
from caplab.kernel.core.cap import has_children
from caplab.pd.env import Env
from caplab.pd.errors import (
    CapError,
    NotEnoughMemory,
    OutOfUntyped,
    RangeError,
    Revoked,
    SlotsExhausted,
)
from caplab.pd.objects import Capability, Memory
from threaded_system import ThreadedSystem

ROUNDS = 300
SMALL = 16 << 10


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    pds = [{"name": "poor", "rdes": ["pd"], "untyped": SMALL}, {"name": "rich"}]
    with ThreadedSystem(*pds) as system:
        yield system


@pytest.fixture
def poor(system: ThreadedSystem) -> Env:
    return system.env("poor")


def used(system: ThreadedSystem, name: str) -> int:
    """Bytes the PD's untyped has handed out."""
    pd = system.root.latest[name]
    slot = pd.cspace.slot(pd.names["untyped"].slot)
    assert slot.cap is not None
    return slot.cap.badge if has_children(slot) else 0


def all_of(make: Callable[[], Capability]) -> list[Any]:
    """As many as there is memory for."""
    made: list[Any] = []
    while True:
        try:
            made.append(make())
        except OutOfUntyped:
            return made


def test_an_object_is_paid_from_the_pds_own_untyped_memory(system, poor: Env) -> None:
    before = used(system, "poor"), used(system, "rich")
    poor.memory()
    assert (used(system, "poor"), used(system, "rich")) == (before[0] + PAGE_SIZE, before[1])


def test_out_of_memory_names_the_line_that_gives_more_and_takes_no_slot(poor: Env) -> None:
    pages = all_of(poor.memory)
    assert len(pages) == SMALL // PAGE_SIZE
    before = poor.slots.used()
    with pytest.raises(NotEnoughMemory, match=r"poor has no 4096 bytes .*`poor:`.*untyped: 16MiB"):
        poor.memory()
    assert poor.slots.used() == before


def test_what_is_deleted_can_be_made_again_and_no_slot_is_lost(poor: Env) -> None:
    pages = all_of(poor.memory)
    before = poor.slots.used()
    for _ in range(3):
        for page in pages:
            page.delete()
        pages = all_of(poor.memory)
        assert len(pages) == SMALL // PAGE_SIZE
    assert poor.slots.used() == before


@pytest.mark.parametrize("make", [Env.endpoint, Env.notification, Env.memory])
def test_making_and_deleting_goes_on_for_ever(system, poor: Env, make: Any) -> None:
    kept = make(poor)
    for _ in range(100):  # until the part that `kept` lies in is full
        make(poor).delete()
    before = poor.slots.used(), used(system, "poor")
    for _ in range(ROUNDS):
        make(poor).delete()
    assert (poor.slots.used(), used(system, "poor")) == before
    kept.delete()


def test_small_objects_share_their_memory_and_few_slots(system, poor: Env) -> None:
    before = poor.slots.used()
    made = [poor.endpoint() for _ in range(128)]
    assert used(system, "poor") == 128 * 16
    assert poor.slots.used() == before + 128 + 2
    for one in made:
        one.delete()
    made = [poor.endpoint() for _ in range(128)]
    assert used(system, "poor") == 128 * 16


def test_memory_of_one_size_serves_another_when_all_is_free(poor: Env) -> None:
    for page in all_of(poor.memory):
        page.delete()
    large = poor.memory(4)
    assert large.size == 4 * PAGE_SIZE
    with pytest.raises(OutOfUntyped):
        poor.endpoint()
    large.delete()
    poor.notification()
    assert len(all_of(poor.memory)) == 3


def test_a_free_page_serves_small_objects_while_others_are_held(poor: Env) -> None:
    pages = all_of(poor.memory)
    pages.pop().delete()
    assert len({poor.endpoint().slot for _ in range(100)}) == 100
    with pytest.raises(OutOfUntyped):
        poor.memory()


def test_pages_come_in_powers_of_two(poor: Env) -> None:
    memory = poor.memory(3)
    assert memory.size == 4 * PAGE_SIZE
    with memory.map() as window:
        assert window.size == memory.size
    assert poor.cap(Memory, memory.copy().slot).size == memory.size


def test_memory_another_pd_still_holds_is_not_free(system: ThreadedSystem, poor: Env) -> None:
    child = poor.rde("pd").create("child", "", untyped=0)
    pages = all_of(poor.memory)
    held = [child.install(page) for page in pages]
    for page in pages:
        page.delete()
    with pytest.raises(OutOfUntyped):
        poor.memory()
    child.start()
    system.env("child").cnode.delete_slot(held[0])
    assert len(all_of(poor.memory)) == 1
    for slot in held[1:]:
        system.env("child").cnode.delete_slot(slot)
    assert len(all_of(poor.memory)) == len(pages) - 1


def test_what_was_deleted_by_slot_number_is_found_free(poor: Env) -> None:
    for page in all_of(poor.memory):
        poor.cnode.delete_slot(page.slot)
    assert len(all_of(poor.memory)) == SMALL // PAGE_SIZE


def test_a_slot_that_was_emptied_and_used_again_counts_once(poor: Env) -> None:
    first = poor.memory()
    poor.cnode.delete_slot(first.slot)
    poor.slots.free(first.slot)
    made = []
    while first.slot not in [one.slot for one in made]:
        made.append(poor.endpoint())
    for one in made:
        one.delete()
    assert poor.memory(4).size == SMALL


def test_revoking_the_untyped_takes_all_and_more_can_be_made(poor: Env) -> None:
    bell, page = poor.notification(), poor.memory()
    poor.untyped().revoke()
    for gone in (bell.signal, page.unmap):
        with pytest.raises(Revoked):
            gone()
    new = poor.notification()
    new.signal()
    bell.delete()
    page.delete()
    assert new.poll() is not None
    assert len(all_of(poor.memory)) == 3
    assert poor.slots.used() == 2 + 2 * 3  # each with its part; nothing is kept of what is gone


def test_under_sel4_what_is_gone_is_no_trouble_either() -> None:
    with ThreadedSystem({"name": "app"}, semantics="sel4") as system:
        env = system.env("app")
        kept = [env.notification(), env.memory()]
        env.untyped().revoke()
        for each in kept:
            each.delete()
        env.notification().signal()
        env.untyped().revoke()
        env.untyped().delete()
        with pytest.raises(OutOfUntyped):
            env.notification()


def test_a_pd_without_untyped_memory_makes_nothing() -> None:
    with ThreadedSystem({"name": "none", "untyped": 0}) as system:
        for make in (Env.endpoint, Env.notification, Env.memory):
            with pytest.raises(OutOfUntyped):
                make(system.env("none"))


def test_memory_of_several_pieces_is_used_to_the_end() -> None:
    size = 28 << 10  # 16, 8 and 4 KiB
    with ThreadedSystem({"name": "app", "untyped": size}) as system:
        env = system.env("app")
        assert [env.untyped(name).slot for name in ("untyped", "untyped.1", "untyped.2")]
        assert len(all_of(env.memory)) == 7
        with pytest.raises(OutOfUntyped):
            env.endpoint()


def test_memory_that_a_parent_gives_later_is_used(system: ThreadedSystem, poor: Env) -> None:
    child = poor.rde("pd").create("child", "", untyped=0)
    child.start()
    env = system.env("child")
    with pytest.raises(CapError):
        env.endpoint()
    (more,) = poor.untyped().retype(ObjectType.UNTYPED, size_bits=13)
    child.install(more, "untyped.more")
    assert len(all_of(env.memory)) == 2


def test_without_a_slot_nothing_is_made_and_with_one_again_it_is(system, poor: Env) -> None:
    free = SLOT_FIRST_ROOT - SLOT_FIRST_FREE - poor.slots.used()
    taken = [poor.slots.alloc() for _ in range(free)]
    before = used(system, "poor")
    poor.slots.free(taken.pop())
    with pytest.raises(SlotsExhausted):
        poor.endpoint()
    assert used(system, "poor") == before
    poor.slots.free(taken.pop())
    poor.endpoint()


def test_threads_that_make_and_delete_at_once_lose_nothing() -> None:
    with ThreadedSystem({"name": "app", "untyped": 4 * SMALL, "threads": 4}) as system:
        env = system.env("app")
        done = [threading.Event() for _ in range(3)]

        def work(env: Env, index: int) -> None:
            for _ in range(50):
                bell, page = env.notification(), env.memory()
                bell.delete()
                page.delete()
            done[index].set()

        for index in range(3):
            env.thread(work, index)
        for each in done:
            assert each.wait(10), system.faults
        assert env.memory(16).size == 4 * SMALL


def test_a_childs_memory_is_its_parents_and_comes_back_when_it_has_ended(
    system: ThreadedSystem, poor: Env
) -> None:
    with pytest.raises(NotEnoughMemory):  # nothing would be left that pays for its record
        poor.rde("pd").create("child", "", untyped=SMALL)
    child = poor.rde("pd").create("child", "", untyped=SMALL // 2)
    child.start()
    assert len(all_of(system.env("child").memory)) == SMALL // 2 // PAGE_SIZE
    paid = 1
    left = all_of(poor.memory)
    assert len(left) == SMALL // 2 // PAGE_SIZE - paid
    for one in left:
        one.delete()
    child.kill()
    assert len(all_of(poor.memory)) == SMALL // PAGE_SIZE


def test_a_parent_that_has_not_the_memory_makes_no_child(poor: Env) -> None:
    before = poor.slots.used()
    for size in (SMALL + 1, 256 << 10):
        with pytest.raises(OutOfUntyped):
            poor.rde("pd").create("child", "", untyped=size)
    assert poor.slots.used() == before
    poor.rde("pd").create("child", "", untyped=1)
    lent = paid = 1
    assert len(all_of(poor.memory)) == SMALL // PAGE_SIZE - lent - paid


def test_a_child_that_is_refused_costs_no_memory(poor: Env) -> None:
    with pytest.raises(RangeError):
        poor.rde("pd").create("child", "", threads=99, untyped=SMALL)
    assert len(all_of(poor.memory)) == SMALL // PAGE_SIZE
