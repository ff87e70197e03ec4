"""Work: servers are told which of their clients are gone, and say when they have dealt with it."""

from caplab.kernel.abi import SLOT_WORK, WORK_BIT, ObjectType, Rights, Status, notification_badge
from caplab.kernel.root.work import BATCH
from lab import Answer, Lab, Thread, ok, refused, trio


def items(answer: Answer | None) -> list[dict[str, object]]:
    found: list[dict[str, object]] = ok(answer).map["items"]
    return found


def fetch(server: Thread) -> list[dict[str, object]]:
    return items(server.pd_call("get_work"))


def test_a_client_is_gone_when_the_last_capability_of_its_badge_is() -> None:
    lab = trio()
    fs, app = lab["fs"], lab["app"]
    badge = app.cap("fs").badge
    ok(app.copy("fs", 20))
    ok(app.delete("fs"))
    assert fetch(fs) == []
    ok(app.delete(20))
    gone = {"kind": "client-gone", "badge": badge, "endpoint": fs.slot("server")}
    assert fetch(fs) == [{"id": 1, **gone, "space": 0, "pd": app.pd.number}]


def test_a_death_makes_clients_gone() -> None:
    lab = trio()
    fs = lab["fs"]
    badges = [lab[name].cap("fs").badge for name in ("app", "web")]
    lab.die("app")
    lab.die("web")
    assert [item["badge"] for item in fetch(fs)] == badges


def test_a_copy_elsewhere_keeps_the_client_alive() -> None:
    lab = trio()
    fs, app, web = lab["fs"], lab["app"], lab["web"]
    app.alloc(ObjectType.ENDPOINT, 20)
    web.alloc(ObjectType.ENDPOINT, 20)
    ok(app.copy("fs", 21))
    app.call("fs", caps=[2])
    ok(fs.recv(slot=40))
    arguments = {"dest_depth": 64, "src_depth": 64, "dest_index": 60, "rights": 15}
    ok(fs.invoke("cnode_copy", 2, caps=[40], src_index=app.slot("fs"), **arguments))
    ok(fs.reply())
    ok(app.woken())
    lab.die("app")
    assert fetch(fs) == []
    ok(fs.delete(60))
    assert len(fetch(fs)) == 1


def test_work_is_announced_on_the_notification_in_its_fixed_slot() -> None:
    lab = trio()
    fs = lab["fs"]
    ok(fs.bind(SLOT_WORK))
    assert fs.recv() is None
    lab.die("app")
    told = fs.woken()
    assert told.notification
    assert told.badge == notification_badge(WORK_BIT)
    assert told.badge & WORK_BIT


def test_unbadged_capabilities_are_nobodys_client() -> None:
    lab = trio()
    fs = lab["fs"]
    ok(fs.copy("server", 20, Rights.WRITE))
    ok(fs.delete(20))
    assert fetch(fs) == []


def test_work_comes_in_batches_in_the_order_of_what_happened() -> None:
    lab = trio()
    fs = lab["fs"]
    count = 2 * BATCH + 3
    for badge in range(100, 100 + count):
        ok(fs.mint("server", 20, badge=badge))
        ok(fs.delete(20))
    batches = [fetch(fs) for _ in range(4)]
    assert [len(batch) for batch in batches] == [BATCH, BATCH, 3, 0]
    assert [item["badge"] for batch in batches for item in batch] == list(range(100, 100 + count))


def test_asking_again_shows_that_the_items_before_are_done() -> None:
    lab = trio()
    fs = lab["fs"]
    request = lab.ask("kill", pd="app")
    lab.die("app")
    assert len(fetch(fs)) == 1
    assert request not in lab.answers
    assert fetch(fs) == []
    assert lab.answers[request]["pending"] == []
    lab.pass_time(5)


def test_a_revoked_client_is_gone_but_in_nobodys_report() -> None:
    lab = trio()
    fs = lab["fs"]
    ok(fs.mint("server", 20, badge=50))
    ok(fs.revoke("server"))
    assert fetch(fs) == []  # a copy of the server is no original, it revokes nothing
    ok(fs.revoke(20))
    ok(fs.delete(20))
    assert [item["badge"] for item in fetch(fs)] == [50]


def test_an_endpoint_in_no_slot_of_the_server_is_told_as_zero() -> None:
    lab = trio()
    fs = lab["fs"]
    ok(fs.delete("server"))
    lab.die("app")
    assert [item["endpoint"] for item in fetch(fs)] == [0]


def test_a_dead_servers_clients_go_unnoticed() -> None:
    lab = trio()
    lab.die("fs")
    lab.die("app")
    assert not len(lab.pd("fs").work)


def test_only_a_pd_itself_fetches_its_work() -> None:
    lab = Lab({"fs": {}, "boss": {"manages": ["fs"]}})
    refused(Status.INVALID_CAPABILITY, lab["boss"].pd_call, "get_work", "pd:fs")


def test_a_server_that_threw_its_work_notification_away_can_still_ask() -> None:
    lab = trio()
    fs = lab["fs"]
    ok(fs.delete(SLOT_WORK))
    lab.die("app")
    assert len(fetch(fs)) == 1


def test_a_moved_capability_is_the_same_client() -> None:
    lab = trio()
    ok(lab["app"].move("fs", 20))
    assert fetch(lab["fs"]) == []
