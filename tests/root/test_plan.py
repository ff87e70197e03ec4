"""How far a death spreads, as a function, against the rule said in other words."""

from hypothesis import given
from hypothesis import strategies as st

from caplab.kernel.root.plan import Facts, Plan, Policy, built_on, plan

DEPTHS = (0, 1, 2, 3, None)
# PDs block 1, file 2, db 3, app 4; their spaces 11, 12, 13.
CHAIN = Facts(
    {1: [11], 2: [12], 3: [13]},
    {11: [2], 12: [3], 13: [4]},
    {},
    {11: [12], 12: [13], 13: []},
)


def on_chain(dead: int, pd_depth: int | None, space_depth: int | None) -> Plan:
    policy = Policy(pd_depth, space_depth)
    return plan(CHAIN, dead, policy, dict.fromkeys((11, 12, 13), policy))


def test_the_documented_table() -> None:
    """On block <- file <- db <- app, block dying, as CellulOS documents it."""
    assert on_chain(1, 0, 0) == Plan((), ((11, 0),))
    assert on_chain(1, 0, 1) == Plan((), ((11, 0), (12, 1)))
    assert on_chain(1, 0, 2) == Plan((), ((11, 0), (12, 1), (13, 2)))
    assert on_chain(1, 1, 0) == Plan(((2, 1),), ((11, 0),))
    assert on_chain(1, 1, 1) == Plan(((2, 1),), ((11, 0), (12, 1)))
    assert on_chain(1, 1, 2) == Plan(((2, 1),), ((11, 0), (12, 1), (13, 2)))
    assert on_chain(1, 2, 0).pds == ((2, 1), (3, 2))
    assert on_chain(1, 3, 0).pds == on_chain(1, None, 0).pds == ((2, 1), (3, 2), (4, 3))


def test_a_death_in_the_middle_spreads_upwards_only() -> None:
    assert on_chain(2, None, None) == Plan(((3, 1), (4, 2)), ((12, 0), (13, 1)))
    assert on_chain(4, None, None) == Plan((), ())


def test_who_has_its_faults_handled_depends_on_the_handler() -> None:
    facts = Facts({1: [11]}, {11: [2]}, {2: [3], 1: [4]}, {})
    policies = {11: Policy(2, 0)}
    assert plan(facts, 1, Policy(0, 0), policies).pds == ((2, 1), (3, 2))
    assert plan(facts, 1, Policy(1, 0), policies).pds == ((2, 1), (4, 1), (3, 2))


def test_each_space_has_a_policy_of_its_own() -> None:
    facts = Facts({1: [11, 12]}, {11: [2], 12: [3]}, {}, {11: [21], 12: [22]})
    found = plan(facts, 1, Policy(0, 0), {11: Policy(1, 0), 12: Policy(0, 1)})
    assert found == Plan(((2, 1),), ((11, 0), (12, 0), (22, 1)))


def test_circles_end() -> None:
    facts = Facts({1: [11], 2: [12]}, {11: [2, 1], 12: [1]}, {1: [2], 2: [1]}, {11: [12], 12: [11]})
    policy = Policy(None, None)
    found = plan(facts, 1, policy, {11: policy, 12: policy})
    assert found == Plan(((2, 1),), ((11, 0), (12, 1)))


PDS, SPACES = range(1, 7), range(11, 17)
pairs = st.lists(st.tuples(st.sampled_from(PDS), st.sampled_from(SPACES)), max_size=10)
maps = st.lists(st.tuples(st.sampled_from(SPACES), st.sampled_from(SPACES)), max_size=8)
faults = st.lists(st.tuples(st.sampled_from(PDS), st.sampled_from(PDS)), max_size=3)
depth = st.sampled_from(DEPTHS)


@given(pairs, maps, faults, st.sampled_from(PDS), depth, depth)
def test_distances_are_the_shortest(
    holds: list[tuple[int, int]],
    mapped: list[tuple[int, int]],
    handled: list[tuple[int, int]],
    dead: int,
    pd_depth: int | None,
    space_depth: int | None,
) -> None:
    """Against a relaxation over all edges, which knows nothing of breadth first."""
    manager = {space: 1 + space % 6 for space in SPACES}
    spaces = {pd: [one for one in SPACES if manager[one] == pd] for pd in PDS}
    clients = {one: sorted({pd for pd, held in holds if held == one}) for one in SPACES}
    built = {one: sorted({up for up, down in mapped if down == one}) for one in SPACES}
    faulters = {pd: sorted({one for one, by in handled if by == pd}) for pd in PDS}
    policy = Policy(pd_depth, space_depth)
    found = plan(
        Facts(spaces, clients, faulters, built), dead, policy, dict.fromkeys(SPACES, policy)
    )

    edges = [(manager[held], pd) for pd, held in holds] + [(by, one) for one, by in handled]
    d = relaxed({dead: 0}, edges)
    del d[dead]
    assert dict(found.pds) == {n: far for n, far in d.items() if within(far, pd_depth)}
    m = relaxed(dict.fromkeys(spaces[dead], 0), [(down, up) for up, down in mapped])
    assert dict(found.spaces) == {n: far for n, far in m.items() if within(far, space_depth)}
    assert list(found.pds) == sorted(found.pds, key=lambda one: (one[1], one[0]))
    if spaces[dead]:
        first = spaces[dead][0]
        assert built_on(built, first, 0) == {first: 0}


def within(far: int, depth: int | None) -> bool:
    return depth is None or far <= depth


def relaxed(start: dict[int, int], edges: list[tuple[int, int]]) -> dict[int, int]:
    found = dict(start)
    for _ in range(len(edges) + 1):
        for below, above in edges:
            if below in found:
                found[above] = min(found[below] + 1, found.get(above, 99))
    return found
