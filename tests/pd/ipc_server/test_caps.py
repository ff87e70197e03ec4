"""Capabilities, objects and shared memory as parameters."""

from collections.abc import Iterator
from typing import Any

import pytest

from caplab.pd.env import Env
from caplab.pd.errors import Revoked
from caplab.pd.idl import Below, MemoryRange, MissingCapability, NotHere, OutOfRange
from caplab.pd.ipc_server import IpcServer
from caplab.pd.objects import Endpoint, Memory, Notification
from components import built, serving
from threaded_system import ThreadedSystem

IDL = """
interface Account { void balance(out long sum); void pay(in long sum); };
interface Bank {
    error Closed = 1;
    void open(in long sum, out cap<Account> account);
    void move(in cap<Account> from, in long sum);
    void richest(out cap<Account> account);
    void bell(in cap notification);
    void key(out cap key);
    void keep(in cap what, in bool refuse);
    void sum(in range<8192> part, out unsigned long sum);
    void page(in int fill, out range<4096> page);
};
"""


@pytest.fixture(scope="module")
def idl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with built(tmp_path_factory.mktemp("idl"), bank=IDL) as made:
        yield made


class Bank:
    """A bank's server, and what a test wants to know of it."""

    def __init__(self, idl: Any) -> None:
        self.idl = idl
        self.accounts: list[Any] = []
        self.released: list[int] = []
        self.server: IpcServer | None = None

    def main(self, env: Env) -> None:
        self.server = IpcServer(env)
        self.server.bind(self.idl.Bank.iface, self.component(env, self.server))
        self.server.run()

    def component(self, env: Env, server: IpcServer) -> Any:
        bank, idl = self, self.idl

        class server_Account(idl.Account):  # type: ignore[misc,name-defined]
            def __init__(self, sum: int) -> None:
                self.sum = sum

            def balance(self) -> int:
                return self.sum

            def pay(self, sum: int) -> None:
                self.sum += sum

            def released(self) -> None:
                bank.released.append(self.sum)

        class server_Bank(idl.Bank):  # type: ignore[misc,name-defined]
            def open(self, sum: int) -> Any:
                bank.accounts.append(server_Account(sum))
                return bank.accounts[-1]

            def move(self, from_: Any, sum: int) -> None:
                from_.pay(-sum)

            def richest(self) -> Any:
                return max(bank.accounts, key=lambda account: account.sum)

            def bell(self, notification: Any) -> None:
                env.cap(Notification, notification.slot).signal()
                notification.delete()

            def key(self) -> Any:
                return env.endpoint()

            def keep(self, what: Any, refuse: bool) -> None:
                if refuse:
                    raise idl.Closed("no")
                what.delete()

            def sum(self, part: Any) -> int:
                with part.open() as window:
                    total = sum(window.read())
                part.memory.delete()
                return total

            def page(self, fill: int) -> Any:
                memory = env.memory()
                with memory.map() as window:
                    window.write(0, b"\0" * 8 + b"x" * fill)
                return MemoryRange(memory, 8, fill)

        return server_Bank()


def used(system: ThreadedSystem, name: str) -> int:
    """Slots of a PD's own half in use."""
    return system.envs[name].slots.used()


def test_an_object_that_is_answered_is_one_capability_whoever_gets_it(idl: Any) -> None:
    bank = Bank(idl)
    with serving(bank.main) as system:
        client = idl.client_Bank(system.env("client").endpoint("server"))
        poor, rich = client.open(10), client.open(100)
        assert [poor.balance(), rich.balance()] == [10, 100]
        poor.pay(5)
        again = client.richest()
        assert again.balance() == 100
        assert isinstance(again, idl.Account)
        # Two capabilities to one object have one badge.
        assert bank.server is not None
        assert len(bank.server.objects) == 2
        # An object that comes back is the object itself, not a client of it.
        client.move(poor, 15)
        assert bank.accounts[0].sum == 0


def test_an_object_is_forgotten_when_nobody_can_reach_it_any_more(idl: Any) -> None:
    bank = Bank(idl)
    with serving(bank.main) as system:
        client = idl.client_Bank(system.env("client").endpoint("server"))
        before = used(system, "client"), used(system, "server")
        one, other = client.open(1), client.open(2)
        twin = client.richest()
        other.endpoint.delete()
        assert twin.balance() == 2
        twin.endpoint.delete()
        system.until(lambda: bank.released == [2])
        one.endpoint.delete()
        system.until(lambda: bank.released == [2, 1])
        assert bank.server is not None
        assert len(bank.server.objects) == 0
        assert client.open(3).balance() == 3
        assert used(system, "client") == before[0] + 1
        assert used(system, "server") == before[1]


def test_a_client_is_a_context_manager_that_gives_up_what_it_was_answered(idl: Any) -> None:
    bank = Bank(idl)
    with serving(bank.main) as system:
        env = system.env("client")
        with idl.client_Bank(env.endpoint("server")) as client:
            with client.open(7) as account:
                assert account.balance() == 7
            system.until(lambda: bank.released == [7])
        assert idl.client_Bank(env.endpoint("server")).open(8).balance() == 8


def test_an_object_dies_with_the_client_that_held_it(idl: Any) -> None:
    bank = Bank(idl)
    with serving(bank.main, "first", "second") as system:
        first = idl.client_Bank(system.env("first").endpoint("server"))
        second = idl.client_Bank(system.env("second").endpoint("server"))
        kept = second.open(2)
        first.open(1)
        system.operate(op="kill", pd="first")
        assert kept.balance() == 2
        assert bank.released == [1]


def test_what_leads_to_no_object_of_the_server_is_refused(idl: Any) -> None:
    with serving(Bank(idl).main) as system:
        env = system.env("client")
        endpoint = env.endpoint("server")
        client = idl.client_Bank(endpoint)
        with pytest.raises(NotHere, match="leads to no Account of server"):
            client.move(endpoint, 1)  # the bank itself
        with pytest.raises(MissingCapability, match="only a server's loop can send one"):
            client.move(Bank(idl).component(env, None).open(1), 1)  # type: ignore[arg-type]
        assert client.open(1).balance() == 1


def test_a_typed_capability_to_another_server_is_a_client_of_it(idl: Any) -> None:
    banks = [Bank(idl), Bank(idl)]
    with ThreadedSystem(
        {"name": "near", "main": banks[0].main, "serves": "endpoint", "role": "server"},
        {"name": "far", "main": banks[1].main, "serves": "endpoint", "role": "server"},
        {"name": "client", "uses": {"near": "near", "far": "far"}},
    ) as system:
        env = system.env("client")
        near = idl.client_Bank(env.endpoint("near"))
        account = idl.client_Bank(env.endpoint("far")).open(50)
        near.move(account, 20)
        assert account.balance() == banks[1].accounts[0].sum == 30
        system.operate(op="kill", pd="far")
        with pytest.raises(Below, match="near: "):
            near.move(account, 20)


def test_plain_capabilities_go_and_come(idl: Any) -> None:
    with serving(Bank(idl).main) as system:
        env = system.env("client")
        client = idl.client_Bank(env.endpoint("server"))
        bell = env.notification()
        client.bell(bell)
        assert bell.poll() is not None
        key = client.key()
        assert env.cap(Endpoint, key.slot).nb_recv() is None  # it came with Read


def test_what_a_refused_operation_was_sent_is_deleted_and_nothing_leaks(idl: Any) -> None:
    with serving(Bank(idl).main) as system:
        env = system.env("client")
        client = idl.client_Bank(env.endpoint("server"))
        bell = env.notification()
        client.keep(bell, False)
        before = used(system, "server"), used(system, "client")
        for _ in range(5):
            with pytest.raises(idl.Closed):
                client.keep(bell, True)
            client.keep(bell, False)
        # A capability that no operation asked for.
        env.endpoint("server").call(idl.Bank.iface.protocol, b"\xee" * 8, caps=[bell])
        env.endpoint("server").call(0, b"", caps=[bell])
        client.keep(bell, False)
        assert (used(system, "server"), used(system, "client")) == before


def test_a_client_whose_answer_lacks_its_capability_keeps_its_slot(idl: Any) -> None:
    def miser(env: Env) -> None:
        endpoint = env.endpoint("server")
        message = endpoint.recv()
        message = endpoint.reply_recv(0, message.data[8:])
        while True:
            message = endpoint.reply_recv(0, b"")

    with serving(miser) as system:
        client = idl.client_Bank(system.env("client").endpoint("server"))
        before = used(system, "client")
        with pytest.raises(MissingCapability, match="`account`"):
            client.open(1)
        assert used(system, "client") == before


def test_ranges_are_shared_pages_and_both_ends_check_them(idl: Any) -> None:
    with serving(Bank(idl).main) as system:
        env = system.env("client")
        client = idl.client_Bank(env.endpoint("server"))
        memory = env.memory(2)
        with memory.map() as window:
            window.write(0, bytes([1]) * 8192)
        assert client.sum(MemoryRange.all(memory)) == 8192
        assert client.sum(MemoryRange(memory, 4000, 200)) == 200
        for offset, length in ((8000, 193), (-1, 5), (0, -5), (0, 8193)):
            with pytest.raises(OutOfRange):
                client.sum(MemoryRange(memory, offset, length))
        page = client.page(3)
        assert (page.offset, page.length) == (8, 3)
        with page.open() as seen:
            assert seen.read() == b"xxx"
            seen.write(1, b"y")
            assert seen.read(1, 1) == b"y"
            for at, length in ((0, 4), (-1, 1), (3, 1)):
                with pytest.raises(OutOfRange):
                    seen.read(at, length)
                with pytest.raises(OutOfRange):
                    seen.write(at, b"z" * length)
        page.memory.delete()
        memory.delete()


@pytest.mark.parametrize(("offset", "length"), [(8000, 193), ((1 << 64) - 8, 8), (0, 8193)])
def test_a_server_refuses_a_range_that_does_not_lie_in_its_memory(
    idl: Any, offset: int, length: int
) -> None:
    with serving(Bank(idl).main) as system:
        env = system.env("client")
        memory = env.memory(2)
        opcode = 6
        data = b"".join(n.to_bytes(8, "little") for n in (opcode, offset, length))
        endpoint = env.endpoint("server")
        before = used(system, "server")
        answer = endpoint.call(idl.Bank.iface.protocol, data, caps=[memory])
        assert answer.label == -OutOfRange.code % (1 << 64)
        assert idl.client_Bank(endpoint).sum(MemoryRange.all(memory)) == 0
        assert used(system, "server") == before
        memory.delete()


def test_memory_of_a_range_that_was_taken_away_is_not_touched(idl: Any) -> None:
    with serving(Bank(idl).main) as system:
        client = idl.client_Bank(system.env("client").endpoint("server"))
        page = client.page(1)
        other = Memory(page.memory.env, page.memory.slot)
        page.memory.delete()
        with pytest.raises(Revoked):
            MemoryRange(other, 0, 1).open()
