"""`semantics: sel4`: the silences of the real kernel, as far as they are built."""

import pytest

from caplab.kernel.abi import ROOT_SLOTS, SLOT_TCB, ObjectType, Rights, Status, Sys
from lab import Lab, Thread, ok, refused

SEL4 = {"semantics": "sel4"}


def pair() -> tuple[Lab, Thread, Thread]:
    lab = Lab({"fs": {"serves": "endpoint"}, "app": {"uses": {"fs": "fs"}}}, **SEL4)
    return lab, lab["fs"], lab["app"]


def with_helper() -> tuple[Lab, Thread, Thread, Thread]:
    lab = Lab({"fs": {"serves": "endpoint"}, "app": {"uses": {"fs": "fs"}, "threads": 2}}, **SEL4)
    return lab, lab["fs"], lab["app"], lab["app.1"]


def test_a_call_on_an_empty_slot_gets_label_two() -> None:
    _, _, app = pair()
    answer = refused(Status.INVALID_CAPABILITY, app.call, 300)
    assert answer.label == Status.INVALID_CAPABILITY


def test_kernel_errors_stand_in_the_label_too() -> None:
    _, _, app = pair()
    assert refused(Status.FAILED_LOOKUP, app.copy, 300, 30).label == Status.FAILED_LOOKUP


def test_a_label_of_a_message_is_the_senders() -> None:
    _, fs, app = pair()
    app.call("fs", label=9)
    assert ok(fs.recv()).label == 9


@pytest.mark.parametrize("call", [Sys.SEND, Sys.NB_SEND, Sys.SIGNAL])
def test_sending_on_an_empty_slot_says_nothing(call: Sys) -> None:
    _, _, app = pair()
    assert not ok(app.syscall(call, 300)).nothing


def test_sending_without_write_says_nothing() -> None:
    _, fs, app = pair()
    fs.recv()
    ok(app.copy("fs", 20, Rights.GRANT))
    ok(app.send(20))
    ok(app.nb_send(20))
    refused(Status.INVALID_CAPABILITY, app.call, 20)
    assert fs.blocked


def test_a_signal_without_write_says_nothing() -> None:
    _, _, app = pair()
    app.alloc(ObjectType.NOTIFICATION, 20)
    ok(app.copy(20, 21, Rights.READ))
    ok(app.signal(21))
    assert ok(app.poll(20)).nothing


def test_a_dropped_nb_send_does_not_tell() -> None:
    _, _, app = pair()
    assert not ok(app.nb_send("fs")).nothing


def test_a_reply_to_nobody_does_nothing() -> None:
    _, fs, _ = pair()
    assert not ok(fs.reply()).nothing


def test_saving_no_caller_does_nothing() -> None:
    _, fs, _ = pair()
    ok(fs.save_caller(20))
    assert fs.cap(20) is None


@pytest.mark.parametrize("call", [Sys.RECV, Sys.NB_RECV, Sys.WAIT, Sys.POLL, Sys.REPLY_RECV])
@pytest.mark.parametrize("cptr", [300, SLOT_TCB, ROOT_SLOTS, "fs"])
def test_receiving_from_what_cannot_be_received_from_is_a_fault(call: Sys, cptr: int | str) -> None:
    """Without a handler the thread stops for ever."""
    _, _, app = pair()
    assert app.syscall(call, cptr) is None


@pytest.mark.parametrize("call", [Sys.CALL, Sys.SEND])
def test_a_pointer_that_leads_nowhere_is_a_fault(call: Sys) -> None:
    _, _, app = pair()
    assert app.syscall(call, ROOT_SLOTS) is None


def test_an_nb_send_through_a_pointer_that_leads_nowhere_is_silent() -> None:
    _, _, app = pair()
    ok(app.nb_send(ROOT_SLOTS))


def test_a_call_that_cannot_be_answered_is_delivered_and_its_caller_stops() -> None:
    _, fs, app = pair()
    ok(app.copy("fs", 20, Rights.WRITE))
    assert app.call(20, b"heard") is None
    assert ok(fs.recv()).body == b"heard"
    assert ok(fs.reply()).status == Status.OK
    assert app.blocked


def test_it_is_delivered_to_a_waiting_receiver_too() -> None:
    _, fs, app = pair()
    ok(app.copy("fs", 20, Rights.WRITE))
    fs.recv()
    assert app.call(20, b"heard") is None
    assert fs.woken().body == b"heard"
    ok(fs.reply())
    assert app.blocked


def test_capabilities_without_grant_are_dropped() -> None:
    _, fs, app = pair()
    ok(app.copy("fs", 20, Rights.WRITE | Rights.GRANT_REPLY))
    app.alloc(ObjectType.FRAME, 21)
    app.call(20, b"words", caps=[21])
    told = ok(fs.recv(slot=40))
    assert (told.body, told.extra) == (b"words", ())


def test_a_reply_drops_capabilities_it_may_not_carry() -> None:
    _, fs, app = pair()
    ok(fs.copy("server", 20, Rights.READ))
    fs.alloc(ObjectType.FRAME, 21)
    app.call("fs", slot=40)
    ok(fs.recv(20))
    ok(fs.reply(b"words", caps=[21]))
    told = app.woken()
    assert (told.body, told.extra) == (b"words", ())


def test_a_dropped_caller_waits_for_ever() -> None:
    lab, fs, app = pair()
    app.call("fs")
    ok(fs.recv())
    assert fs.recv() is None
    assert app.blocked
    lab.die("fs")
    assert app.blocked


def test_callers_of_a_dead_server_wait_for_ever() -> None:
    lab, _, app = pair()
    app.call("fs")
    lab.die("fs")
    assert app.blocked


def test_callers_of_an_endpoint_nobody_reads_wait() -> None:
    _, fs, app = pair()
    ok(fs.delete("server"))
    assert app.call("fs") is None


def test_destroying_an_endpoint_executes_its_callers_call_again() -> None:
    """They find the slot empty: a Call gets label 2, a Recv faults."""
    _, _, app, helper = with_helper()
    app.alloc(ObjectType.ENDPOINT, 20)
    assert helper.call(20) is None
    ok(app.delete(20))
    told = helper.woken()
    assert (told.status, told.label) == (Status.INVALID_CAPABILITY, Status.INVALID_CAPABILITY)
    app.alloc(ObjectType.ENDPOINT, 20)
    assert helper.recv(20) is None
    ok(app.delete(20))
    assert helper.blocked
    ok(app.invoke("tcb_suspend", "tcb.1"))
    app.alloc(ObjectType.ENDPOINT, 20)
    ok(app.invoke("tcb_resume", "tcb.1"))
    ok(app.nb_send(20, b"received after all"))
    assert helper.woken().body == b"received after all"


def test_destroying_a_notification_executes_its_waiters_call_again() -> None:
    _, _, app, helper = with_helper()
    app.alloc(ObjectType.NOTIFICATION, 20)
    assert helper.wait(20) is None
    ok(app.delete(20))
    assert helper.blocked


def test_suspending_a_caller_that_waits_for_its_reply_cancels_the_call() -> None:
    """Resume sends it again: the server sees it twice."""
    _, fs, app, helper = with_helper()
    helper.call("fs", b"twice")
    assert ok(fs.recv()).body == b"twice"
    ok(app.invoke("tcb_suspend", "tcb.1"))
    ok(fs.reply(b"to nobody"))
    assert helper.blocked
    ok(app.invoke("tcb_resume", "tcb.1"))
    assert ok(fs.recv()).body == b"twice"
    ok(fs.reply(b"now"))
    assert helper.woken().body == b"now"


def test_a_cancelled_calls_saved_reply_is_gone() -> None:
    _, fs, app, helper = with_helper()
    helper.call("fs")
    ok(fs.recv())
    ok(fs.save_caller(20))
    ok(app.invoke("tcb_suspend", "tcb.1"))
    assert fs.cap(20) is None


def test_waiting_on_anothers_bound_notification_is_a_fault() -> None:
    _, _, app, helper = with_helper()
    app.alloc(ObjectType.NOTIFICATION, 20)
    ok(app.bind(20))
    assert helper.wait(20) is None
    ok(app.signal(20))
    assert helper.blocked


# -- capabilities that are to be sent and are not there ------------------------------------------


def test_an_empty_slot_among_the_capabilities_ends_them_and_the_words_arrive() -> None:
    _, fs, app = pair()
    app.alloc(ObjectType.FRAME, 21)
    for caps in ([300], [300, 21]):
        assert app.call("fs", b"words", caps=caps) is None
        told = ok(fs.recv(slot=40))
        assert (told.body, told.extra) == (b"words", ())
        ok(fs.reply(b"answer", caps=caps))
        assert app.woken().body == b"answer"
    assert fs.cap(40) is None


@pytest.mark.parametrize("call", [Sys.CALL, Sys.SEND])
@pytest.mark.parametrize("rights", [Rights.ALL, Rights.WRITE | Rights.GRANT_REPLY])
def test_a_pointer_to_no_slot_among_the_capabilities_is_a_fault(call: Sys, rights: int) -> None:
    """Even without Grant, when they would not be sent: they are looked up before anything is."""
    _, fs, app = pair()
    ok(app.copy("fs", 20, rights))
    fs.recv()
    assert app.syscall(call, 20, b"words", caps=[ROOT_SLOTS]) is None
    assert fs.blocked


def test_an_nb_send_with_a_pointer_to_no_slot_is_silent() -> None:
    _, fs, app = pair()
    fs.recv()
    ok(app.nb_send("fs", b"words", caps=[ROOT_SLOTS]))
    assert fs.blocked


def test_a_reply_with_a_pointer_to_no_slot_goes_without_capabilities() -> None:
    _, fs, app = pair()
    app.call("fs")
    ok(fs.recv())
    ok(fs.reply(b"words", caps=[ROOT_SLOTS]))
    told = app.woken()
    assert (told.body, told.extra) == (b"words", ())


def test_a_saved_reply_sent_with_a_pointer_to_no_slot_is_a_fault_and_stays() -> None:
    _, fs, app = pair()
    app.call("fs")
    ok(fs.recv())
    ok(fs.save_caller(20))
    ok(fs.nb_send(20, b"words", caps=[ROOT_SLOTS]))
    assert fs.send(20, b"words", caps=[ROOT_SLOTS]) is None
    assert fs.cap(20) is not None
    assert app.blocked


def test_a_message_is_as_long_as_the_buffer_and_what_is_too_much_is_not_sent() -> None:
    _, fs, app = pair()
    app.call("fs", list(range(200)))
    assert ok(fs.recv()).words == tuple(range(120))
    ok(fs.reply(list(range(121))))
    assert app.woken().words == tuple(range(120))


def test_what_is_no_notification_cannot_be_bound() -> None:
    _, _, app = pair()
    for cptr in (300, "fs"):
        refused(Status.ILLEGAL_OPERATION, app.bind, cptr)


# -- Resume of who was never suspended -----------------------------------------------------------


def test_resuming_a_caller_that_waits_for_its_reply_sends_again() -> None:
    _, fs, app, helper = with_helper()
    assert helper.call("fs", b"twice") is None
    assert ok(fs.recv()).body == b"twice"
    ok(fs.save_caller(20))
    ok(app.invoke("tcb_resume", "tcb.1"))
    assert fs.cap(20) is None
    assert ok(fs.recv()).body == b"twice"
    ok(fs.reply(b"once"))
    assert helper.woken().body == b"once"


def test_resuming_a_queued_receiver_puts_it_last() -> None:
    _, _, app, helper = with_helper()
    app.alloc(ObjectType.ENDPOINT, 20)
    assert helper.recv(20) is None
    ok(app.invoke("tcb_resume", "tcb.1"))
    assert helper.blocked
    ok(app.nb_send(20, b"still there"))
    assert helper.woken().body == b"still there"


def test_resuming_a_queued_sender_looks_its_capability_up_again() -> None:
    _, _, app, helper = with_helper()
    app.alloc(ObjectType.ENDPOINT, 20)
    ok(app.copy(20, 21))
    assert helper.call(21) is None
    ok(app.delete(21))
    ok(app.invoke("tcb_resume", "tcb.1"))
    assert helper.woken().label == Status.INVALID_CAPABILITY
    assert ok(app.nb_recv(20)).nothing
