"""Capabilities that are gone, deaf endpoints, replies that can never come: who is told what.

Every status of lab mode's explanations, and every way in which an endpoint becomes deaf.
"""

from caplab.kernel.abi import (
    ROOT_SLOTS,
    SLOT_CNODE,
    SLOT_FIRST_FREE,
    ObjectType,
    Rights,
    Status,
)
from caplab.kernel.core.cap import Cap
from caplab.kernel.core.endpoint import Endpoint
from lab import Lab, ok, pair, refused, trio


def test_a_slot_that_was_never_filled_says_so() -> None:
    lab = pair()
    for call in (lab["app"].call, lab["app"].send, lab["app"].nb_send, lab["app"].recv):
        answer = refused(Status.NEVER_EXISTED, call, 300)
        assert answer.blames == ""
        assert answer.death[:2] == (0, 0)
    refused(Status.NEVER_EXISTED, lab["app"].signal, 0)


def test_a_pointer_outside_the_cspace_is_a_failed_lookup() -> None:
    lab = pair()
    refused(Status.FAILED_LOOKUP, lab["app"].call, ROOT_SLOTS)
    refused(Status.FAILED_LOOKUP, lab["app"].recv, (1 << 64) - 1)


def test_an_emptied_slot_says_who_emptied_it_and_when() -> None:
    lab = pair()
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    ok(app.delete(20))
    at = lab.k.event
    answer = refused(Status.REVOKED, app.call, 20)
    assert answer.blames == "app"
    assert answer.death == (app.pd.number, 0, at)


def test_a_tombstone_goes_when_the_slot_is_filled_again() -> None:
    lab = pair()
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    ok(app.delete(20))
    refused(Status.REVOKED, app.recv, 20)
    app.alloc(ObjectType.NOTIFICATION, 20)
    assert ok(app.poll(20)).nothing


def test_a_moved_capability_leaves_a_tombstone_where_it_was() -> None:
    lab = pair()
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    ok(app.move(20, 21))
    assert refused(Status.REVOKED, app.call, 20).blames == "app"


def test_a_revoked_client_is_told_by_whom() -> None:
    lab = Lab({"boss": {"rdes": ["pd"]}})
    boss = lab["boss"]
    boss.alloc(ObjectType.ENDPOINT, 20)
    app = boss.create("app", 30)
    ok(boss.pd_call("install", 30, caps=[20], name="boss", rights=15, badge=7))
    ok(boss.revoke(20))
    assert refused(Status.REVOKED, app.call, "boss").blames == "boss"


def test_a_caller_queued_when_the_server_dies_may_safely_try_again() -> None:
    lab = pair()
    app = lab["app"]
    app.call("fs")
    lab.exited("fs")
    told = app.woken()
    assert told.status == Status.DIED_BEFORE_RECV
    assert told.blames == "fs"
    assert told.death == (lab.pd("fs").number, 0, lab.k.event)


def test_a_caller_being_served_when_the_server_dies_is_told_so() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs")
    ok(fs.recv())
    lab.exited("fs")
    told = app.woken()
    assert told.status == Status.DIED_AFTER_RECV
    assert told.blames == "fs"


def test_everyone_is_freed_in_the_step_of_the_exit_itself() -> None:
    lab = trio()
    fs, app, web = lab["fs"], lab["app"], lab["web"]
    app.call("fs")
    ok(fs.recv())
    web.send("fs")
    lab.exited("fs")
    assert app.woken().status == Status.DIED_AFTER_RECV
    assert web.woken().status == Status.DIED_BEFORE_RECV


def test_a_caller_whose_reply_was_saved_is_told_of_the_death_too() -> None:
    lab = trio()
    fs, app, web = lab["fs"], lab["app"], lab["web"]
    app.call("fs")
    ok(fs.recv())
    ok(fs.save_caller(20))
    web.call("fs")
    ok(fs.recv())
    lab.exited("fs")
    assert app.woken().status == Status.DIED_AFTER_RECV
    assert web.woken().status == Status.DIED_AFTER_RECV


def test_a_dead_server_is_named_to_those_who_call_later() -> None:
    lab = pair()
    lab.die("fs")
    app = lab["app"]
    for call in (app.call, app.send, app.nb_send):
        answer = refused(Status.DIED_BEFORE_RECV, call, "fs")
        assert answer.blames == "fs"


def test_a_server_that_deletes_its_read_frees_all_who_wait() -> None:
    lab = Lab(
        {
            "fs": {"serves": "endpoint", "threads": 2},
            "app": {"uses": {"fs": "fs"}},
            "web": {"uses": {"fs": "fs"}},
        }
    )
    fs, app, web = lab["fs"], lab["app"], lab["web"]
    app.call("fs")
    ok(fs.recv())
    web.call("fs")
    ok(fs.delete("server"))
    told = web.woken()
    assert told.status == Status.REVOKED
    assert told.blames == "fs"
    assert app.blocked  # it is being served, and may yet be answered
    ok(fs.reply(b"the last one"))
    assert app.woken().body == b"the last one"
    refused(Status.REVOKED, app.call, "fs")


def test_a_receiver_whose_read_is_deleted_does_not_wait_for_ever() -> None:
    lab = Lab({"fs": {"serves": "endpoint", "threads": 2}, "app": {"uses": {"fs": "fs"}}})
    fs, second = lab["fs"], lab["fs.1"]
    fs.recv()
    ok(second.delete("server"))
    told = fs.woken()
    assert told.status == Status.REVOKED
    assert told.blames == "fs"
    refused(Status.REVOKED, lab["app"].call, "fs")


def test_an_endpoint_is_not_deaf_while_one_read_is_left() -> None:
    lab = trio()
    fs, app, web = lab["fs"], lab["app"], lab["web"]
    ok(fs.copy("server", 20, Rights.READ))
    app.call("fs")
    ok(fs.delete("server"))
    assert app.blocked
    assert ok(fs.recv(20)).badge == app.cap("fs").badge
    ok(fs.delete(20))
    assert refused(Status.REVOKED, web.send, "fs").blames == "fs"


def test_a_parent_that_kept_a_master_copy_is_told_of_the_childs_death() -> None:
    lab = Lab({"boss": {"rdes": ["pd"]}})
    boss = lab["boss"]
    boss.create("child", 30, serves="endpoint")
    lab.die("child")
    master = next(slot for slot in range(512, 1024) if boss.cap(slot) and boss.cap(slot).type == 2)
    refused(Status.DIED_BEFORE_RECV, boss.call, master)


def test_revoking_the_servers_read_makes_its_endpoint_deaf() -> None:
    """The Parent that made the endpoint takes the server's copy back."""
    lab = Lab({"boss": {"rdes": ["pd"]}})
    boss = lab["boss"]
    boss.alloc(ObjectType.ENDPOINT, 20)
    ok(boss.copy(20, 21, Rights.WRITE | Rights.GRANT))
    child = boss.create("child", 30)
    ok(boss.pd_call("install", 30, caps=[20], name="in", rights=15, badge=None))
    assert child.recv("in") is None
    ok(boss.revoke(20))  # the child's Read and the copies of ours; our own original stays
    assert child.blocked
    ok(boss.delete(20))
    told = child.woken()
    assert told.status == Status.REVOKED
    assert told.blames == "boss"


def test_an_endpoint_that_nobody_could_ever_read_explains_itself() -> None:
    lab = pair()
    slot = lab.pd("app").cspace.slot(20)
    lab.k.put(slot, Cap(ObjectType.ENDPOINT, Endpoint(99), Rights.WRITE), None, "test")
    refused(Status.NEVER_EXISTED, lab["app"].send, 20)


def test_the_root_tasks_master_copy_keeps_nobody_from_being_deaf() -> None:
    lab = pair()
    assert lab.pd("fs").master is not None
    ok(lab["fs"].delete("server"))
    refused(Status.REVOKED, lab["app"].call, "fs")


def test_a_server_that_is_not_started_yet_has_its_callers_wait() -> None:
    lab = Lab({"boss": {"rdes": ["pd"]}})
    boss = lab["boss"]
    answer = boss.invoke("pd_create", "rde:pd", name="srv", run="x", serves="endpoint", receive=30)
    assert answer is not None
    assert boss.call(answer.map["endpoint"], timeout=1.0) is None
    lab.pass_time(2)
    assert boss.woken().status == Status.TIMED_OUT


def test_a_dropped_reply_is_told_to_the_caller() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs")
    ok(fs.recv())
    ok(fs.save_caller(20))
    ok(fs.delete(20))
    told = app.woken()
    assert told.status == Status.REPLY_DROPPED
    assert told.blames == "fs"


def test_a_call_gives_up_when_its_time_is_over() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    assert app.call("fs", timeout=1.5) is None
    lab.pass_time(1.4)
    assert app.blocked
    lab.pass_time(0.2)
    told = app.woken()
    assert told.status == Status.TIMED_OUT
    assert told.blames == "app"
    assert ok(fs.nb_recv()).nothing


def test_a_caller_that_gave_up_while_served_cannot_be_answered_any_more() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs", timeout=1.0)
    ok(fs.recv())
    lab.pass_time(1.0)
    assert app.woken().status == Status.TIMED_OUT
    assert ok(fs.reply(b"too late")).nothing


def test_a_saved_reply_to_a_caller_that_gave_up_is_a_tombstone() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs", timeout=1.0)
    ok(fs.recv())
    ok(fs.save_caller(20))
    lab.pass_time(1.0)
    assert app.woken().status == Status.TIMED_OUT
    assert refused(Status.TIMED_OUT, fs.send, 20).blames == "app"


def test_a_dead_callers_reply_is_nowhere_any_more() -> None:
    lab = trio()
    fs, app, web = lab["fs"], lab["app"], lab["web"]
    app.call("fs")
    ok(fs.recv())
    lab.die("app")
    assert ok(fs.reply(b"gone")).nothing
    web.call("fs")
    ok(fs.recv())
    ok(fs.save_caller(20))
    lab.die("web")
    assert refused(Status.DIED_BEFORE_RECV, fs.send, 20).blames == "web"


def test_a_dead_sender_is_not_in_the_queue_any_more() -> None:
    lab = trio()
    fs, app, web = lab["fs"], lab["app"], lab["web"]
    app.call("fs", b"dead")
    web.call("fs", b"alive")
    lab.die("app")
    assert ok(fs.recv()).body == b"alive"


def test_a_renewed_slot_tells_an_object_bound_to_the_old_one() -> None:
    lab = pair()
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, SLOT_FIRST_FREE)
    slot = lab.pd("app").cspace.slots[SLOT_FIRST_FREE]
    assert ok(app.nb_send(SLOT_FIRST_FREE, renewal=0)).nothing
    slot.renewals = 1
    refused(Status.DIED_BEFORE_RECV, app.nb_send, SLOT_FIRST_FREE, renewal=0)
    assert ok(app.nb_send(SLOT_FIRST_FREE, renewal=1)).nothing
    assert ok(app.nb_send(SLOT_FIRST_FREE)).nothing  # a raw pointer goes on as before


def test_the_cspace_of_a_dead_pd_takes_nothing_in() -> None:
    """Nobody sweeps it again: what were put there would be held for ever."""
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    ok(app.copy(SLOT_CNODE, 20))
    assert app.call("fs", caps=[20]) is None
    ok(fs.recv(slot=20))
    ok(fs.reply())
    ok(app.woken())
    lab.die("app")
    answer = refused(
        Status.FAILED_LOOKUP,
        fs.invoke,
        "cnode_copy",
        20,
        caps=[SLOT_CNODE],
        dest_index=40,
        dest_depth=64,
        src_index=fs.slot("server"),
        src_depth=64,
        rights=15,
    )
    assert answer.words == (0, 1)
    ok(fs.delete(20))
