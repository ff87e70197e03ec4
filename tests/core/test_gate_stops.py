"""`scheduler: strict` and threads that are stopped while it is their turn."""

from typing import Any

from caplab.kernel.abi import FaultLabel, Sys
from caplab.kernel.core.effects import Continue
from caplab.kernel.core.events import Faulted
from caplab.kernel.core.gate import Gate
from lab import Lab, Thread, ok


def system(**priorities: int) -> Lab:
    """Clients with a priority each, and `fixer`, who handles their faults."""
    pds: dict[str, dict[str, Any]] = {"fixer": {"serves": "endpoint", "priority": 200}}
    for name, priority in priorities.items():
        pds[name] = {"faults": "fixer", "priority": priority}
    return Lab(pds, scheduler="strict")


def gate(lab: Lab) -> Gate:
    assert lab.k.gate is not None
    return lab.k.gate


def yields(thread: Thread) -> Any:
    return thread.syscall(Sys.YIELD)


def sleeps(thread: Thread) -> Any:
    return thread.syscall(Sys.SLEEP, timeout=9.0)


def touch(thread: Thread) -> None:
    lab = thread.lab
    lab.step(Faulted(lab.now, thread.number, FaultLabel.VM_FAULT, 0x5000, "write"))


def two() -> tuple[Lab, Thread, Thread]:
    """`high` runs, and `low` waits for its turn."""
    lab = system(low=10, high=20)
    low, high = lab["low"], lab["high"]
    ok(yields(high))
    assert yields(low) is None
    return lab, low, high


def test_a_call_that_arrives_while_its_process_is_stopped_waits_for_the_resume() -> None:
    lab, low, high = two()
    lab.operator("suspend", pd="high")
    ok(low.woken())
    assert yields(high) is None
    assert lab.of(Continue) == []
    assert gate(lab).stopped == {}
    lab.operator("resume", pd="high")
    assert lab.of(Continue) == [Continue(high.pd.number)]
    sleeps(low)
    ok(high.woken())


def test_who_is_suspended_again_before_its_turn_came_back_stays_stopped() -> None:
    lab, low, high = two()
    lab.operator("suspend", pd="high")
    ok(low.woken())
    lab.operator("resume", pd="high")
    lab.operator("suspend", pd="high")
    assert sleeps(low) is None
    assert lab.of(Continue) == []
    assert gate(lab).running is None
    lab.operator("resume", pd="high")
    assert lab.of(Continue) == [Continue(high.pd.number)]
    assert gate(lab).running is high.tcb


def test_who_is_resumed_when_nobody_runs_is_shown_ready_and_then_runs() -> None:
    lab = system(app=20)
    app = lab["app"]
    lab.operator("suspend", pd="app")
    assert yields(app) is None
    assert lab.operator("resume", pd="app")["reason"] == "ready"
    ok(app.woken())
    assert gate(lab).running is app.tcb


def test_who_had_faulted_before_it_was_stopped_gives_its_place_in_the_queue_up() -> None:
    """The news of the fault comes after the resume, while its turn has not come back yet."""
    lab, low, high = two()
    lab.operator("suspend", pd="high")
    ok(low.woken())
    lab.operator("resume", pd="high")
    touch(high)
    assert lab.of(Continue) == [Continue(high.pd.number)]
    assert gate(lab).stopped == {}
    sleeps(low)
    assert gate(lab).running is None
    assert ok(lab["fixer"].recv()).words[1] == 0x5000
