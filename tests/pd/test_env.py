"""What a PD reaches through its Env, on the real kernel."""

import io

import pytest

from caplab.kernel.abi import ObjectType, Rights
from caplab.pd.env import Env
from caplab.pd.errors import (
    DeleteFirst,
    FailedLookup,
    IllegalOperation,
    MissingCap,
    NeedsGrant,
    PeerDied,
    RangeError,
    Revoked,
)
from caplab.pd.objects import Child, CNode, Endpoint, Memory, Notification
from caplab.pd.spawn import SpawnInfo
from fakes import FakeTransport
from threaded_system import ThreadedSystem

PDS = (
    {"name": "server", "serves": "endpoint", "role": "server", "rdes": ["pd"]},
    {
        "name": "client",
        "uses": {"console": "server"},
        "devices": ["uart0"],
        "manages": ["server"],
        "args": {"count": 3},
    },
)


@pytest.fixture
def system():
    with ThreadedSystem(*(dict(pd) for pd in PDS)) as booted:
        yield booted


@pytest.fixture
def client(system: ThreadedSystem) -> Env:
    return system.env("client")


@pytest.fixture
def child(system: ThreadedSystem) -> Child:
    """A PD without a program, made by the server; the test drives it too."""
    made = system.env("server").rde("pd").create("child", "")
    made.start()
    return made


def test_a_name_gives_the_typed_object_behind_it(system: ThreadedSystem, client: Env) -> None:
    assert client.args == {"count": 3}
    console = client.endpoint("console")
    assert (type(console), console.name, console.renewal) == (Endpoint, "console", 0)
    assert system.env("server").endpoint("server").slot
    assert client.device("uart0").fileno() > 2
    assert list(client.managed()) == ["server"]
    assert system.env("server").rde("pd").slot


@pytest.mark.parametrize(
    ("look", "says"),
    [
        (lambda env: env.endpoint("consle"), r"'console' \(from server\).*uses: \{consle: "),
        (lambda env: env.endpoint("server"), "serves: endpoint"),
        (lambda env: env.device("uart7"), r"'uart0'.*devices: \[uart7\]"),
        (lambda env: env.rde("pd"), r"its services: none.*rdes: \[pd\]"),
        (lambda env: env.domains(), r"no domain_set named 'rde:domain'.*rdes: \[domain\]"),
        (lambda env: env.endpoint("uart0"), "'uart0' is a device in client, not an endpoint"),
        (lambda env: env.notification("console"), "is an endpoint"),
    ],
)
def test_a_missing_name_says_what_there_is_and_which_line_adds_it(client, look, says) -> None:
    with pytest.raises(MissingCap, match=says):
        look(client)


def test_new_objects_come_in_slots_of_the_own_half_and_go_with_them(client: Env) -> None:
    made = [client.endpoint(), client.notification(), client.memory(2)]
    assert [type(one) for one in made] == [Endpoint, Notification, Memory]
    assert len({one.slot for one in made}) == 3
    before = client.slots.used()
    for one in made:
        one.delete()
    assert client.slots.used() == before - 3
    with pytest.raises(Revoked):
        made[0].call()


def test_a_page_of_memory_is_shared_by_who_holds_it(system: ThreadedSystem, child: Child) -> None:
    memory = child.env.memory()
    slot = child.install(memory)
    with memory.map() as mine, system.env("child").cap(Memory, slot).map() as theirs:
        assert mine.size == 4096
        mine.write(5, b"shared")
        assert theirs.read(5, 6) == b"shared"


@pytest.mark.parametrize("pages", [0, -1])
def test_memory_without_pages_is_refused(client: Env, pages: int) -> None:
    with pytest.raises(ValueError, match="at least one page"):
        client.memory(pages)


def test_too_much_memory_is_refused_and_costs_no_slot(client: Env) -> None:
    before = client.slots.used()
    with pytest.raises(RangeError):
        client.memory(1_000_000)
    assert client.slots.used() == before


def test_copies_and_badged_copies_are_new_capabilities(client: Env) -> None:
    endpoint = client.endpoint()
    badged = endpoint.mint(7, Rights.WRITE)
    plain = endpoint.copy()
    assert len({endpoint.slot, badged.slot, plain.slot}) == 3
    with pytest.raises(IllegalOperation):
        badged.mint(8)
    endpoint.revoke()
    with pytest.raises(Revoked):
        badged.call()


def test_a_slot_a_parent_filled_is_passed_over_by_the_allocator(system, child: Child) -> None:
    child.install(child.env.notification(), slot=17)
    env = system.env("child")
    assert [env.endpoint().slot for _ in range(3)] == [16, 19, 20]  # 18 has their memory


def test_an_installed_name_is_found_and_a_taken_one_refused(system, child: Child) -> None:
    child.install(child.env.notification(), "bell", badge=4)
    bell = system.env("child").notification("bell")
    bell.signal()
    assert bell.poll() == 4
    with pytest.raises(DeleteFirst):
        child.install(child.env.notification(), "bell")


def test_cnode_operations_by_hand(client: Env) -> None:
    endpoint, cnode = client.endpoint(), client.cnode
    slots = [client.slots.alloc() for _ in range(3)]
    cnode.copy_slot(slots[0], endpoint.slot)
    cnode.mint_slot(slots[1], endpoint.slot, 9, Rights.WRITE)
    cnode.move_slot(slots[2], slots[1])
    assert [cnode.is_full(slot) for slot in slots] == [True, False, True]
    with pytest.raises(DeleteFirst):
        cnode.copy_slot(slots[0], endpoint.slot)
    with pytest.raises(FailedLookup):
        cnode.move_slot(slots[1], slots[1])
    cnode.revoke_slot(endpoint.slot)
    cnode.delete_slot(slots[2])
    assert not any(cnode.is_full(slot) for slot in slots)
    assert isinstance(client.cap(CNode, cnode.slot), CNode)


def test_calls_that_do_not_wait_find_nobody(system: ThreadedSystem, client: Env) -> None:
    server = system.env("server")
    assert client.endpoint("console").nb_send() is False
    assert server.endpoint("server").nb_recv() is None
    assert server.reply() is False
    assert server.notification().poll() is None


def test_work_is_fetched_when_the_last_capability_of_a_client_is_gone(system, client) -> None:
    server = system.env("server")
    server.tcb.bind_notification(server.work)
    console = client.endpoint("console")
    badge = server.endpoint("server").mint(77, Rights.WRITE)
    badge.delete()
    assert server.endpoint("server").recv().notification
    work = server.pd.get_work()
    assert [(item.kind, item.badge) for item in work] == [("client-gone", 77)]
    assert server.pd.get_work() == []
    server.tcb.unbind_notification()
    assert console.slot


def test_managing_a_pd(system: ThreadedSystem, client: Env) -> None:
    server = client.managed()["server"]
    system.env("server").yield_()
    server.suspend()
    assert server.info()["state"] == "suspended"
    server.resume()
    assert server.info()["state"] != "suspended"
    console = client.endpoint("console")
    report = server.kill()
    assert report["pd"] == "server"
    with pytest.raises(PeerDied, match=r"server/gen\d died before"):
        console.call()
    with pytest.raises(IllegalOperation):
        server.kill()


def test_a_child_is_made_furnished_and_started(system: ThreadedSystem) -> None:
    server = system.env("server")
    service = server.rde("pd")
    child = service.create("child", "", {"n": 1}, serves="endpoint")
    assert child.endpoint is not None
    assert child.info()["state"] == "starting"
    assert "child" not in system.envs
    child.install(child.endpoint, "self", badge=3)
    child.start()
    env = system.env("child")
    assert env.args == {"n": 1}
    assert env.endpoint("self").slot
    with pytest.raises(IllegalOperation):
        child.start()


def test_a_child_whose_name_is_taken_is_refused_and_costs_no_slot(child: Child) -> None:
    env = child.env
    service = env.rde("pd")
    before = env.slots.used()
    with pytest.raises(DeleteFirst):
        service.create("child", "", untyped=0)
    assert env.slots.used() == before


def test_sleep_now_random_and_log_come_from_outside(system: ThreadedSystem) -> None:
    said = io.StringIO()
    info = SpawnInfo(1, "x", seed=5)
    envs = [Env(info, [FakeTransport()], clock=lambda: 12.5, out=said) for _ in range(2)]
    envs[0].log("line")
    assert said.getvalue() == "line\n"
    assert envs[0].now() == 12.5
    assert envs[0].random.random() == envs[1].random.random()


def test_exit_leaves_through_the_with_blocks(client: Env) -> None:
    with pytest.raises(SystemExit) as left:
        client.exit(4)
    assert left.value.code == 4


def test_a_register_that_was_not_given_says_so(client: Env) -> None:
    with pytest.raises(LookupError, match="uart9"):
        client.register("uart9")


def test_names_show_what_a_pd_starts_with(client: Env) -> None:
    names = client.pd.names()
    assert names["console"].origin == "server"
    assert {name: found.type for name, found in names.items()} == {
        "console": ObjectType.ENDPOINT,
        "uart0": ObjectType.DEVICE,
        "pd:server": ObjectType.PD,
        "untyped": ObjectType.UNTYPED,
    }


def test_an_object_for_a_managed_pd_means_the_generation_it_was_made_for() -> None:
    pds = {"name": "server", "serves": "endpoint", "restart": {"policy": "always", "backoff": 1}}
    with ThreadedSystem(pds, {"name": "boss", "manages": ["server"]}) as system:
        boss = system.env("boss")
        old = boss.managed()["server"]
        old.kill()
        assert old.info()["state"] == "killed"
        system.advance(1)
        for refused in (old.info, old.suspend, old.kill, lambda: old.crash("segv"), old.link):
            with pytest.raises(PeerDied):
                refused()
        new = boss.managed()["server"]
        assert (new.info()["generation"], new.info()["state"]) == (1, "starting")
        new.suspend()


def test_what_a_manager_may_not_do_says_what_is_missing(client: Env) -> None:
    server, memory = client.managed()["server"], client.memory()
    refused = (
        lambda: server.send(memory),
        lambda: server.install(memory),
        lambda: server.share_rde("mo"),
        lambda: server.remove_rde("mo"),
    )
    for call in refused:
        with pytest.raises(NeedsGrant, match="Grant, which `manages:` does not give"):
            call()
    memory.delete()
