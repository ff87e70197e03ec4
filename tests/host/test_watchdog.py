"""The watchdog: who is accused when the memory grows, when, and who never is."""

from types import SimpleNamespace
from typing import Any

import pytest

from caplab.kernel.core.states import RECV, RUNNING
from caplab.kernel.host.gauge import Sender
from caplab.kernel.host.watchdog import (
    ALERT,
    CLOSE,
    LIMIT,
    MIB,
    SETTLING,
    STEP,
    Watchdog,
)


class Scene:
    """A watchdog over a memory, threads and connections that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.used = 0
        self.senders: set[int] = set()
        self.tcbs: dict[int, Any] = {}
        self.pids: dict[int, int] = {}
        self.blamed: list[int] = []
        gauge: Any = SimpleNamespace(growth=lambda: self.used, unread=self.unread)
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

    def unread(self) -> dict[Sender, int]:
        return {Sender(pid, 0): 1 for pid in self.senders}

    def look(self, *growths: int) -> None:
        for growth in growths:
            self.used += growth
            self.now += CLOSE
            self.watchdog.look(self.now)

    def end(self, pd: int, given_back: int) -> None:
        """Its process ends, and what it had sent is given back."""
        del self.pids[pd], self.tcbs[pd]
        self.look(0)
        self.used -= given_back
        self.now += 2 * SETTLING
        self.look(0, 0)


@pytest.fixture
def scene() -> Scene:
    return Scene()


SOON = (ALERT, 0, 0, 0, 0)
"""Growth that is looked into, for as long as that takes."""


def test_who_always_has_something_unread_is_accused(scene: Scene) -> None:
    for number in (1, 2, 3):
        scene.pd(number)
    scene.senders = {102}
    scene.look(*SOON, LIMIT - 2 * ALERT)
    assert scene.blamed == []
    scene.look(ALERT)
    assert scene.blamed == [2]


def test_who_grows_faster_than_it_can_be_watched_is_accused_a_little_later(scene: Scene) -> None:
    scene.pd(1)
    scene.senders = {101}
    scene.look(LIMIT, 0, 0)
    assert scene.blamed == []
    scene.look(0, 0)
    assert scene.blamed == [1]


def test_who_was_seen_more_often_is_accused(scene: Scene) -> None:
    for number in (1, 2):
        scene.pd(number)
    scene.senders = {102}
    scene.look(*SOON)
    scene.senders = {101, 102}
    scene.look(LIMIT)
    assert scene.blamed == [2]


def test_who_waits_computes_or_makes_calls_is_not_suspected(scene: Scene) -> None:
    scene.pd(1, RECV)
    busy = scene.pd(2)
    scene.pd(3)  # it computes: nothing of it is ever unread
    scene.senders = {101, 102}
    for growth in (*SOON, LIMIT, *[0] * 20):
        busy.calls += 1
        scene.look(growth)
    assert scene.blamed == []


def test_who_was_honest_for_long_is_accused_all_the_same(scene: Scene) -> None:
    late = scene.pd(1)
    scene.look(*SOON)
    for _ in range(50):
        late.calls += 1
        scene.look(0)
    scene.senders = {101}
    scene.look(0, 0, 0, 0, LIMIT)
    assert scene.blamed == [1]


def test_a_slow_one_is_accused_if_it_was_seen_now_and_then(scene: Scene) -> None:
    for number in (1, 2):
        scene.pd(number)
    scene.look(*SOON)
    for _ in range(3):
        scene.senders = {102}
        scene.look(MIB)
        scene.senders = set()
        scene.look(*[MIB] * 10)
    scene.look(LIMIT)
    assert scene.blamed == [2]


def test_growth_below_the_limit_or_given_back_in_time_is_nobodys_fault(scene: Scene) -> None:
    scene.pd(1)
    scene.senders = {101}
    much = LIMIT - 2 * ALERT
    scene.look(ALERT - 1, 0, 0, much, -much, much, -much, much + ALERT, 0, 0, 0)
    assert scene.blamed == []


def test_nobody_else_is_accused_while_the_first_ends(scene: Scene) -> None:
    for number in (1, 2):
        scene.pd(number)
    scene.senders = {101}
    scene.look(*SOON, LIMIT, 50 * MIB, 50 * MIB, 50 * MIB)
    assert scene.blamed == [1]
    scene.end(1, given_back=200 * MIB)
    scene.senders = {102}
    scene.look(0, 0, 0, 0, 0, 0)
    assert scene.blamed == [1]


def test_an_accomplice_is_accused_next_when_it_goes_on(scene: Scene) -> None:
    for number in (1, 2, 3):
        scene.pd(number)
    scene.senders = {101, 102}
    scene.look(*SOON, LIMIT)
    first = scene.blamed[0]
    scene.senders = {101, 102} - {first + 100}
    scene.end(first, given_back=10 * MIB)
    scene.look(STEP, STEP, 0, 0, 0)
    assert sorted(scene.blamed) == [1, 2]


def test_growth_that_is_nobodys_is_said_once_and_ends_nobody(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.pd(1, RECV)
    scene.pd(2)
    scene.look(ALERT, LIMIT, *[0] * 40)
    assert scene.blamed == []
    assert (
        capsys.readouterr().err == f"kernel: its memory has grown by {(ALERT + LIMIT) // MIB} MiB\n"
    )
