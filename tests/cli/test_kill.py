"""`caplab kill` and `caplab crash`: what they ask, and how they show what was done."""

import json
from collections.abc import Callable

import pytest

REPORT = {
    "pd": "hello1",
    "generation": 1,
    "state": "killed",
    "reason": "SIGKILL by operator",
    "actions": [
        {"action": "kill", "target": "hello1", "signal": "SIGKILL"},
        {"action": "free_caller", "target": "hello2"},
        {"action": "revoke", "target": "hello1", "capabilities": 5},
    ],
    "more_actions": 0,
    "freed_callers": 1,
    "pending": [],
    "seconds": 0.0123,
}
NO_SUCH_PD = {"error": {"code": "no-such-pd", "message": "no PD `helo1`; there are: hello1"}}


def test_kill_shows_what_was_done_in_order(caplab: Callable, stand_in: Callable) -> None:
    system = stand_in(kill=REPORT)
    ran = caplab("kill", "hello1", "-s", "TERM", "--after", "3")
    assert system.requests[-1] == {"id": 1, "op": "kill", "pd": "hello1", "signal": 15, "after": 3}
    assert ran.out.splitlines() == [
        "hello1/gen1 killed SIGKILL by operator (12.3 ms)",
        "  1. kill             hello1 (SIGKILL)",
        "  2. free caller      hello2",
        "  3. revoke           hello1 (5 capabilities)",
        "  freed 1 caller; pending: nothing",
    ]


def test_kill_in_json_is_the_kernels_account(caplab: Callable, stand_in: Callable) -> None:
    stand_in(kill=REPORT)
    assert json.loads(caplab("kill", "hello1", "--format", "json").out) == {"schema": 1, **REPORT}


def test_kill_passes_on_how_far_the_death_is_to_spread(
    caplab: Callable, stand_in: Callable
) -> None:
    marks = [
        {"action": "mark_pd", "target": "file", "distance": 1},
        {"action": "mark_space", "target": "FILE_SPACE_11", "distance": 2},
        {"action": "queue_work", "target": "db", "kind": "destroy", "space": 17},
    ]
    system = stand_in(kill={**REPORT, "actions": marks})
    ran = caplab("kill", "hello1", "--pd-depth", "all", "--space-depth", "2")
    asked = {"id": 1, "op": "kill", "pd": "hello1", "signal": 9}
    assert system.requests[-1] == {**asked, "pd_depth": "all", "space_depth": 2}
    assert ran.out.splitlines()[1:4] == [
        "  1. mark pd          file (distance 1)",
        "  2. mark space       FILE_SPACE_11 (distance 2)",
        "  3. queue work       db (destroy, space 11)",
    ]


@pytest.mark.parametrize("depth", ["-2", "1.5", "ALL", "", "x", "²"])
@pytest.mark.parametrize("option", ["--pd-depth", "--space-depth"])
def test_a_depth_that_cannot_be_is_refused_before_anything_is_asked(
    caplab: Callable, stand_in: Callable, option: str, depth: str
) -> None:
    system = stand_in(kill=REPORT)
    ran = caplab("kill", "hello1", option, depth)
    assert ran.status == 2
    assert "[bad-depth]" in ran.err
    assert system.requests == []


@pytest.mark.parametrize("signal", ["9", "KILL", "SIGKILL", "kill"])
def test_a_signal_may_be_a_name_or_a_number(
    caplab: Callable, stand_in: Callable, signal: str
) -> None:
    system = stand_in(kill=REPORT)
    caplab("kill", "hello1", "-s", signal)
    assert system.requests[-1]["signal"] == 9


@pytest.mark.parametrize("signal", ["0", "999", "FOO", "-1", ""])
def test_a_signal_that_does_not_exist_is_refused_before_anything_is_asked(
    caplab: Callable, stand_in: Callable, signal: str
) -> None:
    system = stand_in(kill=REPORT)
    ran = caplab("kill", "hello1", "-s", signal)
    assert ran.status == 2
    assert "[bad-signal]" in ran.err
    assert system.requests == []


def test_an_unknown_pd_is_refused_with_the_one_that_was_meant_and_all_there_are(
    caplab: Callable, stand_in: Callable
) -> None:
    stand_in(kill=NO_SUCH_PD)
    ran = caplab("kill", "helo1")
    assert ran.status == 2
    assert "There is no PD 'helo1'. [no-such-pd]" in ran.err
    assert "Did you mean hello1? The PDs of test are hello1." in ran.err


def test_crash_passes_on_how_and_a_refusal_of_the_kernel_exits_2(
    caplab: Callable, stand_in: Callable
) -> None:
    refusal = {"error": {"code": "bad-how", "message": "no crash `x`: segv, abort, …"}}
    system = stand_in(crash=[REPORT, refusal])
    assert caplab("crash", "hello1", "--how", "exit:3").status == 0
    assert system.requests[-1]["how"] == "exit:3"
    ran = caplab("crash", "hello1", "--how", "x")
    assert ran.status == 2
    assert "no crash `x`" in ran.err


def test_a_crash_that_hangs_is_no_death_and_says_how_it_ends(
    caplab: Callable, stand_in: Callable
) -> None:
    stand_in(crash={**REPORT, "state": "", "reason": "", "actions": []})
    ran = caplab("crash", "hello1", "--how", "hang", "--after", "3")
    assert (ran.status, ran.out) == (0, "")
    assert "hello1 does not come back from system call 3; `caplab kill hello1` ends it" in ran.err


def test_restart_tells_of_the_death_it_brought_and_of_no_earlier_one(
    caplab: Callable, stand_in: Callable
) -> None:
    row = {"pd": "hello1", "generation": 1, "pid": 7, "role": "client", "state": "waiting"}
    row |= {"reason": "recv", "exit_code": None, "calls": 4, "caps": 5}
    dead = {**row, "pid": None, "state": "killed"}
    answers = [{"pds": [row]}, {"pds": [dead]}, {"pds": [dead]}]
    stand_in(ps=answers, restart={**REPORT, "restarted": 2})
    ran = caplab("restart", "hello1")
    assert ran.out.startswith("hello1/gen1 killed")
    ran = caplab("restart", "hello1")
    assert (ran.status, ran.out) == (0, "")
    assert ran.err == "caplab: hello1 is hello1/gen2 now\n"
    assert json.loads(caplab("restart", "hello1", "--format", "json").out)["restarted"] == 2
