"""Badges: what the bits say, and that a number is never used twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caplab.servers.serial.badges import (
    FIRST_CLIENT,
    NO_KILL,
    PARENT_BADGE,
    BadgeAllocator,
    may_kill,
    number_of,
    rights_of,
    well_formed,
)
from caplab.servers.serial.profile import Profile, profile


def test_clients_start_at_two() -> None:
    allocator = BadgeAllocator()
    assert [allocator.allocate() for _ in range(3)] == [2, 3, 4]


@given(st.lists(st.booleans(), max_size=50))
def test_no_number_is_given_twice_and_each_is_known(wishes: list[bool]) -> None:
    allocator = BadgeAllocator()
    badges = [allocator.allocate(wish) for wish in wishes]
    assert [may_kill(badge) for badge in badges] == wishes
    assert len({number_of(badge) for badge in badges}) == len(badges)
    assert all(well_formed(badge) and allocator.allocated(badge) for badge in badges)
    assert not allocator.allocated(FIRST_CLIENT + len(badges))


@pytest.mark.parametrize(
    "badge", [0, PARENT_BADGE, NO_KILL, NO_KILL | 1, 1 << 36 | 2, 1 << 63 | 2, 255 << 56 | 3]
)
def test_a_badge_no_parent_mints_is_nobodys(badge: int) -> None:
    assert not well_formed(badge)
    allocator = BadgeAllocator()
    allocator.allocate()
    assert not allocator.allocated(badge)


@given(st.booleans(), st.booleans(), st.booleans())
def test_a_badge_says_what_the_console_key_of_a_manifest_says(a: bool, b: bool, c: bool) -> None:
    console = {"escapes": a, "prefix": b, "focus": c}
    badge = BadgeAllocator().allocate(may_kill=False, rights=rights_of(console))
    assert well_formed(badge)
    assert profile(badge, "", {}) == Profile("client 2", a, b, c)
    assert profile(2, "hello", console) == Profile("hello", a, b, c)
    assert rights_of(None) == 0


def test_running_out_of_numbers_is_an_error_and_not_a_reuse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allocator = BadgeAllocator()
    monkeypatch.setattr(allocator, "_next", (1 << 32) - 1)
    assert number_of(allocator.allocate()) == (1 << 32) - 1
    with pytest.raises(OverflowError, match="another serial server"):
        allocator.allocate()
