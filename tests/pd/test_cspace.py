"""Free slots of the PD's own half."""

import pytest

from caplab.kernel.abi import SLOT_FIRST_FREE, SLOT_FIRST_ROOT
from caplab.pd.cspace import SlotAllocator
from caplab.pd.errors import DeleteFirst, IllegalOperation, SlotsExhausted


def never_full(slot: int) -> bool:
    return False


def refuse(slot: int) -> None:
    raise IllegalOperation(3, "Untyped_Retype", 3)


def test_slots_come_from_the_lower_half_each_once() -> None:
    slots = SlotAllocator(never_full)
    given = [slots.alloc() for _ in range(SLOT_FIRST_ROOT - SLOT_FIRST_FREE)]
    assert given == list(range(SLOT_FIRST_FREE, SLOT_FIRST_ROOT))
    with pytest.raises(SlotsExhausted, match="496 slots"):
        slots.alloc()


def test_a_freed_slot_comes_back_after_all_fresh_ones_and_oldest_first() -> None:
    slots = SlotAllocator(never_full, 16, 20)
    a, b = slots.alloc(), slots.alloc()
    slots.free(b)
    slots.free(a)
    assert [slots.alloc() for _ in range(4)] == [18, 19, b, a]


def test_freeing_twice_or_a_slot_never_given_does_not_give_it_twice() -> None:
    slots = SlotAllocator(never_full, 16, 18)
    first = slots.alloc()
    for slot in (first, first, 600):
        slots.free(slot)
    assert [slots.alloc(), slots.alloc()] == [17, 16]
    with pytest.raises(SlotsExhausted):
        slots.alloc()


def test_a_refused_placement_gives_its_slot_back() -> None:
    slots = SlotAllocator(never_full, 16, 17)
    with pytest.raises(IllegalOperation):
        slots.place(refuse)
    assert slots.used() == 0


def test_a_slot_that_a_parent_filled_is_passed_over() -> None:
    slots = SlotAllocator(lambda slot: slot == 16)

    def put(slot: int) -> None:
        if slot == 16:
            raise DeleteFirst(8, "Untyped_Retype", 3)

    assert slots.place(put) == 17


def test_delete_first_for_another_reason_is_raised_and_costs_no_slot() -> None:
    slots = SlotAllocator(never_full)

    def put(slot: int) -> None:
        raise DeleteFirst(8, "PD_Create", 512)

    with pytest.raises(DeleteFirst):
        slots.place(put)
    assert slots.used() == 0
