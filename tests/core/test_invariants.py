"""The invariants themselves: each is broken by hand here, and says so."""

from collections import deque

import pytest

import faulting
from caplab.kernel.abi import ObjectType, Rights, Sys
from caplab.kernel.core import invariants
from caplab.kernel.core.endpoint import Endpoint
from caplab.kernel.core.gate import Gate
from caplab.kernel.core.invariants import violations
from caplab.kernel.core.notification import Notification
from caplab.kernel.core.states import INACTIVE, READY, REPLY, RUNNING, SEND
from lab import Lab, Thread, ok, trio


def calling() -> tuple[Lab, Thread, Thread, Endpoint]:
    """`app` is queued at the endpoint of `fs`; nothing is checked from here on."""
    lab = trio()
    lab["app"].call("fs")
    lab.checked = False
    return lab, lab["fs"], lab["app"], lab["app"].tcb.on


def broken(lab: Lab) -> set[str]:
    return {text.split(":")[0] for text in violations(lab.k)}


def test_a_healthy_system_breaks_none() -> None:
    lab, *_ = calling()
    assert violations(lab.k) == []


def test_a_blocked_thread_that_is_in_no_queue() -> None:
    lab, _, _, endpoint = calling()
    endpoint.queue.clear()
    assert broken(lab) == {"I1"}


def test_a_thread_that_is_queued_though_it_runs() -> None:
    lab, _, app, _ = calling()
    app.tcb.state, app.tcb.on = RUNNING, None
    assert broken(lab) == {"I1", "I2"}


def test_a_thread_that_is_queued_twice() -> None:
    lab, _, app, endpoint = calling()
    endpoint.queue.append(app.tcb)
    assert "I1" in broken(lab)


def test_an_endpoint_that_queues_both_sides() -> None:
    lab, fs, _, endpoint = calling()
    endpoint.receiving = True
    assert broken(lab) == {"I2"}
    endpoint.receiving = False
    endpoint.queue.append(fs.tcb)
    fs.tcb.state, fs.tcb.on = 2, endpoint
    assert broken(lab) == {"I2"}


def test_an_endpoint_that_receives_with_nobody_there() -> None:
    lab, fs, _, _ = calling()
    ok(fs.recv())
    fs.cap("server").obj.receiving = True
    assert broken(lab) == {"I2"}


def test_a_caller_whose_reply_nobody_holds() -> None:
    lab, fs, app, _ = calling()
    ok(fs.recv())
    assert app.tcb.state == REPLY
    app.tcb.reply.holder = None
    assert broken(lab) == {"I3"}


def test_a_reply_that_is_held_though_nobody_waits() -> None:
    lab, fs, app, _ = calling()
    ok(fs.recv())
    app.tcb.state, app.tcb.on = RUNNING, None
    assert broken(lab) == {"I3"}


def test_a_holder_that_does_not_have_the_reply() -> None:
    lab, fs, _, _ = calling()
    ok(fs.recv())
    fs.tcb.caller = None
    assert broken(lab) == {"I3"}


def test_a_child_with_more_rights_than_its_parent() -> None:
    lab, _, _, _ = calling()
    web = lab["web"]
    web.alloc(ObjectType.ENDPOINT, 20)
    ok(web.copy(20, 21))
    slot = web.pd.cspace.slots[20]
    slot.cap = slot.cap._replace(rights=int(Rights.READ))
    assert broken(lab) == {"I4"}


@pytest.mark.parametrize("side", ["next", "prev"])
def test_neighbours_that_do_not_know_each_other(side: str) -> None:
    lab, fs, _, _ = calling()
    fs.alloc(ObjectType.ENDPOINT, 20)
    ok(fs.copy(20, 21))
    slot = fs.pd.cspace.slots[20 if side == "next" else 21]
    assert getattr(slot, side) is not None
    setattr(slot, side, fs.pd.cspace.slots[1])
    assert "I5" in broken(lab)


def test_counts_that_are_not_what_there_is() -> None:
    for change in ("refs", "readers"):
        lab, _, _, endpoint = calling()
        setattr(endpoint, change, getattr(endpoint, change) + 1)
        assert broken(lab) == {"I6"}
    lab, _, _, endpoint = calling()
    endpoint.badges[77] = 1
    assert broken(lab) == {"I6"}


def test_holds_that_are_not_the_capabilities_there_are() -> None:
    lab, fs, _, _ = calling()
    fs.alloc(ObjectType.FRAME, 20)
    mo = fs.cap(20).obj
    mo.granted[99] = True
    assert broken(lab) == {"I7"}
    mo.granted.clear()
    mo.holds[fs.pd.number] += 1
    assert broken(lab) == {"I7"}


def test_somebody_who_waits_on_a_deaf_endpoint() -> None:
    lab, fs, _, endpoint = calling()
    slot = fs.pd.cspace.slots[fs.slot("server")]
    slot.cap = slot.cap._replace(rights=int(Rights.WRITE))
    endpoint.readers = 0
    assert broken(lab) == {"I8"}
    lab.k.lab = False
    assert broken(lab) == set()


def test_a_binding_that_is_not_mutual() -> None:
    lab, fs, _, _ = calling()
    fs.tcb.bound = Notification(99)
    assert broken(lab) == {"I9"}
    fs.tcb.bound.bound = fs.tcb
    assert broken(lab) == {"I9"}  # no capability names it
    fs.tcb.bound.refs = 1
    assert broken(lab) == set()


def test_a_waiter_that_a_notification_does_not_know() -> None:
    lab, fs, _, _ = calling()
    fs.alloc(ObjectType.NOTIFICATION, 20)
    assert fs.wait(20) is None
    fs.tcb.on.queue = deque()
    assert broken(lab) == {"I1"}
    assert fs.tcb.state != SEND


def test_a_time_limit_of_a_thread_that_is_in_no_call() -> None:
    lab, fs, _, _ = calling()
    fs.tcb.deadline = 5
    assert broken(lab) == {"I10"}


def test_a_faulter_that_runs_and_one_whose_message_is_nowhere_or_left_over() -> None:
    lab, _, app = faulting.system()
    app.recv(faulting.EMPTY)
    lab.checked = False
    assert broken(lab) == set()
    fault = app.tcb.fault
    interrupted, fault.request = fault.request, None
    assert broken(lab) == {"I11"}
    fault.request = interrupted
    app.tcb.on.queue.clear()
    app.tcb.state, app.tcb.on = INACTIVE, None
    assert broken(lab) == {"I11"}
    fault.request = None
    assert broken(lab) == set()
    app.tcb.state = RUNNING
    assert broken(lab) == {"I11"}


def strict() -> tuple[Lab, Gate, Thread, Thread]:
    """`high` runs and `low` is ready; nothing is checked from here on."""
    lab = Lab({"low": {"priority": 10}, "high": {"priority": 20}}, scheduler="strict")
    low, high = lab["low"], lab["high"]
    ok(high.syscall(Sys.YIELD))
    assert low.syscall(Sys.YIELD) is None
    lab.checked = False
    assert lab.k.gate is not None
    assert broken(lab) == set()
    return lab, lab.k.gate, low, high


def told(lab: Lab) -> str:
    (text,) = violations(lab.k)
    return text


def test_a_thread_that_is_ready_and_stands_in_no_queue() -> None:
    lab, gate, low, _ = strict()
    gate.queues.clear()
    assert told(lab) == f"I12: tcb {low.number} is ready, but is it in a ready queue?"
    low.tcb.state = INACTIVE
    gate.queues[0, 10] = deque([low.tcb])
    assert "is inactive, but" in told(lab)


def test_a_thread_that_is_ready_where_there_is_no_gate() -> None:
    lab, _, _, _ = calling()
    lab["web"].tcb.state = READY
    assert broken(lab) == {"I12"}


def test_two_threads_that_run_at_once() -> None:
    lab, gate, low, _ = strict()
    gate.queues.clear()
    low.tcb.state = RUNNING
    assert told(lab) == f"I12: tcb {low.number} runs, though it is not its turn"


def test_a_thread_that_is_ready_twice_or_in_the_wrong_queue() -> None:
    lab, gate, low, _ = strict()
    gate.queues[0, 10].append(low.tcb)
    assert told(lab) == "I12: a tcb is ready twice"
    gate.queues.clear()
    gate.queues[0, 9] = deque([low.tcb])
    assert told(lab) == "I12: a ready tcb stands in the queue of another priority or domain"


def test_a_thread_that_is_ready_though_nobody_or_somebody_lower_runs() -> None:
    lab, gate, low, high = strict()
    gate.running, high.tcb.state = None, INACTIVE
    assert told(lab) == f"I12: tcb {low.number} is ready, and nobody runs"
    gate.running, high.tcb.state = high.tcb, RUNNING
    high.tcb.priority = 5
    assert told(lab) == f"I12: tcb {high.number} runs, and a higher priority is ready"
    gate.late = True
    assert broken(lab) == set()


def test_every_invariant_says_its_number_and_what_it_holds() -> None:
    for number, check in enumerate(invariants.INVARIANTS, 1):
        assert check.__doc__ is not None
        assert check.__doc__.startswith(f"I{number}: ")
