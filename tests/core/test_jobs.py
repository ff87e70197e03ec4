"""Long work is done in slices, and nobody else waits for it."""

import pytest

from caplab.kernel.abi import ObjectType, Status
from caplab.kernel.core.effects import DestroySegment, Kill
from caplab.kernel.core.events import BadFrame, Syscall, Work
from caplab.kernel.core.jobs import SLICE, Job
from lab import Lab, Thread, encode, ok, pair, refused

MANY = 2 * SLICE + 50


def crowd(threads: int = 1) -> tuple[Lab, Thread]:
    """`app` has an endpoint in 20 and very many copies of it, in both halves of its CSpace."""
    lab = Lab(
        {
            "fs": {"serves": "endpoint"},
            "app": {"uses": {"fs": "fs"}, "threads": threads},
            "web": {"uses": {"fs": "fs"}},
        }
    )
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    lab.checked = False
    room = [slot for slot in range(21, 1024) if app.cap(slot) is None]
    for slot in room[:MANY]:
        ok(app.copy(20, slot))
    lab.checked = True
    return lab, app


def test_a_revoke_of_many_capabilities_takes_several_steps_of_work() -> None:
    lab, app = crowd()
    assert app.revoke(20) is None
    assert lab.k.jobs_pending
    assert app.cap(20).obj.refs == 1 + MANY - SLICE
    assert lab.work() == 2
    ok(app.woken())
    assert app.cap(20).obj.refs == 1
    assert not lab.k.jobs_pending


def test_others_are_served_while_a_revoke_goes_on() -> None:
    lab, app = crowd()
    app.revoke(20)
    fs, web = lab["fs"], lab["web"]
    web.call("fs", b"now")
    assert ok(fs.recv()).body == b"now"
    ok(fs.reply(b"done"))
    assert web.woken().body == b"done"
    assert lab.k.jobs_pending
    assert app.blocked


def test_a_short_revoke_is_done_in_its_own_step() -> None:
    lab = pair()
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    ok(app.copy(20, 21))
    ok(app.revoke(20))
    assert not lab.k.jobs_pending


def test_work_without_a_job_does_nothing() -> None:
    lab = pair()
    assert lab.step(Work(lab.now)) == []


def test_two_jobs_take_turns() -> None:
    lab, app = crowd()
    app.revoke(20)
    lab.exited("app")
    assert len(lab.k.jobs) == 2
    first = lab.k.jobs[0]
    lab.step(Work(lab.now))
    assert lab.k.jobs[0] is not first
    lab.work()
    assert lab.pd("app").state == "dead"


def test_the_asker_may_die_while_its_revoke_goes_on() -> None:
    lab, app = crowd()
    app.revoke(20)
    lab.die("app")
    assert app.blocked
    assert lab.pd("app").caps == 0
    assert not lab.k.jobs_pending


def test_an_asker_that_gave_up_is_not_answered_when_the_work_is_done() -> None:
    lab, app = crowd()
    app.revoke(20, timeout=1)
    lab.pass_time(1)
    assert app.woken().status == Status.TIMED_OUT
    lab.work()
    assert app.cap(20).obj.refs == 1


def test_a_job_answers_only_the_call_that_asked_for_it() -> None:
    lab = Lab({"app": {"manages": ["other"]}, "other": {}})
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    for slot in range(21, 21 + 300):
        ok(app.copy(20, slot))
    app.revoke(20, timeout=1)
    lab.pass_time(1)
    assert app.woken().status == Status.TIMED_OUT
    assert app.pd_call("kill", "pd:other") is None
    lab.work()
    assert app.blocked  # the revoke is done, the kill is not


def replaced(timeout: float | None = None) -> tuple[Lab, Thread, int]:
    """`app` revokes; between two slices its other thread puts a notification into the slot, and a
    copy of that elsewhere."""
    lab, app = crowd(threads=2)
    second = lab["app.1"]
    assert app.revoke(20, timeout=timeout) is None
    if timeout is not None:
        lab.pass_time(timeout)
        assert app.woken().status == Status.TIMED_OUT
    ok(second.delete(20))
    free = next(slot for slot in range(21, 512) if app.cap(slot) is None)
    second.alloc(ObjectType.NOTIFICATION, 20)
    ok(second.copy(20, free))
    lab.work()
    return lab, app, free


def test_a_revoke_is_executed_again_and_takes_what_lies_in_the_slot_then() -> None:
    """As in seL4 after a preemption; what the first object had left is orphaned."""
    _, app, free = replaced()
    ok(app.woken())
    assert app.cap(20) is not None
    assert app.cap(free) is None


def test_a_revoke_nobody_waits_for_spares_what_is_put_into_the_slot() -> None:
    _, app, free = replaced(timeout=1)
    assert app.cap(free) is not None


def test_a_dead_pds_many_capabilities_are_swept_in_slices() -> None:
    lab, app = crowd()
    before = lab.pd("app").caps
    lab.exited("app")
    assert lab.pd("app").state == "dying"
    assert lab.pd("app").caps == before - SLICE
    web = lab["web"]
    refused(Status.NEVER_EXISTED, web.call, 300)
    assert lab.work() == 2
    assert lab.pd("app").state == "dead"
    assert lab.pd("app").caps == 0
    assert app.blocked


def test_the_segments_of_a_dead_pd_go_with_the_sweep() -> None:
    lab = pair()
    app = lab["app"]
    for slot in range(20, 30):
        app.alloc(ObjectType.FRAME, slot)
    lab.die("app")
    assert sum(isinstance(effect, DestroySegment) for effect in lab.all_effects) == 10


def test_a_pd_that_is_being_swept_makes_no_calls() -> None:
    lab, app = crowd()
    lab.exited("app")
    before = lab.k.state_hash()
    assert lab.step(Syscall(lab.now, app.number, encode(1, 20))) == []
    assert lab.step(BadFrame(lab.now, app.number, "late")) == []
    assert lab.k.state_hash() == before
    assert not [effect for effect in lab.all_effects if isinstance(effect, Kill)]


def test_a_job_says_what_it_does() -> None:
    lab = pair()
    with pytest.raises(AssertionError):
        Job().run(lab.k, 1)
    Job().done(lab.k)
