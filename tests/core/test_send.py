"""Send and NBSend: messages nobody answers."""

from caplab.kernel.abi import MSG_BYTES, Rights, Status, Sys
from lab import Lab, ok, pair, refused, trio


def test_a_send_is_done_when_somebody_received_it() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    assert app.send("fs", b"note", label=5) is None
    told = ok(fs.recv())
    assert (told.body, told.label, told.badge) == (b"note", 5, app.cap("fs").badge)
    ok(app.woken())


def test_a_send_to_a_waiting_receiver_does_not_block() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    fs.recv()
    ok(app.send("fs", b"note"))
    assert fs.woken().body == b"note"


def test_a_send_leaves_nobody_to_reply_to() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.send("fs")
    ok(fs.recv())
    ok(app.woken())
    assert ok(fs.reply(b"to whom?")).nothing


def test_an_nb_send_with_nobody_waiting_is_dropped_and_says_so() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    assert ok(app.nb_send("fs", b"lost")).nothing
    assert ok(fs.nb_recv()).nothing


def test_an_nb_send_to_a_waiting_receiver_arrives() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    fs.recv()
    assert not ok(app.nb_send("fs", b"caught")).nothing
    assert fs.woken().body == b"caught"


def test_sends_and_calls_share_one_queue() -> None:
    lab = trio()
    fs, app, web = lab["fs"], lab["app"], lab["web"]
    app.send("fs", b"1")
    web.call("fs", b"2")
    assert ok(fs.recv()).body == b"1"
    assert ok(fs.recv()).body == b"2"
    ok(app.woken())
    assert web.blocked


def test_sending_needs_write() -> None:
    lab = pair()
    app = lab["app"]
    ok(app.copy("fs", 20, Rights.GRANT))
    refused(Status.INVALID_CAPABILITY, app.send, 20)
    refused(Status.INVALID_CAPABILITY, app.nb_send, 20)


def test_a_send_needs_no_right_to_be_answered() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    ok(app.copy("fs", 20, Rights.WRITE))
    app.send(20, b"one way")
    assert ok(fs.recv()).body == b"one way"


def test_a_message_that_is_too_long_is_not_sent() -> None:
    lab = pair()
    app = lab["app"]
    refused(Status.RANGE_ERROR, app.send, "fs", bytes(MSG_BYTES + 1))
    refused(Status.RANGE_ERROR, app.nb_send, "fs", bytes(MSG_BYTES + 1))


def test_a_signal_on_an_endpoint_is_an_empty_send() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    fs.recv()
    ok(app.syscall(Sys.SIGNAL, "fs", b"ignored", label=4))
    told = fs.woken()
    assert (told.body, told.label, told.extra) == (b"", 0, ())
    assert app.syscall(Sys.SIGNAL, "fs") is None
    ok(fs.recv())
    ok(app.woken())


def test_an_invocation_may_be_sent() -> None:
    """Send and NBSend on an object invoke it, as Call does."""
    lab = Lab({"app": {"threads": 2}})
    app = lab["app"]
    ok(app.invoke("tcb_suspend", "tcb.1", call=Sys.SEND))
    assert lab["app.1"].tcb.suspended
    ok(app.invoke("tcb_resume", "tcb.1", call=Sys.NB_SEND))
    assert not lab["app.1"].tcb.suspended
    refused(Status.ILLEGAL_OPERATION, app.send, "tcb.1", label=9999)


def test_an_invocation_that_blocks_may_be_sent() -> None:
    lab = Lab({"app": {"manages": ["other"]}, "other": {}})
    app = lab["app"]
    assert app.invoke("pd_kill", "pd:other", call=Sys.SEND) is None
    lab.die("other")
    assert app.woken().map["pd"] == "other"
