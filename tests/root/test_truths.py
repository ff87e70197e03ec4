"""The truths about the root task's records: each is broken by hand here, and says so."""

from collections.abc import Callable

import pytest

from caplab.kernel.abi import WORD_BITS
from caplab.kernel.core.invariants import INVARIANTS, violations
from caplab.kernel.root import truths
from caplab.kernel.root.space import Space
from caplab.kernel.root.work import WorkItem
from lab import Lab
from spaces import given, made, parking

FIRST = len(INVARIANTS) + 1


def system() -> tuple[Lab, Space]:
    lab = parking()
    made(lab["lot"])
    given(lab["lot"], 1, lab["car"])
    lab.checked = False
    return lab, next(iter(lab.root.spaces.values()))


def broken(lab: Lab) -> set[str]:
    return {
        truths.TRUTHS[int(text.split(":")[0][1:]) - FIRST].__name__ for text in violations(lab.k)
    }


def hold_of(lab: Lab, space: Space) -> object:
    return space.resources[1].holds[lab.pd("car").number]


BREAKS: dict[str, Callable[[Lab, Space], object]] = {
    "spaces_are_managed": lambda lab, space: setattr(space, "manager", None),
    "counts_are_held": lambda lab, space: space.clients.update({99: 1}),
    "holds_are_held": lambda lab, space: space.endpoint.badges.pop(  # type: ignore[union-attr]
        lab["car"].cap("lot").badge
    ),
    "maps_agree": lambda lab, space: space.maps.update({77: None}),
    "records_are_paid": lambda lab, space: setattr(next(iter(slabs(lab))), "left", 7),
    "nothing_waits_for_the_dead": lambda lab, space: lab.pd("lot").work.append(
        WorkItem("free", lab.pd("car"), None)
    ),
}


def slabs(lab: Lab) -> list[object]:
    return list(lab.pd("lot").slabs.values())


def test_a_healthy_system_breaks_none() -> None:
    lab, _ = system()
    assert violations(lab.k) == []


@pytest.mark.parametrize("name", [truth.__name__ for truth in truths.TRUTHS])
def test_a_truth_that_is_broken_says_so(name: str) -> None:
    lab, space = system()
    BREAKS[name](lab, space)
    found = {text for text in violations(lab.k) if int(text[1:].split(":")[0]) >= FIRST}
    numbers = {int(text[1:].split(":")[0]) - FIRST for text in found}
    assert name in {truths.TRUTHS[number].__name__ for number in numbers}


@pytest.mark.parametrize("change", ["count", "badge", "forgotten", "stranger", "number"])
def test_a_hold_that_one_side_only_knows_is_seen(change: str) -> None:
    lab, space = system()
    car = lab.pd("car")
    hold = space.resources[1].holds[car.number]
    if change == "count":
        hold.count = 0
    elif change == "badge":
        hold.badge += 1
    elif change == "forgotten":
        del car.holds[hold.badge]
    elif change == "stranger":
        del space.resources[1].holds[car.number]
    else:
        space.held += 1
    assert "counts_are_held" in broken(lab)


def test_a_space_of_a_dead_manager_and_one_that_nobody_destroys_are_seen() -> None:
    lab, space = system()
    lab.pd("lot").state = "dead"
    assert "spaces_are_managed" in broken(lab)
    lab, space = system()
    space.cause = lab.k.cause(17, lab.pd("lot"))
    assert "spaces_are_managed" in broken(lab)
    lab, space = system()
    space.resources[1].space = 5
    assert "spaces_are_managed" in broken(lab)
    lab, space = system()
    lab.pd("car").spaces[3] = space
    assert "spaces_are_managed" in broken(lab)


def test_a_capability_that_nobody_holds_is_seen() -> None:
    lab, space = system()
    car = lab.pd("car")
    hold = space.resources[1].holds.pop(car.number)
    del car.holds[hold.badge]
    space.held -= 1
    space.clients[car.number] -= 1
    assert "holds_are_held" in broken(lab)


def test_a_record_on_a_page_that_is_gone_is_seen() -> None:
    lab, _ = system()
    slab = next(iter(lab.pd("lot").slabs.values()))
    slab.slot.cap = None
    assert any(text.startswith(f"I{FIRST + 4}:") for text in violations(lab.k))
    assert WORD_BITS == 64


def test_every_truth_says_what_it_holds() -> None:
    for check in truths.TRUTHS:
        assert check.__doc__
