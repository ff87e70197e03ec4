"""Starting a resource server while the system runs, and what becomes of one that does not start."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from caplab.pd.env import Env
from caplab.pd.errors import DeleteFirst, MissingCap, OutOfUntyped
from caplab.pd.objects import Child
from caplab.pd.resource import ServerFailed, start_server
from caplab.servers.sample import NoRoom, Sample
from threaded_system import Hand, ThreadedSystem

TESTER = {"name": "tester", "rdes": ["pd", "resspc"]}


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    with ThreadedSystem(dict(TESTER), uarts=()) as system:
        yield system


def started(system: ThreadedSystem, **args: Any) -> Child:
    return start_server(system.env("tester"), "servers.sample", **args)


def alive(system: ThreadedSystem) -> set[str]:
    return {pd.name for pd in system.root.pds.values() if pd.alive}


def used(env: Env) -> int:
    """Bytes of the own untyped memory that are in use."""
    return env.slots.used()


def test_gpipd003_with_a_server_that_the_test_starts(system: ThreadedSystem) -> None:
    server = started(system, places=1)
    assert server.endpoint is not None
    sample = Sample.alloc(server.endpoint)
    assert sample.invoke(42, 24) == "0x42"
    with pytest.raises(NoRoom):
        Sample.alloc(server.endpoint)
    sample.free()
    assert [row["type"] for row in server.rdes()] == ["resspc"]
    assert "SAMPLE" in [row["type"] for row in system.env("tester").pd.rdes()]
    server.kill()
    assert not system.root.spaces


def test_gpipd004_memory_and_a_resource_are_sent_to_the_server(system: ThreadedSystem) -> None:
    server = started(system)
    env = system.env("tester")
    memory = env.memory()
    assert [server.send(memory)[1], server.send(memory)[1]] == [1, 2]
    assert server.endpoint is not None
    sample = Sample.alloc(server.endpoint)
    assert server.send(sample.endpoint)[1] == 1
    assert server.send(sample.endpoint)[1] == 2
    space = next(iter(system.root.spaces.values()))
    assert [hold.count for hold in space.resources[sample.id].holds.values()] == [1, 2]
    memory.delete()
    assert sample.invoke(1, 1) == "0x2"
    server.kill()


def test_it_gets_the_rdes_it_is_given_and_no_other(system: ThreadedSystem) -> None:
    first = started(system)
    second = started(system, name="second", rdes=["SAMPLE"])
    assert {row["type"] for row in second.rdes()} == {"resspc", "SAMPLE"}
    assert {row["type"] for row in first.rdes()} == {"resspc"}


def dies_at_once(env: Env) -> None:
    raise RuntimeError("it cannot go on")


def ends_at_once(env: Env) -> None:
    """Return before anything is served."""


def stays_silent(env: Env) -> None:
    env.sleep(1000)


@pytest.mark.parametrize(
    ("main", "why"),
    [(dies_at_once, "faulted|exited"), (ends_at_once, "exited")],
    ids=["it fails", "it ends"],
)
def test_a_server_that_dies_before_it_is_ready_is_an_error_and_leaves_nothing(
    system: ThreadedSystem, main: Callable[[Env], None], why: str
) -> None:
    env = system.env("tester")
    system.programs(sample=main)
    before = used(env)
    with pytest.raises(ServerFailed, match=f"sample did not get ready: it ({why})"):
        started(system)
    assert alive(system) == {"tester"}
    system.programs(sample=None)
    server = started(system)
    assert alive(system) == {"tester", "sample"}
    server.kill()
    assert used(env) <= before + 3


def test_a_server_that_is_never_ready_is_given_up_after_the_time_limit(
    system: ThreadedSystem,
) -> None:
    system.programs(sample=stays_silent)
    hand = Hand(system, "tester")
    waiting = hand.begin(lambda env: start_server(env, "servers.sample", timeout=5.0))
    system.until(lambda: system.kernel.next_deadline is not None and system.blocked("tester"))
    system.advance(4.9)
    assert not waiting.done()
    system.advance(0.2)
    with pytest.raises(ServerFailed, match="the time limit ran out"):
        waiting.result(10)
    assert alive(system) == {"tester"}


def test_an_rde_that_nobody_serves_starts_nothing(system: ThreadedSystem) -> None:
    with pytest.raises(MissingCap, match=r"has: pd, resspc.*uses: \[PD-THAT-SERVES-NOBODY\]"):
        started(system, rdes=["NOBODY"])
    assert alive(system) == {"tester"}


def test_an_rde_that_the_pd_does_not_have_starts_nothing() -> None:
    with ThreadedSystem({"name": "tester", "rdes": ["pd"]}, uarts=()) as system:
        with pytest.raises(MissingCap, match=r"no RDE 'resspc'.*add: rdes: \[resspc\]"):
            started(system)
        assert alive(system) == {"tester"}


def test_a_server_may_be_let_attach_to_the_address_space_it_has() -> None:
    tester = {"name": "tester", "rdes": ["pd", "resspc", "vmr"]}
    with ThreadedSystem(tester, uarts=()) as system:
        child = started(system, rdes=["vmr"])
        rows = {row["type"]: row for row in child.rdes()}
        assert rows["vmr"]["space"] == child.info()["ads"]
        assert "rde:vmr" in system.root.latest["sample"].names
        assert child.remove_rde("vmr") == 1
        assert "rde:vmr" not in system.root.latest["sample"].names


def test_a_name_that_is_taken_and_memory_that_is_not_there_start_nothing(
    system: ThreadedSystem,
) -> None:
    started(system)
    with pytest.raises(DeleteFirst):
        started(system)
    with pytest.raises(OutOfUntyped):
        started(system, name="large", untyped=1 << 30)
    assert alive(system) == {"tester", "sample"}


def test_without_the_service_that_makes_pds_the_manifest_line_is_named() -> None:
    needed = pytest.raises(MissingCap, match=r"rdes: \[pd\]")
    with ThreadedSystem({"name": "tester"}, uarts=()) as system, needed:
        started(system)


def test_a_server_may_share_an_address_space_and_is_a_pd_of_its_own() -> None:
    tester = {"name": "tester", "rdes": ["pd", "resspc", "vmr"]}
    with ThreadedSystem(tester, uarts=()) as system:
        env = system.env("tester")
        shared = started(system, ads=env.rde("vmr"))
        assert system.root.latest["sample"].ads is system.root.latest["tester"].ads
        own = started(system, name="other")
        assert system.root.latest["other"].ads is not system.root.latest["tester"].ads
        assert shared.info()["number"] != own.info()["number"]
        assert shared.endpoint is not None
        assert Sample.alloc(shared.endpoint).invoke(1, 1) == "0x2"
