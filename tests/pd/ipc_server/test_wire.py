"""Seed 004, section C, 6: whatever is wrong with a message is answered, and the server survives."""

from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Any

import pytest

from caplab.kernel.abi import MSG_BYTES
from caplab.pd.errors import ServiceError
from caplab.pd.idl import (
    IDENTIFY,
    BadValue,
    Below,
    IdlError,
    MessageTooLong,
    MessageTooShort,
    MissingCapability,
    OutOfRange,
    UnknownOpcode,
    UnknownProtocol,
    WireError,
    WrongVersion,
    refused,
)
from caplab.scripts.gen.idl.interfaces import FIRST_LIBRARY, LAST_LIBRARY, RESERVED_ERRORS
from components import built, serving

MACHINE = """
enum Mode { SLOW, FAST = 7 };
struct Step { string<8> name; Mode mode; bool last; };
[protocol(0x77)] interface Machine {
    error Broken = 3;
    void add(in int left, in unsigned char right, out short result);
    void run(in Mode mode, in bool dry, in string<8> name, in array<int, 4> steps, out int sum);
    void step(inout Step step);
    void lend(in cap what, in int number);
    void map(in range<4096> pages);
    void fail(in int how);
    oneway void tell(in bytes<8> what);
    void told(out bytes<64> all);
};
"""
OTHER = """
[protocol(0x78)] interface Other { void nothing(); };
"""


@pytest.fixture(scope="module")
def idl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with built(tmp_path_factory.mktemp("idl"), machine=MACHINE, other=OTHER) as made:
        yield made


def machine(idl: Any) -> Any:
    class OtherError(IdlError, code=3):
        """Not what Machine means by error 3."""

    class server_Machine(idl.Machine):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.all = b""

        def add(self, left: int, right: int) -> int:
            return left + right

        def run(self, mode: int, dry: bool, name: str, steps: Any) -> int:
            return 0 if dry else sum(steps) * mode

        def step(self, step: Any) -> Any:
            return step._replace(name=step.name[::-1], last=not step.last)

        def lend(self, what: Any, number: int) -> None:
            if number:
                raise idl.Broken("kept nothing")
            what.delete()

        def map(self, pages: Any) -> None:
            pages.memory.delete()

        def fail(self, how: int) -> None:
            errors = {1: idl.Broken, 2: OtherError, 3: UnknownOpcode, 4: BadValue, 5: ServiceError}
            raise errors[how]("as asked")

        def tell(self, what: bytes) -> None:
            self.all += what

        def told(self) -> bytes:
            return self.all

    return server_Machine()


def words(*numbers: int) -> bytes:
    return Struct(f"<{len(numbers)}Q").pack(*(number % (1 << 64) for number in numbers))


def text(data: bytes) -> bytes:
    return words(len(data)) + data + b"\0" * (-len(data) % 8)


@pytest.mark.parametrize(
    ("label", "data", "error", "why"),
    [
        (0x99, words(0), UnknownProtocol, "nothing here answers protocol 0x99; .*: Machine"),
        (0, b"", UnknownProtocol, "protocol 0x0"),
        (0x77, b"", MessageTooShort, "0 bytes hold no opcode"),
        (0x77, b"\0" * 7, MessageTooShort, "7 bytes"),
        (0x77, words(99), UnknownOpcode, "Machine has no operation 99"),
        (0x77, words(IDENTIFY), MessageTooShort, "version"),
        (0x77, words(IDENTIFY, 5), WrongVersion, "caplab gen"),
        (0x77, words(0, 1), MessageTooShort, "`add` has 16 bytes instead of 24"),
        (0x77, words(0, 1)[:-1], MessageTooShort, "15 bytes"),
        (0x77, words(0, 1, 2, 3), MessageTooLong, "`add` has 32 bytes instead of 24"),
        (0x77, words(0, 1 << 31, 2), OutOfRange, "`left` is 2147483648, .*int32"),
        (0x77, words(0, -(1 << 31) - 1, 2), OutOfRange, "`left`"),
        (0x77, words(0, 1, 256), OutOfRange, "`right` is 256, .*uint8"),
        (0x77, words(0, 1, -1), OutOfRange, "`right` is 18446744073709551615"),
        (0x77, words(0, 1 << 15, 0), OutOfRange, "`result` is 32768, .*int16"),
        (0x77, words(1, 3, 0) + text(b"") + words(0), BadValue, "`mode` is 3, .*no Mode"),
        (0x77, words(1, 7, 2) + text(b"") + words(0), BadValue, "`dry` is 2"),
        (0x77, words(1, 7, 1) + text(b"\xff") + words(0), BadValue, "`name` is not UTF-8"),
        (0x77, words(1, 7, 1) + text(b"123456789") + words(0), OutOfRange, "`name` has 9 bytes"),
        (0x77, words(1, 7, 1, 8), MessageTooShort, "in the middle of `name`"),
        (0x77, words(1, 7, 1, (1 << 64) - 1), OutOfRange, "`name` has 18446744073709551615"),
        (0x77, words(1, 7, 1) + text(b""), MessageTooShort, "in the middle of `steps`"),
        (0x77, words(1, 7, 1) + text(b"") + words(5), OutOfRange, "`steps` has 5 elements"),
        (0x77, words(1, 7, 1) + text(b"") + words(2, 1), MessageTooShort, "middle of `steps`"),
        (0x77, words(1, 7, 1) + text(b"") + words(1, 1 << 40), OutOfRange, "`steps`"),
        (0x77, words(1, 7, 1) + text(b"") + words(1, 1, 1), MessageTooLong, "`run` has 56"),
        (0x77, words(1, 7), MessageTooShort, "`run` has 16 bytes, 24"),
        (0x77, words(2) + text(b"a") + words(1, 2), BadValue, "`step.mode` is 1"),
        (0x77, words(2) + text(b"a") + words(7, 2), BadValue, "`step.last` is 2"),
        (0x77, words(3, 0), MissingCapability, "`what` is a capability"),
        (0x77, words(4, 0, 10), MissingCapability, "`pages`"),
    ],
)
def test_each_mistake_of_a_message_has_an_error_of_its_own_and_the_server_survives(
    idl: Any, label: int, data: bytes, error: type[ServiceError], why: str
) -> None:
    with serving(lambda env: idl.Machine.serve(env, machine(idl))) as system:
        endpoint = system.env("client").endpoint("server")
        answer = endpoint.call(label, data)
        with pytest.raises(error, match=why) as told:
            raise refused(idl.MachineError, answer.label, answer.data)
        assert type(told.value) is error
        assert answer.label == -error.code % (1 << 64)
        assert idl.client_Machine(endpoint).add(1, 2) == 3
        assert not system.faults


def test_every_word_of_every_message_may_be_anything_and_the_server_survives(idl: Any) -> None:
    kinds = (0, 1, 1 << 31, 1 << 63, (1 << 64) - 1, 8, 960)
    with serving(lambda env: idl.Machine.serve(env, machine(idl))) as system:
        endpoint = system.env("client").endpoint("server")
        for opcode in range(9):
            for first in kinds:
                for second in kinds:
                    endpoint.call(0x77, words(opcode if opcode != 5 else 6, first, second))
                    endpoint.send(0x77, words(opcode if opcode != 5 else 6, first, second))
            endpoint.call(0x77, words(opcode if opcode != 5 else 6) + bytes(MSG_BYTES - 8))
        assert idl.client_Machine(endpoint).add(1, 2) == 3
        assert not system.faults


@pytest.mark.parametrize(
    ("call", "error", "why"),
    [
        (lambda m: m.add(1 << 31, 0), OutOfRange, "`left` is 2147483648, which does not fit int32"),
        (lambda m: m.add(0, -1), OutOfRange, "`right` is -1, which does not fit uint8"),
        (lambda m: m.run(3, True, "", []), BadValue, "`mode` is 3, which is no Mode"),
        (lambda m: m.run(7, True, "ninebytes", []), OutOfRange, "`name` has 9 bytes, and 8"),
        (lambda m: m.run(7, True, "\ud800", []), BadValue, "`name` cannot be written in UTF-8"),
        (lambda m: m.run(7, True, "", [0] * 5), OutOfRange, "`steps` has 5 elements, and 4"),
        (lambda m: m.run(7, True, "", [1 << 31]), OutOfRange, "`steps` is 2147483648"),
        (lambda m: m.step(("a", 7)), BadValue, "`step` has 2 fields instead of 3"),
        (lambda m: m.tell(b"ninebytes"), OutOfRange, "`what` has 9 bytes, and 8"),
    ],
)
def test_a_client_refuses_what_does_not_fit_and_sends_nothing(
    idl: Any, call: Any, error: type[WireError], why: str
) -> None:
    with serving(lambda env: idl.Machine.serve(env, machine(idl))) as system:
        client = idl.client_Machine(system.env("client").endpoint("server"))
        client.add(1, 1)
        before = system.root.latest["client"].tcbs[0].calls
        with pytest.raises(error, match=why):
            call(client)
        assert system.root.latest["client"].tcbs[0].calls == before


def test_values_of_every_kind_arrive_as_they_were_sent(idl: Any) -> None:
    with serving(lambda env: idl.Machine.serve(env, machine(idl))) as system:
        client = idl.client_Machine(system.env("client").endpoint("server"))
        assert client.run(idl.Mode.FAST, False, "größe", [1, -2, 3]) == 14
        back = client.step(idl.Step("ab", idl.Mode.SLOW, False))
        assert back == idl.Step("ba", idl.Mode.SLOW, True)
        assert type(back.mode) is idl.Mode
        client.tell(b"one")
        client.tell(b"two")
        assert client.told() == b"onetwo"


def test_what_an_operation_refuses_reaches_the_client_as_what_its_interface_declares(
    idl: Any,
) -> None:
    with serving(lambda env: idl.Machine.serve(env, machine(idl))) as system:
        client = idl.client_Machine(system.env("client").endpoint("server"))
        for how, error, why in (
            (1, idl.Broken, "^as asked$"),
            (2, Below, "^server: as asked$"),  # error 3 of another interface is not Broken
            (3, Below, "^server: as asked$"),  # met while it asked another server
            (4, BadValue, "^as asked$"),
            (5, Below, "^server: as asked$"),
        ):
            with pytest.raises(error, match=why) as told:
                client.fail(how)
            assert type(told.value) is error
        assert not system.faults


def test_a_mistake_of_the_component_itself_ends_the_pd(idl: Any) -> None:
    with serving(lambda env: idl.Machine.serve(env, machine(idl))) as system:
        client = idl.client_Machine(system.env("client").endpoint("server"))
        with pytest.raises(ConnectionError):
            client.fail(99)
        assert isinstance(system.faults["server"], KeyError)


def test_a_long_refusal_is_cut_between_characters(idl: Any) -> None:
    class Verbose(type(machine(idl))):  # type: ignore[misc]
        def fail(self, how: int) -> None:
            raise idl.Broken("ä" * 1000)

    with serving(lambda env: idl.Machine.serve(env, Verbose())) as system:
        client = idl.client_Machine(system.env("client").endpoint("server"))
        with pytest.raises(idl.Broken, match=r"^ä{200,400}$"):
            client.fail(0)


def test_a_client_of_another_text_is_told_at_its_first_call(idl: Any, tmp_path: Path) -> None:
    older = MACHINE.replace("out short result", "out int result")
    with built(tmp_path, machine=older) as old:
        assert old.Machine.iface.protocol == idl.Machine.iface.protocol
        with serving(lambda env: idl.Machine.serve(env, machine(idl))) as system:
            endpoint = system.env("client").endpoint("server")
            with pytest.raises(WrongVersion, match=r"the server speaks Machine .*caplab gen"):
                old.client_Machine(endpoint).add(1, 2)
            assert idl.client_Machine(endpoint).add(1, 2) == 3


def test_a_client_of_another_interface_is_told_what_is_there(idl: Any) -> None:
    with serving(lambda env: idl.Machine.serve(env, machine(idl))) as system:
        other = idl.client_Other(system.env("client").endpoint("server"))
        for _ in range(2):
            with pytest.raises(UnknownProtocol, match=r"0x78; what is here: Machine"):
                other.nothing()


def test_a_version_is_asked_for_once(idl: Any) -> None:
    with serving(lambda env: idl.Machine.serve(env, machine(idl))) as system:
        client = idl.client_Machine(system.env("client").endpoint("server"))
        tcb = system.root.latest["client"].tcbs[0]
        calls = []
        for _ in range(3):
            before = tcb.calls
            client.add(1, 2)
            calls.append(tcb.calls - before)
        assert calls == [2, 1, 1]


def test_what_answers_without_knowing_the_version_is_no_server(idl: Any) -> None:
    def echo(env: Any) -> None:
        endpoint = env.endpoint("server")
        message = endpoint.recv()
        while True:
            message = endpoint.reply_recv(0, message.data)

    with serving(echo) as system, pytest.raises(WrongVersion, match="no server of Machine"):
        idl.client_Machine(system.env("client").endpoint("server")).add(1, 2)


def test_a_client_reads_no_answer_that_is_not_one(idl: Any) -> None:
    answers = [words(1), b"", words(1, 2), words(1 << 15)]

    def liar(env: Any) -> None:
        endpoint = env.endpoint("server")
        message = endpoint.recv()
        message = endpoint.reply_recv(0, message.data[8:])
        for answer in answers:
            message = endpoint.reply_recv(0, answer)

    with serving(liar) as system:
        client = idl.client_Machine(system.env("client").endpoint("server"))
        assert client.add(1, 2) == 1
        for error in (MessageTooShort, MessageTooLong, OutOfRange):
            with pytest.raises(error):
                client.add(1, 2)


def test_a_call_that_nobody_waits_for_and_a_oneway_that_somebody_calls_do_no_harm(idl: Any) -> None:
    with serving(lambda env: idl.Machine.serve(env, machine(idl))) as system:
        endpoint = system.env("client").endpoint("server")
        endpoint.send(0x77, words(0, 1, 2))
        assert endpoint.call(0x77, words(6) + text(b"called")).data == b""
        assert idl.client_Machine(endpoint).told() == b"called"


def test_the_numbers_that_interfaces_may_not_declare_are_the_librarys() -> None:
    own = {error.code: error.__name__ for error in WireError.__subclasses__()}
    assert {code: name for code, name in own.items() if code < FIRST_LIBRARY} == RESERVED_ERRORS
    assert all(code <= LAST_LIBRARY for code in own)
