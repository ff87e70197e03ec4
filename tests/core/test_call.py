"""Call, Recv, Reply and ReplyRecv between two threads: who waits, who is woken, in what order."""

import pytest

from caplab.kernel.abi import MSG_BYTES, ObjectType, Rights, Status, Sys
from caplab.kernel.core.effects import Resume
from lab import Lab, ok, pair, refused, trio


def test_a_call_to_a_waiting_server_wakes_it_with_the_message_and_the_badge() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    assert fs.recv() is None
    assert app.call("fs", b"open", label=7) is None
    told = fs.woken()
    assert (told.body, told.label, told.badge) == (b"open", 7, app.cap("fs").badge)
    assert told.call == Sys.RECV
    assert app.blocked


def test_a_call_before_the_recv_is_kept_until_somebody_receives() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    assert app.call("fs", b"early", label=3) is None
    told = ok(fs.recv())
    assert (told.body, told.label) == (b"early", 3)


def test_the_reply_goes_to_the_caller_with_badge_zero() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    fs.recv()
    app.call("fs", b"open")
    fs.woken()
    ok(fs.reply(b"done", label=9))
    told = app.woken()
    assert (told.body, told.label, told.badge, told.status) == (b"done", 9, 0, Status.OK)
    assert told.call == Sys.CALL


def test_the_effects_of_a_reply_wake_the_caller_before_the_server_goes_on() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs")
    fs.recv()
    fs.reply()
    assert [type(effect) for effect in lab.effects] == [Resume, Resume]
    assert [effect.tcb for effect in lab.effects] == [app.number, fs.number]


def test_reply_recv_answers_the_caller_and_takes_the_next_message() -> None:
    lab = trio()
    fs, app, web = lab["fs"], lab["app"], lab["web"]
    app.call("fs", b"1")
    web.call("fs", b"2")
    assert ok(fs.recv()).body == b"1"
    assert ok(fs.reply_recv(b"one")).body == b"2"
    assert app.woken().body == b"one"
    assert fs.reply_recv(b"two") is None
    assert web.woken().body == b"two"


def test_a_reply_recv_with_nobody_to_answer_only_receives() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    assert fs.reply_recv(b"to nobody") is None
    app.call("fs", b"x")
    assert fs.woken().body == b"x"


def test_reply_recv_answers_even_when_its_receive_is_refused() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs")
    ok(fs.recv())
    answer = fs.reply_recv(b"yes", cptr=100)
    assert answer is not None
    assert answer.status == Status.NEVER_EXISTED
    assert app.woken().body == b"yes"


def test_a_reply_that_cannot_be_sent_leaves_the_caller_waiting() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs")
    ok(fs.recv())
    refused(Status.RANGE_ERROR, fs.reply, bytes(MSG_BYTES + 1))
    refused(Status.FAILED_LOOKUP, fs.reply, caps=[200])
    refused(Status.RANGE_ERROR, fs.reply_recv, bytes(MSG_BYTES + 1))
    assert app.blocked
    ok(fs.reply(b"at last"))
    assert app.woken().body == b"at last"


def test_a_reply_that_cannot_be_sent_is_refused_before_the_receive_is_looked_at() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs")
    ok(fs.recv())
    refused(Status.RANGE_ERROR, fs.reply_recv, bytes(MSG_BYTES + 1), cptr=300)
    assert app.blocked


def test_a_reply_without_a_caller_does_nothing_and_says_so() -> None:
    lab = pair()
    assert ok(lab["fs"].reply(b"hello?")).nothing


def test_a_reply_is_good_for_one_answer() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs")
    ok(fs.recv())
    ok(fs.reply(b"1"))
    assert ok(fs.reply(b"2")).nothing
    assert app.woken().body == b"1"


def test_callers_are_served_in_the_order_in_which_they_called() -> None:
    clients = {f"c{i}": {"uses": {"fs": "fs"}} for i in range(5)}
    lab = Lab({"fs": {"serves": "endpoint"}, **clients})
    order = ["c3", "c0", "c4", "c1", "c2"]
    for name in order:
        assert lab[name].call("fs", name) is None
    fs = lab["fs"]
    seen = [ok(fs.recv()).body.decode()]
    seen += [ok(fs.reply_recv()).body.decode() for _ in order[1:]]
    assert seen == order
    assert [lab[name].blocked for name in order] == [False] * 4 + [True]


def test_receivers_are_woken_in_the_order_in_which_they_began_to_wait() -> None:
    lab = Lab({"fs": {"serves": "endpoint", "threads": 3}, "app": {"uses": {"fs": "fs"}}})
    threads = [lab["fs.2"], lab["fs"], lab["fs.1"]]
    for thread in threads:
        assert thread.recv() is None
    for number, thread in enumerate(threads):
        ok(lab["app"].send("fs", [number]))
        assert thread.woken().words == (number,)


def test_calls_wake_one_receiver_each() -> None:
    clients = {f"c{i}": {"uses": {"fs": "fs"}} for i in range(3)}
    lab = Lab({"fs": {"serves": "endpoint", "threads": 2}, **clients})
    one, two = lab["fs.1"], lab["fs"]
    one.recv()
    two.recv()
    for name in clients:
        lab[name].call("fs", name)
    assert one.woken().body == b"c0"
    assert two.woken().body == b"c1"
    assert ok(one.reply_recv(b"done")).body == b"c2"
    assert lab["c0"].woken().body == b"done"


def test_each_client_is_known_by_its_own_badge() -> None:
    lab = trio()
    fs = lab["fs"]
    badges = set()
    for name in ("app", "web"):
        lab[name].send("fs")
        badges.add(ok(fs.recv()).badge)
    assert badges == {lab["app"].cap("fs").badge, lab["web"].cap("fs").badge}
    assert len(badges) == 2
    assert 0 not in badges


def test_a_badge_is_taken_when_the_sender_blocks() -> None:
    """seL4 captures badge and rights at that moment: deleting the capability changes nothing."""
    lab = Lab({"fs": {"serves": "endpoint"}, "app": {"uses": {"fs": "fs"}, "threads": 2}})
    fs, app, second = lab["fs"], lab["app"], lab["app.1"]
    badge = app.cap("fs").badge
    app.call("fs", b"still here")
    ok(second.delete("fs"))
    told = ok(fs.recv())
    assert (told.badge, told.body) == (badge, b"still here")
    ok(fs.reply(b"yes"))
    assert app.woken().body == b"yes"


def test_a_message_of_120_words_arrives_and_one_byte_more_is_refused() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    answer = refused(Status.RANGE_ERROR, app.call, "fs", bytes(MSG_BYTES + 1))
    assert answer.words == (0, MSG_BYTES)
    assert app.call("fs", bytes(MSG_BYTES)) is None
    assert len(ok(fs.recv()).body) == MSG_BYTES


def test_a_call_needs_write() -> None:
    lab = pair()
    app = lab["app"]
    ok(app.copy("fs", 20, Rights.GRANT))
    assert refused(Status.INVALID_CAPABILITY, app.call, 20).words == (0,)


def test_a_call_without_grant_and_grant_reply_could_never_be_answered_and_is_refused() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    ok(app.copy("fs", 20, Rights.WRITE))
    fs.recv()
    refused(Status.ILLEGAL_OPERATION, app.call, 20)
    assert fs.blocked


@pytest.mark.parametrize("right", [Rights.GRANT, Rights.GRANT_REPLY])
def test_either_grant_right_is_enough_to_get_a_reply(right: Rights) -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    ok(app.copy("fs", 20, Rights.WRITE | right))
    assert app.call(20) is None
    ok(fs.recv())
    ok(fs.reply(b"fine"))
    assert app.woken().body == b"fine"


def test_recv_needs_read() -> None:
    lab = pair()
    app = lab["app"]
    assert refused(Status.INVALID_CAPABILITY, app.recv, "fs").words == (0,)
    refused(Status.INVALID_CAPABILITY, app.nb_recv, "fs")


def test_what_cannot_be_received_from_is_refused() -> None:
    lab = pair()
    refused(Status.INVALID_CAPABILITY, lab["fs"].recv, 1)
    refused(Status.INVALID_CAPABILITY, lab["fs"].wait, 2)


def test_nb_recv_takes_a_waiting_message_and_else_says_nothing() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    empty = ok(fs.nb_recv())
    assert empty.nothing
    assert empty.badge == 0
    app.call("fs", b"now")
    full = ok(fs.nb_recv())
    assert not full.nothing
    assert full.body == b"now"


def test_a_server_that_receives_again_without_replying_drops_its_caller() -> None:
    lab = trio()
    fs, app, web = lab["fs"], lab["app"], lab["web"]
    app.call("fs")
    ok(fs.recv())
    web.call("fs")
    ok(fs.recv())
    told = app.woken()
    assert told.status == Status.REPLY_DROPPED
    assert told.blames == "fs"
    assert web.blocked


def test_waiting_for_a_notification_keeps_the_caller() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    ntfn = fs.alloc(ObjectType.NOTIFICATION, 20)
    app.call("fs")
    ok(fs.recv())
    assert ok(fs.poll(ntfn)).nothing
    ok(fs.reply(b"kept"))
    assert app.woken().body == b"kept"


def test_a_pd_may_call_an_endpoint_of_its_own_from_another_thread() -> None:
    lab = Lab({"solo": {"threads": 2}})
    one, two = lab["solo"], lab["solo.1"]
    one.alloc(ObjectType.ENDPOINT, 20)
    assert two.recv(20) is None
    assert one.call(20, b"hi") is None
    assert two.woken().body == b"hi"
    ok(two.reply(b"ho"))
    assert one.woken().body == b"ho"


def test_a_call_on_an_object_that_knows_no_such_label_is_refused() -> None:
    lab = pair()
    refused(Status.ILLEGAL_OPERATION, lab["app"].call, 1, label=9999)


def test_yield_comes_back_at_once() -> None:
    lab = pair()
    ok(lab["app"].syscall(Sys.YIELD))
