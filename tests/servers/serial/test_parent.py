"""A PD as the Parent of a serial server: started as a thread and as a PD (the PARENT cases)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from caplab.kernel.abi import ObjectType, Rights
from caplab.kernel.core.states import PARKED
from caplab.pd.env import Env
from caplab.pd.errors import DeleteFirst, FailedLookup, MissingCap, NoSpareTcb, Revoked
from caplab.pd.errors import RangeError as SlotRangeError
from caplab.pd.objects import Endpoint, PdCap, Untyped
from caplab.servers.serial import (
    BindFailed,
    InvalidArgument,
    MayNotFocus,
    MayNotKill,
    NoSuchClient,
    Serial,
)
from caplab.servers.serial import protocol as wire
from caplab.servers.serial.badges import FOCUS, NO_KILL, PARENT_BADGE, PREFIX
from caplab.servers.serial.buffering import KINDS
from caplab.servers.serial.parent import CLIENT_RIGHTS, SerialParent
from caplab.servers.serial.protocol import Error, Function
from threaded_system import ThreadedSystem, Uart, serial_system

DRIVEN_BY_THE_TEST = ""
"""As the program of a PD that a PD creates."""
Spawn = Callable[[Env], SerialParent]


def thread(env: Env, **more: Any) -> SerialParent:
    return SerialParent.spawn_thread(env, colour=False, **more)


def process(env: Env, **more: Any) -> SerialParent:
    return SerialParent.spawn_pd(env, colour=False, **more)


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    """A Parent with all it needs, and a PD it did not make."""
    parent = {"name": "parent", "threads": 2, "devices": ["uart0"], "rdes": ["pd"]}
    with ThreadedSystem(parent) as system:
        yield system


@pytest.fixture
def env(system: ThreadedSystem) -> Env:
    return system.env("parent")


@pytest.fixture
def uart(system: ThreadedSystem) -> Uart:
    return system.uarts["uart0"]


@pytest.fixture(params=[thread, process])
def parent(request: pytest.FixtureRequest, env: Env) -> SerialParent:
    """A Parent whose server runs, in each of the two ways."""
    spawn: Spawn = request.param
    return spawn(env)


def child(env: Env, name: str = "child") -> PdCap:
    """A PD that is not started."""
    return env.rde("pd").create(name, "clients.hello", {"name": "the child"})


def test_the_parent_connects_to_its_server_and_prints(parent: SerialParent, uart: Uart) -> None:
    """SERSERV_PARENT_001, SERSERV_PARENT_002, SERSERV_PARENT_003, SERSERV_PARENT_004: the Parent
    spawns a server, connects to it, and printf and write each print 14 bytes."""
    with Serial.connect(parent.mint_endpoint()) as out:
        assert out.printf("Hello, %s!\n", "world") == 14
        assert out.write("Hello, world!\n") == 14
    assert uart.read_all() == b"Hello, world!\r\n" * 2


def test_the_parent_disconnects_and_connects_on_a_second_capability(
    parent: SerialParent, uart: Uart
) -> None:
    """SERSERV_PARENT_005: the Parent prints in both ways, disconnects, connects on a newly minted
    capability and prints in both ways again."""
    for _ in range(2):
        with Serial.connect(parent.mint_endpoint()) as out:
            out.printf("x\n")
            out.write("y\n")
    assert uart.read_all() == b"x\r\ny\r\n" * 2


def test_a_client_disconnects_and_the_parent_kills(
    system: ThreadedSystem, parent: SerialParent, env: Env
) -> None:
    """SERSERV_PARENT_006, SERSERV_CLIENT_005: a client disconnects, the Parent connects and kills
    the server, which lets its device go."""
    client = Serial.connect(parent.mint_endpoint())
    client.disconnect()
    own = Serial.connect(parent.mint_endpoint())
    own.kill()
    system.until(lambda: system.root.machine.devices["uart0"].irq.refs == 0)
    with pytest.raises(Revoked):
        Serial.connect(client.endpoint)


def test_without_arguments_it_is_error_1(parent: SerialParent) -> None:
    """SERSERV_PARENT_007, SERSERV_PARENT_008: spawning, minting and connecting without what they
    need is error 1."""
    nothing: Any = None
    for call in (
        lambda: SerialParent.spawn_thread(None),
        lambda: SerialParent.spawn_pd(None),
        lambda: parent.mint_endpoint_into(nothing, 30),
        lambda: parent.mint_endpoint_into(parent.env.cnode, nothing),
        lambda: parent.mint_endpoint_to_process(nothing),
        lambda: Serial.connect(nothing),
    ):
        with pytest.raises(InvalidArgument) as info:
            call()
        assert info.value.code == 1


def test_no_capability_of_a_client_can_receive(
    parent: SerialParent, system: ThreadedSystem
) -> None:
    endpoint = parent.mint_endpoint()
    slot = system.root.latest["parent"].cspace.slots[endpoint.slot]
    assert slot.cap is not None
    assert slot.cap.rights == Rights.WRITE | Rights.GRANT | Rights.GRANT_REPLY
    assert slot.cap.badge == 2


def test_each_capability_has_a_badge_of_its_own_and_none_comes_back(
    parent: SerialParent, system: ThreadedSystem
) -> None:
    slots = system.root.latest["parent"].cspace.slots
    badges = []
    for _ in range(3):
        endpoint = parent.mint_endpoint()
        cap = slots[endpoint.slot].cap
        assert cap is not None
        badges.append(cap.badge)
        endpoint.delete()
    assert badges == [2, 3, 4]


def test_a_chosen_slot_gets_the_capability(parent: SerialParent, env: Env, uart: Uart) -> None:
    parent.mint_endpoint_into(env.cnode, 300)
    with Serial.connect(env.cap(Endpoint, 300)) as out:
        out.write("chosen\n")
    assert uart.read_all() == b"chosen\r\n"
    with pytest.raises(DeleteFirst):
        parent.mint_endpoint_into(env.cnode, 300)
    with pytest.raises(FailedLookup):
        parent.mint_endpoint_into(env.cnode, 5000)


def test_a_chosen_slot_of_another_pd_gets_the_capability(
    parent: SerialParent, env: Env, system: ThreadedSystem
) -> None:
    target = child(env)
    parent.mint_endpoint_into(target, 200)
    assert system.root.latest["child"].cspace.slots[200].cap is not None
    with pytest.raises(DeleteFirst):
        parent.mint_endpoint_into(target, 200)
    with pytest.raises(SlotRangeError):
        parent.mint_endpoint_into(target, 900)


def test_a_running_client_gets_a_capability_and_needs_only_the_slot(
    parent: SerialParent, env: Env, uart: Uart, system: ThreadedSystem
) -> None:
    running = env.rde("pd").create("running", DRIVEN_BY_THE_TEST)
    running.start()
    slot = parent.mint_endpoint(running)
    assert slot >= 512
    with Serial.connect(system.env("running").cap(Endpoint, slot)) as out:
        out.write("late\n")
    assert uart.read_all() == b"late\r\n"


def test_a_process_not_started_yet_gets_it_by_name(
    parent: SerialParent, env: Env, uart: Uart, system: ThreadedSystem
) -> None:
    target = child(env)
    slot = parent.mint_endpoint_to_process(target)
    assert slot >= 512
    with pytest.raises(DeleteFirst):
        parent.mint_endpoint_to_process(target)
    target.start()
    assert uart.expect(b"the child.\r\n") == b"Hello world from the child.\r\n"
    system.until(lambda: system.root.latest["child"].ended == "exited")


def test_each_way_of_minting_says_what_the_client_may(
    parent: SerialParent, env: Env, system: ThreadedSystem
) -> None:
    target = child(env)
    may: Any = {"may_kill": False, "console": {"focus": True, "prefix": True}}
    first = parent.mint_endpoint(target, **may)
    parent.mint_endpoint_into(target, 200, **may)
    third = parent.mint_endpoint_to_process(target, **may)
    parent.mint_endpoint_into(env.cnode, 300, **may)
    of_child, own = (system.root.latest[name].cspace.slots for name in ("child", "parent"))
    for number, slot in enumerate((of_child[first], of_child[200], of_child[third], own[300])):
        assert slot.cap is not None
        assert slot.cap.badge == 2 + number | NO_KILL | FOCUS | PREFIX
        assert slot.cap.rights == CLIENT_RIGHTS


def test_a_client_that_may_not_kill_is_refused_and_prints_on(
    parent: SerialParent, uart: Uart
) -> None:
    with Serial.connect(parent.mint_endpoint(may_kill=False)) as out:
        with pytest.raises(MayNotKill, match="may_kill=False") as info:
            out.kill()
        assert info.value.code == 15
        out.write("still here\n")
    assert uart.read_all() == b"still here\r\n"


def test_a_parent_says_of_its_clients_what_a_manifest_would(
    parent: SerialParent, uart: Uart, system: ThreadedSystem
) -> None:
    may = {"escapes": True, "prefix": True, "focus": True}
    first = Serial.connect(parent.mint_endpoint(console=may))
    second = Serial.connect(parent.mint_endpoint())
    first.write("\x1b[1mbold\n")
    second.write("\x1b[1mplain\n")
    first.focus("client 3")
    assert second.status()[1:4] == ("client 3", True, False)
    with pytest.raises(MayNotFocus):
        second.focus()
    assert uart.read_all() == (
        b"[    0.000] client 2 | \x1b[1mbold\r\nplain\r\n[serial: input goes to client 3]\r\n"
    )
    told = system.operate(op="focus", uart="uart0", to="client 2")
    assert told["focus"] == "client 2"
    assert [one["pd"] for one in told["clients"]] == ["client 2", "client 3"]


def test_a_client_that_its_parent_has_named_goes_by_its_name(
    parent: SerialParent, env: Env, system: ThreadedSystem
) -> None:
    target = env.rde("pd").create("driven", DRIVEN_BY_THE_TEST)
    parent.mint_endpoint_to_process(target)
    target.start()
    Serial.connect(system.env("driven").endpoint("console"))
    told = system.operate(op="focus", uart="uart0", to="driven")
    assert told["focus"] == "driven"


def test_a_badge_nobody_allocated_is_error_minus_1(parent: SerialParent) -> None:
    master = parent._master
    for badge in (1, 1 << 32, 1 << 36 | 2, 255 << 56 | 2):
        with pytest.raises(NoSuchClient) as info:
            Serial.connect(master.mint(badge))
        assert info.value.code == -1
    with pytest.raises(NoSuchClient):
        Serial.connect(master)
    for asked in (wire.encode(Function.CONNECT, 8192), wire.encode(Function.WRITE, 1)):
        message = master.call(0, asked)
        assert wire.code_of(message.label) == Error.NO_SUCH_CLIENT


def test_the_server_in_the_parents_own_pd_knows_what_was_allocated(env: Env) -> None:
    parent = thread(env)
    with pytest.raises(NoSuchClient):
        Serial.connect(parent._master.mint(2))
    assert parent.mint_endpoint()
    with Serial.connect(parent._master.mint(2)) as out:
        assert out.write("x") == 1


def test_only_the_parent_may_ask_for_spawn_sync(parent: SerialParent) -> None:
    message = parent.mint_endpoint().call(0, wire.encode(Function.SPAWN_SYNC))
    assert wire.code_of(message.label) == Error.UNKNOWN


def test_a_second_spawn_sync_changes_nothing(parent: SerialParent, uart: Uart) -> None:
    own = parent._master.mint(PARENT_BADGE)
    assert wire.code_of(own.call(0, wire.encode(Function.SPAWN_SYNC)).label) == 0
    with Serial.connect(parent.mint_endpoint()) as out:
        out.write("still here\n")
    assert uart.read_all() == b"still here\r\n"


@pytest.mark.parametrize("spawn", [thread, process])
def test_a_missing_device_is_error_12(spawn: Any, env: Env, system: ThreadedSystem) -> None:
    # The memory that endpoints and children are made of is split off once.
    env.endpoint().delete()
    env.cap(Untyped, env.memory_pool.make(ObjectType.UNTYPED, 18)).delete()
    caps = system.root.latest["parent"].caps
    with pytest.raises(BindFailed, match="add `uarts: \\[uart9\\]`") as info:
        spawn(env, device="uart9")
    assert (info.value.code, info.value.why.name) == (12, "MISSING")
    system.until(lambda: system.root.latest["parent"].tcbs[1].state == PARKED)
    assert system.root.latest["parent"].caps == caps


@pytest.mark.parametrize("spawn", [thread, process])
def test_a_device_that_is_taken_is_error_12_and_names_its_holder(
    spawn: Any, env: Env, system: ThreadedSystem
) -> None:
    claim = env.device("uart0").claim()
    with pytest.raises(BindFailed, match="'uart0' is held by parent") as info:
        spawn(env)
    assert (info.value.code, info.value.why.name) == (12, "TAKEN")
    system.until(lambda: system.root.latest["parent"].tcbs[1].state == PARKED)
    claim.delete()
    with Serial.connect(spawn(env).mint_endpoint()) as out:
        assert out.write("second try\n") == 11


def test_a_name_that_is_no_device_is_error_12(env: Env) -> None:
    with pytest.raises(BindFailed, match="no device: name one of") as info:
        thread(env, device="rde:pd")
    assert info.value.why.name == "NOT_A_DEVICE"


def test_a_thread_that_cannot_be_interrupted_is_no_server(env: Env, system: ThreadedSystem) -> None:
    env.tcb.bind_notification(env.work)
    env.endpoint().delete()  # the memory that endpoints are made of is split off once
    caps = system.root.latest["parent"].caps
    with pytest.raises(BindFailed, match="work notification is bound to another thread"):
        thread(env)
    system.until(lambda: system.root.latest["parent"].tcbs[1].state == PARKED)
    assert system.root.latest["parent"].caps == caps
    env.tcb.unbind_notification()
    assert thread(env)


def test_a_killed_thread_that_is_resumed_is_spare_again(
    env: Env, system: ThreadedSystem, uart: Uart
) -> None:
    first = thread(env)
    Serial.connect(first.mint_endpoint()).kill()
    tcb = system.root.latest["parent"].tcbs[1]
    system.until(lambda: tcb.suspended)
    first.server.resume()
    system.until(lambda: tcb.state == PARKED)
    second = thread(env)
    with Serial.connect(second.mint_endpoint()) as out:
        out.write("again\n")
    assert uart.read_all() == b"again\r\n"


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_server_leaves_its_pd_no_capability_and_no_slot_in_use(
    env: Env, system: ThreadedSystem, kind: str
) -> None:
    """One that runs as a thread, whose PD goes on."""
    pd, held = system.root.latest["parent"], []
    for _ in range(2):  # with the first one the PD's own memory is divided
        server = thread(env)
        client = server.mint_endpoint()
        Serial.connect(client, buffering=kind).kill()
        system.until(lambda: pd.tcbs[1].suspended)
        server.server.resume()
        system.until(lambda: pd.tcbs[1].state == PARKED)
        client.delete()
        server._master.delete()
        held.append((pd.caps, env.slots.used()))
    assert held[0] == held[1]


def test_without_a_spare_tcb_nothing_is_left(system: ThreadedSystem, env: Env) -> None:
    thread(env)
    caps = system.root.latest["parent"].caps
    with pytest.raises(NoSpareTcb, match="threads: 3"):
        thread(env)
    assert system.root.latest["parent"].caps == caps


def test_without_the_service_the_manifest_line_is_named() -> None:
    with (
        ThreadedSystem({"name": "parent", "devices": ["uart0"]}) as system,
        pytest.raises(MissingCap, match="rdes: \\[pd\\]"),
    ):
        process(system.env("parent"))


def test_a_name_that_is_taken_is_refused(env: Env) -> None:
    process(env)
    with pytest.raises(DeleteFirst):
        process(env)


def test_a_server_before_its_spawn_sync_answers_that_it_has_no_device() -> None:
    with serial_system("a", parent=True) as system, pytest.raises(BindFailed) as info:
        Serial.connect(system.env("a").endpoint("console"))
    assert (info.value.code, info.value.why.name) == (12, "NONE")
