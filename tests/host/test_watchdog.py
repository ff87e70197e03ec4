"""The watchdog: who is accused when the memory grows, when, and who never is."""

import os
import socket
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from caplab.kernel.core.states import RECV, RUNNING
from caplab.kernel.host import watchdog
from caplab.kernel.host.watchdog import ALERT, INTERVAL, LIMIT, MIB, STEP, Gauge, Watchdog


class Scene:
    """A watchdog over a memory, threads and connections that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.used = 0
        self.senders: set[int] = set()
        self.tcbs: dict[int, Any] = {}
        self.pids: dict[int, int] = {}
        self.cpu: dict[int, int] = {}
        self.blamed: list[int] = []
        monkeypatch.setattr(watchdog, "cpu_time", lambda pid: self.cpu.get(pid, 0))
        gauge: Any = SimpleNamespace(growth=lambda: self.used, unread=lambda: self.senders)
        self.watchdog = Watchdog(
            gauge,
            self.tcbs.values,
            lambda pd: self.pids.get(pd, 0),
            lambda pd, reason: self.blamed.append(pd),
            lambda action: action(),
        )

    def pd(self, number: int, state: int = RUNNING) -> Any:
        """A PD of one thread; its process has a number a hundred higher."""
        owner = SimpleNamespace(number=number, fault=None)
        self.tcbs[number] = SimpleNamespace(number=number, pd=owner, state=state, calls=5)
        self.pids[number] = number + 100
        return self.tcbs[number]

    def look(self, *growths: int) -> None:
        for growth in growths:
            self.used += growth
            self.now += INTERVAL
            self.watchdog.look(self.now)

    def end(self, pd: int, given_back: int) -> None:
        """Its process ends, and what it had sent is given back."""
        del self.pids[pd], self.tcbs[pd]
        self.look(0)
        self.used -= given_back
        self.now += watchdog.SETTLING
        self.look(0, 0)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_who_always_has_something_unread_is_accused(scene: Scene) -> None:
    for number in (1, 2, 3):
        scene.pd(number)
    scene.cpu[101] = 10**9
    scene.senders = {102}
    scene.look(ALERT, 20 * MIB, 20 * MIB)
    assert scene.blamed == []
    scene.look(20 * MIB)
    assert scene.blamed == [2]


def test_among_equals_the_one_that_used_the_processors_is_accused(scene: Scene) -> None:
    scene.cpu[101] = 10**12  # all of it before
    for number in (1, 2):
        scene.pd(number)
    scene.look(ALERT)
    scene.cpu[102] = 10**6
    scene.look(LIMIT)
    assert scene.blamed == [2]


def test_who_waits_for_the_kernel_or_has_called_it_is_not_suspected(scene: Scene) -> None:
    scene.pd(1, RECV)
    busy = scene.pd(2)
    scene.pd(3)
    scene.senders = {101, 102}
    scene.look(ALERT)
    busy.calls += 1
    scene.look(LIMIT)
    assert scene.blamed == [3]


def test_growth_below_the_limit_or_given_back_in_time_is_nobodys_fault(scene: Scene) -> None:
    scene.pd(1)
    scene.look(ALERT - 1, 0, 0, 50 * MIB, -50 * MIB, 50 * MIB, -50 * MIB, 55 * MIB)
    assert scene.blamed == []


def test_nobody_else_is_accused_while_the_first_ends(scene: Scene) -> None:
    for number in (1, 2):
        scene.pd(number)
    scene.senders = {101}
    scene.look(ALERT, LIMIT, 50 * MIB, 50 * MIB, 50 * MIB)
    assert scene.blamed == [1]
    scene.end(1, given_back=200 * MIB)
    scene.look(0, 0, 0)
    assert scene.blamed == [1]


def test_an_accomplice_is_accused_next_when_it_goes_on(scene: Scene) -> None:
    for number in (1, 2, 3):
        scene.pd(number)
    scene.senders = {101, 102}
    scene.cpu[101] = 0
    scene.look(ALERT, LIMIT)
    first = scene.blamed[0]
    scene.senders = {101, 102} - {first + 100}
    scene.end(first, given_back=10 * MIB)
    scene.look(STEP, STEP)
    assert sorted(scene.blamed) == [1, 2]


def test_growth_that_is_nobodys_is_said_once_and_ends_nobody(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.pd(1, RECV)
    scene.look(ALERT, LIMIT, 0, 0)
    scene.now += 1
    scene.look(0, 0, 0)
    assert scene.blamed == []
    assert capsys.readouterr().err == "kernel: its memory has grown by 72 MiB\n"


def test_the_gauge_sees_memory_that_no_object_of_pythons_explains() -> None:
    gauge = Gauge(lambda: 0)
    before = gauge.growth()
    taken = bytearray(b"x") * (32 * MIB)
    assert 31 * MIB <= gauge.growth() - before <= 40 * MIB
    del taken
    gauge.close()


def test_the_gauge_takes_many_small_objects_for_what_they_are() -> None:
    gauge = Gauge(lambda: 0)
    before = gauge.growth()
    objects = [(number,) for number in range(300_000)]
    assert gauge.growth() - before < ALERT
    assert len(objects) == 300_000
    gauge.close()


def test_the_gauge_knows_whose_bytes_are_unread_and_leaves_connections_alone() -> None:
    gauge = Gauge(lambda: 0)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert os.getpid() not in gauge.unread()
        theirs.sendall(b"unread")
        assert os.getpid() in gauge.unread()
        assert ours.recv(10) == b"unread"
        assert os.getpid() not in gauge.unread()
    gauge.close()


def test_the_processor_time_of_a_process_is_that_of_all_its_threads() -> None:
    before = watchdog.cpu_time(os.getpid())
    thread = threading.Thread(target=lambda: sum(range(200_000)))
    thread.start()
    thread.join()
    assert watchdog.cpu_time(os.getpid()) > before
    assert watchdog.cpu_time(0) == 0
    assert watchdog.cpu_time(2**22 + 1) == 0
    assert sys.platform == "linux"
