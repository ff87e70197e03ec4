"""How a server comes to its device and loses it, and how clients and it part for good."""

from collections.abc import Iterator

import pytest

from buffered import connect, kill_server
from caplab.kernel.abi import ObjectType
from caplab.pd.env import Env
from caplab.pd.errors import PeerDied, Revoked
from caplab.pd.objects import Endpoint
from caplab.servers.serial import BindFailed, Serial
from caplab.servers.serial.buffering import KINDS
from threaded_system import ThreadedSystem, client_pd, serial_pd, serial_system


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    """A server without colours, and clients a and b."""
    with serial_system("a", "b", colour=False) as system:
        yield system


def console(system: ThreadedSystem, name: str = "a") -> Endpoint:
    return system.env(name).endpoint("console")


def test_a_client_that_dies_is_dropped(system: ThreadedSystem) -> None:
    out = Serial.connect(console(system))
    out.write("last words\n")
    before = system.root.latest["serial"].caps
    report = system.operate(op="kill", pd="a")
    assert report["pending"] == []
    system.until(lambda: system.root.latest["serial"].caps < before)
    assert not system.segments
    with Serial.connect(console(system, "b")) as other:
        assert other.write("next\n") == 5
    assert system.uarts["uart0"].read_all() == b"last words\r\nnext\r\n"


def test_kill_drops_everybody_releases_the_device_and_suspends(system: ThreadedSystem) -> None:
    a, b = (Serial.connect(console(system, name)) for name in "ab")
    a.kill()
    assert not a.connected
    system.until(lambda: system.root.latest["serial"].tcbs[0].suspended)
    with pytest.raises(Revoked) as info:
        b.write("x")
    assert info.value.pd == "serial"
    b.disconnect()
    with pytest.raises(Revoked):
        Serial.connect(console(system))
    serial = system.root.latest["serial"]
    kinds = {slot.cap.type for slot in serial.cspace.slots.values() if slot.cap is not None}
    assert not kinds & {ObjectType.ENDPOINT, ObjectType.FRAME, ObjectType.IRQ_HANDLER}
    assert system.root.machine.devices["uart0"].irq.refs == 0
    assert system.state("serial") == "suspended"


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_client_has_written_is_printed_before_it_kills(
    system: ThreadedSystem, kind: str
) -> None:
    out = connect(system, kind)
    out.write("last words\nand no more")
    out.kill()
    assert system.uarts["uart0"].read_all() == b"last words\r\nand no more"


def test_parting_says_what_could_not_be_printed_unless_there_is_a_worse_error(
    system: ThreadedSystem,
) -> None:
    def part(error: type[BaseException] | None) -> None:
        with connect(system, "write-back") as out:
            out.write("kept")
            kill_server(system)
            if error is not None:
                raise error

    with pytest.raises(PeerDied):
        part(None)
    with pytest.raises(ZeroDivisionError):
        part(ZeroDivisionError)


def test_a_caller_in_the_queue_when_the_server_is_killed_is_told() -> None:
    told: list[BaseException] = []

    def write(env: Env) -> None:
        try:
            Serial.connect(env.endpoint("console"))
        except Revoked as exc:
            told.append(exc)

    with ThreadedSystem(serial_pd(), client_pd("a"), client_pd("b")) as system:
        out = Serial.connect(console(system, "a"))
        system.operate(op="suspend", pd="serial")
        for name, main in (("a", lambda env: out.kill()), ("b", write)):
            system.start(name, main)
            system.until(lambda name=name: system.blocked(name))
        system.operate(op="resume", pd="serial")
        system.until(lambda: system.root.latest["b"].ended)
    assert [type(exc) for exc in told] == [Revoked]
    assert not system.faults


def test_two_servers_cannot_have_one_device() -> None:
    second = serial_pd() | {"name": "second"}
    with ThreadedSystem(serial_pd(), client_pd()) as system:
        Serial.connect(console(system, "client")).disconnect()
    with ThreadedSystem(serial_pd(), second) as system:
        system.until(lambda: system.faults)
        ((name, fault),) = system.faults.items()
        holder = {"serial": "second", "second": "serial"}[name]
        assert isinstance(fault, BindFailed)
        assert (fault.code, fault.why.name) == (12, "TAKEN")
        assert f"'uart0' is held by {holder}" in str(fault)


@pytest.mark.parametrize(
    ("more", "why", "sentence"),
    [
        ({"devices": []}, "MISSING", "add `uarts: [uart0]`"),
        ({"args": {"device": "uart7"}}, "MISSING", "no device 'uart7'"),
        ({"args": {"device": "server"}}, "NOT_A_DEVICE", "no device: name one of"),
        ({"devices": ["uart1", "uart0"], "args": {"device": "uart2"}}, "MISSING", "'uart2'"),
    ],
)
def test_a_device_that_cannot_be_bound_is_error_12(
    more: dict[str, object], why: str, sentence: str
) -> None:
    with ThreadedSystem(serial_pd() | more, uarts=("uart0", "uart1")) as system:
        system.until(lambda: system.faults)
        fault = system.faults["serial"]
        assert isinstance(fault, BindFailed)
        assert (fault.code, fault.why.name) == (12, why)
        assert sentence in str(fault)
