"""The serial server on the real kernel, its clients driven by the test (CLIENT_001–005 and more).

The PDs are threads of this process (`support/threaded_system.py`); the same cases run on
processes in `tests/systems/test_serial.py`.
"""

import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from caplab.kernel.abi import SLOT_FIRST_FREE, SLOT_FIRST_ROOT, ObjectType, Rights
from caplab.pd.env import Env
from caplab.pd.errors import IllegalOperation as KernelIllegalOperation
from caplab.pd.ipc import Message
from caplab.pd.objects import CNode, Endpoint, Memory
from caplab.servers.echo.server import main as echo_server
from caplab.servers.serial import (
    IllegalOperation,
    InvalidArgument,
    InvalidCapability,
    NotConnected,
    NotEnoughMemory,
    NullBuffer,
    Serial,
    ShmemTooLarge,
    TooLong,
)
from caplab.servers.serial import protocol as wire
from caplab.servers.serial.buffering import KINDS
from caplab.servers.serial.protocol import TEXT_MAX, Error, Function, Mode
from threaded_system import PATIENCE, ThreadedSystem, client_pd, serial_pd, serial_system

RESET = b"\x1b[0m"


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    """A server without colours, and clients a and b."""
    with serial_system("a", "b", colour=False) as system:
        yield system


def console(system: ThreadedSystem, name: str = "a") -> Endpoint:
    return system.env(name).endpoint("console")


def raw(endpoint: Endpoint, data: bytes, **more: object) -> tuple[int, wire.Words]:
    """A request made by hand: the error number and the words of the answer."""
    message: Message = endpoint.call(0, data, **more)  # type: ignore[arg-type]
    words = wire.decode(message.data)
    assert words is not None
    return wire.code_of(message.label), words


def ask(endpoint: Endpoint, function: int, *args: int, **more: object) -> int:
    return raw(endpoint, wire.encode(function, *args), **more)[0]


def test_connect_printf_write_disconnect_reconnect(system: ThreadedSystem) -> None:
    """SERSERV_CLIENT_001, SERSERV_CLIENT_002, SERSERV_CLIENT_003, SERSERV_CLIENT_004: a client
    thread connects, prints 14 bytes with printf and with write, disconnects, connects again and
    prints both again."""
    for _ in range(2):
        out = Serial.connect(console(system))
        assert out.printf("Hello, %s!\n", "world") == 14
        assert out.write("Hello, world!\n") == 14
        assert out.write(b"Hello, world!\n") == 14
        out.disconnect()
    assert system.uarts["uart0"].read_all() == b"Hello, world!\r\n" * 6


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_capability_may_connect_again_any_number_of_times(
    system: ThreadedSystem, kind: str
) -> None:
    endpoint, server = console(system), system.root.latest["serial"]
    Serial.connect(endpoint, buffering=kind).disconnect()  # a first ring makes the client a bell
    held = server.caps, system.env("serial").slots.used()
    for number in range(20):
        with Serial.connect(endpoint, buffering=kind) as out:
            out.printf("%d\n", number)
    assert (server.caps, system.env("serial").slots.used()) == held
    assert system.uarts["uart0"].read_all().split() == [b"%d" % n for n in range(20)]


def test_nothing_is_kept_of_a_connection_that_was_parted_from(system: ThreadedSystem) -> None:
    out = Serial.connect(console(system))
    gone = weakref.ref(out)
    out.disconnect()
    del out
    gc.collect()
    assert gone() is None


def test_printing_counts_bytes_and_not_characters(system: ThreadedSystem) -> None:
    with Serial.connect(console(system)) as out:
        assert out.printf("%s%%\n", "zwölf") == 8
    assert system.uarts["uart0"].expect(b"\n") == "zwölf%\r\n".encode()


@pytest.mark.parametrize("length", [1, 4095, 4096])
def test_a_write_up_to_the_window_arrives_whole(system: ThreadedSystem, length: int) -> None:
    text = bytes(ord("a") + n % 26 for n in range(length))
    with Serial.connect(console(system)) as out:
        assert out.write(text) == length
    assert system.uarts["uart0"].read_all() == text


def test_what_does_not_fit_is_refused_and_not_sent(system: ThreadedSystem) -> None:
    """SERSERV_PARENT_009, SERSERV_PARENT_010: printf and write of nothing, of too much and of a
    negative length print nothing and are told so."""
    with Serial.connect(console(system)) as out:
        calls = system.root.latest["a"].calls
        for refused in (
            lambda: out.printf("%s", "x" * 4096),
            lambda: out.write(b"x" * 4097),
            lambda: out.write(b"x", -1),
            lambda: out.write(b"x", 2),
            lambda: out.flush(-1),
            lambda: out.flush(4097),
        ):
            with pytest.raises(TooLong) as info:
                refused()
            assert info.value.code == -4
        for nothing in (out.write, out.printf):
            with pytest.raises(NullBuffer) as none:
                nothing(None)
            assert none.value.code == -1
        assert out.write(b"") == 0
        assert out.write(b"xyz", 0) == 0
        assert out.flush() == 0
        assert system.root.latest["a"].calls == calls
        assert out.printf("%s", "x" * 4095) == 4095
    assert system.uarts["uart0"].read_all() == b"x" * 4095


def test_write_and_flush_print_as_many_bytes_as_they_are_told(system: ThreadedSystem) -> None:
    with Serial.connect(console(system)) as out:
        assert out.write(b"abcdef", 3) == 3
        assert out.flush(2) == 2
    assert system.uarts["uart0"].read_all() == b"abcab"


def test_a_connect_without_an_endpoint_or_pages_is_error_1(system: ThreadedSystem) -> None:
    with pytest.raises(InvalidArgument) as null:
        Serial.connect(None)
    with pytest.raises(InvalidArgument) as empty:
        Serial.connect(console(system), pages=0)
    with pytest.raises(InvalidArgument, match=r"no buffering 'rings'; .* call, write-back, ring"):
        Serial.connect(console(system), buffering="rings")
    assert (null.value.code, empty.value.code) == (1, 1)
    assert not system.segments


def test_a_window_of_two_pages_is_error_11_with_the_largest_size(system: ThreadedSystem) -> None:
    with pytest.raises(ShmemTooLarge, match="at most 4096 bytes") as info:
        Serial.connect(console(system), pages=2)
    assert (info.value.code, info.value.word) == (11, 4096)
    assert not system.segments


def test_the_checks_of_connect_come_in_the_order_of_the_reference(system: ThreadedSystem) -> None:
    env = system.env("a")
    endpoint = env.endpoint("console")
    page = env.memory()
    assert ask(endpoint, Function.CONNECT, 0, caps=[page]) == Error.INVALID_ARGUMENT
    assert ask(endpoint, Function.CONNECT, 4097) == Error.SHMEM_TOO_LARGE
    assert ask(endpoint, Function.CONNECT, 4096) == Error.INVALID_CAPABILITY
    assert ask(endpoint, Function.CONNECT, 1, caps=[page]) == 0
    assert ask(endpoint, Function.CONNECT, 4096, caps=[page]) == 0


def test_a_capability_too_many_or_of_another_kind_is_error_2(system: ThreadedSystem) -> None:
    env = system.env("a")
    endpoint = env.endpoint("console")
    page = env.memory()
    wrong = [
        [page, endpoint],
        [endpoint],
        [env.endpoint()],
        [env.endpoint().mint(7)],
        [env.notification()],
        [env.tcb],
        [env.cnode],
        [env.pd],
        [env.untyped()],
        env.untyped().retype(ObjectType.UNTYPED, size_bits=12),
    ]
    for caps in wrong:
        assert ask(endpoint, Function.CONNECT, 4096, caps=caps) == Error.INVALID_CAPABILITY, caps
    assert ask(endpoint, Function.CONNECT, 4096, caps=[page]) == 0


def test_a_strangers_endpoint_in_place_of_a_window_is_never_called(system: ThreadedSystem) -> None:
    """The server would wait for ever, or map whatever name the client answers."""
    env = system.env("a")
    trap = env.endpoint()
    assert ask(console(system), Function.CONNECT, 4096, caps=[trap]) == Error.INVALID_CAPABILITY
    assert trap.nb_recv() is None


@pytest.mark.parametrize("look", ["mint_slot", "map"])
def test_a_window_that_is_revoked_while_it_is_looked_at_is_refused(
    monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    looked, revoked = threading.Event(), threading.Event()

    def revoke(env: Env, _: int) -> None:
        assert looked.wait(PATIENCE)
        env.untyped().revoke()
        revoked.set()

    kind = CNode if look == "mint_slot" else Memory
    plain = getattr(kind, look)

    def revoked_first(cap: CNode | Memory, *args: Any) -> Any:
        if cap.env.name == "serial":
            looked.set()
            assert revoked.wait(PATIENCE)
        return plain(cap, *args)

    with serial_system("a", colour=False, threads=2) as system:
        env = system.env("a")
        endpoint, page = console(system), env.memory()
        env.thread(revoke)
        monkeypatch.setattr(kind, look, revoked_first)
        assert ask(endpoint, Function.CONNECT, 4096, caps=[page]) == Error.INVALID_CAPABILITY
        assert ask(endpoint, Function.CONNECT, 4096, caps=[env.memory()]) == 0


def test_a_refused_connect_poisons_nothing(system: ThreadedSystem) -> None:
    endpoint = console(system)
    serial = system.root.latest["serial"]
    page = system.env("a").memory()
    caps, used = serial.caps, system.env("serial").slots.used()
    for size in (0, 8192):
        assert ask(endpoint, Function.CONNECT, size, caps=[page])
    assert ask(endpoint, 99, caps=[page]) == Error.UNKNOWN
    assert (serial.caps, system.env("serial").slots.used()) == (caps, used)
    with Serial.connect(endpoint) as out:
        assert out.printf("fine\n") == 5


def test_every_request_is_answered(system: ThreadedSystem) -> None:
    endpoint = console(system)
    for function in (Function.PRINTF, 1, 5, 20, 2**64 - 1):
        code, words = raw(endpoint, wire.encode(function))
        assert code == Error.UNKNOWN
        assert words.function == wire.answer_to(function)
    assert raw(endpoint, b"")[0] == Error.UNKNOWN
    assert raw(endpoint, b"\x06")[0] == Error.UNKNOWN
    assert ask(endpoint, Function.SPAWN_SYNC) == Error.UNKNOWN
    for function in set(Function) - {Function.CONNECT, Function.SPAWN_SYNC, Function.PRINTF}:
        assert ask(endpoint, function, 1) == Error.NOT_CONNECTED
    assert system.uarts["uart0"].read_all() == b""


def test_a_message_nobody_waits_for_an_answer_to_hurts_nobody(system: ThreadedSystem) -> None:
    used = system.env("serial").slots.used()
    with Serial.connect(console(system)) as out:
        for function in (Function.WRITE, Function.READ, 99):
            out.endpoint.send(0, wire.encode(function, 0))
        assert out.printf("alive\n") == 6
    assert system.env("serial").slots.used() == used


def test_a_disconnected_client_can_only_connect(system: ThreadedSystem) -> None:
    out = Serial.connect(console(system))
    out.write("before\n")
    out.disconnect()
    out.disconnect()
    assert not out.connected
    for refused in (
        lambda: out.write("x"),
        lambda: out.printf("x"),
        lambda: out.flush(1),
        lambda: out.write(""),
        out.read_line,
        out.kill,
    ):
        with pytest.raises(NotConnected) as info:
            refused()
        assert info.value.code == 14
    assert system.uarts["uart0"].read_all() == b"before\r\n"


def test_a_window_that_is_gone_prints_nothing_of_another(system: ThreadedSystem) -> None:
    a, b = (Serial.connect(console(system, name)) for name in "ab")
    a.write("secret\n")
    a.disconnect()
    assert ask(a.endpoint, Function.WRITE, 7) == Error.NOT_CONNECTED
    assert b.write("b\n") == 2
    assert system.uarts["uart0"].read_all() == b"secret\r\nb\r\n"


def test_more_than_the_window_holds_is_error_4_with_0_bytes(system: ThreadedSystem) -> None:
    out = Serial.connect(console(system))
    code, words = raw(out.endpoint, wire.encode(Function.WRITE, 4097))
    assert (code, words.arg(0)) == (Error.RANGE_ERROR, 0)


def test_a_window_smaller_than_it_was_said_to_be_is_a_refusal(system: ThreadedSystem) -> None:
    env = system.env("a")
    endpoint, page = env.endpoint("console"), env.memory()
    assert ask(endpoint, Function.CONNECT, 100, caps=[page]) == 0
    assert ask(endpoint, Function.WRITE, 101) == Error.RANGE_ERROR
    # The kernel takes the memory away under the server's feet.
    window = page.map()
    page.revoke()
    page.delete()
    window.close()
    system.until(lambda: not system.segments)
    assert ask(endpoint, Function.WRITE, 1) == Error.RANGE_ERROR
    with Serial.connect(endpoint) as out:
        assert out.write("again\n") == 6


def test_a_read_of_more_than_an_answer_holds_leaves_the_rest(system: ThreadedSystem) -> None:
    out = Serial.connect(console(system))
    system.uarts["uart0"].type(b"x" * 2000)
    code, words = raw(out.endpoint, wire.encode(Function.READ, 0, 0, Mode.RAW | 4000 << 8))
    assert (code, words.arg(0)) == (0, TEXT_MAX)
    assert out.status().kept == 2000 - TEXT_MAX


def test_connecting_again_replaces_the_window(system: ThreadedSystem) -> None:
    endpoint = console(system)
    first = Serial.connect(endpoint)
    used = system.env("serial").slots.used()
    second = Serial.connect(endpoint)
    second.write("second\n")
    assert system.env("serial").slots.used() == used
    first.disconnect()
    assert system.uarts["uart0"].read_all() == b"second\r\n"
    assert ask(endpoint, Function.WRITE, 1) == Error.NOT_CONNECTED


def test_an_answer_of_another_server_is_error_3() -> None:
    pds = ({"name": "serial", "main": echo_server, "serves": "endpoint", "role": "server"},)
    with ThreadedSystem(*pds, client_pd("a")) as system:
        with pytest.raises(IllegalOperation) as info:
            Serial.connect(console(system))
        assert info.value.code == 3
        assert not system.segments


def test_a_server_without_free_slots_refuses_and_recovers(system: ThreadedSystem) -> None:
    out = Serial.connect(console(system))
    slots = system.env("serial").slots
    taken = [slots.alloc() for _ in range(SLOT_FIRST_ROOT - SLOT_FIRST_FREE - slots.used())]
    with pytest.raises(NotEnoughMemory) as info:
        Serial.connect(console(system, "b"))
    assert info.value.code == 10
    with pytest.raises(NotEnoughMemory):
        out.read_line()
    slots.free(taken.pop())
    with Serial.connect(console(system, "b")) as other:
        assert other.write("room again\n") == 11


def test_without_grant_the_kernel_refuses_the_connect(system: ThreadedSystem) -> None:
    weak = console(system).copy(Rights.WRITE | Rights.GRANT_REPLY)
    with pytest.raises(KernelIllegalOperation):
        Serial.connect(weak)
    with Serial.connect(console(system)) as out:
        assert out.write("x") == 1


def test_each_client_prints_in_its_own_colour() -> None:
    with serial_system("a", "b") as system:
        for name in "ab":
            with Serial.connect(console(system, name)) as out:
                out.write(name + "\n" * (name == "a"))
        first, second = b"\x1b[33m", b"\x1b[34m"
        assert system.uarts["uart0"].read_all() == (
            RESET + first + b"a\r\n" + RESET + RESET + second + b"b" + RESET
        )


def test_it_works_the_same_under_the_semantics_of_sel4() -> None:
    with ThreadedSystem(serial_pd(colour=False), client_pd("a"), semantics="sel4") as system:
        endpoint = console(system)
        for code, size in ((Error.INVALID_ARGUMENT, 0), (Error.INVALID_CAPABILITY, 4096)):
            assert ask(endpoint, Function.CONNECT, size) == code
        assert ask(endpoint, 99) == Error.UNKNOWN
        system.uarts["uart0"].type(b"typed\r")
        with Serial.connect(endpoint) as out:
            assert out.printf("printed\n") == 8
            assert out.read_line("> ") == "typed"
        assert system.uarts["uart0"].read_all() == b"printed\r\n> typed\r\n"
        weak = endpoint.copy(Rights.WRITE | Rights.GRANT_REPLY)
        with pytest.raises(InvalidCapability, match="lacks Grant"):
            Serial.connect(weak)
