"""Suspend and resume: answers withheld, calls executed again, processes stopped and continued."""

from caplab.kernel.abi import SLOT_TCB, ObjectType, Status, Sys
from caplab.kernel.core.effects import Continue, Resume, Stop
from lab import Lab, Thread, ok, refused


def system(app_threads: int = 1) -> tuple[Lab, Thread, Thread, Thread]:
    """A server, a client, and a boss with a capability to the client (`pd:app`)."""
    lab = Lab(
        {
            "fs": {"serves": "endpoint"},
            "app": {"uses": {"fs": "fs"}, "threads": app_threads},
            "boss": {"manages": ["app"]},
        }
    )
    return lab, lab["fs"], lab["app"], lab["boss"]


def managed_server(threads: int = 1) -> tuple[Lab, Thread, Thread, Thread]:
    """The same, but the boss manages the server (`pd:fs`)."""
    lab = Lab(
        {
            "fs": {"serves": "endpoint", "threads": threads},
            "app": {"uses": {"fs": "fs"}},
            "boss": {"manages": ["fs"]},
        }
    )
    return lab, lab["fs"], lab["app"], lab["boss"]


def suspend(boss: Thread) -> None:
    ok(boss.pd_call("suspend", "pd:app"))


def resume(boss: Thread) -> None:
    ok(boss.pd_call("resume", "pd:app"))


def test_a_running_thread_is_held_at_its_next_call() -> None:
    lab, fs, app, boss = system()
    suspend(boss)
    assert lab.of(Stop) == [Stop(app.pd.number)]
    assert app.call("fs", b"later") is None
    assert ok(fs.nb_recv()).nothing
    resume(boss)
    assert lab.of(Continue) == [Continue(app.pd.number)]
    assert ok(fs.recv()).body == b"later"


def test_a_queued_call_is_taken_out_and_sent_again_at_resume() -> None:
    _, fs, app, boss = system()
    app.call("fs", b"again")
    suspend(boss)
    assert ok(fs.nb_recv()).nothing
    resume(boss)
    assert ok(fs.recv()).body == b"again"


def test_a_call_executed_again_looks_everything_up_afresh() -> None:
    _, fs, app, boss = system(app_threads=2)
    app.call("fs")
    ok(boss.pd_call("suspend", "pd:app"))
    ok(fs.delete("server"))
    resume(boss)
    told = app.woken()
    assert told.status == Status.REVOKED
    assert told.blames == "fs"


def test_a_caller_that_is_being_served_keeps_its_place_and_its_answer_is_withheld() -> None:
    """Sending the request again would have it served twice."""
    lab, fs, app, boss = system()
    app.call("fs")
    ok(fs.recv())
    suspend(boss)
    ok(fs.reply(b"while you slept"))
    assert app.blocked
    resume(boss)
    assert app.woken().body == b"while you slept"
    assert [type(effect) for effect in lab.effects] == [Continue, Resume, Resume]


def test_a_caller_resumed_before_the_reply_goes_on_waiting() -> None:
    _, fs, app, boss = system()
    app.call("fs")
    ok(fs.recv())
    suspend(boss)
    resume(boss)
    assert app.blocked
    ok(fs.reply(b"now"))
    assert app.woken().body == b"now"


def test_a_receiver_is_taken_out_of_the_queue_and_comes_back() -> None:
    _, fs, app, boss = managed_server()
    fs.recv()
    ok(boss.pd_call("suspend", "pd:fs"))
    assert app.call("fs", b"x") is None
    assert fs.blocked
    ok(boss.pd_call("resume", "pd:fs"))
    assert fs.woken().body == b"x"


def test_a_reply_recv_executed_again_does_not_reply_twice() -> None:
    lab, fs, app, boss = managed_server(threads=2)
    fs.alloc(ObjectType.FRAME, 20)
    app.call("fs", slot=40)
    ok(fs.recv())
    assert fs.reply_recv(b"1", caps=[20]) is None
    assert app.woken().extra == (40,)
    ok(lab["fs.1"].delete(20))
    ok(boss.pd_call("suspend", "pd:fs"))
    ok(boss.pd_call("resume", "pd:fs"))
    assert fs.blocked  # not refused for the capability that it sent long ago
    app.call("fs", b"2")
    assert fs.woken().body == b"2"


def test_a_waiter_for_a_signal_is_taken_out_and_comes_back() -> None:
    _, _, app, boss = system(app_threads=2)
    lab = app.lab
    helper = lab["app.1"]
    app.alloc(ObjectType.NOTIFICATION, 20)
    helper.wait(20)
    ok(app.invoke("tcb_suspend", "tcb.1"))
    ok(app.signal(20))
    assert helper.blocked
    ok(app.invoke("tcb_resume", "tcb.1"))
    assert helper.woken().notification
    assert boss.blocked


def test_a_time_limit_goes_on_while_suspended_and_its_end_is_withheld() -> None:
    lab, _, app, boss = system()
    app.call("fs", timeout=1)
    suspend(boss)
    lab.pass_time(2)
    assert app.blocked
    resume(boss)
    assert app.woken().status == Status.TIMED_OUT


def test_a_call_executed_again_keeps_its_first_time_limit() -> None:
    lab, _, app, boss = system()
    app.call("fs", timeout=1)
    lab.pass_time(0.5)
    suspend(boss)
    resume(boss)
    lab.pass_time(0.4)
    assert app.blocked
    lab.pass_time(0.1)
    assert app.woken().status == Status.TIMED_OUT


def test_a_sleeper_wakes_after_resume() -> None:
    lab, _, app, boss = system()
    app.syscall(Sys.SLEEP, timeout=1)
    suspend(boss)
    lab.pass_time(3)
    assert app.blocked
    resume(boss)
    ok(app.woken())


def test_a_thread_that_suspends_itself_gets_its_answer_at_resume() -> None:
    lab, _, app, boss = system()
    assert app.invoke("tcb_suspend", SLOT_TCB) is None
    assert lab.of(Stop) == [Stop(app.pd.number)]
    resume(boss)
    ok(app.woken())


def test_a_pd_that_suspends_itself_gets_its_answer_at_resume() -> None:
    lab, _, app, boss = system()
    assert app.pd_call("suspend") is None
    resume(boss)
    assert app.woken().map == {}
    assert lab.of(Continue) == [Continue(app.pd.number)]


def test_the_process_is_stopped_only_when_every_thread_is_suspended() -> None:
    lab, _, app, boss = system(app_threads=2)
    ok(app.invoke("tcb_suspend", "tcb.1"))
    assert lab.of(Stop) == []
    ok(app.invoke("tcb_suspend", "tcb.1"))  # once more changes nothing
    assert lab.of(Stop) == []
    suspend(boss)
    assert lab.of(Stop) == [Stop(app.pd.number)]
    suspend(boss)
    assert lab.of(Stop) == []


def test_the_process_is_continued_with_the_first_thread_that_is_resumed() -> None:
    lab, _, app, boss = system(app_threads=2)
    suspend(boss)
    resume(boss)
    assert lab.of(Continue) == [Continue(app.pd.number)]
    resume(boss)
    assert lab.of(Continue) == []


def test_resuming_one_thread_leaves_the_other_suspended() -> None:
    lab, fs, app, boss = system(app_threads=2)
    suspend(boss)
    helper = lab["app.1"]
    assert helper.send("fs") is None
    assert app.invoke("tcb_resume", "tcb.1") is None  # held: its own thread is suspended
    assert ok(fs.nb_recv()).nothing
    resume(boss)
    ok(app.woken())
    assert not ok(fs.nb_recv()).nothing


def test_resuming_what_was_not_suspended_does_nothing() -> None:
    lab, _, app, boss = system()
    app.call("fs")
    before = lab.k.state_hash()
    resume(boss)
    assert lab.k.state_hash() == before
    assert app.blocked


def test_a_suspended_pd_that_dies_frees_those_it_served() -> None:
    lab, fs, app, boss = managed_server()
    app.call("fs")
    ok(fs.recv())
    ok(boss.pd_call("suspend", "pd:fs"))
    lab.die("fs")
    assert app.woken().status == Status.DIED_AFTER_RECV


def test_a_withheld_answer_dies_with_its_thread() -> None:
    lab, fs, app, boss = system()
    app.call("fs")
    ok(fs.recv())
    suspend(boss)
    ok(fs.reply(b"never read"))
    lab.die("app")
    assert app.blocked
    refused(Status.ILLEGAL_OPERATION, boss.pd_call, "resume", "pd:app")


def test_a_thread_that_has_ended_cannot_be_suspended_or_resumed() -> None:
    lab = Lab({"fs": {"serves": "endpoint"}, "app": {"uses": {"fs": "fs"}}})
    fs, app = lab["fs"], lab["app"]
    app.call("fs", caps=[SLOT_TCB])
    ok(fs.recv(slot=30))
    lab.die("app")
    for name in ("tcb_suspend", "tcb_resume", "tcb_unbind_notification"):
        refused(Status.ILLEGAL_OPERATION, fs.invoke, name, 30)
    registers = {"resume": 0, "arch_flags": 0, "count": 1, "registers": [1]}
    refused(Status.ILLEGAL_OPERATION, fs.invoke, "tcb_write_registers", 30, **registers)
    some = {"suspend_source": 0, "arch_flags": 0, "count": 1}
    refused(Status.ILLEGAL_OPERATION, fs.invoke, "tcb_read_registers", 30, **some)
    fs.alloc(ObjectType.NOTIFICATION, 31)
    refused(Status.ILLEGAL_OPERATION, fs.bind, 31, 30)


def test_a_revoke_that_goes_on_while_its_asker_is_suspended_is_answered_at_resume() -> None:
    lab, _, app, boss = system()
    app.alloc(ObjectType.ENDPOINT, 20)
    for index in range(300):
        ok(app.copy(20, 100 + index))
    assert app.revoke(20) is None
    suspend(boss)
    lab.work()
    assert app.blocked
    resume(boss)
    ok(app.woken())
