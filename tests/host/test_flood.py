"""Floods of what is no call: what is proof, and what never is."""

from types import SimpleNamespace
from typing import Any

import pytest

from caplab.kernel.abi import FRAME_MAX
from caplab.kernel.core.states import RECV, RUNNING
from caplab.kernel.host.flood import CLOSE, INTERVAL, REASON, FloodWatch
from caplab.kernel.host.gauge import Sender


class Scene:
    """Connections that a test fills, and a thread of ZeroMQ's that computes without a reason."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.busy = 0.0
        self.events = 0
        self.unread: dict[Sender, int] = {}
        self.tcbs: dict[int, Any] = {}
        self.blamed: list[tuple[int, str]] = []
        self.delayed: list[Any] | None = None
        """What was posted, where the core thread has no time for it."""
        self.meanwhile: Any = lambda: None
        """What happens while connections are looked at."""
        gauge: Any = SimpleNamespace(work=lambda: self.busy, unread=self.find)
        self.watch = FloodWatch(
            gauge,
            lambda: list(self.tcbs.values()),
            lambda: self.events,
            lambda pid, reason: self.blamed.append((pid, reason)),
            self.post,
        )
        self.toil()

    def find(self) -> dict[Sender, int]:
        found = dict(self.unread)
        self.meanwhile()
        return found

    def post(self, action: Any) -> None:
        if self.delayed is None:
            action()
        else:
            self.delayed.append(action)

    def tcb(self, number: int, state: int = RUNNING) -> Sender:
        """A TCB in a process of its own, whose number is a hundred higher."""
        request = SimpleNamespace(body=b"")
        self.tcbs[number] = SimpleNamespace(
            number=number, state=state, calls=5, request=request, fault=None
        )
        return Sender(number + 100, number)

    def call(self, number: int, body: int) -> None:
        """It has made a call with so many bytes."""
        self.tcbs[number].calls += 1
        self.tcbs[number].request.body = bytes(body)

    def toil(self, events: int = 0) -> float:
        """The thread has computed all the time since the last look, and the kernel got events."""
        self.now += INTERVAL
        self.busy += INTERVAL
        self.events += events
        return self.watch.look(self.now)

    def rest(self) -> float:
        self.now += INTERVAL
        return self.watch.look(self.now)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_who_has_sent_more_than_a_frame_is_ended(scene: Scene) -> None:
    scene.unread = {scene.tcb(1): 100, scene.tcb(2): 2 * FRAME_MAX, scene.tcb(3): 0}
    scene.toil()
    assert scene.blamed == [(102, REASON)]


def test_one_that_was_never_heard_of_is_ended_too(scene: Scene) -> None:
    scene.unread = {Sender(107, 0): 2 * FRAME_MAX}
    scene.toil()
    assert scene.blamed == [(107, REASON)]


def test_what_was_read_between_two_looks_counts(scene: Scene) -> None:
    sender = scene.tcb(1)
    for waiting in (40_000, 10_000, 40_000):
        assert scene.blamed == []
        scene.unread = {sender: waiting}
        scene.toil()
    assert scene.blamed == [(101, REASON)]


def test_what_was_read_with_a_call_in_between_does_not(scene: Scene) -> None:
    sender = scene.tcb(1)
    for waiting in (40_000, 10_000) * 20:
        scene.unread = {sender: waiting}
        scene.toil()
        if waiting == 10_000:
            scene.call(1, body=40_000)
    assert scene.blamed == []


def test_who_sends_while_it_waits_for_its_answer_is_ended(scene: Scene) -> None:
    scene.unread = {scene.tcb(1, RECV): 9}
    scene.toil()
    assert scene.blamed == [(101, REASON)]


def test_who_stands_still_because_of_a_fault_may_have_sent_something_before(scene: Scene) -> None:
    scene.unread = {scene.tcb(1, RECV): 9}
    scene.tcbs[1].fault = "one"
    scene.toil()
    assert scene.blamed == []


def test_who_hides_it_between_calls_is_known_by_messages_shorter_than_what_was_sent(
    scene: Scene,
) -> None:
    scene.unread = {scene.tcb(1): 5000}
    scene.toil()
    scene.call(1, body=40)
    assert scene.blamed == []
    scene.toil()
    assert scene.blamed == [(101, REASON)]


def test_a_message_as_long_as_what_was_sent_explains_it(scene: Scene) -> None:
    scene.unread = {scene.tcb(1): 5000}
    for _ in range(9):
        scene.toil()
        scene.call(1, body=5000)
    assert scene.blamed == []


def test_of_two_messages_since_the_last_look_nothing_is_concluded(scene: Scene) -> None:
    scene.unread = {scene.tcb(1): 5000}
    scene.toil()
    scene.call(1, body=5000)
    scene.call(1, body=40)
    scene.toil()
    assert scene.blamed == []


def test_a_call_that_comes_during_a_look_is_not_held_against_the_next(scene: Scene) -> None:
    scene.unread = {scene.tcb(1): 60_000}
    scene.meanwhile = lambda: scene.call(1, body=60_000)
    scene.toil()
    scene.meanwhile = lambda: None
    scene.unread = {Sender(101, 1): 0}
    scene.toil()
    scene.unread = {Sender(101, 1): 60_000}
    scene.toil()
    scene.call(1, body=60_000)
    scene.toil()
    assert scene.blamed == []


def test_a_core_that_is_late_does_not_make_anybody_a_liar(scene: Scene) -> None:
    sender = scene.tcb(1)
    scene.delayed = []
    scene.unread = {sender: 5000}
    scene.toil()
    scene.call(1, body=5000)
    scene.unread = {}
    scene.toil()
    scene.call(1, body=40)
    scene.unread = {sender: 300}
    scene.toil()
    for action in scene.delayed:
        action()
    assert scene.blamed == []


def test_connections_are_looked_at_only_while_nothing_explains_the_work(scene: Scene) -> None:
    scene.unread = {scene.tcb(1): 2 * FRAME_MAX}
    scene.watch._usual = INTERVAL / 500  # of an event
    assert scene.toil(events=400) == scene.rest() == INTERVAL
    assert scene.blamed == []
    assert scene.toil() == CLOSE
    assert scene.blamed == [(101, REASON)]


def test_it_learns_how_much_work_a_message_is(scene: Scene) -> None:
    scene.unread = {scene.tcb(1): 2 * FRAME_MAX}
    assert scene.toil(events=1000 * 10) == INTERVAL
    assert scene.blamed == []
    scene.toil(events=500)  # twenty times what it was
    assert scene.blamed == [(101, REASON)]


def test_a_thread_that_rests_makes_up_for_one_that_was_busy(scene: Scene) -> None:
    scene.toil()
    looks = 0
    while scene.rest() != INTERVAL:
        looks += 1
    assert 0 < looks < 10


def test_a_crowd_is_looked_at_less_often(scene: Scene) -> None:
    for number in range(1, 641):
        scene.tcb(number)
    assert scene.toil() == pytest.approx(11 * CLOSE)
