"""Capabilities that travel with messages: Grant, unwrapping, the one receive slot, replies."""

from caplab.kernel.abi import SLOT_CNODE, ObjectType, Rights, Status
from lab import Lab, Thread, ok, pair, refused


def with_objects() -> tuple[Lab, Thread, Thread]:
    """`app` has an endpoint in 20, a notification in 21, and a page in 22."""
    lab = pair()
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    app.alloc(ObjectType.NOTIFICATION, 21)
    app.alloc(ObjectType.FRAME, 22)
    return lab, lab["fs"], app


def test_a_capability_lands_in_the_receive_slot_and_the_sender_keeps_its_own() -> None:
    _, fs, app = with_objects()
    fs.recv(slot=40)
    app.call("fs", b"with one", caps=[22])
    told = fs.woken()
    assert (told.extra, told.unwrapped) == ((40,), 0)
    assert fs.cap(40) == app.cap(22)
    assert app.cap(22) is not None


def test_a_capability_travels_the_same_way_when_the_sender_came_first() -> None:
    _, fs, app = with_objects()
    app.call("fs", caps=[22])
    assert ok(fs.recv(slot=40)).extra == (40,)
    assert fs.cap(40) == app.cap(22)


def test_the_rights_and_the_badge_travel_unchanged() -> None:
    _, fs, app = with_objects()
    ok(app.mint(20, 23, badge=77, rights=Rights.WRITE | Rights.GRANT))
    app.call("fs", caps=[23])
    ok(fs.recv(slot=40))
    assert fs.cap(40) == app.cap(23)
    assert fs.cap(40).badge == 77


def test_what_was_received_is_derived_from_what_was_sent() -> None:
    """Revoking the sender's original takes the receiver's copy away."""
    _, fs, app = with_objects()
    app.call("fs", caps=[22])
    ok(fs.recv(slot=40))
    ok(fs.reply())
    ok(app.woken())
    ok(app.revoke(22))
    assert fs.cap(40) is None
    assert refused(Status.REVOKED, fs.call, 40).blames == "app"


def test_a_capability_to_the_endpoint_itself_arrives_as_its_badge() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    fs.recv(slot=40)
    app.call("fs", caps=["fs"])
    told = fs.woken()
    assert told.extra == (app.cap("fs").badge,)
    assert told.unwrapped == 0b1
    assert fs.cap(40) is None  # the receive slot is as it was


def test_badges_and_one_capability_may_come_mixed() -> None:
    _, fs, app = with_objects()
    ok(app.copy("fs", 23))
    badge = app.cap("fs").badge
    app.call("fs", caps=["fs", 22, 23])
    told = ok(fs.recv(slot=40))
    assert told.extra == (badge, 40, badge)
    assert told.unwrapped == 0b101


def test_a_second_capability_finds_the_slot_taken_and_ends_the_transfer() -> None:
    _, fs, app = with_objects()
    app.call("fs", b"all words arrive", caps=[22, 21, "fs"])
    told = ok(fs.recv(slot=40))
    assert told.body == b"all words arrive"
    assert told.extra == (40,)
    assert told.unwrapped == 0


def test_without_a_receive_slot_only_badges_arrive() -> None:
    _, fs, app = with_objects()
    app.call("fs", b"words", caps=["fs", 22])
    told = ok(fs.recv())
    assert told.extra == (app.cap("fs").badge,)
    assert told.body == b"words"


def test_a_full_receive_slot_takes_nothing() -> None:
    _, fs, app = with_objects()
    fs.alloc(ObjectType.ENDPOINT, 40)
    before = fs.cap(40)
    app.call("fs", b"words", caps=[22])
    told = ok(fs.recv(slot=40))
    assert (told.body, told.extra) == (b"words", ())
    assert fs.cap(40) is before


def test_a_receive_slot_that_does_not_exist_takes_nothing() -> None:
    _, fs, app = with_objects()
    for path in ((0, 5000, 64), (0, 40, 10), (77, 40, 64), (fs.slot("server"), 40, 64)):
        app.call("fs", caps=[22])
        assert ok(fs.recv(slot=path)).extra == ()
        ok(fs.reply())
        ok(app.woken())


def test_a_receive_slot_may_be_named_through_a_cnode_capability() -> None:
    _, fs, app = with_objects()
    app.call("fs", caps=[22])
    assert ok(fs.recv(slot=(SLOT_CNODE, 41, 64))).extra == (41,)
    assert fs.cap(41) == app.cap(22)


def test_sending_a_capability_needs_grant() -> None:
    _, fs, app = with_objects()
    ok(app.copy("fs", 23, Rights.WRITE | Rights.GRANT_REPLY))
    fs.recv(slot=40)
    for call in (app.call, app.send, app.nb_send):
        refused(Status.ILLEGAL_OPERATION, call, 23, caps=[22])
    assert fs.blocked
    assert app.call(23, b"without it is fine") is None
    assert fs.woken().body == b"without it is fine"


def test_sending_what_is_not_there_is_refused_and_says_which() -> None:
    _, _, app = with_objects()
    assert refused(Status.FAILED_LOOKUP, app.call, "fs", caps=[22, 333]).words == (1, 333)


def test_a_capability_deleted_while_the_sender_is_queued_ends_the_transfer() -> None:
    lab = Lab({"fs": {"serves": "endpoint"}, "app": {"uses": {"fs": "fs"}, "threads": 2}})
    fs, app, second = lab["fs"], lab["app"], lab["app.1"]
    app.alloc(ObjectType.FRAME, 22)
    app.call("fs", b"words", caps=["fs", 22])
    ok(second.delete(22))
    told = ok(fs.recv(slot=40))
    assert told.body == b"words"
    assert told.extra == (app.cap("fs").badge,)


def test_a_send_carries_capabilities_too() -> None:
    _, fs, app = with_objects()
    fs.recv(slot=40)
    ok(app.nb_send("fs", caps=[22]))
    assert fs.woken().extra == (40,)


def test_a_reply_carries_a_capability_into_the_callers_receive_slot() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    fs.alloc(ObjectType.FRAME, 22)
    app.call("fs", slot=50)
    ok(fs.recv())
    ok(fs.reply(b"here", caps=[22]))
    told = app.woken()
    assert told.extra == (50,)
    assert app.cap(50) == fs.cap(22)


def test_a_reply_never_unwraps() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs", slot=50)
    ok(fs.recv())
    ok(fs.reply(caps=["server"]))
    told = app.woken()
    assert (told.extra, told.unwrapped) == ((50,), 0)
    assert app.cap(50).obj is fs.cap("server").obj


def test_a_reply_carries_capabilities_only_if_the_receivers_endpoint_had_grant() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    fs.alloc(ObjectType.FRAME, 22)
    ok(fs.copy("server", 23, Rights.READ))
    app.call("fs", slot=50)
    ok(fs.recv(23))
    refused(Status.ILLEGAL_OPERATION, fs.reply, caps=[22])
    refused(Status.ILLEGAL_OPERATION, fs.reply_recv, caps=[22])
    ok(fs.save_caller(60))
    refused(Status.ILLEGAL_OPERATION, fs.send, 60, caps=[22])
    assert app.blocked
    ok(fs.send(60, b"no capability"))
    assert app.woken().body == b"no capability"


def test_the_grant_that_counts_is_that_of_the_recv_which_took_the_call() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    fs.alloc(ObjectType.FRAME, 22)
    ok(fs.copy("server", 23, Rights.READ))
    fs.recv()  # with Grant
    app.call("fs", slot=50)
    ok(fs.woken())
    ok(fs.reply(caps=[22]))
    assert app.woken().extra == (50,)


def test_a_reply_capability_does_not_travel() -> None:
    """It cannot be copied, so it ends the transfer."""
    lab = Lab({"fs": {"serves": "endpoint", "uses": {"other": "other"}},
               "other": {"serves": "endpoint"}, "app": {"uses": {"fs": "fs"}}})  # fmt: skip
    fs, other, app = lab["fs"], lab["other"], lab["app"]
    app.call("fs")
    ok(fs.recv())
    ok(fs.save_caller(60))
    fs.send("other", b"take it", caps=[60])
    told = ok(other.recv(slot=40))
    assert told.body == b"take it"
    assert told.extra == ()
    assert fs.cap(60) is not None
    assert app.blocked


def test_a_page_arrives_as_a_hold_of_the_receiver() -> None:
    _, fs, app = with_objects()
    app.call("fs", caps=[22])
    ok(fs.recv(slot=40))
    assert app.cap(22).obj.holds == {app.pd.number: 1, fs.pd.number: 1}
