"""PDs at breakpoints: what is shown of them, and whose time stands still."""

from typing import Any

import pytest

from caplab.kernel.abi import At, Status, Sys
from caplab.kernel.core.effects import Announce, Kill
from lab import SECOND, Lab, Thread, ok, refused


def debugged(**spec: Any) -> Lab:
    """A server `fs` that is debugged, with a second thread, and its client `app`; `web` is none."""
    return Lab(
        {
            "fs": {"serves": "endpoint", "debug": True, "threads": 2},
            "app": {"uses": {"fs": "fs"}},
            "web": {},
        },
        **spec,
    )


def at(thread: Thread, where: int) -> Any:
    return thread.syscall(Sys.DEBUG, 0, label=int(where))


def announced(lab: Lab) -> list[tuple[str, str]]:
    return [(one.body["state"], one.body["reason"]) for one in lab.of(Announce)]


@pytest.mark.parametrize("where", [*At, 3])
def test_a_pd_without_debug_cannot_hold_time_up(where: int) -> None:
    refused(Status.ILLEGAL_OPERATION, at, debugged()["app"], where)


def test_a_place_that_does_not_exist_is_refused() -> None:
    refused(Status.ILLEGAL_OPERATION, at, debugged()["fs"], 3)


def test_who_stands_at_a_breakpoint_is_shown_with_the_command_and_announced() -> None:
    lab = debugged()
    ok(at(lab["fs"], At.BREAKPOINT))
    assert announced(lab) == [("waiting", "at a breakpoint: caplab attach fs")]
    row = lab.ps("fs")
    assert (row["state"], row["reason"]) == ("running", "at a breakpoint: caplab attach fs")
    assert row["tcbs"][0] == {"tcb": "fs", "state": "waiting", "reason": "at a breakpoint"}
    assert row["debug"]
    lab["fs.1"].recv()
    assert lab.ps("fs")["state"] == "waiting"
    ok(at(lab["fs"], At.NOTHING))
    assert announced(lab) == [("running", "")]
    assert lab.ps("fs")["reason"] == ""


def test_a_step_is_announced_to_nobody_and_shown_all_the_same() -> None:
    lab = debugged()
    ok(at(lab["fs"], At.STEP))
    assert announced(lab) == []
    assert lab.ps("fs")["reason"] == "at a breakpoint: caplab attach fs"


def test_a_call_made_at_the_prompt_is_shown_instead() -> None:
    lab = debugged()
    ok(at(lab["fs"], At.BREAKPOINT))
    lab["fs"].recv()
    assert lab.ps("fs")["reason"] == "recv"


def test_no_call_of_its_other_threads_runs_out_of_time_and_each_begins_anew() -> None:
    lab = debugged()
    fs, other = lab["fs"], lab["fs.1"]
    other.recv(timeout=3)
    ok(at(fs, At.BREAKPOINT))
    lab.pass_time(100)
    assert other.blocked
    ok(at(fs, At.NOTHING))
    lab.pass_time(2.9)
    assert other.blocked
    lab.pass_time(0.1)
    assert other.woken().status == Status.TIMED_OUT


@pytest.mark.parametrize("received", [False, True])
def test_who_waits_for_it_waits_on_and_begins_anew(received: bool) -> None:
    lab = debugged()
    fs, app = lab["fs"], lab["app"]
    app.call("fs", timeout=2)
    if received:
        ok(fs.recv())
    ok(at(fs, At.BREAKPOINT))
    lab.pass_time(50)
    assert app.blocked
    ok(at(fs, At.NOTHING))
    lab.pass_time(1.9)
    assert app.blocked
    lab.pass_time(0.2)
    assert app.woken().status == Status.TIMED_OUT


def test_a_limit_that_has_not_run_out_begins_anew_too() -> None:
    lab = debugged()
    fs, app = lab["fs"], lab["app"]
    app.call("fs", timeout=2)
    lab.pass_time(1.5)
    ok(at(fs, At.BREAKPOINT))
    ok(at(fs, At.NOTHING))
    assert lab.k.next_deadline is not None
    lab.pass_time(1.9)
    assert app.blocked


def test_nobody_elses_time_stands_still() -> None:
    lab = debugged()
    ok(at(lab["fs"], At.BREAKPOINT))
    lab["web"].syscall(Sys.SLEEP, timeout=1)
    lab.pass_time(1)
    ok(lab["web"].woken())


def test_time_goes_on_for_who_waited_for_a_pd_that_dies_at_its_breakpoint() -> None:
    lab = Lab(
        {
            "fs": {"serves": "endpoint", "debug": True},
            "app": {"uses": {"fs": "fs"}, "debug": True, "threads": 2},
        }
    )
    ok(at(lab["fs"], At.BREAKPOINT))
    ok(at(lab["app"], At.BREAKPOINT))
    lab["app.1"].call("fs", timeout=1)
    lab.pass_time(5)
    lab.die("fs")
    assert lab["app.1"].woken().status == Status.DIED_BEFORE_RECV
    lab["app.1"].syscall(Sys.SLEEP, timeout=1)
    lab.pass_time(5)
    assert lab["app.1"].blocked
    ok(at(lab["app"], At.NOTHING))
    lab.pass_time(1)
    ok(lab["app.1"].woken())


def test_who_is_suspended_gets_no_time_limit_when_time_goes_on() -> None:
    lab = debugged()
    lab["app"].call("fs", timeout=1)
    ok(at(lab["fs"], At.BREAKPOINT))
    lab.operator("suspend", pd="app")
    lab.pass_time(9)
    ok(at(lab["fs"], At.NOTHING))
    lab.pass_time(9)
    assert lab["app"].blocked


def test_a_system_that_ends_by_itself_waits_for_who_stands_at_a_breakpoint() -> None:
    lab = debugged()
    for name in ("app", "web"):
        lab.die(name, 0)
    ok(at(lab["fs"], At.BREAKPOINT))
    lab.ask("down", patient=True)
    lab.pass_time(60)
    assert not [one for one in lab.all_effects if isinstance(one, Kill)]
    ok(at(lab["fs"], At.NOTHING))
    answer = lab["fs"].recv()
    assert answer is not None
    assert answer.status == Status.STOP
    lab.pass_time(2)
    assert Kill(lab.pd("fs").number, 9) in lab.all_effects


@pytest.mark.parametrize("patient_first", [False, True])
def test_an_operator_who_wants_it_down_gets_it_down(patient_first: bool) -> None:
    lab = debugged()
    for name in ("app", "web"):
        lab.die(name, 0)
    ok(at(lab["fs"], At.BREAKPOINT))
    if patient_first:
        lab.ask("down", patient=True)
        lab.pass_time(60)
    lab.ask("down")
    lab.pass_time(2)
    assert Kill(lab.pd("fs").number, 9) in lab.all_effects


def test_with_strict_scheduling_who_stands_at_a_breakpoint_lets_others_run() -> None:
    lab = Lab(
        {
            "high": {"debug": True, "priority": 200},
            "low": {"priority": 10},
        },
        scheduler="strict",
    )
    high, low = lab["high"], lab["low"]
    ok(high.syscall(Sys.YIELD))
    assert low.syscall(Sys.YIELD) is None
    ok(at(high, At.BREAKPOINT))
    ok(low.woken())
    assert low.syscall(Sys.SLEEP, timeout=1) is None
    ok(at(high, At.NOTHING))
    lab.now += 2 * SECOND
    lab.pass_time(0)
    assert low.blocked  # its sleep is over, and the higher priority computes again
    assert high.syscall(Sys.SLEEP) is None
    ok(low.woken())
