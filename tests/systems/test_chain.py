"""The chain block <- file <- db <- app on real processes: what each death takes with it.

The suite runs the points of the crash test by sample; `nox -s crash` runs all (marker `crash`).
"""

import time
from collections import Counter
from pathlib import Path

import pytest

import caplab
from caplab.kernel.boot.graph import Graph

LEVELS = ("block", "file", "db")
TYPES = {"block": "BLOCK", "file": "FILE", "db": "DB"}
PDS = (*LEVELS, "app")
HELD = 2
DEADLINE = 30.0
CLEAN = {"processes": 0, "segments": 0, "sockets": 0, "files": 0}
DEPTHS = (0, 1, 2, 3, "all")
NEVER = 1000
BELOW = {"file": "block", "db": "file", "app": "db"}


def manifest(
    folder: Path, levels: int = 3, *, app: str = f"pause: {NEVER}", more: str = ""
) -> Path:
    """The chain with so many servers, `app` on top, and a PD that has nothing to do with it."""
    lines = ["pds:", "  idle: {run: clients.idle, role: server}"]
    for level in LEVELS[:levels]:
        below = BELOW.get(level)
        on = f", uses: [{below}], args: {{on: {below}}}" if below else more
        lines.append(f"  {level}: {{run: servers.toy, serves: {{space: {TYPES[level]}}}{on}}}")
    top = LEVELS[levels - 1]
    lines.append(f"  app: {{run: clients.chain_app, uses: {{top: {top}}}, args: {{{app}}}}}")
    path = folder / "chain.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def until(system: caplab.System, wanted: object, kind: str = "DB") -> Graph:
    """Ask for the model until there are so many resources of a type."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        found = system.graph()
        if sum(node.data == kind for node in found.nodes("RESOURCE")) == wanted:
            return found
    raise AssertionError(f"there never were {wanted} of {kind}: {found.csv()}")


def settled(system: caplab.System, wanted: tuple[Counter, Counter]) -> None:
    """Ask for the model until it is as wanted: servers are busy building it."""
    end = time.monotonic() + DEADLINE
    while (found := shape(system.graph())) != wanted:
        assert time.monotonic() < end, found


def shape(found: Graph) -> tuple[Counter, Counter]:
    """Nodes and edges of the chain, PDs by name, all else by kind and type, with their numbers."""
    named = {}
    for node in found.nodes():
        if node.data in (*TYPES.values(), *PDS):
            space = node.kind == "RESOURCE_SPACE"
            named[node.id] = f"{node.data} space" if space else node.data
    edges = Counter(
        (edge.kind, named[edge.source], named[edge.to])
        for edge in found.edges()
        if edge.source in named and edge.to in named
    )
    return Counter(named.values()), edges


def rule(alive: set[str], spaces: set[str]) -> tuple[Counter, Counter]:
    """The model that there must be when these PDs and the spaces of these servers are left."""
    nodes = Counter(dict.fromkeys(alive, 1))
    edges: Counter = Counter()
    users = {below: above for above, below in BELOW.items()}
    for level in spaces:
        kind, above = TYPES[level], users[level]
        nodes |= Counter({f"{kind} space": 1, kind: HELD})
        edges["HOLD", level, f"{kind} space"] = 1
        edges["HOLD", level, kind] = HELD
        edges["SUBSET", kind, f"{kind} space"] = HELD
        if above in alive:
            edges["HOLD", above, kind] = HELD
            edges["REQUEST", above, level] = 1
        if above in spaces:
            edges["MAP", f"{TYPES[above]} space", f"{kind} space"] = 1
            edges["MAP", TYPES[above], kind] = HELD
    return nodes, edges


def within(distance: int, depth: int | str) -> bool:
    return depth == "all" or distance <= int(depth)


def spread(path: Path, pd_depth: int | str, space_depth: int | str) -> None:
    """Kill `block` with these depths, and compare what is left with the rule of the design."""
    dying = {name: d for d, name in enumerate(PDS) if d and within(d, pd_depth)}
    alive = set(PDS) - {"block", *dying}
    spaces = {
        level
        for m, level in enumerate(LEVELS)
        if m and level in alive and not within(m, space_depth)
    }
    with caplab.System(path, paranoid=True) as system:
        settled(system, rule(set(PDS), set(LEVELS)))
        report = system.kill("block", pd_depth=pd_depth, space_depth=space_depth)
        found = system.graph()
        rows = {row.pd: row for row in system.ps()}
        assert shape(found) == rule(alive, spaces), found.csv()
        assert (report["pending"], found.marked) == ([], {})
        marks = [one for one in report["actions"] if one["action"] == "mark_pd"]
        assert {one["target"]: one["distance"] for one in marks} == dying
        assert {name for name, row in rows.items() if row.alive} == {*alive, "idle"}
        for name in dying:
            assert rows[name].reason == "cleanup after block/gen0"
        assert system.down()["left"] == CLEAN


NAMED = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (3, 0), ("all", "all")]


@pytest.mark.parametrize(("pd_depth", "space_depth"), NAMED)
def test_a_death_takes_with_it_what_the_rule_says(
    tmp_path: Path, pd_depth: int | str, space_depth: int | str
) -> None:
    spread(manifest(tmp_path), pd_depth, space_depth)


@pytest.mark.crash
@pytest.mark.parametrize("space_depth", DEPTHS)
@pytest.mark.parametrize("pd_depth", DEPTHS)
def test_under_every_pair_of_depths_a_death_takes_with_it_what_the_rule_says(
    tmp_path: Path, pd_depth: int | str, space_depth: int | str
) -> None:
    spread(manifest(tmp_path), pd_depth, space_depth)


@pytest.mark.parametrize("pd_depth", [0, 1])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_who_uses_a_dead_server_lives_on_without_its_resources_or_dies_too(
    tmp_path: Path, levels: int, pd_depth: int
) -> None:
    """As CellulOS' GPICL001 to 003: the server is terminated, an idle PD looks on."""
    top, user = LEVELS[levels - 1], [*LEVELS[1:levels], "app"][0]
    with caplab.System(manifest(tmp_path, levels), paranoid=True) as system:
        until(system, HELD, TYPES[top])
        idle = system.pd("idle")
        system.kill("block", pd_depth=pd_depth)
        found = system.graph()
        assert system.pd(user).alive is (pd_depth == 0)
        assert not [node for node in found.nodes() if node.data == "BLOCK"]
        assert not [edge for edge in found.edges("REQUEST") if edge.data == "BLOCK"]
        now = system.pd("idle")
        assert (now.pid, now.state, now.calls) == (idle.pid, idle.state, idle.calls)
        assert system.down()["left"] == CLEAN


def test_the_middle_of_the_chain_gives_back_what_it_held_below(tmp_path: Path) -> None:
    with caplab.System(manifest(tmp_path), paranoid=True) as system:
        settled(system, rule(set(PDS), set(LEVELS)))
        system.kill("file")
        nodes, edges = shape(until(system, 0, "BLOCK"))
        assert nodes == Counter(
            {"BLOCK space": 1, "DB space": 1, "DB": 2, **dict.fromkeys(("block", "db", "app"), 1)}
        )
        assert edges["HOLD", "app", "DB"] == HELD


def test_a_restarted_server_is_built_on_again(tmp_path: Path) -> None:
    more = ", restart: {policy: on-failure, backoff: 0.01}"
    path = manifest(tmp_path, app="pause: 0.02", more=more)
    with caplab.System(path, paranoid=True) as system:
        before = until(system, HELD, "BLOCK")
        for generation in (1, 2):
            system.kill("block")
            _, edges = shape(until(system, HELD, "BLOCK"))
            assert system.pd("block").generation == generation
            assert edges["MAP", "FILE space", "BLOCK space"] == 1
            assert edges["HOLD", "file", "BLOCK"] == HELD
        assert before.pd("block") != system.graph().pd("block")


SAMPLE = [
    *(("block", after) for after in (1, 4, 9, 17, 33)),
    *(("file", after) for after in (1, 6, 13, 22, 41)),
    *(("db", after) for after in (2, 8, 15, 26, 50)),
    *(("app", after) for after in (1, 3, 5, 19)),
]


def check(path: Path, victim: str, after: int) -> bool:
    """Kill a PD at one of its calls; whether it ever made that call."""
    system = caplab.System(path, paranoid=True)
    with system.arm(victim, "kill", after=after):
        system.wait(DEADLINE)  # nobody hangs: the application comes to its end
        for kind in TYPES.values():
            until(system, 0, kind)  # nothing is orphaned once nobody holds it
        row = system.pd(victim)
        if not row.alive:
            system.assert_nothing_left_of(victim)
        survivors = [one for one in system.ps() if one.pd not in (victim, "app", "idle")]
        assert all(one.alive for one in survivors), survivors
        assert victim == "app" or system.pd("app").exit_code == 0
        assert system.down()["left"] == CLEAN
    return row.state == "killed"


@pytest.mark.parametrize(("victim", "after"), SAMPLE)
def test_a_kill_at_a_call_hangs_nobody_and_orphans_nothing(
    tmp_path: Path, victim: str, after: int
) -> None:
    assert check(manifest(tmp_path, app="rounds: 30, pause: 0"), victim, after)


@pytest.mark.crash
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("victim", PDS)
def test_a_kill_at_each_of_the_first_50_calls_hangs_nobody_and_orphans_nothing(
    tmp_path: Path, victim: str
) -> None:
    path = manifest(tmp_path, app="rounds: 30, pause: 0")
    for after in range(1, 51):
        assert check(path, victim, after), after
