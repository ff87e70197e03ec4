"""Strict priorities and faults outside calls: an instruction waits for its turn, as a call does."""

import pytest

from caplab.kernel.abi import FaultLabel, Sys
from caplab.kernel.core.effects import Continue, ContinueFault
from caplab.kernel.core.events import Faulted
from lab import Lab, Thread, ok


def system(app: int = 10, fixer: int = 30, semantics: str = "lab") -> Lab:
    lab = Lab(
        {
            "fixer": {"serves": "endpoint", "priority": fixer},
            "app": {"faults": "fixer", "priority": app},
            "other": {"priority": 20},
        },
        scheduler="strict",
        semantics=semantics,
    )
    assert lab["fixer"].recv() is None
    ok(lab["app"].syscall(Sys.YIELD))
    return lab


def touch(thread: Thread) -> None:
    """The thread touches an address that is not there."""
    lab = thread.lab
    lab.step(Faulted(lab.now, thread.number, FaultLabel.VM_FAULT, 0x5000, "write"))


def runs(lab: Lab) -> str:
    assert lab.k.gate is not None
    return lab.k.gate.running.name if lab.k.gate.running is not None else ""


def mended(semantics: str = "lab") -> Lab:
    """`app` faulted, `fixer` has answered, and `other` runs before `app` does."""
    lab = system(semantics=semantics)
    touch(lab["app"])
    fixer = lab["fixer"]
    assert fixer.woken().label == FaultLabel.VM_FAULT
    ok(fixer.reply())
    assert lab.of(ContinueFault) == []
    assert lab["other"].syscall(Sys.YIELD) is None
    assert fixer.recv() is None
    assert runs(lab) == "other"
    return lab


@pytest.mark.parametrize("semantics", ["lab", "sel4"])
def test_a_mended_thread_waits_for_its_turn(semantics: str) -> None:
    lab = mended(semantics)
    assert lab.ps("app")["reason"] == "ready: other runs, priority 20"
    ok(lab["other"].woken())
    assert lab["other"].syscall(Sys.PARK) is None
    assert lab.of(ContinueFault) == [ContinueFault(lab["app"].number)]
    assert runs(lab) == "app"
    ok(lab["app"].syscall(Sys.YIELD))


def test_a_mended_thread_that_nobody_outranks_goes_on_at_once() -> None:
    lab = system(app=40)
    app, fixer = lab["app"], lab["fixer"]
    touch(app)
    fixer.woken()
    assert fixer.reply() is None
    assert lab.of(ContinueFault) == [ContinueFault(app.number)]
    assert runs(lab) == "app"


def test_a_mended_thread_suspended_before_its_turn_goes_on_when_it_is_resumed() -> None:
    lab = mended()
    lab.operator("suspend", pd="app")
    lab["other"].mail.clear()
    assert lab["other"].syscall(Sys.PARK) is None
    assert lab.of(ContinueFault) == []
    lab.operator("resume", pd="app")
    assert lab.of(ContinueFault) == [ContinueFault(lab["app"].number)]
    assert lab.of(Continue) == [Continue(lab["app"].pd.number)]


def test_a_mended_thread_that_dies_before_its_turn_is_out_of_its_queue() -> None:
    lab = mended()
    lab.die("app")
    lab["other"].mail.clear()
    assert lab["other"].syscall(Sys.PARK) is None
    assert lab.of(ContinueFault) == []


def test_a_mended_thread_may_fault_again() -> None:
    lab = mended()
    lab["other"].mail.clear()
    assert lab["other"].syscall(Sys.PARK) is None
    touch(lab["app"])
    assert lab["fixer"].woken().label == FaultLabel.VM_FAULT
