"""The helper thread, with a list in place of the loop."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from caplab.kernel.host.doorbell import Doorbell

PATIENCE = 10.0


class Core:
    """The core thread's side: what was posted, and whether it rang."""

    def __init__(self) -> None:
        self.inbox: deque[Callable[[], None]] = deque()
        self._rang = threading.Semaphore(0)

    def ring(self) -> None:
        self._rang.release()

    def answer(self) -> Callable[[], None]:
        """The next thing posted."""
        assert self._rang.acquire(timeout=PATIENCE)
        return self.inbox.popleft()


@pytest.fixture
def core() -> Core:
    return Core()


@pytest.fixture
def doorbell(core: Core) -> Iterator[Doorbell]:
    doorbell = Doorbell(core.inbox, core.ring)
    yield doorbell
    doorbell.stop()
    doorbell.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_what_a_handler_posts_rings_in_the_core_thread(
    core: Core, doorbell: Doorbell, pipe: tuple[int, int]
) -> None:
    reading, writing = pipe
    names = []

    def readable(_events: int) -> None:
        os.read(reading, 1)
        names.append(threading.current_thread().name)
        doorbell.post(lambda: names.append(threading.current_thread().name))

    doorbell.watch(reading, readable)
    doorbell.start()
    os.write(writing, b"x")
    core.answer()()
    assert names == ["doorbell", threading.current_thread().name]


def test_a_descriptor_awaited_once_is_told_of_once_until_it_is_awaited_again(
    core: Core, doorbell: Doorbell, pipe: tuple[int, int]
) -> None:
    reading, writing = pipe
    doorbell.start()
    told = []

    def handler(_events: int) -> None:
        doorbell.post(lambda: told.append(1))

    os.write(writing, b"never read")
    for count in (1, 2, 3):
        doorbell.await_once(reading, handler)
        core.answer()()
        doorbell.call(lambda: doorbell.post(lambda: None))
        core.answer()()  # a round of the helper thread later nothing more has been told
        assert len(told) == count
        assert not core.inbox


def test_timers_go_off_in_the_order_of_their_times(core: Core, doorbell: Doorbell) -> None:
    order: list[str] = []

    def set_timers() -> None:
        for name, seconds in (("third", 0.03), ("first", 0.0), ("second", 0.01)):
            doorbell.later(seconds, lambda name=name: doorbell.post(lambda: order.append(name)))

    doorbell.call(set_timers)
    doorbell.start()
    for _ in range(3):
        core.answer()()
    assert order == ["first", "second", "third"]


def test_a_handler_that_was_forgotten_in_the_same_round_is_not_called(
    core: Core, doorbell: Doorbell, pipe: tuple[int, int]
) -> None:
    other = os.pipe()
    both = {pipe[0]: other[0], other[0]: pipe[0]}
    called: list[int] = []
    for mine, theirs in both.items():

        def handler(_events: int, mine: int = mine, theirs: int = theirs) -> None:
            called.append(mine)
            doorbell.forget(mine)
            doorbell.forget(theirs)
            doorbell.call(lambda: doorbell.post(lambda: None))

        doorbell.watch(mine, handler)
    os.write(pipe[1], b"x")
    os.write(other[1], b"x")
    doorbell.start()
    core.answer()()
    assert len(called) == 1
    for end in other:
        os.close(end)


def test_what_the_helper_thread_dies_of_is_raised_in_the_core_thread(
    core: Core, doorbell: Doorbell
) -> None:
    doorbell.start()
    doorbell.call(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        core.answer()()


def test_tasks_are_done_in_the_order_in_which_they_were_given(
    core: Core, doorbell: Doorbell
) -> None:
    done: list[int] = []
    doorbell.start()
    for number in range(500):
        doorbell.call(lambda number=number: done.append(number))
    doorbell.call(lambda: doorbell.post(lambda: None))
    core.answer()
    assert done == list(range(500))
