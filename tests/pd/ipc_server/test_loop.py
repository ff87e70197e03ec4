"""Several objects and interfaces in one loop, answers that come later, and several threads."""

from collections.abc import Iterator
from typing import Any

import pytest

from caplab.kernel.abi import ObjectType
from caplab.kernel.core.cap import Cap
from caplab.kernel.core.notification import Notification
from caplab.kernel.root.pd import CLIENT_RIGHTS, give
from caplab.pd.env import Env
from caplab.pd.errors import NoSpareTcb
from caplab.pd.idl import Below, NotHere
from caplab.pd.ipc_server import IpcServer, Later
from caplab.pd.objects import Endpoint
from components import built, serving
from threaded_system import Hand

IDL = """
interface Counter { void increment(out int result); void give(in cap what); };
interface Queue {
    error Closed = 9;
    void take(out int value);
    void put(in int value, out int waiting);
    void close();
    void client(out unsigned long badge);
    void session(out cap<Counter> counter);
    void block();
    void unblock();
};
"""


@pytest.fixture(scope="module")
def idl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with built(tmp_path_factory.mktemp("idl"), queue=IDL) as made:
        yield made


class Shop:
    """A queue and a counter behind one endpoint."""

    def __init__(self, idl: Any, threads: int = 1) -> None:
        self.idl, self.threads = idl, threads
        self.waiting: list[Later] = []
        self.released: list[Any] = []
        self.told: list[bool] = []

    def main(self, env: Env) -> None:
        server = self.server = IpcServer(env)
        server.bind(self.idl.Queue.iface, self.queue(env, server))
        server.bind(self.idl.Counter.iface, self.counter())
        server.run(threads=self.threads)

    def counter(self) -> Any:
        shop = self

        class server_Counter(self.idl.Counter):  # type: ignore[misc,name-defined]
            counter = 0

            def increment(self) -> int:
                self.counter += 1
                return self.counter

            def give(self, what: Any) -> None:
                what.delete()

            def released(self) -> None:
                with pytest.raises(RuntimeError, match="no request here"):
                    shop.server.client()
                shop.released.append(self)

        return server_Counter()

    def queue(self, env: Env, server: IpcServer) -> Any:
        shop, idl = self, self.idl
        gate = env.notification()

        class server_Queue(idl.Queue):  # type: ignore[misc,name-defined]
            def take(self) -> Any:
                later = server.defer()
                shop.waiting.append(later)
                return later.nothing

            def put(self, value: int) -> int:
                if value < 0:
                    server.defer()
                    raise idl.Closed("not even later")
                shop.told.append(shop.waiting.pop(0).reply(value))
                return len(shop.waiting)

            def close(self) -> None:
                for later in shop.waiting:
                    later.fail(idl.Closed("closed"))
                shop.waiting.clear()

            def client(self) -> int:
                return server.client()

            def session(self) -> Any:
                return server.export(idl.Counter.iface, shop.counter(), thread=True)

            def block(self) -> None:
                gate.wait()

            def unblock(self) -> None:
                gate.signal()

        return server_Queue()


def test_two_interfaces_share_a_loop_and_keep_their_own_state(idl: Any) -> None:
    shop = Shop(idl)
    with serving(shop.main) as system:
        endpoint = system.env("client").endpoint("server")
        counter, queue = idl.client_Counter(endpoint), idl.client_Queue(endpoint)
        assert [counter.increment(), counter.increment()] == [1, 2]
        assert queue.client() > 0
        with pytest.raises(ValueError, match=r"something answers .*Counter"):
            shop.server.bind(idl.Counter.iface, shop.counter())


def test_several_objects_of_one_interface_have_states_of_their_own(idl: Any) -> None:
    exported: list[Any] = []

    class Store(idl.Queue):  # type: ignore[misc,name-defined]
        take = put = close = client = block = unblock = None

        def session(self) -> Any:
            exported.append(Shop(idl).counter())
            return exported[-1]

    with serving(lambda env: idl.Queue.serve(env, Store())) as system:
        store = idl.client_Queue(system.env("client").endpoint("server"))
        one, other = store.session(), store.session()
        assert [one.increment(), one.increment(), other.increment()] == [1, 2, 1]
        assert [each.counter for each in exported] == [2, 1]


def test_an_answer_may_come_later_and_the_server_serves_others_meanwhile(idl: Any) -> None:
    shop = Shop(idl)
    with serving(shop.main, "first", "second", "client") as system:
        takers = [Hand(system, name) for name in ("first", "second")]
        ends = []
        for number, hand in enumerate(takers):
            ends.append(hand.begin(lambda env: idl.client_Queue(env.endpoint("server")).take()))
            system.until(lambda number=number: len(shop.waiting) > number)
        queue = idl.client_Queue(system.env("client").endpoint("server"))
        assert queue.put(5) == 1
        assert ends[0].result(10) == 5
        queue.close()
        with pytest.raises(idl.Closed, match=r"^closed$"):
            ends[1].result(10)


@pytest.mark.parametrize("semantics", ["lab", "sel4"])
def test_an_answer_that_comes_too_late_is_no_mistake_and_a_second_one_is(
    idl: Any, semantics: str
) -> None:
    shop = Shop(idl)
    with serving(shop.main, "first", "client", semantics=semantics) as system:
        hand = Hand(system, "first")
        hand.begin(lambda env: idl.client_Queue(env.endpoint("server")).take())
        system.until(lambda: shop.waiting)
        later = shop.waiting[0]
        system.operate(op="kill", pd="first")
        queue = idl.client_Queue(system.env("client").endpoint("server"))
        before = system.envs["server"].slots.used()
        assert queue.put(5) == 0
        assert shop.told == [semantics == "sel4"]  # seL4 does not tell
        assert system.envs["server"].slots.used() == before - 1
        with pytest.raises(ValueError, match="answered already"):
            later.reply(6)


def test_an_answer_that_does_not_fit_is_refused_later_too(idl: Any) -> None:
    shop = Shop(idl)
    with serving(shop.main, "first", "client") as system:
        end = Hand(system, "first").begin(
            lambda env: idl.client_Queue(env.endpoint("server")).take()
        )
        system.until(lambda: shop.waiting)
        hand = Hand(system, "client")
        shop.waiting[0]._op = shop.waiting[0]._op._replace(
            encode=lambda result, caps: (_ for _ in ()).throw(idl.Closed("too much"))
        )
        hand.do(lambda env: idl.client_Queue(env.endpoint("server")).put(1))
        with pytest.raises(idl.Closed, match="too much"):
            end.result(10)


def test_who_defers_and_refuses_has_refused(idl: Any) -> None:
    shop = Shop(idl)
    with serving(shop.main) as system:
        queue = idl.client_Queue(system.env("client").endpoint("server"))
        with pytest.raises(idl.Closed, match="not even later"):
            queue.put(-1)


def test_an_answer_is_deferred_once(idl: Any) -> None:
    shop = Shop(idl)

    class Twice(idl.Counter):  # type: ignore[misc,name-defined]
        def increment(self) -> int:
            server.defer().reply(1)
            server.defer()
            return 0

        def give(self, what: Any) -> None:
            pass

    def main(env: Env) -> None:
        nonlocal server
        server = IpcServer(env)
        server.bind(idl.Counter.iface, Twice())
        server.run()

    server: Any = None
    with serving(main) as system:
        assert idl.client_Counter(system.env("client").endpoint("server")).increment() == 1
        system.until(lambda: system.faults)
        with pytest.raises(RuntimeError, match="to be answered later already"):
            raise system.faults["server"]
    assert not shop.told


def test_an_object_that_the_server_forgot_is_not_there(idl: Any) -> None:
    shop = Shop(idl)

    class Store(idl.Counter):  # type: ignore[misc,name-defined]
        def increment(self) -> int:
            return 1

        def give(self, what: Any) -> None:
            what.delete()

    with serving(shop.main) as system:
        env = system.env("client")
        idl.client_Queue(env.endpoint("server")).client()
        badge = shop.server.objects.enter(idl.Counter.iface, Store(), {})
        made = Hand(system, "client")
        shop.server.objects.leave(badge)
        # The root task's own capability is what a Parent has: it may mint any badge.
        pd = system.root.latest["server"]
        assert pd.endpoint is not None
        with system.lock:
            own = Cap(ObjectType.ENDPOINT, pd.endpoint, CLIENT_RIGHTS, badge)
            slot = give(system.kernel, system.root.latest["client"], "forged", own, None, "root")
        endpoint = Endpoint(env, slot)
        with pytest.raises(NotHere, match="the object is gone"):
            made.do(lambda _: idl.client_Counter(endpoint).increment())


@pytest.mark.parametrize("semantics", ["lab", "sel4"])
def test_who_only_sent_is_answered_by_nobody(idl: Any, semantics: str) -> None:
    shop = Shop(idl)
    with serving(shop.main, semantics=semantics) as system:
        endpoint = system.env("client").endpoint("server")
        endpoint.send(idl.Queue.iface.protocol, bytes(8))
        queue = idl.client_Queue(endpoint)
        assert queue.put(1) == 0
        assert shop.told == [False]


def test_an_answer_is_deferred_within_an_operation_and_once(idl: Any) -> None:
    shop = Shop(idl)
    with serving(shop.main):
        with pytest.raises(RuntimeError, match="no request here"):
            shop.server.defer()
        with pytest.raises(RuntimeError, match="no request here"):
            shop.server.client()


def test_threads_serve_clients_while_one_is_blocked_in_an_operation(idl: Any) -> None:
    shop = Shop(idl, threads=3)
    with serving(shop.main, "first", "second", "client", threads=3) as system:
        ends = [
            Hand(system, name).begin(lambda env: idl.client_Queue(env.endpoint("server")).block())
            for name in ("first", "second")
        ]
        tcbs = system.root.latest["server"].tcbs
        system.until(lambda: sum(isinstance(tcb.on, Notification) for tcb in tcbs) == 2)
        queue = idl.client_Queue(system.env("client").endpoint("server"))
        assert not any(end.done() for end in ends)
        for _ in ends:
            queue.unblock()
        for end in ends:
            end.result(10)


def test_more_threads_than_the_manifest_gives_are_refused(idl: Any) -> None:
    shop = Shop(idl, threads=3)
    with serving(shop.main, threads=2) as system:
        system.until(lambda: system.faults)
        with pytest.raises(NoSpareTcb, match="threads: 3"):
            raise system.faults["server"]


def test_an_object_with_a_thread_of_its_own_is_served_while_the_loop_is_busy(idl: Any) -> None:
    shop = Shop(idl)
    with serving(shop.main, "first", "client", threads=2) as system:
        queue = idl.client_Queue(system.env("client").endpoint("server"))
        session = queue.session()
        end = Hand(system, "first").begin(
            lambda env: idl.client_Queue(env.endpoint("server")).block()
        )
        system.until(lambda: system.blocked("server") and system.blocked("first"))
        assert [session.increment(), session.increment()] == [1, 2]
        assert not end.done()
        # Its client gone, the TCB is spare again and may serve the next.
        session.endpoint.delete()
        Hand(system, "client")
        assert not shop.released  # the loop is at work


def test_a_session_for_which_no_tcb_is_left_is_refused_and_leaves_nothing(idl: Any) -> None:
    shop = Shop(idl)
    with serving(shop.main, threads=2) as system:
        queue = idl.client_Queue(system.env("client").endpoint("server"))
        session = queue.session()
        for tcb in range(2):  # answered is neither tidied up nor, for the session, ready to serve
            system.until(lambda tcb=tcb: system.blocked("server", tcb))
        used = system.envs["server"].slots.used()
        for _ in range(3):
            with pytest.raises(Below, match=r"server: all 2 TCBs of server"):
                queue.session()
        system.until(lambda: system.blocked("server"))
        assert system.envs["server"].slots.used() == used
        assert len(shop.server.objects) == 1
        assert session.increment() == 1


def test_the_tcb_of_a_session_is_spare_again_when_its_client_is_gone(idl: Any) -> None:
    shop = Shop(idl)
    with serving(shop.main, threads=2) as system:
        queue = idl.client_Queue(system.env("client").endpoint("server"))
        used = None
        for number in range(3):
            session = queue.session()
            assert session.increment() == 1
            queue.client()
            session.endpoint.delete()
            system.until(lambda number=number: len(shop.released) == number + 1)
            system.until(lambda: not system.envs["server"].threads._busy[0])
            now = system.envs["server"].slots.used()
            assert used in (None, now)
            used = now
        assert len(system.envs["server"].threads._entries) == 1
        assert not system.faults
