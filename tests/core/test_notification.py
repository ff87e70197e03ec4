"""Notifications: idle, waited for, active; and the one that is bound to a TCB."""

import pytest

from caplab.kernel.abi import SLOT_TCB, ObjectType, Rights, Status
from lab import Lab, Thread, ok, refused

SERVER = {"fs": {"serves": "endpoint", "threads": 3}, "app": {"uses": {"fs": "fs"}}}


def threads(count: int = 3) -> tuple[Lab, list[Thread]]:
    """One PD with some threads, a notification in slot 20, badged 1 and 2 in 21 and 22."""
    lab = Lab({"app": {"threads": count}})
    app = lab["app"]
    app.alloc(ObjectType.NOTIFICATION, 20)
    ok(app.mint(20, 21, badge=1))
    ok(app.mint(20, 22, badge=2))
    return lab, [app, *(lab[f"app.{i}"] for i in range(1, count))]


def test_a_signal_before_the_wait_is_kept() -> None:
    _, (app, *_) = threads()
    ok(app.signal(21))
    told = ok(app.wait(20))
    assert told.notification
    assert told.badge == 1


def test_signals_that_nobody_took_are_ored() -> None:
    _, (app, *_) = threads()
    ok(app.signal(21))
    ok(app.signal(22))
    ok(app.signal(21))
    assert ok(app.poll(20)).badge == 3
    assert ok(app.poll(20)).nothing


def test_taking_the_word_makes_the_notification_idle() -> None:
    _, (app, *_) = threads()
    ok(app.signal(21))
    ok(app.wait(20))
    ok(app.signal(22))
    assert ok(app.poll(20)).badge == 2


def test_a_signal_of_badge_zero_makes_it_active_all_the_same() -> None:
    """The manual's `word zero blocks` would let the next Wait sleep through a signal."""
    _, (app, *_) = threads()
    ok(app.signal(20))
    told = ok(app.wait(20))
    assert told.badge == 0
    assert told.notification
    assert not told.nothing


def test_the_first_waiter_gets_that_signal_alone() -> None:
    _, (app, one, two) = threads()
    one.wait(20)
    two.wait(20)
    ok(app.signal(21))
    assert one.woken().badge == 1
    assert two.blocked
    ok(app.signal(22))
    assert two.woken().badge == 2
    assert ok(app.poll(20)).nothing


def test_recv_and_nb_recv_work_on_a_notification_as_wait_and_poll() -> None:
    _, (app, one, _) = threads()
    assert ok(app.nb_recv(20)).nothing
    assert one.recv(20) is None
    ok(app.signal(22))
    assert one.woken().badge == 2


def test_send_call_and_nb_send_on_a_notification_are_signals() -> None:
    _, (app, *_) = threads()
    ok(app.send(21))
    ok(app.call(22))
    assert ok(app.poll(20)).badge == 3
    ok(app.nb_send(22))
    assert ok(app.poll(20)).badge == 2


def test_signalling_needs_write_and_waiting_needs_read() -> None:
    _, (app, *_) = threads()
    ok(app.copy(20, 30, Rights.READ))
    ok(app.copy(20, 31, Rights.WRITE))
    refused(Status.INVALID_CAPABILITY, app.signal, 30)
    refused(Status.INVALID_CAPABILITY, app.wait, 31)
    refused(Status.INVALID_CAPABILITY, app.poll, 31)


def test_a_wait_gives_up_when_its_time_is_over() -> None:
    lab, (app, one, _) = threads()
    one.wait(20, timeout=1)
    lab.pass_time(1)
    assert one.woken().status == Status.TIMED_OUT
    ok(app.signal(21))
    assert ok(app.poll(20)).badge == 1


def test_deleting_the_last_capability_frees_who_waits() -> None:
    _, (app, one, _) = threads()
    one.wait(20)
    ok(app.revoke(20))
    assert one.blocked
    ok(app.delete(20))
    told = one.woken()
    assert told.status == Status.REVOKED
    assert told.blames == "app"


# -- bound --------------------------------------------------------------------------------


def bound() -> tuple[Lab, Thread, Thread]:
    """A server whose first thread is bound to the notification in 20; 21 has badge 1."""
    lab = Lab(SERVER)
    fs, helper = lab["fs"], lab["fs.1"]
    fs.alloc(ObjectType.NOTIFICATION, 20)
    ok(fs.mint(20, 21, badge=1))
    ok(fs.bind(20))
    return lab, fs, helper


def test_a_bound_notification_wakes_a_server_that_receives() -> None:
    _, fs, helper = bound()
    fs.recv()
    ok(helper.signal(21))
    told = fs.woken()
    assert told.notification
    assert told.badge == 1


def test_the_endpoint_still_receives_with_the_others_in_its_queue() -> None:
    lab, fs, helper = bound()
    fs.recv()
    other = lab["fs.2"]
    other.recv()
    ok(helper.signal(21))
    ok(fs.woken())
    ok(lab["app"].send("fs", b"for the other"))
    assert other.woken().body == b"for the other"


def test_a_pending_signal_goes_before_queued_senders() -> None:
    lab, fs, helper = bound()
    lab["app"].call("fs", b"waits")
    ok(helper.signal(21))
    assert ok(fs.recv()).notification
    assert ok(fs.recv()).body == b"waits"


def test_a_pending_signal_is_taken_by_nb_recv_and_reply_recv() -> None:
    lab, fs, helper = bound()
    lab["app"].call("fs")
    ok(fs.recv())
    ok(helper.signal(21))
    assert ok(fs.reply_recv(b"done")).notification
    assert lab["app"].woken().body == b"done"
    ok(helper.signal(21))
    assert ok(fs.nb_recv()).notification


def test_a_signal_never_disturbs_a_call() -> None:
    lab = Lab({"srv": {"serves": "endpoint"}, "app": {"uses": {"srv": "srv"}, "threads": 2}})
    app, helper = lab["app"], lab["app.1"]
    app.alloc(ObjectType.NOTIFICATION, 20)
    ok(app.bind(20))
    app.call("srv")
    ok(helper.signal(20))
    assert app.blocked
    ok(lab["srv"].recv())
    ok(lab["srv"].reply(b"done"))
    assert app.woken().body == b"done"
    assert ok(app.poll(20)).notification


def test_nobody_else_may_wait_on_a_bound_notification() -> None:
    _, fs, helper = bound()
    refused(Status.ILLEGAL_OPERATION, helper.wait, 20)
    refused(Status.ILLEGAL_OPERATION, helper.poll, 20)
    ok(fs.signal(20))
    assert ok(fs.wait(20)).notification


def test_a_bound_tcb_may_wait_on_the_notification_itself() -> None:
    _, fs, helper = bound()
    assert fs.wait(20) is None
    ok(helper.signal(21))
    assert fs.woken().badge == 1


def test_binding_twice_is_refused() -> None:
    _, fs, _ = bound()
    refused(Status.ILLEGAL_OPERATION, fs.bind, 20, "tcb.1")
    fs.alloc(ObjectType.NOTIFICATION, 30)
    refused(Status.ILLEGAL_OPERATION, fs.bind, 30)


def test_binding_while_somebody_waits_is_refused() -> None:
    _, (app, one, _) = threads()
    one.wait(20)
    refused(Status.ILLEGAL_OPERATION, app.bind, 20)


def test_binding_needs_read() -> None:
    _, (app, *_) = threads()
    ok(app.copy(20, 30, Rights.WRITE))
    refused(Status.ILLEGAL_OPERATION, app.bind, 30)


@pytest.mark.parametrize(("cptr", "status"), [(99, 6), (SLOT_TCB, 2)])
def test_binding_something_else_is_refused(cptr: int, status: int) -> None:
    _, (app, *_) = threads()
    refused(Status(status), app.bind, cptr)


def test_binding_nothing_is_truncated() -> None:
    _, (app, *_) = threads()
    refused(Status.TRUNCATED_MESSAGE, app.invoke, "tcb_bind_notification", SLOT_TCB)


def test_after_unbinding_signals_are_kept_again() -> None:
    _, fs, helper = bound()
    ok(fs.invoke("tcb_unbind_notification", SLOT_TCB))
    refused(Status.ILLEGAL_OPERATION, fs.invoke, "tcb_unbind_notification", SLOT_TCB)
    fs.recv()
    ok(helper.signal(21))
    assert fs.blocked
    assert ok(helper.poll(20)).badge == 1


def test_deleting_a_bound_notification_unbinds_it() -> None:
    lab, fs, _ = bound()
    ok(fs.revoke(20))
    ok(fs.delete(20))
    assert lab["fs"].tcb.bound is None
    fs.alloc(ObjectType.NOTIFICATION, 20)
    ok(fs.bind(20))
