"""SYNC: what libsel4sync builds of a shared word and a notification.

Words that several threads share are attributes here; between two calls of a helper anything may
run, and every test is run in many orders.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from caplab.kernel.abi import Sys
from lab import Thread
from sel4 import FREE, Helpers, Program, helpers, notification, one

any_order = pytest.mark.parametrize("seed", range(12))


@dataclass
class Semaphore:
    """A count, and a notification for those who must wait; with `most` 1 a mutex."""

    bell: int
    count: int = 1
    most: int | None = None

    def wait(self, thread: Thread) -> Program:
        self.count -= 1
        if self.count < 0:
            yield lambda: thread.wait(self.bell)

    def post(self, thread: Thread) -> Program:
        self.count += 1
        assert self.most is None or self.count <= self.most
        if self.count <= 0:
            yield lambda: thread.signal(self.bell)


@dataclass
class Condition:
    """A monitor's condition: how many wait, whether all are being woken, and a notification."""

    bell: int
    waiters: int = 0
    broadcasting: bool = False

    def wait(self, thread: Thread, lock: Semaphore) -> Program:
        self.waiters += 1
        yield from lock.post(thread)
        yield lambda: thread.wait(self.bell)
        if not self.broadcasting:
            yield from lock.wait(thread)
            return
        # A signal wakes one thread: each that a broadcast wakes wakes the next.
        self.waiters -= 1
        if self.waiters:
            yield lambda: thread.signal(self.bell)
        else:
            self.broadcasting = False
        yield from lock.wait(thread)

    def signal(self, thread: Thread) -> Program:
        if self.waiters:
            self.waiters -= 1
            yield lambda: thread.signal(self.bell)

    def broadcast(self, thread: Thread) -> Program:
        if self.waiters:
            self.broadcasting = True
            yield lambda: thread.signal(self.bell)


@dataclass
class Shared:
    """A word that nobody changes but under the lock, and what waits for it to change."""

    value: int
    lock: Semaphore
    filled: Condition
    emptied: Condition

    def change(self, thread: Thread, by: int) -> Program:
        """Read, let others run, write: wrong unless nobody else is here."""
        read = self.value
        yield lambda: thread.syscall(Sys.YIELD)
        self.value = read + by


def monitor(threads: int, value: int, **lock: int) -> tuple[list[Thread], Shared]:
    test = one(threads=threads + 1)
    bells = [notification(test, FREE + number) for number in range(3)]
    shared = Shared(value, Semaphore(bells[0], **lock), Condition(bells[1]), Condition(bells[2]))
    return helpers(test), shared


def run(seed: int, threads: list[Thread], *programs: Callable[[Thread], Program]) -> None:
    """One program per thread, until all have ended."""
    order = Helpers(seed)
    for thread, program in zip(threads, programs, strict=True):
        order.start(thread, program(thread))
    order.finish()


def adder(shared: Shared) -> Callable[[Thread], Program]:
    def program(thread: Thread) -> Program:
        yield from shared.lock.wait(thread)
        yield from shared.change(thread, 1)
        yield from shared.lock.post(thread)
        yield lambda: thread.syscall(Sys.YIELD)

    return program


def consumer(shared: Shared) -> Callable[[Thread], Program]:
    def program(thread: Thread) -> Program:
        yield from shared.lock.wait(thread)
        while shared.value == 0:
            yield from shared.filled.wait(thread, shared.lock)
        yield from shared.change(thread, -1)
        yield from shared.emptied.signal(thread)
        yield from shared.lock.post(thread)

    return program


def producer(shared: Shared, by: int = 1, everybody: bool = False) -> Callable[[Thread], Program]:
    def program(thread: Thread) -> Program:
        yield from shared.lock.wait(thread)
        while shared.value == 2:
            yield from shared.emptied.wait(thread, shared.lock)
        yield from shared.change(thread, by)
        yield from (shared.filled.broadcast if everybody else shared.filled.signal)(thread)
        yield from shared.lock.post(thread)

    return program


@any_order
@pytest.mark.parametrize("threads", [2, 5])
def test_a_mutex_lets_one_in_at_a_time(seed: int, threads: int) -> None:
    """SYNC001: under a binary semaphore two threads that read, yield and write lose no update."""
    workers, shared = monitor(threads, 0, most=1)
    run(seed, workers, *[adder(shared)] * threads)
    assert (shared.value, shared.lock.count) == (threads, 1)


@any_order
def test_a_semaphore_lets_in_as_many_as_it_counts(seed: int) -> None:
    """SYNC002: under a counting semaphore of 1 two threads lose no update."""
    workers, shared = monitor(2, 0, count=1)
    run(seed, workers, adder(shared), adder(shared))
    assert (shared.value, shared.lock.count) == (2, 1)


@any_order
def test_producers_and_consumers_share_a_monitor(seed: int) -> None:
    """SYNC003: two producers and two consumers of one monitor leave the word at 1."""
    workers, shared = monitor(4, 1)
    parts = [consumer(shared), consumer(shared), producer(shared), producer(shared)]
    run(seed, workers, *parts)
    assert (shared.value, shared.lock.count) == (1, 1)


@any_order
def test_a_broadcast_wakes_everybody(seed: int) -> None:
    """SYNC004: one broadcast wakes every consumer that waits; the word ends at 0, the broadcast
    is over."""
    workers, shared = monitor(4, 0)
    consumers = [consumer(shared)] * 3
    run(seed, workers, producer(shared, 3, everybody=True), *consumers)
    assert (shared.value, shared.filled.broadcasting) == (0, False)


def test_the_orders_differ() -> None:
    """Otherwise one order would be tested twelve times."""

    def order(seed: int) -> Iterator[str]:
        run = Helpers(seed)
        said: list[str] = []
        for thread in helpers(one(threads=3)):

            def program(thread: Thread = thread) -> Program:
                for _ in range(4):
                    yield lambda: thread.syscall(Sys.YIELD)
                    said.append(thread.tcb.name)

            run.start(thread, program())
        run.finish()
        return iter(said)

    assert len({tuple(order(seed)) for seed in range(12)}) > 6
