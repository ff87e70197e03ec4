"""How far a death spreads: the cleanup policy as a function of who depends on whom.

d is the number of dependency edges from the dead PD: a PD depends on another when it has an RDE
for a space the other manages, holds a resource in one, or has its faults handled by it. m is the
number of map edges from the dead PD's spaces to the spaces built on them. A PD dies when
d <= pd_depth; a space goes when its manager died or m <= space_depth. Both depths are those of the
space at which a path begins, unless the death came with depths of its own.

Distances are measured from the one death; who dies of it spreads nothing further, or every depth
from 1 up would mean the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Policy(NamedTuple):
    """How far a death spreads: along dependencies of PDs, along maps of spaces. None: all."""

    pd_depth: int | None
    space_depth: int | None


class Facts(NamedTuple):
    """Who depends on whom, by numbers."""

    spaces: Mapping[int, Sequence[int]]
    """PD -> the spaces it manages."""
    clients: Mapping[int, Sequence[int]]
    """Space -> the PDs with an RDE for it or a resource in it."""
    faulters: Mapping[int, Sequence[int]]
    """PD -> the PDs whose faults it handles."""
    built: Mapping[int, Sequence[int]]
    """Space -> the spaces mapped onto it."""


class Plan(NamedTuple):
    """What goes, nearest first."""

    pds: tuple[tuple[int, int], ...]
    """(PD, d), without the dead one."""
    spaces: tuple[tuple[int, int], ...]
    """(space, m), the dead PD's own with m = 0; not those that go because their manager dies."""


def dependents(facts: Facts, pd: int) -> list[int]:
    """The PDs one dependency edge away."""
    found: dict[int, None] = {}
    for space in facts.spaces.get(pd, ()):
        found.update(dict.fromkeys(facts.clients.get(space, ())))
    found.update(dict.fromkeys(facts.faulters.get(pd, ())))
    found.pop(pd, None)
    return list(found)


def plan(facts: Facts, dead: int, own: Policy, policies: Mapping[int, Policy]) -> Plan:
    """What a PD's death takes with it.

    `policies` are those of its spaces; `own` is the PD's, for the fault handler that it was.
    """
    pds: dict[int, int] = {}
    spaces: dict[int, int] = {}
    for space in facts.spaces.get(dead, ()):
        policy = policies[space]
        _nearest(pds, _reach(facts, dead, facts.clients.get(space, ()), policy.pd_depth))
        _nearest(spaces, built_on(facts.built, space, policy.space_depth))
    _nearest(pds, _reach(facts, dead, facts.faulters.get(dead, ()), own.pd_depth))
    return Plan(_by_distance(pds), _by_distance(spaces))


def built_on(built: Mapping[int, Sequence[int]], space: int, depth: int | None) -> dict[int, int]:
    """A space and what is built on it within a depth -> map edges between them."""
    found = {space: 0}
    edge: Iterable[int] = [space]
    distance = 0
    while edge and (depth is None or distance < depth):
        distance += 1
        above = {number: None for one in edge for number in built.get(one, ())}
        edge = [number for number in above if number not in found]
        found.update(dict.fromkeys(edge, distance))
    return found


def _reach(facts: Facts, dead: int, first: Iterable[int], depth: int | None) -> dict[int, int]:
    found: dict[int, int] = {}
    edge = [pd for pd in first if pd != dead]
    distance = 1
    while edge and (depth is None or distance <= depth):
        found.update(dict.fromkeys(edge, distance))
        further = {pd: None for one in edge for pd in dependents(facts, one)}
        edge = [pd for pd in further if pd not in found and pd != dead]
        distance += 1
    return found


def _nearest(found: dict[int, int], more: Mapping[int, int]) -> None:
    for number, distance in more.items():
        found[number] = min(distance, found.get(number, distance))


def _by_distance(found: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(found.items(), key=lambda item: (item[1], item[0])))
