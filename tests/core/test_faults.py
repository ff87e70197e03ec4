"""Capability faults: they arrive at the handler as a Call, and its reply restarts the faulter."""

import pytest

from caplab.kernel.abi import (
    SLOT_CNODE,
    SLOT_TCB,
    FaultLabel,
    LookupFailure,
    ObjectType,
    Rights,
    Status,
    Sys,
)
from faulting import EMPTY, both, fault_in, mend, set_handler, system
from lab import Lab, Thread, ok, refused


def test_the_manifest_gives_a_pd_its_handler() -> None:
    lab, _, app = system()
    cap = app.cap("fault-handler")
    assert cap.rights == Rights.WRITE | Rights.GRANT | Rights.GRANT_REPLY
    assert cap.badge >= 2
    assert cap.obj is lab.pd("fixer").endpoint
    assert {tcb.fault_ep for tcb in app.pd.tcbs} == {app.slot("fault-handler")}
    assert lab["fs"].tcb.fault_ep == 0


@both
def test_a_receive_from_an_empty_slot_is_sent_to_the_handler(semantics: str) -> None:
    _, fixer, app = system(semantics)
    assert app.recv(EMPTY) is None
    told = ok(fixer.recv())
    assert told.label == FaultLabel.CAP_FAULT
    assert told.badge == app.cap("fault-handler").badge
    assert told.words == (0, EMPTY, 1, LookupFailure.MISSING, 0)
    assert told.extra == ()
    assert app.blocked


@pytest.mark.parametrize("call", [Sys.CALL, Sys.SEND, Sys.SIGNAL])
def test_in_lab_mode_a_call_on_an_empty_slot_is_sent_there_too(call: Sys) -> None:
    """seL4 answers a Call with label 2, and a Send with silence."""
    _, fixer, app = system()
    assert fixer.recv() is None
    assert app.syscall(call, EMPTY) is None
    assert fixer.woken().words == (0, EMPTY, 0, LookupFailure.MISSING, 0)


def test_under_sel4_a_call_on_an_empty_slot_gets_label_two_and_faults_not() -> None:
    _, fixer, app = system("sel4")
    assert refused(Status.INVALID_CAPABILITY, app.call, EMPTY).label == 2
    ok(app.send(EMPTY))
    assert ok(fixer.nb_recv()).label == 0


@both
def test_an_nb_send_never_faults(semantics: str) -> None:
    _, fixer, app = system(semantics)
    app.nb_send(EMPTY)
    app.nb_send(5000)
    assert ok(fixer.nb_recv()).label == 0


@both
@pytest.mark.parametrize("call", [Sys.CALL, Sys.SEND])
def test_a_pointer_that_leads_nowhere_says_where_it_ended(semantics: str, call: Sys) -> None:
    """A guard of 54 zero bits stands before the index."""
    _, fixer, app = system(semantics)
    assert app.syscall(call, 5000) is None
    told = ok(fixer.recv())
    assert told.words == (0, 5000, 0, LookupFailure.GUARD_MISMATCH, 64, 0, 54)


@both
@pytest.mark.parametrize("call", [Sys.RECV, Sys.NB_RECV, Sys.WAIT, Sys.POLL, Sys.REPLY_RECV])
@pytest.mark.parametrize("what", [SLOT_TCB, "fs"])
def test_receiving_from_what_cannot_be_received_from_faults(
    semantics: str, call: Sys, what: int | str
) -> None:
    _, fixer, app = system(semantics)
    assert app.syscall(call, what) is None
    assert ok(fixer.recv()).words == (0, app.slot(what), 1, LookupFailure.MISSING, 0)


@both
def test_the_interrupted_call_is_executed_again_after_the_reply(semantics: str) -> None:
    lab, fixer, app = system(semantics)
    app.recv(EMPTY)
    ok(fixer.recv())
    app_1 = lab["app.1"]
    app_1.alloc(ObjectType.ENDPOINT, EMPTY)
    ok(fixer.reply(label=77))  # any label
    lab.work()
    assert app.blocked
    assert lab.ps("app")["tcbs"][0]["reason"] == "recv"
    ok(app_1.nb_send(EMPTY, b"at last"))
    assert app.woken().body == b"at last"


def test_a_call_on_a_slot_that_the_handler_fills_completes() -> None:
    """The fault-handlers tutorial."""
    lab, fixer, app = system()
    assert app.call(EMPTY, b"hello", label=4) is None
    ok(fixer.recv())
    mend(lab, app)
    ok(fixer.reply())
    lab.work()
    told = ok(lab["fs"].recv())
    assert (told.body, told.label) == (b"hello", 4)
    ok(lab["fs"].reply(b"done"))
    assert app.woken().body == b"done"


def test_a_fault_that_was_not_mended_comes_again() -> None:
    lab, fixer, app = system()
    app.call(EMPTY)
    for _ in range(3):
        ok(fixer.recv())
        ok(fixer.reply())
        lab.work()
        assert app.blocked


def test_a_reply_recv_that_faults_has_replied_and_does_not_reply_again() -> None:
    lab, fixer, app = system(serves="endpoint")
    client = lab["fs"]
    give(lab, client)
    client.call(40, b"?")
    ok(app.recv())
    assert app.reply_recv(b"!", cptr=EMPTY) is None
    assert client.woken().body == b"!"
    ok(fixer.recv())
    ok(lab["app.1"].copy("server", EMPTY))
    ok(fixer.reply())
    lab.work()
    client.call(40, b"??")
    assert app.woken().body == b"??"


def give(lab: Lab, client: Thread, slot: int = 40) -> None:
    """A way for `fs` to call `app`: a copy that `app` sends to it."""
    lab["app.1"].call("fs", caps=["server"])
    ok(client.recv(slot=slot))
    ok(client.reply())
    lab["app.1"].woken()


def test_a_handler_on_reply_recv_gets_the_next_fault() -> None:
    lab, fixer, app = system()
    fixer.recv()
    app.call(EMPTY)
    assert fixer.woken().words[1] == EMPTY
    mend(lab, app)
    assert fixer.reply_recv() is None
    lab.work()
    assert ok(lab["fs"].recv()).label == 0
    lab["app.1"].call(EMPTY + 1)
    assert fixer.woken().words[1] == EMPTY + 1


def test_a_reply_may_be_saved_and_given_later() -> None:
    lab, fixer, app = system()
    app.call(EMPTY)
    ok(fixer.recv())
    ok(fixer.save_caller(20))
    mend(lab, app)
    ok(fixer.send(20))
    lab.work()
    assert fixer.cap(20) is None
    assert ok(lab["fs"].recv()).label == 0


def test_a_call_keeps_its_time_limit_while_its_fault_is_handled() -> None:
    lab, fixer, app = system()
    app.call(EMPTY, timeout=1.0)
    ok(fixer.recv())
    lab.pass_time(2.0)
    assert app.woken().status == Status.TIMED_OUT
    assert fault_in(app) is None
    assert ok(fixer.reply()).nothing


def test_a_restarted_call_has_what_is_left_of_its_time() -> None:
    lab, fixer, app = system()
    app.call(EMPTY, timeout=1.0)
    ok(fixer.recv())
    lab.pass_time(0.6)
    mend(lab, app)
    ok(fixer.reply())
    lab.work()
    lab.pass_time(0.6)
    assert app.woken().status == Status.TIMED_OUT


def test_a_slot_renewed_since_is_an_error_and_no_fault() -> None:
    _, fixer, app = system()
    answer = app.call("fs", renewal=7)
    assert answer is not None
    assert answer.status == Status.DIED_BEFORE_RECV
    assert ok(fixer.nb_recv()).nothing


@pytest.mark.parametrize("missing", [EMPTY, 5000])
def test_a_capability_to_send_that_is_not_there_is_a_fault(missing: int) -> None:
    lab, fixer, app = system()
    assert app.call("fs", b"with a page", caps=["fault-handler", missing]) is None
    kind = LookupFailure.MISSING if missing == EMPTY else LookupFailure.GUARD_MISMATCH
    assert ok(fixer.recv()).words[1:4] == (missing, 0, kind)
    if missing == EMPTY:
        mend(lab, app)
        ok(fixer.reply())
        lab.work()
        assert ok(lab["fs"].recv()).body == b"with a page"


def test_under_sel4_only_a_pointer_that_leads_nowhere_is() -> None:
    lab, fixer, app = system("sel4")
    assert app.call("fs", caps=[5000]) is None
    assert ok(fixer.recv()).words[1] == 5000
    ok(lab["app.1"].nb_send("fs", caps=[5000]))
    assert lab["app.1"].call("fs", b"words", caps=[EMPTY]) is None
    assert ok(lab["fs"].recv()).body == b"words"


def test_other_refusals_of_a_message_are_no_faults() -> None:
    _, fixer, app = system()
    refused(Status.RANGE_ERROR, app.call, "fs", bytes(961))
    ok(app.copy("fs", 30, Rights.WRITE | Rights.GRANT_REPLY))
    refused(Status.ILLEGAL_OPERATION, app.call, 30, caps=["fs"])
    refused(Status.ILLEGAL_OPERATION, app.send, 30, caps=["fs"])
    assert ok(fixer.nb_recv()).nothing


# -- who is a handler ---------------------------------------------------------------------------


@both
@pytest.mark.parametrize("rights", range(16))
def test_a_handler_needs_write_and_a_way_to_reply(semantics: str, rights: int) -> None:
    _, fixer, app = system(semantics)
    ok(app.copy("fault-handler", 30, rights))
    set_handler(app, 30)
    answer = app.recv(EMPTY)
    good = bool(rights & Rights.WRITE and rights & (Rights.GRANT | Rights.GRANT_REPLY))
    assert (ok(fixer.nb_recv()).label == FaultLabel.CAP_FAULT) == good
    assert (answer is None) == (good or semantics == "sel4")


@both
@pytest.mark.parametrize("what", [0, EMPTY, 5000, SLOT_TCB])
def test_a_pointer_to_anything_else_is_no_handler(semantics: str, what: int) -> None:
    lab, fixer, app = system(semantics)
    set_handler(app, what)
    if semantics == "lab":
        refused(Status.NEVER_EXISTED, app.recv, EMPTY)
    else:
        assert app.recv(EMPTY) is None
        assert lab.ps("app")["reason"].endswith("nobody mends it")
    assert ok(fixer.nb_recv()).label == 0


def test_the_handler_is_looked_up_at_the_fault() -> None:
    lab, fixer, app = system()
    set_handler(app, 30)
    refused(Status.NEVER_EXISTED, app.recv, EMPTY)
    ok(app.copy("fault-handler", 30))
    assert app.recv(EMPTY) is None
    assert ok(fixer.recv()).label == FaultLabel.CAP_FAULT
    assert lab.ps("app")["reason"] == (
        f"FAULT: capability fault at {EMPTY} while receiving, handled by fixer/gen0"
    )


def test_the_handler_is_looked_up_in_the_cspace_the_faulter_has_then() -> None:
    """Non-MCS: a capability of the faulter's, not of whoever configured it."""
    lab, fixer, app = system()
    words = {"fault_ep": 5, "cspace_root_data": 0, "vspace_root_data": 0}
    root = SLOT_CNODE
    retype = {"type": 1, "size_bits": 4, "node_index": 0, "node_depth": 0, "node_offset": 30}
    ok(app.invoke("untyped_retype", "untyped", caps=[root], num_objects=1, **retype))
    ok(app.invoke("tcb_set_space", "tcb.1", caps=[30, 30], **{**words, "cspace_root_data": 60}))
    helper = lab["app.1"]
    path = {"dest_depth": 4, "src_index": app.slot("fault-handler"), "src_depth": 64}
    ok(app.invoke("cnode_copy", 30, caps=[root], dest_index=5, rights=15, **path))
    assert helper.recv(9) is None
    assert ok(fixer.recv()).words[1] == 9


@both
def test_the_badge_is_that_of_the_capability_the_fault_went_through(semantics: str) -> None:
    lab, _, app = system(semantics)
    helper = lab["app.1"]
    helper.alloc(ObjectType.ENDPOINT, 30)
    ok(helper.mint(30, 31, badge=0xBEEF))
    set_handler(helper, 31)
    app.recv(EMPTY)
    assert ok(helper.recv(30)).badge == 0xBEEF
