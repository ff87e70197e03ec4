"""Reply capabilities: saved, moved, used once, and never stale."""

from caplab.kernel.abi import SLOT_CNODE, ObjectType, Status
from lab import Lab, Thread, ok, pair, refused, trio


def served() -> tuple[Lab, Thread, Thread]:
    """`app` has called `fs`, which saved the reply capability in slot 20."""
    lab = trio()
    fs, app = lab["fs"], lab["app"]
    app.call("fs", b"question")
    ok(fs.recv())
    ok(fs.save_caller(20))
    return lab, fs, app


def test_a_saved_reply_answers_later() -> None:
    lab, fs, app = served()
    lab["web"].call("fs")
    ok(fs.recv())  # does not drop the caller that was saved
    ok(fs.reply(b"web first"))
    assert lab["web"].woken().body == b"web first"
    ok(fs.send(20, b"app later", label=4))
    told = app.woken()
    assert (told.body, told.label, told.badge) == (b"app later", 4, 0)


def test_a_saved_reply_is_used_once() -> None:
    _, fs, app = served()
    ok(fs.nb_send(20, b"1"))
    assert app.woken().body == b"1"
    assert fs.cap(20) is None
    assert refused(Status.REVOKED, fs.send, 20).blames == "fs"


def test_a_call_on_a_saved_reply_answers_too() -> None:
    _, fs, app = served()
    ok(fs.call(20, b"1"))
    assert app.woken().body == b"1"


def test_after_saving_there_is_nobody_to_reply_to() -> None:
    _, fs, _ = served()
    assert ok(fs.reply()).nothing
    refused(Status.ILLEGAL_OPERATION, fs.save_caller, 21)


def test_saving_needs_an_empty_slot() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    fs.alloc(ObjectType.ENDPOINT, 20)
    app.call("fs")
    ok(fs.recv())
    refused(Status.DELETE_FIRST, fs.save_caller, 20)
    ok(fs.reply(b"unsaved"))
    assert app.woken().body == b"unsaved"


def test_a_saved_reply_that_was_refused_is_still_there() -> None:
    _, fs, app = served()
    refused(Status.RANGE_ERROR, fs.send, 20, bytes(1000))
    refused(Status.FAILED_LOOKUP, fs.send, 20, caps=[300])
    ok(fs.send(20, b"fine"))
    assert app.woken().body == b"fine"


def test_a_moved_reply_leaves_its_old_slot_empty() -> None:
    _, fs, app = served()
    ok(fs.move(20, 21))
    refused(Status.REVOKED, fs.send, 20)
    ok(fs.send(21, b"moved"))
    assert app.woken().body == b"moved"


def test_a_reply_in_anothers_cspace_dies_with_that_pd() -> None:
    """The dead party is the PD that holds the Reply capability, not the one that received."""
    lab = Lab(
        {
            "fs": {"serves": "endpoint"},
            "app": {"uses": {"fs": "fs"}},
            "worker": {"uses": {"fs": "fs"}},
        }
    )
    fs, app, worker = lab["fs"], lab["app"], lab["worker"]
    worker.call("fs", caps=[SLOT_CNODE])
    ok(fs.recv(slot=30))
    ok(fs.reply())
    ok(worker.woken())
    app.call("fs")
    ok(fs.recv())
    ok(fs.invoke("cnode_save_caller", 30, index=60, depth=64))
    assert worker.cap(60) is not None
    lab.exited("worker")
    told = app.woken()
    assert told.status == Status.DIED_AFTER_RECV
    assert told.blames == "worker"


def test_a_worker_may_answer_a_caller_that_another_received() -> None:
    lab = Lab({"fs": {"serves": "endpoint", "threads": 2}, "app": {"uses": {"fs": "fs"}}})
    fs, worker, app = lab["fs"], lab["fs.1"], lab["app"]
    app.call("fs")
    ok(fs.recv())
    ok(fs.save_caller(20))
    ok(worker.send(20, b"from the worker"))
    assert app.woken().body == b"from the worker"


def test_revoking_does_not_reach_another_callers_reply() -> None:
    _, fs, app = served()
    ok(fs.revoke(20))
    assert app.blocked
    assert fs.cap(20) is not None


def test_the_hidden_slot_is_each_threads_own() -> None:
    lab = Lab({"fs": {"serves": "endpoint", "threads": 2}, "app": {"uses": {"fs": "fs"}},
               "web": {"uses": {"fs": "fs"}}})  # fmt: skip
    one, two = lab["fs"], lab["fs.1"]
    lab["app"].call("fs")
    lab["web"].call("fs")
    ok(one.recv())
    ok(two.recv())
    ok(two.reply(b"web"))
    ok(one.reply(b"app"))
    assert lab["app"].woken().body == b"app"
    assert lab["web"].woken().body == b"web"


def test_saving_into_a_slot_that_is_not_there_keeps_the_caller() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs")
    ok(fs.recv())
    refused(Status.FAILED_LOOKUP, fs.save_caller, 5000)
    ok(fs.reply(b"kept"))
    assert app.woken().body == b"kept"
