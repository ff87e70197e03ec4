"""Spare TCBs, on the real kernel."""

import threading

import pytest

from caplab.pd.env import Env
from caplab.pd.errors import FailedLookup, NoSpareTcb
from caplab.pd.objects import Tcb
from caplab.pd.transport import Transport
from fakes import FakeTransport, answer, fake_env
from threaded_system import PATIENCE, ThreadedSystem


@pytest.fixture
def system():
    with ThreadedSystem({"name": "pd", "threads": 2}) as booted:
        yield booted


def test_a_spare_tcb_runs_its_entry_and_is_spare_again(system: ThreadedSystem) -> None:
    env = system.env("pd")
    ran: list[tuple[Env, int]] = []
    for number in (5, 6):
        tcb = env.thread(lambda env, arg: ran.append((env, arg)), number)
        assert isinstance(tcb, Tcb)
        system.until(lambda: len(ran) == number - 4 and system.blocked("pd", 1))  # noqa: B023
    assert ran == [(env, 5), (env, 6)]


def test_an_entry_makes_calls_with_its_own_transport(system: ThreadedSystem) -> None:
    env = system.env("pd")
    bell = env.notification()
    env.thread(lambda env, arg: bell.signal())
    assert bell.wait(timeout=PATIENCE) == 0


class LatePark:
    """A transport whose next Park reaches the kernel only after the event."""

    def __init__(self, transport: Transport, resumed: threading.Event) -> None:
        self.transport, self.resumed = transport, resumed

    def call(self, frame: bytes, /) -> bytes:
        assert self.resumed.wait(PATIENCE)
        return self.transport.call(frame)


def test_a_tcb_that_has_not_parked_yet_can_be_started(system: ThreadedSystem) -> None:
    env = system.env("pd")
    resumed, first, second = threading.Event(), threading.Event(), threading.Event()
    spare = env.threads._utcbs[0]
    system.until(lambda: system.blocked("pd", 1))
    spare.transport = LatePark(spare.transport, resumed)
    env.thread(lambda env, arg: first.set())
    assert first.wait(PATIENCE)
    system.until(lambda: not env.threads._busy[0])
    env.thread(lambda env, arg: second.set())
    resumed.set()
    assert second.wait(PATIENCE)


def test_without_a_spare_tcb_the_manifest_line_is_named(system: ThreadedSystem) -> None:
    env = system.env("pd")
    bell = env.notification()
    env.thread(lambda env, arg: bell.wait())
    with pytest.raises(NoSpareTcb, match=r"all 2 TCBs of pd are in use.*threads: 3"):
        env.thread(lambda env, arg: None)
    bell.signal()


def test_a_function_is_registered_once_and_numbers_start_at_one() -> None:
    env = fake_env()
    entries = [lambda env, arg: None, lambda env, arg: None]
    assert [env.entry(entry) for entry in (*entries, entries[0])] == [1, 2, 1]


def test_a_tcb_resumed_at_an_unknown_entry_ends_the_pd_and_says_why() -> None:
    ended: list[BaseException] = []
    heard = threading.Event()
    env = fake_env(FakeTransport(), FakeTransport(answer(label=9, body=bytes(8))))

    def hear(exc: BaseException) -> None:
        ended.append(exc)
        heard.set()

    env.threads.park_all(hear)
    assert heard.wait(PATIENCE)
    assert "entry 9" in str(ended[0])


def test_a_start_that_is_refused_leaves_the_tcb_spare() -> None:
    refuse = answer(6)
    env = fake_env(FakeTransport(refuse, refuse), FakeTransport())
    for _ in range(2):
        with pytest.raises(FailedLookup):
            env.thread(lambda env, arg: None)


def test_a_thread_is_either_started_here_or_given_by_the_service_never_both() -> None:
    with ThreadedSystem({"name": "pd", "threads": 3, "rdes": ["cpu"]}) as system:
        env = system.env("pd")
        bell, seen = env.notification(), list[int]()
        given = env.rde("cpu").connect()
        env.thread(lambda env, arg: bell.wait())
        with pytest.raises(NoSpareTcb):
            env.thread(lambda env, arg: None)
        with pytest.raises(NoSpareTcb, match="threads: 4"):
            env.rde("cpu").connect()
        given.write_registers(env.entry(lambda env, arg: seen.append(arg)), 7, resume=True)
        system.until(lambda: seen == [7] and system.blocked("pd", given.thread))
        with pytest.raises(NoSpareTcb):  # it runs no more, and is given all the same
            env.thread(lambda env, arg: None)
        given.delete()
        env.thread(lambda env, arg: seen.append(arg), 8)
        system.until(lambda: seen == [7, 8])
        bell.signal()
