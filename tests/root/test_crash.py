"""Crashes that are asked for: the answer to the PD's current, next or N-th call."""

import pytest

from caplab.kernel.abi import SLOT_PD, SLOT_WORK, Status, Sys
from caplab.kernel.core.effects import Continue, Kill
from caplab.kernel.core.events import Exited
from lab import Answer, Lab, ok, refused


def system(**app: object) -> Lab:
    return Lab(
        {
            "fs": {"serves": "endpoint"},
            "app": {"uses": {"fs": "fs"}, **app},
            "boss": {"manages": ["app", "fs"]},
        }
    )


def crash(answer: Answer | None) -> str:
    assert answer is not None
    assert answer.status == Status.CRASH
    return answer.body.decode()


def test_a_pd_that_runs_crashes_at_its_next_call() -> None:
    lab = system()
    request = lab.ask("crash", pd="app", how="segv")
    assert lab.effects == []
    assert crash(lab["app"].call("fs")) == "segv"
    lab.die("app", 11)
    lab.pass_time(2)
    report = lab.answers[request]
    assert (report["state"], report["reason"]) == ("faulted", "SIGSEGV (crash segv)")
    assert report["actions"][0] == {"action": "crash", "target": "app", "how": "segv"}


@pytest.mark.parametrize("how", ["segv", "abort", "exception", "exit:3", "oom", "bus"])
def test_a_pd_in_a_call_crashes_at_once(how: str) -> None:
    lab = system()
    app, fs = lab["app"], lab["fs"]
    app.call("fs")
    lab.ask("crash", pd="app", how=how)
    assert crash(app.woken()) == how
    assert ok(fs.nb_recv()).nothing


def test_a_caller_that_is_being_served_crashes_out_of_its_call() -> None:
    lab = system()
    app, fs = lab["app"], lab["fs"]
    app.call("fs")
    ok(fs.recv())
    lab.ask("crash", pd="app", how="segv")
    assert crash(app.woken()) == "segv"
    assert ok(fs.reply()).nothing


@pytest.mark.parametrize("call", [Sys.PARK, Sys.SLEEP])
def test_a_sleeper_and_a_parked_thread_crash_too(call: Sys) -> None:
    lab = system()
    app = lab["app"]
    assert app.syscall(call) is None
    lab.ask("crash", pd="app", how="abort")
    assert crash(app.woken()) == "abort"


def test_the_nth_call_crashes_and_is_not_executed() -> None:
    lab = system()
    app, fs = lab["app"], lab["fs"]
    lab.ask("crash", pd="app", how="exit:3", after=2)
    ok(app.nb_send("fs"))
    fs.recv()
    assert crash(app.nb_send("fs")) == "exit:3"
    assert fs.blocked
    lab.die("app", 3 << 8)
    assert lab.ps("app")["reason"] == "exit code 3 (crash exit:3)"
    assert lab.ps("app")["state"] == "exited"


def test_a_crash_may_be_armed_in_the_boot_specification() -> None:
    arms = [{"pd": "app", "action": "crash", "how": "segv", "after": 1}]
    lab = Lab({"app": {}}, arms=arms)
    assert crash(lab["app"].poll(SLOT_WORK)) == "segv"


def test_a_suspended_pd_is_resumed_to_crash() -> None:
    lab = system()
    app = lab["app"]
    app.call("fs")
    lab.operator("suspend", pd="app")
    lab.ask("crash", pd="app", how="segv")
    assert crash(app.woken()) == "segv"
    assert Continue(app.pd.number) in lab.effects


def test_a_pd_suspended_outside_any_call_is_resumed_to_crash_at_its_next() -> None:
    lab = system()
    app = lab["app"]
    lab.operator("suspend", pd="app")
    lab.ask("crash", pd="app", how="segv")
    assert lab.effects == [Continue(app.pd.number)]
    assert crash(app.call("fs")) == "segv"


def test_a_hang_ends_nobody_and_is_answered_at_once() -> None:
    lab = system()
    report = lab.operator("crash", pd="app", how="hang")
    assert report["pd"] == "app"
    assert crash(lab["app"].call("fs")) == "hang"
    assert lab.pd("app").alive


def test_a_manager_crashes_a_pd_and_waits() -> None:
    lab = system()
    boss, fs = lab["boss"], lab["fs"]
    assert boss.pd_call("crash", "pd:fs", how="bus", after=None) is None
    assert crash(fs.recv()) == "bus"
    assert boss.blocked
    lab.die("fs", 7)
    assert boss.woken().map["reason"] == "SIGBUS (crash bus)"


def test_a_manager_does_not_wait_for_a_hang() -> None:
    lab = system()
    ok(lab["boss"].pd_call("crash", "pd:app", how="hang"))
    assert crash(lab["app"].call("fs")) == "hang"


def test_a_pd_may_crash_itself_in_that_very_call() -> None:
    lab = system()
    app = lab["app"]
    assert crash(app.pd_call("crash", SLOT_PD, how="segv")) == "segv"


@pytest.mark.parametrize("how", ["", "panic", "exit:", "exit:1000", "segv\n", 5, None])
def test_a_crash_nobody_knows_is_refused(how: object) -> None:
    lab = system()
    assert lab.operator("crash", pd="app", how=how)["error"]["code"] == "bad-how"
    refused(Status.INVALID_ARGUMENT, lab["boss"].pd_call, "crash", "pd:app", how=how)


def test_a_pd_that_ends_before_its_nth_call_answers_the_wait() -> None:
    lab = system()
    request = lab.ask("crash", pd="fs", how="segv", after=100)
    lab.die("fs", 0)
    report = lab.answers[request]
    assert (report["state"], report["reason"]) == ("exited", "")


def test_of_two_that_are_armed_each_has_its_call() -> None:
    lab = system()
    app = lab["app"]
    lab.ask("crash", pd="app", how="exception", after=1)
    lab.ask("kill", pd="app", after=2)
    assert crash(app.call("fs")) == "exception"
    assert app.call("fs") is None
    assert Kill(app.pd.number, 9) in lab.effects
    lab.step(Exited(lab.now, app.pd.number, 9))
    assert lab.ps("app")["state"] == "killed"
