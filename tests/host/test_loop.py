"""The loop over a real ROUTER, around a kernel of a few lines."""

import gc
import os
import select
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from caplab.kernel.abi import FRAME_MAX, HEADER_SIZE
from caplab.kernel.core.effects import Announce, Effect, Resume
from caplab.kernel.core.events import BadFrame, Deadline, Event, Syscall, Work
from caplab.kernel.host.loop import LAST_EVENTS
from loop_lab import PATIENCE, FakeKernel, LoopLab, Resting, echo, rendezvous

Make = Callable[[FakeKernel], LoopLab]


@pytest.fixture
def start(runtime_dir: Path) -> Iterator[Make]:
    labs: list[LoopLab] = []

    def make(kernel: FakeKernel) -> LoopLab:
        labs.append(LoopLab(runtime_dir, kernel))
        return labs[-1].__enter__()

    yield make
    for lab in labs:
        lab.__exit__()


def test_another_step_may_take_the_place_of_the_kernels_and_give_it_back(start: Make) -> None:
    lab = start(FakeKernel(echo))
    (one,) = lab.pd(1, 1)
    peer = lab.peer(one)
    seen: list[Event] = []

    def traced(event: Event) -> list[Effect]:
        seen.append(event)
        return lab.kernel.step(event)

    def ask(word: bytes) -> None:
        peer.send(word)
        assert peer.recv() == word

    ask(b"before")
    assert lab.loop._step == lab.kernel.step  # nobody traces: nothing stands between
    lab.call(lambda: lab.loop.use(traced))
    ask(b"traced")
    lab.call(lambda: lab.loop.feed(Work(1)))
    lab.call(lambda: lab.loop.use(lab.kernel.step))
    ask(b"after")
    assert [type(event) for event in seen] == [Syscall, Work]
    assert [event.frame for event in lab.kernel.seen(Syscall)] == [b"before", b"traced", b"after"]


# -- who is calling ----------------------------------------------------------------------------


def test_a_message_goes_to_the_kernel_under_the_number_of_its_tcb_and_back(start: Make) -> None:
    lab = start(FakeKernel(rendezvous))
    (one,), (two,) = lab.pd(1, 1), lab.pd(2, 2)
    client, server = lab.peer(one), lab.peer(two)
    server.send(b"ready")
    assert client.recv() == b"ready"
    client.send(b"question")
    assert server.recv() == b"question"
    assert [(call.tcb, call.frame) for call in lab.kernel.seen(Syscall)] == [
        (2, b"ready"),
        (1, b"question"),
    ]


def test_a_message_that_is_here_before_started_is_heard_after_it(start: Make) -> None:
    lab = start(FakeKernel(echo))
    (early,), (known,) = lab.pd(1, 1, pid=0), lab.pd(2, 2)
    hasty, other = lab.peer(early), lab.peer(known)
    hasty.send(b"early")
    for _ in range(3):  # the early one had every chance to be heard
        other.send(b"other")
        assert other.recv() == b"other"
    lab.call(lambda: lab.loop.started(1, os.getpid()))
    assert hasty.recv() == b"early"
    hasty.send(b"again")
    assert hasty.recv() == b"again"


def test_a_stranger_is_not_heard_and_counted(start: Make) -> None:
    lab = start(FakeKernel(echo))
    (known,) = lab.pd(1, 1)
    stranger, peer = lab.peer(b"\x07" * 16), lab.peer(known)
    stranger.send_multipart([b"forged", b"and", b"more"])
    peer.send(b"mine")
    assert peer.recv() == b"mine"
    while not lab.call(lambda: lab.loop.ignored):
        peer.send(b"mine")
        peer.recv()
    assert {call.tcb for call in lab.kernel.seen(Syscall)} == {1}


def test_an_id_used_by_another_process_is_a_fault_and_what_it_says_is_not_heard(
    start: Make,
) -> None:
    lab = start(FakeKernel(echo))
    (stolen,) = lab.pd(1, 1, pid=1)
    lab.peer(stolen).send(b"as if I were pid 1")
    (bad,) = lab.kernel.seen(BadFrame)
    assert bad.tcb == 1
    assert "another process" in bad.reason
    assert not [event for event in lab.kernel.events if isinstance(event, Syscall)]


def test_a_third_part_is_a_fault_and_the_next_peer_is_read_rightly(start: Make) -> None:
    lab = start(FakeKernel(echo))
    (first, again), (other,) = lab.pd(1, 1, 11), lab.pd(2, 2)
    peer, neighbour = lab.peer(first), lab.peer(other)
    peer.send(b"hello")  # once it is known
    peer.recv()
    for parts in ([b"a", first], [b"a", again, b"b"], [b"a", b"b", b"c", b"d"]):
        peer.send_multipart(parts)
        neighbour.send(b"mine")
        assert neighbour.recv() == b"mine"
    bad = lab.kernel.seen(BadFrame, 3)
    assert {event.tcb for event in bad} == {1}
    assert {call.tcb for call in lab.kernel.seen(Syscall)} == {1, 2}
    assert [call.frame for call in lab.kernel.seen(Syscall) if call.tcb == 1] == [b"hello"]


def test_ids_are_sixteen_bytes_all_different_and_not_zeromqs_own(start: Make) -> None:
    lab = start(FakeKernel(echo))
    ids = lab.pd(1, *range(1000))
    assert len(set(ids)) == 1000
    assert {len(each) for each in ids} == {16}
    assert all(each[0] for each in ids)


def test_a_reaped_pds_ids_are_nobodys(start: Make) -> None:
    lab = start(FakeKernel(echo))
    (gone,), (known,) = lab.pd(1, 1), lab.pd(2, 2)
    late, peer = lab.peer(gone), lab.peer(known)
    late.send(b"alive")
    assert late.recv() == b"alive"
    lab.call(lambda: lab.loop.forget(1))
    late.send(b"from beyond")
    while not lab.call(lambda: lab.loop.ignored):
        peer.send(b"x")
        peer.recv()
    assert b"from beyond" not in [call.frame for call in lab.kernel.seen(Syscall)]


# -- peers that misbehave --------------------------------------------------------------------------


def hung_up(lab: LoopLab) -> list[int]:
    """The PDs that lost a connection, once the monitor has told of one and it is closed."""
    poll = select.poll()
    poll.register(lab.loop.hangups.fileno(), select.POLLIN)
    ended: list[int] = []
    found: list[int] = []
    while not found:
        if not ended:
            assert poll.poll(PATIENCE)
        ended += lab.loop.hangups.read()
        found = [pd for fd in ended for pd in lab.call(lambda fd=fd: lab.loop.hung_up(fd))]
    return found


def test_a_frame_that_is_too_long_is_not_taken_and_its_sender_found_out(start: Make) -> None:
    lab = start(FakeKernel(echo))
    (long,), (known,) = lab.pd(1, 1), lab.pd(2, 2)
    peer, other = lab.peer(long), lab.peer(known)
    for size in (0, FRAME_MAX):
        peer.send(b"x" * size)
        assert len(peer.recv()) == size
    other.send(b"still here")
    assert other.recv() == b"still here"
    peer.send(b"x" * (FRAME_MAX + 1))
    assert hung_up(lab) == [1]
    lab.call(lambda: lab.loop.blame(1, "too long"))
    assert [event.tcb for event in lab.kernel.seen(BadFrame)] == [1]


def test_a_peer_that_reads_no_answers_is_a_fault_and_no_bug_of_the_kernels(start: Make) -> None:
    lab = start(FakeKernel(echo))
    (deaf,), (known,) = lab.pd(1, 1), lab.pd(2, 2)
    peer, other = lab.peer(deaf, RCVHWM=1, RCVBUF=4096), lab.peer(known)
    for _ in range(4000):
        peer.send(b"x" * 4096)
        if any(isinstance(event, BadFrame) for event in lab.kernel.events):
            break
    bad = lab.kernel.seen(BadFrame)[0]
    assert (bad.tcb, bad.reason) == (1, "it does not read its answers")
    other.send(b"mine")
    assert other.recv() == b"mine"


def test_an_answer_to_a_peer_that_is_gone_is_dropped(start: Make) -> None:
    lab = start(FakeKernel(lambda call: [Resume(1, b"late"), Resume(call.tcb, call.frame)]))
    (gone,), (known,) = lab.pd(1, 1), lab.pd(2, 2)
    peer, other = lab.peer(gone), lab.peer(known)
    peer.send(b"hello")
    peer.recv()
    peer.close()
    assert hung_up(lab) == [1]
    other.send(b"mine")
    assert other.recv() == b"mine"


# -- time and work ---------------------------------------------------------------------------------


class Patient(FakeKernel):
    """Wants a Deadline event `delay` after each call."""

    def __init__(self, delay: float) -> None:
        super().__init__(echo)
        self.delay = int(delay * 1e9)

    def on_event(self, event: Event) -> list[Effect]:
        if isinstance(event, Syscall) and self.next_deadline is None:
            self.next_deadline = event.now + self.delay
        if isinstance(event, Deadline):
            assert self.next_deadline is not None
            assert event.now >= self.next_deadline
            self.next_deadline = None
        return super().on_event(event)


def test_a_deadline_comes_when_nothing_else_does_and_not_before(start: Make) -> None:
    lab = start(Patient(0.05))
    (one,) = lab.pd(1, 1)
    peer = lab.peer(one)
    peer.send(b"x")
    peer.recv()
    (passed,) = lab.kernel.seen(Deadline)
    (call,) = lab.kernel.seen(Syscall)
    assert 50e6 <= passed.now - call.now < 1e9


def test_a_deadline_comes_on_time_while_calls_go_on(start: Make) -> None:
    lab = start(Patient(0.05))
    (one,) = lab.pd(1, 1)
    peer = lab.peer(one)
    end = time.monotonic() + PATIENCE / 1000
    while not any(isinstance(event, Deadline) for event in lab.kernel.events):
        assert time.monotonic() < end
        peer.send(b"x")
        peer.recv()
    first = lab.kernel.seen(Syscall)[0]
    passed = lab.kernel.seen(Deadline)[0]
    assert 50e6 <= passed.now - first.now < 1e9


def test_a_deadline_that_is_called_off_never_comes(start: Make) -> None:
    lab = start(FakeKernel(echo))
    (one,) = lab.pd(1, 1)
    peer = lab.peer(one)
    lab.call(lambda: setattr(lab.kernel, "next_deadline", time.monotonic_ns() + 30_000_000))
    lab.call(lambda: setattr(lab.kernel, "next_deadline", None))
    end = time.monotonic() + 0.06
    while time.monotonic() < end:
        peer.send(b"x")
        assert peer.recv() == b"x"
    assert not [event for event in lab.kernel.events if isinstance(event, Deadline)]


class Busy(FakeKernel):
    """Has so many slices of work to do, and notes how many calls came before the last."""

    def __init__(self, slices: int) -> None:
        super().__init__(echo)
        self.slices = slices

    def on_event(self, event: Event) -> list[Effect]:
        if isinstance(event, Work):
            self.slices -= 1
            self.jobs_pending = self.slices > 0
        if isinstance(event, Syscall) and event.frame == b"start":
            self.jobs_pending = True
        return super().on_event(event)


def test_work_is_done_slice_by_slice_and_calls_are_heard_between(start: Make) -> None:
    lab = start(Busy(1 << 60))
    (one,) = lab.pd(1, 1)
    peer = lab.peer(one)
    for message in (b"start", b"b", b"c"):
        peer.send(message)
        assert peer.recv() == message
    lab.kernel.seen(Work, 100)
    lab.post(lambda: setattr(lab.kernel, "slices", 1))
    lab.call(lambda: None)
    while lab.kernel.jobs_pending:
        lab.call(lambda: None)
    kinds = [type(event) for event in lab.kernel.events]
    between = kinds[kinds.index(Syscall) + 1 :]
    assert Work in between[: between.index(Syscall)]


# -- the rest -----------------------------------------------------------------------------


def test_every_other_effect_goes_to_who_performs_it_in_the_order_of_the_list(
    runtime_dir: Path,
) -> None:
    order: list[str] = []

    def effects(call: Syscall) -> list[Effect]:
        return [Announce({"n": 1}), Resume(call.tcb, b""), Announce({"n": 2})]

    perform = {Announce: lambda effect: order.append(effect.body["n"])}
    with LoopLab(runtime_dir, FakeKernel(effects), perform=perform) as lab:
        (one,) = lab.pd(1, 1)
        peer = lab.peer(one)
        peer.send(b"x")
        peer.recv()
        lab.kernel.seen(Syscall)
        lab.call(lambda: None)
        assert order == [1, 2]


def test_who_wants_to_be_asked_when_nothing_happens_is_asked_each_time_and_not_after_each_call(
    runtime_dir: Path,
) -> None:
    kernel = FakeKernel(echo)
    resting = Resting(kernel)
    with LoopLab(runtime_dir, kernel, recorder=resting) as lab:
        (one,) = lab.pd(1, 1)
        peer = lab.peer(one)
        for calls in (1, 400, 401):
            while len(kernel.events) < calls:
                peer.send(bytes(HEADER_SIZE))
                peer.recv()
            while resting.found.get(timeout=PATIENCE / 1000) < calls:
                pass  # a slow machine: there was time to rest between two calls
        assert resting.asked < 200


def test_an_exception_out_of_step_ends_the_loop_and_its_event_is_the_last(start: Make) -> None:
    def bug(call: Syscall) -> list[Effect]:
        raise ZeroDivisionError(call.frame)

    lab = start(FakeKernel(bug))
    (one,) = lab.pd(1, 1)
    lab.peer(one).send(b"the end")
    assert isinstance(lab.ended(), ZeroDivisionError)
    assert lab.loop.last[-1].frame == b"the end"  # type: ignore[union-attr]


def test_what_the_helper_thread_posts_is_done_in_order_and_wakes_the_loop(start: Make) -> None:
    lab = start(FakeKernel(echo))
    done: list[int] = []
    for number in range(1000):
        lab.post(lambda number=number: done.append(number))
    lab.call(lambda: None)
    assert done == list(range(1000))


def test_the_loop_makes_nothing_that_only_the_cyclic_collector_could_free(start: Make) -> None:
    kernel = Patient(0.0)
    lab = start(kernel)
    (one,) = lab.pd(1, 1)
    peer = lab.peer(one)
    lab.call(gc.collect)
    for _ in range(200):
        peer.send(b"x")
        peer.recv()
    kernel.seen(Deadline, 20)
    assert len(lab.loop.last) == LAST_EVENTS
    assert lab.call(gc.collect) < 20  # what Python and the test themselves leave about


def test_an_address_that_cannot_be_had_is_an_error_with_its_name(runtime_dir: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        LoopLab(runtime_dir / "nowhere", FakeKernel(echo))
