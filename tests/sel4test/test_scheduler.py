"""SCHED, and the cases of IPC and BIND that need strict priorities (`scheduler: strict`)."""

from collections.abc import Callable
from typing import Any

import pytest

from caplab.kernel.abi import SLOT_TCB, Status, Sys
from lab import Lab, Thread, ok
from sel4 import FREE, Helpers, Program, endpoint, notification, resume, suspend

HIGHEST = 255
EP, OTHER_EP, BELL, BADGED, DONE = FREE, FREE + 1, FREE + 2, FREE + 3, FREE + 4
Body = Callable[[Thread], Program]


class Strict:
    """A PD whose first thread has the highest priority and blocks when the others are to run."""

    def __init__(self, threads: int) -> None:
        pds = {"test": {"threads": threads + 1, "priority": HIGHEST}}
        self.lab = Lab(pds, scheduler="strict", semantics="sel4")
        self.test = self.lab["test"]
        notification(self.test, DONE)
        self.helpers = Helpers()
        self.ended: list[str] = []
        self.step = 0

    def start(self, index: int, priority: int, body: Body) -> Thread:
        """Let a thread run a body, from its first turn on."""
        thread = self.lab[f"test.{index}"]
        ok(set_priority(self.test, f"tcb.{index}", priority))

        def program() -> Program:
            yield lambda: thread.syscall(Sys.YIELD)
            yield from body(thread)
            self.ended.append(thread.tcb.name)
            yield lambda: thread.syscall(Sys.PARK)

        self.helpers.start(thread, program())
        return thread

    def run(self) -> None:
        """The first thread blocks, and the others run as far as they come."""
        self.helpers.run()
        assert self.test.wait(DONE) is None
        self.helpers.run()

    def check(self, step: int) -> None:
        assert self.step == step
        self.step += 1


def set_priority(thread: Thread, target: int | str, priority: int, by: Any = SLOT_TCB) -> Any:
    return thread.invoke("tcb_set_priority", target, priority=priority, caps=[by])


def set_mcp(thread: Thread, target: int | str, mcp: int, by: Any = SLOT_TCB) -> Any:
    return thread.invoke("tcb_set_mc_priority", target, mcp=mcp, caps=[by])


def yields(thread: Thread) -> Callable[[], Any]:
    return lambda: thread.syscall(Sys.YIELD)


# -- SCHED --------------------------------------------------------------------------------------


def test_a_suspended_thread_counts_no_further() -> None:
    """SCHED0000: a thread that counts goes on counting; suspended it does not, resumed it does."""
    strict = Strict(1)
    test, counted = strict.test, [0]

    def counter(thread: Thread) -> Program:
        while True:
            # Until the next tick; then whoever has the higher priority looks at the count.
            yield lambda: thread.syscall(Sys.SLEEP, timeout=1.0)
            counted[0] += 1

    def ticks() -> int:
        """How far it counts while five seconds pass."""
        before = counted[0]
        assert test.syscall(Sys.SLEEP, timeout=5.5) is None
        while test.blocked:
            strict.helpers.run()
            strict.lab.pass_time(0.5)
        ok(test.woken())
        return counted[0] - before

    strict.start(1, 100, counter)
    strict.helpers.run()
    assert ticks() >= 4
    suspend(test, "tcb.1")
    assert (ticks(), ticks()) == (0, 0)
    resume(test, "tcb.1")
    assert ticks() >= 4


def test_suspend_and_resume_change_who_runs() -> None:
    """SCHED0003: two equals and one below; one equal suspends the other and then itself, the one
    below resumes the first and is preempted at once."""
    strict = Strict(3)

    def low(thread: Thread) -> Program:
        strict.check(3)
        yield lambda: thread.invoke("tcb_resume", "tcb.3")
        strict.check(5)

    def suspender(thread: Thread) -> Program:
        strict.check(0)
        while strict.step == 1:
            yield yields(thread)
        yield lambda: thread.invoke("tcb_suspend", "tcb.3")
        strict.check(2)
        yield lambda: thread.invoke("tcb_suspend", "tcb.2")

    def suspended(thread: Thread) -> Program:
        while strict.step == 0:
            yield yields(thread)
        strict.check(1)
        while strict.step == 2:
            yield yields(thread)
        strict.check(4)

    strict.start(1, 100, low)
    strict.start(2, 101, suspender)
    strict.start(3, 101, suspended)
    strict.run()
    assert strict.step == 6
    assert strict.ended == ["test.3", "test.1"]


def test_threads_of_all_priorities_run_from_the_highest_to_the_lowest() -> None:
    """SCHED0004: one thread of each priority, started from the lowest up; they run from the
    highest down."""
    strict = Strict(HIGHEST)
    strict.lab.checked = False
    ran: list[int] = []

    def body(priority: int) -> Body:
        def program(thread: Thread) -> Program:
            ran.append(priority)
            yield from ()

        return program

    for priority in range(HIGHEST):
        strict.start(priority + 1, priority, body(priority))
    strict.run()
    assert ran == list(reversed(range(HIGHEST)))


def test_priorities_are_given_within_ones_authority() -> None:
    """SCHED0005: lowering one's own priority lets the next run; nobody gives more than the
    maximum of the authority (4), which is never raised again."""
    strict = Strict(2)
    high = 200

    def first(thread: Thread) -> Program:
        strict.check(0)
        yield lambda: set_priority(thread, "tcb.1", high - 4, "tcb.1")
        strict.check(2)
        done = yield lambda: set_priority(thread, "tcb.1", high, "tcb.1")
        ok(done)
        done = yield lambda: set_mcp(thread, "tcb.1", high - 4, "tcb.1")
        ok(done)
        for refuses in (set_priority, set_mcp):
            told = yield lambda refuses=refuses: refuses(thread, "tcb.1", high - 3, "tcb.1")
            assert (told.status, told.words) == (Status.RANGE_ERROR, (0, high - 4))

    def second(thread: Thread) -> Program:
        strict.check(1)
        told = yield lambda: set_priority(thread, "tcb.1", high, "tcb.2")
        assert told.status == Status.RANGE_ERROR
        done = yield lambda: set_priority(thread, "tcb.1", high - 2, "tcb.2")
        ok(done)
        yield lambda: set_priority(thread, "tcb.2", high - 3, "tcb.2")
        strict.check(3)

    strict.start(1, high, first)
    strict.start(2, high - 1, second)
    ok(set_mcp(strict.test, "tcb.1", high))
    ok(set_mcp(strict.test, "tcb.2", high - 2))
    strict.run()
    assert strict.step == 4
    assert strict.ended == ["test.1", "test.2"]


def test_sends_respect_priorities() -> None:
    """SCHED0006: a bouncer, a receiver, a spinner and a sender, each of a priority of its own: a
    pending Send and one to a thread that waits each let exactly those run that should."""
    strict = Strict(4)
    endpoint(strict.test, EP)
    endpoint(strict.test, OTHER_EP)
    spins = bounces = 0

    def bouncer(thread: Thread) -> Program:
        nonlocal bounces
        while True:
            yield lambda: thread.recv(EP)
            bounces += 1
            yield lambda: thread.reply()

    def receiver(thread: Thread) -> Program:
        strict.check(1)
        told = yield lambda: thread.recv(OTHER_EP)
        strict.check(3)
        assert told.words == tuple(range(20))
        yield lambda: thread.call(EP)
        strict.check(5)
        told = yield lambda: thread.recv(OTHER_EP)
        strict.check(8)
        assert told.words == tuple(range(19))

    def spinner(thread: Thread) -> Program:
        nonlocal spins
        while len(strict.ended) < 2:
            spins += 1
            yield lambda: thread.call(EP)

    def sender(thread: Thread) -> Program:
        strict.check(0)
        yield lambda: thread.send(OTHER_EP, list(range(20)))
        strict.check(2)
        assert (spins, bounces) == (1, 0)
        yield lambda: thread.call(EP)
        assert (spins, bounces) == (2, 2)
        strict.check(4)
        yield lambda: thread.call(EP)
        strict.check(6)
        yield lambda: thread.send(OTHER_EP, list(range(19)))
        strict.check(7)
        yield lambda: thread.call(EP)
        strict.check(9)
        assert (spins, bounces) == (4, 7)

    for priority, body in enumerate((bouncer, receiver, spinner, sender)):
        strict.start(priority + 1, priority, body)
    strict.run()
    assert strict.step == 10
    assert strict.ended == ["test.2", "test.4", "test.3"]


def test_a_thread_raised_above_its_raiser_runs_at_once() -> None:
    """SCHED0020: a thread whose priority is set above that of the running one runs at once."""
    strict = Strict(1)
    state = 0

    def body(thread: Thread) -> Program:
        nonlocal state
        yield yields(thread)
        state = 2

    strict.start(1, 100, body)
    strict.helpers.run()
    ok(set_priority(strict.test, SLOT_TCB, 101))
    assert state == 0
    assert set_priority(strict.test, "tcb.1", 102) is None
    strict.helpers.run()
    assert state == 2
    ok(strict.test.woken())


# -- IPC and BIND ---------------------------------------------------------------------------------


def words(length: int) -> list[int]:
    return [0xABBACAFE + number for number in range(length)]


@pytest.mark.parametrize("sender", [98, 99, 101, 102])
def test_an_nb_send_arrives_only_if_the_receiver_outranks_its_sender(sender: int) -> None:
    """IPC0004: NBSends of 0 to 120 words all arrive if the receiver, of priority 100, outranks
    the sender and so waits each time; if it does not, each is dropped without a word."""
    strict = Strict(2)
    endpoint(strict.test, EP)
    heard: list[tuple[int, ...]] = []

    def receiver(thread: Thread) -> Program:
        while True:
            told = yield lambda: thread.recv(EP)
            heard.append(told.words)

    def sends(thread: Thread) -> Program:
        for length in range(121):
            answer = yield lambda length=length: thread.nb_send(EP, words(length))
            assert not ok(answer).nothing

    strict.start(1, 100, receiver)
    strict.start(2, sender, sends)
    strict.run()
    assert strict.ended == ["test.2"]
    assert heard == ([tuple(words(n)) for n in range(121)] if sender < 100 else [])


@pytest.mark.parametrize("sender", [98, 99, 101, 102])
def test_an_nb_send_to_another_process_arrives_only_if_that_outranks_the_sender(
    sender: int,
) -> None:
    """IPC1004: as IPC0004, across two PDs."""
    pds = {
        "server": {"serves": "endpoint", "priority": 100},
        "client": {"uses": {"server": "server"}, "priority": sender},
        "idle": {"priority": HIGHEST},
    }
    lab = Lab(pds, scheduler="strict", semantics="sel4")
    server, client, idle = lab["server"], lab["client"], lab["idle"]
    heard: list[tuple[int, ...]] = []

    def receives() -> Program:
        while True:
            told = yield lambda: server.recv("server")
            heard.append(told.words)

    def sends() -> Program:
        yield yields(client)
        for length in range(121):
            yield lambda length=length: client.nb_send("server", words(length))
        yield lambda: client.syscall(Sys.PARK)

    ok(idle.syscall(Sys.YIELD))
    run = Helpers()
    run.start(server, receives())
    run.start(client, sends())
    run.run()
    assert idle.syscall(Sys.PARK) is None
    run.run()
    assert heard == ([tuple(words(n)) for n in range(121)] if sender < 100 else [])


def signals(badged: int, times: int = 10) -> Body:
    def program(thread: Thread) -> Program:
        for _ in range(times):
            yield lambda: thread.send(badged)

    return program


def test_a_bound_thread_hears_messages_and_signals_on_one_endpoint() -> None:
    """BIND0001: a thread that receives from an endpoint gets ten messages and ten signals of the
    notification bound to it, none of them lost."""
    strict = Strict(3)
    test = strict.test
    endpoint(test, EP)
    notification(test, BELL)
    ok(test.mint(BELL, BADGED, badge=1))
    ok(test.bind(BELL, "tcb.1"))
    heard = {True: 0, False: 0}

    def receiver(thread: Thread) -> Program:
        for _ in range(20):
            told = yield lambda: thread.recv(EP)
            heard[told.notification] += 1
            assert told.badge == int(told.notification)

    strict.start(1, 50, receiver)
    strict.start(2, 10, signals(BADGED))
    strict.start(3, 10, signals(EP))
    strict.run()
    assert heard == {True: 10, False: 10}
    assert sorted(strict.ended) == ["test.1", "test.2", "test.3"]


def test_a_bound_thread_waits_on_its_own_notification() -> None:
    """BIND0002: a thread that waits on the notification bound to it gets each of ten signals."""
    strict = Strict(2)
    test = strict.test
    notification(test, BELL)
    ok(test.mint(BELL, BADGED, badge=1))
    ok(test.bind(BELL, "tcb.1"))
    heard: list[int] = []

    def waiter(thread: Thread) -> Program:
        for _ in range(10):
            told = yield lambda: thread.wait(BELL)
            heard.append(told.badge)

    strict.start(1, 50, waiter)
    strict.start(2, 10, signals(BADGED))
    strict.run()
    assert heard == [1] * 10
