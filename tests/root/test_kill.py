"""Kills: by an operator, by a manager, at the N-th call; the report, and who waits for it."""

import pytest

from caplab.kernel.abi import SLOT_PD, SLOT_WORK, ObjectType, Status
from caplab.kernel.core.effects import Announce, Continue, Kill
from caplab.kernel.root.report import ACTIONS_SHOWN
from lab import Lab, ok, refused


def system(**app: object) -> Lab:
    return Lab(
        {
            "fs": {"serves": "endpoint"},
            "app": {"uses": {"fs": "fs"}, **app},
            "boss": {"manages": ["app", "fs"]},
        }
    )


def test_a_kill_is_a_signal_and_the_answer_comes_when_all_is_cleaned_up() -> None:
    lab = system()
    request = lab.ask("kill", pd="app")
    assert lab.effects == [Kill(lab.pd("app").number, 9)]
    assert request not in lab.answers
    lab.die("app")
    assert request not in lab.answers  # fs has not yet heard that its client is gone
    ok(lab["fs"].pd_call("get_work"))
    ok(lab["fs"].pd_call("get_work"))
    report = lab.answers[request]
    assert (report["pd"], report["generation"]) == ("app", 0)
    assert (report["state"], report["reason"]) == ("killed", "SIGKILL by operator")
    assert report["pending"] == []


def test_the_actions_stand_in_the_order_in_which_they_were_taken() -> None:
    lab = system()
    fs, app = lab["fs"], lab["app"]
    app.call("fs")
    ok(fs.recv())
    request = lab.ask("kill", pd="fs")
    lab.die("fs")
    report = lab.answers[request]
    actions = [(action["action"], action["target"]) for action in report["actions"]]
    assert actions == [("kill", "fs"), ("free_caller", "app"), ("revoke", "fs")]
    assert report["actions"][0]["signal"] == "SIGKILL"
    assert report["freed_callers"] == 1


def test_segments_and_work_are_in_the_report() -> None:
    lab = system()
    app = lab["app"]
    app.alloc(ObjectType.FRAME, 20)
    request = lab.ask("kill", pd="app")
    lab.die("app")
    lab.pass_time(3)
    actions = {action["action"]: action for action in lab.answers[request]["actions"]}
    assert actions["destroy_segment"]["target"] == "cl.lab.1"
    assert actions["queue_work"]["target"] == "fs"
    assert actions["queue_work"]["kind"] == "client-gone"


def test_what_lies_with_servers_is_pending_after_two_seconds() -> None:
    lab = system()
    request = lab.ask("kill", pd="app")
    lab.now += 10**9
    lab.die("app")
    lab.pass_time(1.9)
    assert request not in lab.answers
    lab.pass_time(0.1)
    report = lab.answers[request]
    assert report["pending"] == ["client-gone at fs"]
    assert report["seconds"] == pytest.approx(3.0)


def test_work_of_a_server_that_dies_too_is_done() -> None:
    lab = system()
    request = lab.ask("kill", pd="app")
    lab.die("app")
    lab.die("fs")
    assert lab.answers[request]["pending"] == []


def test_two_may_wait_for_one_death() -> None:
    lab = system()
    boss = lab["boss"]
    first = lab.ask("kill", pd="app")
    second = lab.ask("kill", pd="app")
    assert boss.pd_call("kill", "pd:app") is None
    lab.die("app")
    lab.pass_time(2)
    assert lab.answers[first] == lab.answers[second] == boss.woken().map


def test_a_killed_pd_is_not_heard_any_more() -> None:
    lab = system()
    app, fs = lab["app"], lab["fs"]
    fs.recv()
    lab.ask("kill", pd="app")
    assert app.send("fs", b"last words") is None
    assert fs.blocked


def test_a_killed_pd_that_is_resumed_is_not_heard_either() -> None:
    lab = system()
    app, fs = lab["app"], lab["fs"]
    app.send("fs", b"last words")
    lab.operator("suspend", pd="app")
    lab.ask("kill", pd="app")
    lab.operator("resume", pd="app")
    assert ok(fs.nb_recv()).nothing
    assert app.blocked


def test_a_long_report_is_counted_and_not_kept() -> None:
    lab = system()
    app = lab["app"]
    lab.checked = False
    for slot in range(16, 16 + 300):
        app.alloc(ObjectType.FRAME, slot)
    request = lab.ask("kill", pd="app")
    lab.die("app")
    lab.pass_time(2)
    report = lab.answers[request]
    assert len(report["actions"]) == ACTIONS_SHOWN
    # The kill and the sweep, 300 segments and one item of work.
    assert report["more_actions"] == 1 + 1 + 300 + 1 - ACTIONS_SHOWN


# -- by a manager ------------------------------------------------------------------------------


def test_a_manager_kills_and_waits_for_the_report() -> None:
    lab = system()
    boss = lab["boss"]
    assert boss.pd_call("kill", "pd:fs") is None
    assert lab.effects == [Kill(lab.pd("fs").number, 9)]
    lab.die("fs")
    report = boss.woken().map
    assert report["reason"] == "SIGKILL by boss"
    assert report["actions"][0] == {"action": "kill", "target": "fs", "signal": "SIGKILL"}


def test_a_manager_waits_two_seconds_for_servers_at_most() -> None:
    lab = system()
    boss = lab["boss"]
    assert boss.pd_call("kill", "pd:app") is None
    lab.die("app")
    assert boss.blocked
    lab.pass_time(2)
    assert boss.woken().map["pending"] == ["client-gone at fs"]


def test_a_manager_that_dies_meanwhile_is_told_nothing() -> None:
    lab = system()
    boss = lab["boss"]
    assert boss.pd_call("kill", "pd:fs") is None
    lab.die("boss")
    lab.die("fs")
    assert boss.blocked


def test_a_manager_may_stop_waiting() -> None:
    lab = system()
    boss = lab["boss"]
    boss.pd_call("kill", "pd:fs", timeout=1)
    lab.pass_time(1)
    assert boss.woken().status == Status.TIMED_OUT
    assert boss.pd_call("kill", "pd:app", timeout=9) is None
    lab.die("fs")
    assert boss.blocked  # it waits for another death now


def test_a_pd_may_kill_itself() -> None:
    lab = system()
    app = lab["app"]
    assert app.pd_call("kill", SLOT_PD) is None
    assert lab.effects == [Kill(app.pd.number, 9)]
    lab.die("app")
    assert lab.ps("app")["reason"] == "SIGKILL by app"


def test_another_signal_may_be_chosen() -> None:
    lab = system()
    boss = lab["boss"]
    assert boss.pd_call("kill", "pd:fs", signal=15) is None
    assert lab.effects == [Kill(lab.pd("fs").number, 15)]
    lab.die("fs", 15)
    assert boss.woken().map["reason"] == "SIGTERM"


def test_a_signal_that_ends_nobody_is_not_waited_for() -> None:
    lab = system()
    boss = lab["boss"]
    report = ok(boss.pd_call("kill", "pd:fs", signal=18)).map
    assert Kill(lab.pd("fs").number, 18) in lab.effects
    assert report["actions"] == [{"action": "kill", "target": "fs", "signal": "SIGCONT"}]
    assert lab.pd("fs").report is None


@pytest.mark.parametrize("signal", [0, -1, 65, "SIGKILL", 9.0, True])
def test_what_is_no_signal_is_refused(signal: object) -> None:
    refused(Status.INVALID_ARGUMENT, system()["boss"].pd_call, "kill", "pd:fs", signal=signal)


def test_killing_needs_write_and_a_living_pd() -> None:
    lab = system()
    boss = lab["boss"]
    ok(boss.copy("pd:app", 20, 2))
    for name, more in (("kill", {}), ("crash", {"how": "segv"}), ("suspend", {}), ("resume", {})):
        refused(Status.INVALID_CAPABILITY, boss.pd_call, name, 20, **more)
    lab.die("app")
    for name, more in (("kill", {}), ("crash", {"how": "segv"}), ("suspend", {}), ("start", {})):
        refused(Status.ILLEGAL_OPERATION, boss.pd_call, name, "pd:app", **more)


def test_starting_and_looking_need_their_rights() -> None:
    lab = system()
    boss = lab["boss"]
    ok(boss.copy("pd:app", 20, 4))
    refused(Status.INVALID_CAPABILITY, boss.pd_call, "start", 20)
    refused(Status.INVALID_CAPABILITY, boss.pd_call, "info", 20)
    told = ok(boss.pd_call("info", "pd:app")).map
    row = lab.ps("app")
    del row["drives"]  # what the machine has is the operator's to see
    assert row.items() <= told.items()
    assert (told["number"], told["creator"]) == (lab.pd("app").number, 0)


# -- by an operator ----------------------------------------------------------------------------


def test_an_operator_may_send_any_signal() -> None:
    lab = system()
    request = lab.ask("kill", pd="app", signal=11)
    assert lab.effects == [Kill(lab.pd("app").number, 11)]
    lab.die("app", 11)
    lab.pass_time(2)
    assert lab.answers[request]["reason"] == "SIGSEGV"
    assert lab.ps("app")["state"] == "faulted"


def test_a_harmless_signal_is_answered_at_once_and_leaves_no_report() -> None:
    lab = system()
    report = lab.operator("kill", pd="app", signal=19)
    assert report["actions"] == [{"action": "kill", "target": "app", "signal": "SIGSTOP"}]
    assert lab.pd("app").alive
    assert lab.pd("app").report is None


def test_a_signal_without_a_name_is_called_by_its_number() -> None:
    lab = system()
    report_of = lab.ask("kill", pd="fs", signal=33)
    lab.die("fs", 33)
    assert lab.answers[report_of]["reason"] == "signal 33"


def test_a_stopped_process_gets_its_deadly_signal() -> None:
    lab = system()
    lab.operator("suspend", pd="fs")
    lab.ask("kill", pd="fs", signal=15)
    number = lab.pd("fs").number
    assert lab.effects == [Kill(number, 15), Continue(number)]


@pytest.mark.parametrize("after", [0, -1, "x", 1.5, True])
def test_after_is_a_number_of_calls(after: object) -> None:
    lab = system()
    for op, more in (("kill", {}), ("crash", {"how": "segv"})):
        said = lab.operator(op, pd="app", after=after, **more)
        assert said["error"]["code"] == "bad-after"


def test_a_kill_at_the_nth_call_comes_before_that_call_is_executed() -> None:
    lab = system()
    app, fs = lab["app"], lab["fs"]
    request = lab.ask("kill", pd="app", after=3)
    assert lab.effects == []
    for _ in range(2):
        assert ok(app.nb_send("fs")).nothing
    fs.recv()
    assert app.nb_send("fs") is None
    assert lab.effects == [Kill(app.pd.number, 9)]
    assert fs.blocked
    lab.die("app")
    lab.pass_time(2)
    assert lab.answers[request]["reason"] == "SIGKILL by operator"


def test_a_milder_signal_at_the_nth_call_lets_the_call_go_on() -> None:
    lab = system()
    app = lab["app"]
    lab.ask("kill", pd="app", signal=15, after=1)
    assert ok(app.nb_send("fs")).nothing
    assert Kill(app.pd.number, 15) in lab.effects


def test_an_nth_call_that_is_past_is_refused() -> None:
    lab = system()
    ok(lab["app"].nb_send("fs"))
    for op, more in (("kill", {}), ("crash", {"how": "segv"})):
        said = lab.operator(op, pd="app", after=1, **more)
        assert said["error"]["code"] == "too-late"
    refused(
        Status.ILLEGAL_OPERATION,
        lab["boss"].pd_call,
        "crash",
        "pd:app",
        how="segv",
        after=1,
    )


def test_calls_of_all_threads_count() -> None:
    lab = system(threads=2)
    lab.ask("kill", pd="app", after=2)
    ok(lab["app"].nb_send("fs"))
    assert lab["app.1"].nb_send("fs") is None
    assert lab.effects == [Kill(lab.pd("app").number, 9)]


@pytest.mark.parametrize("how", ["SIGKILL", "9"])
def test_a_kill_may_be_armed_in_the_boot_specification(how: str) -> None:
    arm = {"pd": "app", "action": "kill", "how": how, "after": 2}
    lab = Lab({"app": {}, "other": {}}, arms=[arm])
    app = lab["app"]
    ok(app.poll(SLOT_WORK))
    assert app.poll(SLOT_WORK) is None
    assert lab.effects == [Kill(app.pd.number, 9)]
    ok(lab["other"].poll(SLOT_WORK))


def test_a_death_is_announced() -> None:
    lab = system()
    lab.exited("app", 1 << 8)
    (said,) = lab.of(Announce)
    assert said.body == {
        "pd": "app",
        "generation": 0,
        "role": "client",
        "state": "exited",
        "reason": "exit code 1",
        "failed": True,
        "exit_code": 1,
        "drives": [],
        "restart": False,
        "down": False,
    }


def test_a_process_ends_once() -> None:
    lab = system()
    lab.die("app")
    assert lab.exited("app") == []


def test_after_a_death_its_name_its_row_and_its_reason_stay() -> None:
    lab = system()
    app = lab["app"]
    ok(app.nb_send("fs"))
    lab.die("app", 3 << 8)
    row = lab.ps("app")
    assert row == {
        "pd": "app",
        "generation": 0,
        "pid": None,
        "role": "client",
        "state": "exited",
        "reason": "exit code 3",
        "exit_code": 3,
        "calls": 1,
        "caps": 0,
        "confinement": "none",
        "debug": False,
        "drives": [],
        "tcbs": [],
    }
