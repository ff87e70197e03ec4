"""Going down: who uses others goes first, everybody gets two seconds, nothing is left."""

from caplab.kernel.abi import SLOT_WORK, Status
from caplab.kernel.core.effects import Continue, Kill
from lab import Answer, Lab, ok, pair, trio


def stopped(answer: Answer | None) -> bool:
    return answer is not None and answer.status == Status.STOP


def test_users_stop_before_what_they_use() -> None:
    lab = Lab(
        {
            "disk": {"serves": "endpoint"},
            "fs": {"serves": "endpoint", "uses": {"disk": "disk"}},
            "app": {"uses": {"fs": "fs"}},
        }
    )
    disk, fs, app = lab["disk"], lab["fs"], lab["app"]
    disk.recv()
    fs.recv()
    app.call("fs")
    ok(fs.woken())
    request = lab.ask("down")
    assert stopped(app.woken())
    assert fs.blocked
    lab.die("app", 0)
    assert stopped(fs.recv())  # it was running: its next call
    assert disk.blocked
    lab.die("fs", 0)
    assert stopped(disk.woken())
    assert not lab.k.finished
    lab.die("disk", 0)
    assert lab.k.finished
    assert lab.answers[request] == {"pds": 3, "failed": [], "seconds": 0.0}


def test_those_that_nobody_uses_stop_at_once_the_last_declared_first() -> None:
    lab = Lab({"a": {}, "b": {}, "c": {}})
    for name in "abc":
        lab[name].wait(SLOT_WORK)
    lab.ask("down")
    assert [effect.tcb for effect in lab.effects] == [lab[name].number for name in "cba"]
    assert all(stopped(lab[name].woken()) for name in "abc")


def test_a_circle_of_users_is_broken_at_the_last() -> None:
    lab = Lab(
        {
            "a": {"serves": "endpoint", "uses": {"b": "b"}},
            "b": {"serves": "endpoint", "uses": {"a": "a"}},
        }
    )
    lab["a"].recv()
    lab["b"].recv()
    request = lab.ask("down")
    assert stopped(lab["b"].woken())
    assert lab["a"].blocked
    lab.die("b", 0)
    assert stopped(lab["a"].woken())
    lab.die("a", 0)
    assert request in lab.answers


def test_who_does_not_stop_in_time_is_killed() -> None:
    lab = pair()
    lab["app"].call("fs")
    request = lab.ask("down")
    assert stopped(lab["app"].woken())
    lab.pass_time(1.9)
    assert lab.pd("app").doomed is None
    lab.pass_time(0.1)
    assert lab.effects == [Kill(lab.pd("app").number, 9)]
    lab.die("app")
    lab.pass_time(2)
    lab.die("fs")
    failed = {row["pd"]: row["reason"] for row in lab.answers[request]["failed"]}
    assert failed == dict.fromkeys(("app", "fs"), "SIGKILL: did not stop within 2 s")


def test_who_stopped_in_time_is_left_alone() -> None:
    lab = pair()
    lab["app"].call("fs")
    lab.ask("down")
    assert stopped(lab["app"].woken())
    lab.die("app", 0)
    lab.pass_time(10)
    kills = [effect for effect in lab.all_effects if isinstance(effect, Kill)]
    assert kills == [Kill(lab.pd("fs").number, 9)]  # it never called


def test_every_thread_is_stopped() -> None:
    lab = Lab({"app": {"threads": 3}})
    app, one, two = lab["app"], lab["app.1"], lab["app.2"]
    one.syscall(12)  # type: ignore[arg-type]
    two.wait(SLOT_WORK)
    lab.ask("down")
    assert stopped(one.woken())
    assert stopped(two.woken())
    assert stopped(app.poll(SLOT_WORK))


def test_stop_comes_once() -> None:
    """After it the PD may still tidy up: its calls are served."""
    lab = pair()
    app = lab["app"]
    lab.ask("down")
    assert stopped(app.call("fs"))
    assert ok(app.nb_send("fs")).nothing


def test_a_suspended_pd_is_resumed_to_stop() -> None:
    lab = pair()
    app = lab["app"]
    app.call("fs")
    lab.operator("suspend", pd="app")
    lab.ask("down")
    assert Continue(app.pd.number) in lab.effects
    assert stopped(app.woken())


def test_a_withheld_answer_comes_before_the_stop() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs")
    ok(fs.recv())
    lab.operator("suspend", pd="app")
    ok(fs.reply(b"done"))
    lab.ask("down")
    assert app.woken().body == b"done"
    assert stopped(app.call("fs"))


def test_armed_crashes_are_forgotten() -> None:
    lab = pair()
    lab.ask("crash", pd="app", how="segv", after=5)
    lab.ask("down")
    app = lab["app"]
    assert stopped(app.call("fs"))
    for _ in range(5):
        ok(app.nb_send("fs"))


def test_a_pd_that_was_never_started_is_in_nobodys_way() -> None:
    lab = Lab({"boss": {"rdes": ["pd"]}})
    boss = lab["boss"]
    for slot, name in ((30, "child"), (31, "other")):
        ok(boss.invoke("pd_create", "rde:pd", name=name, run="x", receive=slot))
    request = lab.ask("down")
    lab.work()
    assert stopped(boss.call(30))
    lab.die("boss", 0)
    assert lab.answers[request]["failed"] == []
    assert lab.k.finished


def test_a_pd_started_while_going_down_is_stopped_too() -> None:
    lab = Lab({"boss": {"rdes": ["pd"]}, "app": {}})
    boss = lab["boss"]
    request = lab.ask("down")
    assert stopped(boss.call(3))
    child = boss.create("late", 30)
    lab.die("app", 0)
    assert stopped(child.call(3))
    lab.die("boss", 0)
    lab.die("late", 0)
    assert request in lab.answers


def test_asking_twice_stops_once_and_answers_both() -> None:
    lab = pair()
    app = lab["app"]
    app.call("fs")
    first, second = lab.ask("down"), lab.ask("down")
    assert stopped(app.woken())
    lab.die("app", 0)
    lab.die("fs", 0)
    assert lab.answers[first] == lab.answers[second]
    assert lab.operator("down")["pds"] == 2


def test_going_down_takes_the_time_it_takes() -> None:
    lab = Lab({"app": {}})
    lab.now = 5 * 10**9
    request = lab.ask("down")
    lab.now += 10**9 // 2
    lab.die("app", 0)
    assert lab.answers[request]["seconds"] == 0.5


def test_down_of_a_system_whose_pds_have_all_ended_is_answered_at_once() -> None:
    lab = trio()
    for name in ("app", "web", "fs"):
        lab.die(name, 0)
    assert not lab.k.finished
    assert lab.operator("down")["pds"] == 3
    assert lab.k.finished


def test_failures_are_told() -> None:
    lab = pair()
    lab.die("app", 4 << 8)
    request = lab.ask("down")
    lab.die("fs", 0)
    assert [row["pd"] for row in lab.answers[request]["failed"]] == ["app"]


def test_a_pd_being_swept_is_waited_for() -> None:
    lab = Lab({"app": {}, "other": {}})
    app = lab["app"]
    lab.checked = False
    app.alloc(2, 20)  # type: ignore[arg-type]
    for slot in range(21, 400):
        ok(app.copy(20, slot))
    lab.checked = True
    lab.exited("app", 0)
    request = lab.ask("down")
    lab.die("other", 0)
    assert request in lab.answers
    assert lab.pd("app").state == "dead"
