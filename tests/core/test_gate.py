"""`scheduler: strict`: one runs, the highest; who else could waits for a turn."""

from typing import Any

import pytest

from caplab.kernel.abi import SLOT_TCB, SLOT_WORK, ObjectType, Status, Sys
from caplab.kernel.core.effects import Continue, Resume, Stop
from caplab.kernel.core.events import BadFrame, Interrupt
from caplab.kernel.core.states import NAMES
from lab import ROWS, SECOND, Lab, Thread, ok, refused

POST = 20


def strict(semantics: str = "lab", **priorities: int) -> Lab:
    """A server `fs` that has been resumed by nobody yet, and clients; each with a priority."""
    pds: dict[str, dict[str, Any]] = {"fs": {"serves": "endpoint", "devices": ["uart0"]}}
    for name in priorities:
        pds.setdefault(name, {"uses": {"fs": "fs"}})
    for name, priority in priorities.items():
        pds[name]["priority"] = priority
    return Lab(pds, scheduler="strict", semantics=semantics, uarts=["uart0"])


def runs(lab: Lab) -> str:
    """Who runs; nobody is the empty string."""
    assert lab.k.gate is not None
    return lab.k.gate.running.name if lab.k.gate.running is not None else ""


def resumed(lab: Lab) -> list[int]:
    return [effect.tcb for effect in lab.of(Resume)]


def yields(thread: Thread) -> Any:
    return thread.syscall(Sys.YIELD)


def test_the_host_schedules_by_default_and_there_is_no_gate() -> None:
    lab = Lab({"app": {"priority": 7}})
    assert lab.k.gate is None
    assert "execute" not in vars(lab.k)


def test_a_first_call_waits_for_who_runs() -> None:
    lab = strict(low=10, high=20)
    low, high = lab["low"], lab["high"]
    ok(yields(low))
    assert yields(high) is None
    assert runs(lab) == "low"
    assert lab.ps("high")["reason"] == "ready: low runs, priority 10"
    assert lab.ps("high")["state"] == "waiting"


def test_a_higher_priority_made_ready_runs_at_the_next_call_which_is_executed_later() -> None:
    lab = strict(low=10, high=20)
    low, high = lab["low"], lab["high"]
    ok(yields(low))
    yields(high)
    assert low.call("fs") is None
    assert ok(high.woken())
    assert runs(lab) == "high"
    assert NAMES[low.tcb.state] == "ready"


def test_a_lower_priority_waits_until_the_higher_blocks() -> None:
    lab = strict(fs=30, low=10, high=20)
    fs, low, high = lab["fs"], lab["low"], lab["high"]
    ok(yields(high))
    assert yields(low) is None
    ok(yields(high))
    assert low.blocked
    high.syscall(Sys.SLEEP, timeout=1.0)
    assert ok(low.woken())
    assert fs.tcb.calls == 0


def test_a_server_of_higher_priority_answers_before_its_client_goes_on() -> None:
    lab = strict(fs=30, app=10)
    fs, app = lab["fs"], lab["app"]
    fs.recv()
    app.call("fs", b"x")
    assert fs.woken().body == b"x"
    assert fs.reply(b"y") is not None
    assert app.blocked
    assert fs.recv() is None
    assert app.woken().body == b"y"


def test_a_server_of_lower_priority_runs_when_its_client_blocks() -> None:
    lab = strict(fs=10, app=30)
    fs, app = lab["fs"], lab["app"]
    fs.recv()
    app.call("fs", b"x")
    assert fs.woken().body == b"x"
    assert fs.reply(b"y") is None
    assert app.woken().body == b"y"
    app.call("fs", b"z")
    assert ok(fs.woken())
    assert fs.recv().body == b"z"


@pytest.mark.parametrize(("server", "heard"), [(30, True), (10, False)])
def test_nb_send_reaches_a_receiver_only_if_that_had_its_turn(server: int, heard: bool) -> None:
    """IPC0004: the receiver waits already only where the sender's priority is lower."""
    lab = strict("sel4", fs=server, app=20)
    fs, app = lab["fs"], lab["app"]
    ok(yields(app))
    assert fs.recv() is None
    if heard:
        assert yields(app) is not None  # and before it the receiver, which waits now
    answer = app.nb_send("fs", b"x")
    if heard:
        assert answer is None
        assert fs.woken().body == b"x"
    else:
        assert ok(answer)
        app.syscall(Sys.SLEEP, timeout=1.0)
        assert fs.blocked
        assert NAMES[fs.tcb.state] == "recv"


def test_equals_take_turns_in_order_of_arrival_at_yield() -> None:
    lab = strict(a=50, b=50, c=50)
    a, b, c = lab["a"], lab["b"], lab["c"]
    for one in (a, b, c):
        one.poll(SLOT_WORK)
    order = []
    for _ in range(6):
        one = lab[runs(lab)]
        order.append(one.tcb.name)
        one.mail.clear()
        assert yields(one) is None
    assert order == ["a", "b", "c", "a", "b", "c"]


def test_who_is_preempted_stays_before_its_equals() -> None:
    lab = strict(a=50, b=50, high=60)
    a, b, high = lab["a"], lab["b"], lab["high"]
    ok(yields(a))
    yields(b)
    yields(high)
    assert a.syscall(Sys.NB_SEND, "fs") is None
    assert runs(lab) == "high"
    high.mail.clear()
    high.syscall(Sys.SLEEP, timeout=1.0)
    assert runs(lab) == "a"
    assert b.blocked


def test_a_dead_tcb_gives_its_turn_away() -> None:
    lab = strict(low=10, high=20)
    ok(yields(lab["high"]))
    yields(lab["low"])
    lab.exited("high")
    assert ok(lab["low"].woken())


def test_a_ready_tcb_that_dies_is_out_of_its_queue() -> None:
    lab = strict(low=10, high=20)
    ok(yields(lab["high"]))
    yields(lab["low"])
    lab.die("low")
    assert lab.k.gate is not None
    assert lab.k.gate.queues == {}


def test_a_tcb_whose_process_is_stopped_gives_its_turn_away_and_gets_it_back() -> None:
    lab = strict(low=10, high=20)
    low, high = lab["low"], lab["high"]
    ok(yields(high))
    yields(low)
    lab.operator("suspend", pd="high")
    assert lab.of(Stop) == [Stop(high.pd.number)]
    assert ok(low.woken())
    lab.operator("resume", pd="high")
    assert lab.of(Continue) == []
    assert low.syscall(Sys.SLEEP, timeout=9.0) is None
    assert lab.of(Continue) == [Continue(high.pd.number)]
    assert runs(lab) == "high"


def test_a_call_on_its_way_when_the_process_was_stopped_waits_for_its_turn() -> None:
    lab = strict(low=10, high=20)
    low, high = lab["low"], lab["high"]
    ok(yields(high))
    yields(low)
    lab.operator("suspend", pd="high")
    lab.operator("resume", pd="high")
    low.mail.clear()
    assert yields(high) is None
    assert lab.of(Continue) == [Continue(high.pd.number)]
    assert yields(low) is None
    assert ok(high.woken())


def test_a_stopped_process_that_dies_is_forgotten() -> None:
    lab = strict(low=10, high=20)
    ok(yields(lab["high"]))
    lab.operator("suspend", pd="high")
    lab.die("high")
    assert lab.k.gate is not None
    assert lab.k.gate.stopped == {}
    assert ok(yields(lab["low"]))


def test_a_ready_tcb_that_is_suspended_gets_its_answer_when_it_is_resumed() -> None:
    lab = strict(fs=30, app=10)
    fs, app = lab["fs"], lab["app"]
    fs.recv()
    app.call("fs")
    fs.mail.clear()
    ok(fs.reply(b"y"))
    lab.operator("suspend", pd="app")
    fs.recv()
    assert app.blocked
    lab.operator("resume", pd="app")
    assert app.woken().body == b"y"


def test_a_call_that_waits_for_its_turn_is_executed_after_suspend_and_resume() -> None:
    lab = strict(low=10, high=20)
    ok(yields(lab["high"]))
    yields(lab["low"])
    lab.operator("suspend", pd="low")
    lab.operator("resume", pd="low")
    assert NAMES[lab["low"].tcb.state] == "ready"
    lab["high"].syscall(Sys.SLEEP, timeout=1.0)
    assert ok(lab["low"].woken())


def test_a_time_limit_counts_from_the_turn_and_its_end_waits_for_one() -> None:
    lab = strict(low=10, high=20)
    low, high = lab["low"], lab["high"]
    ok(yields(low))
    yields(high)
    assert low.syscall(Sys.SLEEP, timeout=1.0) is None
    high.mail.clear()
    assert lab.k.next_deadline is None
    high.syscall(Sys.SLEEP, timeout=2.0)
    assert runs(lab) == ""
    lab.pass_time(1.0)
    assert ok(low.woken())
    lab.pass_time(1.0)
    assert high.blocked
    assert yields(low) is None
    assert ok(high.woken())
    assert lab.now == 2 * SECOND


def test_who_breaks_the_rules_while_ready_is_killed_and_the_gate_goes_on() -> None:
    lab = strict(low=10, high=20)
    ok(yields(lab["high"]))
    yields(lab["low"])
    lab.step(BadFrame(lab.now, lab["low"].number, "noise"))
    lab.die("low")
    assert lab.ps("low")["state"] == "faulted"
    ok(yields(lab["high"]))


def test_going_down_reaches_who_is_ready() -> None:
    lab = strict(low=10, high=20)
    ok(yields(lab["high"]))
    yields(lab["low"])
    lab.ask("down")
    assert yields(lab["high"]).status == Status.STOP
    lab.die("high", 0)
    assert lab["low"].woken().status == Status.STOP


def test_a_crash_is_the_next_thing_a_ready_tcb_hears() -> None:
    lab = strict(low=10, high=20)
    ok(yields(lab["high"]))
    yields(lab["low"])
    lab.ask("crash", pd="low", how="segv")
    assert lab["low"].blocked
    lab["high"].syscall(Sys.SLEEP, timeout=1.0)
    assert lab["low"].woken().status == Status.CRASH


def test_an_interrupt_makes_its_driver_ready_and_who_computes_goes_on() -> None:
    lab = strict(fs=30, app=10)
    fs, app = lab["fs"], lab["app"]
    bell = fs.alloc(ObjectType.NOTIFICATION, 16)
    ok(fs.invoke("device_claim", "uart0", slot=17))
    ok(fs.invoke("irq_set_notification", 17, caps=[bell]))
    fs.wait(bell)
    ok(yields(app))
    lab.step(Interrupt(lab.now, 0))
    assert fs.blocked
    assert lab.k.gate is not None
    assert lab.k.gate.late
    assert yields(app) is None
    assert ok(fs.woken()).call == Sys.WAIT


# -- priorities -------------------------------------------------------------------------------


def set_priority(thread: Thread, priority: int, target: Any = SLOT_TCB, **more: Any) -> Any:
    caps = more.pop("caps", [SLOT_TCB])
    return thread.invoke("tcb_set_priority", target, priority=priority, caps=caps)


def test_who_lowers_itself_below_another_waits_at_once() -> None:
    lab = strict(low=10, high=20)
    low, high = lab["low"], lab["high"]
    ok(yields(high))
    yields(low)
    assert set_priority(high, 5) is None
    assert ok(low.woken())
    assert runs(lab) == "low"


def test_a_ready_tcb_that_is_raised_overtakes() -> None:
    lab = Lab(
        {
            "boss": {"priority": 50, "threads": 3, "rdes": ["pd"]},
            "other": {"priority": 20},
        },
        scheduler="strict",
    )
    boss, spare, other = lab["boss"], lab["boss.1"], lab["other"]
    ok(yields(boss))
    yields(other)
    ok(set_priority(boss, 10, "tcb.1"))
    assert spare.syscall(Sys.YIELD) is None
    ok(set_priority(boss, 30, "tcb.1"))
    boss.syscall(Sys.SLEEP, timeout=1.0)
    assert ok(spare.woken())
    assert other.blocked


def test_a_priority_beyond_the_authoritys_is_out_of_range() -> None:
    lab = strict(app=40)
    app = lab["app"]
    ok(yields(app))
    answer = refused(Status.RANGE_ERROR, set_priority, app, 41)
    assert answer.words == (0, 40)
    ok(set_priority(app, 1))
    ok(set_priority(app, 40))


def test_a_maximum_can_be_lowered_and_not_raised_again() -> None:
    lab = strict(app=40)
    app = lab["app"]
    ok(yields(app))
    ok(app.invoke("tcb_set_mc_priority", SLOT_TCB, mcp=30, caps=[SLOT_TCB]))
    assert app.tcb.priority == 40
    refused(Status.RANGE_ERROR, set_priority, app, 31)
    again = app.invoke("tcb_set_mc_priority", SLOT_TCB, mcp=40, caps=[SLOT_TCB])
    assert again is not None
    assert again.status == Status.RANGE_ERROR


@pytest.mark.parametrize(
    ("caps", "status"),
    [([], Status.TRUNCATED_MESSAGE), ([2], Status.INVALID_CAPABILITY), ([99], 2)],
)
def test_an_authority_must_be_a_tcb(caps: list[int], status: int) -> None:
    lab = strict(app=40)
    ok(yields(lab["app"]))
    refused(Status(status), set_priority, lab["app"], 1, caps=caps)


def test_a_message_without_a_priority_is_truncated() -> None:
    lab = strict(app=40)
    app = lab["app"]
    ok(yields(app))
    for name in ("tcb_set_priority", "tcb_set_mc_priority"):
        label = int(ROWS[name].label)
        refused(Status.TRUNCATED_MESSAGE, app.syscall, Sys.CALL, SLOT_TCB, label=label)


def test_a_priority_is_kept_where_the_host_schedules() -> None:
    lab = Lab({"app": {"priority": 40}})
    app = lab["app"]
    ok(set_priority(app, 3))
    assert app.tcb.priority == 3


def test_a_child_has_its_makers_priority() -> None:
    lab = Lab({"boss": {"priority": 77, "rdes": ["pd"]}})
    child = lab["boss"].create("kid", POST, run="./kid.py")
    assert (child.tcb.priority, child.tcb.mcp) == (77, 77)
