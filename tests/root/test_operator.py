"""The operator's commands: each is answered once; what cannot be done is said with its reason."""

import pytest

import faulting
from caplab.kernel.abi import SLOT_WORK, ObjectType
from caplab.kernel.core.effects import Answer, Continue, Stop
from caplab.kernel.core.events import Started
from caplab.kernel.root import look
from lab import Lab, ok, pair, trio


def test_a_command_nobody_knows_is_refused() -> None:
    lab = pair()
    for op in ("reboot", None, 5):
        assert lab.operator(op)["error"]["code"] == "no-such-command"  # type: ignore[arg-type]


@pytest.mark.parametrize("op", ["kill", "crash", "suspend", "resume"])
def test_a_pd_nobody_knows_is_refused_with_those_there_are(op: str) -> None:
    lab = pair()
    for name in ("disk", None, 3):
        error = lab.operator(op, pd=name)["error"]
        assert error["code"] == "no-such-pd"
        assert "fs, app" in error["message"]


@pytest.mark.parametrize("op", ["kill", "crash", "suspend", "resume"])
def test_a_pd_that_has_ended_is_refused_with_how(op: str) -> None:
    lab = pair()
    lab.die("app", 3 << 8)
    error = lab.operator(op, pd="app")["error"]
    assert error == {"code": "not-running", "message": "`app` has ended: exited exit code 3"}


@pytest.mark.parametrize("signal", [0, -1, 65, "SIGKILL", None])
def test_what_is_no_signal_is_refused(signal: object) -> None:
    assert pair().operator("kill", pd="app", signal=signal)["error"]["code"] == "bad-signal"


def test_suspend_and_resume_answer_with_the_row() -> None:
    lab = pair()
    number = lab.pd("app").number
    row = lab.operator("suspend", pd="app")
    assert (row["pd"], row["state"]) == ("app", "suspended")
    assert Stop(number) in lab.effects
    row = lab.operator("resume", pd="app")
    assert row["state"] == "starting"
    assert Continue(number) in lab.effects
    assert lab.operator("resume", pd="app")["state"] == "starting"
    assert lab.of(Continue) == []


def test_a_pd_suspended_before_its_process_exists_is_stopped_when_it_does() -> None:
    lab = pair(start=False)
    number = lab.pd("app").number
    lab.operator("suspend", pd="app")
    lab.step(Started(lab.now, number, 4711))
    assert Stop(number) in lab.effects


def unstarted() -> Lab:
    lab = Lab({"boss": {"rdes": ["pd"]}})
    ok(lab["boss"].invoke("pd_create", "rde:pd", name="child", run="x", receive=30))
    return lab


def test_a_pd_that_was_never_started_is_killed_without_a_process() -> None:
    lab = unstarted()
    request = lab.ask("kill", pd="child")
    lab.work()
    assert lab.answers[request]["reason"] == "SIGKILL by operator"
    assert lab.pd("child").state == "dead"


@pytest.mark.parametrize("op", ["crash", "suspend", "resume"])
def test_nothing_else_can_be_done_to_it(op: str) -> None:
    lab = unstarted()
    error = lab.operator(op, pd="child", how="segv")["error"]
    assert error["code"] == "not-started"


# -- ps ----------------------------------------------------------------------------------------


def test_ps_lists_every_pd_in_the_order_of_the_manifest() -> None:
    assert [row["pd"] for row in trio().operator("ps")["pds"]] == ["fs", "app", "web"]


def test_a_row_says_who_it_is_and_what_it_did() -> None:
    lab = pair()
    ok(lab["app"].nb_send("fs"))
    assert lab.ps("app") == {
        "pd": "app",
        "generation": 0,
        "pid": 1002,
        "role": "client",
        "state": "running",
        "reason": "",
        "exit_code": None,
        "calls": 1,
        "caps": 6,
        "confinement": "none",
        "debug": False,
        "drives": [],
        "tcbs": [{"tcb": "app", "state": "running", "reason": ""}],
    }


def test_holdings_count_capabilities_by_their_kind() -> None:
    lab = pair()
    assert look.holdings(lab.pd("app")) == {
        "cnode": 1,
        "endpoint": 1,
        "notification": 1,
        "tcb": 1,
        "untyped": 1,
        "pd": 1,
    }


def test_a_pd_is_starting_until_its_first_call() -> None:
    lab = pair()
    assert lab.ps("app")["state"] == "starting"
    ok(lab["app"].nb_send("fs"))
    assert lab.ps("app")["state"] == "running"


def test_what_a_thread_waits_for_is_said_in_words() -> None:
    lab = Lab(
        {
            "fs": {"serves": "endpoint", "threads": 3},
            "app": {"uses": {"fs": "fs"}},
            "web": {"uses": {"fs": "fs"}},
            "boss": {"manages": ["web"]},
        }
    )
    fs, app, web, boss = lab["fs"], lab["app"], lab["web"], lab["boss"]
    app.call("fs")
    assert lab.ps("app")["reason"] == "send to fs/gen0"
    assert lab.ps("app")["state"] == "waiting"
    ok(fs.recv())
    assert lab.ps("app")["reason"] == "reply from fs/gen0"
    ok(fs.save_caller(20))
    assert lab.ps("app")["reason"] == "reply from fs/gen0"
    fs.recv()
    lab["fs.1"].wait(SLOT_WORK)
    lab["fs.2"].syscall(12)  # type: ignore[arg-type]
    assert [tcb["reason"] for tcb in lab.ps("fs")["tcbs"]] == ["recv", "notification", "parked"]
    assert [tcb["tcb"] for tcb in lab.ps("fs")["tcbs"]] == ["fs", "fs.1", "fs.2"]
    web.syscall(13)  # type: ignore[arg-type]
    assert lab.ps("web")["reason"] == "sleep"
    boss.pd_call("kill", "pd:web")
    assert lab.ps("boss")["reason"] == "the end of web"


def test_an_endpoint_of_nobody_in_particular_is_called_by_its_number() -> None:
    lab = Lab({"app": {"threads": 2}})
    lab["app"].alloc(ObjectType.ENDPOINT, 20)
    lab["app.1"].call(20)
    assert lab.ps("app")["tcbs"][1]["reason"] == "send to app/gen0"
    lab["app"].cap(20).obj.owner = None
    assert lab.ps("app")["tcbs"][1]["reason"].startswith("send to endpoint ")


def test_a_revoke_that_goes_on_is_a_wait() -> None:
    lab = Lab({"app": {}})
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    lab.checked = False
    for slot in range(21, 321):
        ok(app.copy(20, slot))
    app.revoke(20)
    assert lab.ps("app")["reason"] == "revoke"


def test_of_a_pd_some_of_whose_threads_are_suspended_each_says_so() -> None:
    lab = Lab({"app": {"threads": 2}})
    app = lab["app"]
    ok(app.invoke("tcb_suspend", "tcb.1"))
    row = lab.ps("app")
    assert row["state"] == "running"
    assert [tcb["state"] for tcb in row["tcbs"]] == ["running", "suspended"]


def test_under_sel4_a_thread_that_stopped_for_ever_says_so() -> None:
    lab = Lab({"app": {}}, semantics="sel4")
    lab["app"].recv(300)
    reason = "FAULT: capability fault at 300 while receiving, nobody mends it"
    assert lab.ps("app")["reason"] == reason


def test_a_fault_says_who_has_it_in_hand() -> None:
    lab, fixer, app = faulting.system()
    app.recv(faulting.EMPTY)
    what = "FAULT: capability fault at 300 while receiving, "
    assert lab.ps("app")["reason"] == what + "sent to fixer/gen0"
    ok(fixer.recv())
    assert lab.ps("app")["reason"] == what + "handled by fixer/gen0"
    ok(fixer.reply())
    assert lab.ps("app")["reason"] == what + "restarting"


def test_a_served_caller_may_wait_for_nobody_in_sel4_mode() -> None:
    lab = pair(semantics="sel4")
    fs, app = lab["fs"], lab["app"]
    app.call("fs")
    ok(fs.recv())
    fs.recv()
    assert lab.ps("app")["reason"] == "inactive"


# -- ready and wait ----------------------------------------------------------------------------


def test_ready_is_answered_when_every_server_has_received() -> None:
    lab = Lab({"a": {"serves": "endpoint"}, "b": {"role": "server"}, "c": {}})
    request = lab.ask("ready")
    lab["a"].recv()
    assert request not in lab.answers
    lab["b"].poll(SLOT_WORK)
    assert lab.answers[request] == {"ready": True, "failed": []}
    assert lab.operator("ready")["ready"]


def test_a_server_that_died_before_is_a_failure() -> None:
    lab = Lab({"a": {"serves": "endpoint"}, "b": {"serves": "endpoint"}})
    request = lab.ask("ready")
    lab["a"].recv()
    lab.die("b", 1 << 8)
    said = lab.answers[request]
    assert not said["ready"]
    assert [(row["pd"], row["reason"]) for row in said["failed"]] == [("b", "exit code 1")]


def test_a_system_without_servers_is_ready() -> None:
    assert Lab({"a": {}}).operator("ready") == {"ready": True, "failed": []}


def test_wait_is_answered_when_every_client_has_ended() -> None:
    lab = trio()
    request = lab.ask("wait")
    lab.die("app", 0)
    assert request not in lab.answers
    lab.die("web", 0)
    assert lab.answers[request] == {"finished": True, "failed": []}
    assert lab.operator("wait")["finished"]


def test_wait_names_those_that_failed() -> None:
    lab = trio()
    request = lab.ask("wait")
    lab.die("app", 2 << 8)
    lab.die("fs", 11)
    lab.die("web", 0)
    failed = {row["pd"]: row["reason"] for row in lab.answers[request]["failed"]}
    assert failed == {"app": "exit code 2", "fs": "SIGSEGV"}


def test_a_system_of_servers_only_is_finished_when_the_last_has_ended() -> None:
    lab = Lab({"a": {"serves": "endpoint"}, "b": {"serves": "endpoint"}})
    request = lab.ask("wait")
    lab.die("a")
    assert request not in lab.answers
    lab.die("b")
    assert lab.answers[request]["finished"]


def test_several_may_wait() -> None:
    lab = Lab({"a": {}})
    first, second = lab.ask("wait"), lab.ask("wait")
    lab.exited("a", 0)
    assert {effect.request for effect in lab.of(Answer)} == {first, second}
