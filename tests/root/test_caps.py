"""What an operator sees of capabilities: slots, tombstones, and the derivation across PDs."""

from typing import Any

import pytest

from caplab.kernel.abi import SLOT_CNODE, SLOT_TCB, ObjectType, Rights
from caplab.kernel.core.events import Work
from caplab.kernel.core.jobs import SLICE
from caplab.kernel.core.kernel import Kernel
from caplab.kernel.root import caps
from caplab.kernel.root.task import RootTask
from lab import Lab, Thread, ok, pair, trio

READ_WRITE = Rights.READ | Rights.WRITE


def listed(lab: Lab, pd: str, **more: Any) -> dict[int, dict[str, Any]]:
    """The rows of a PD by slot."""
    request = lab.ask("caps", pd=pd, **more)
    lab.work()
    answer = lab.answers[request]
    assert answer["more_slots"] == 0
    return {row["slot"]: row for row in answer["slots"]}


def places(kin: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    return [(one["pd"], one["slot"], one["depth"]) for one in kin]


def test_a_row_has_object_rights_badge_name_and_giver() -> None:
    lab = pair()
    app = lab["app"]
    slot = app.slot("fs")
    assert listed(lab, "app")[slot] == {
        "slot": slot,
        "cnode": None,
        "names": ["fs"],
        "type": "endpoint",
        "object": "fs/gen0",
        "rights": "-WGP",
        "badge": 2,
        "from": "fs",
        "gone": None,
    }


def test_every_kind_of_object_is_named() -> None:
    lab = Lab(
        {
            "fs": {"serves": "endpoint", "threads": 2, "devices": ["uart0"], "rdes": ["pd"]},
            "app": {"uses": {"fs": "fs"}},
        },
        uarts=["uart0"],
    )
    fs, app = lab["fs"], lab["app"]
    fs.alloc(ObjectType.FRAME, 20)
    fs.alloc(ObjectType.NOTIFICATION, 21)
    fs.alloc(ObjectType.ENDPOINT, 22)
    ok(fs.invoke("device_claim", "uart0", slot=23))
    app.call("fs")
    ok(fs.recv())
    ok(fs.save_caller(24))
    rows = listed(lab, "fs", tree=True)
    named = {row["type"]: row["object"] for row in rows.values() if row["slot"] < 20}
    assert named["tcb"] == "fs"
    assert named["cnode"] == named["pd"] == "fs/gen0"
    assert rows[20]["object"] == fs.cap(20).obj.name
    assert rows[21]["object"] == str(fs.cap(21).obj.number)
    assert (rows[22]["object"], rows[22]["badge"]) == ("fs/gen0", 0)
    assert (rows[23]["type"], rows[23]["object"]) == ("irq handler", "uart0")
    assert (rows[24]["type"], rows[24]["object"]) == ("reply", "app/gen0")
    assert rows[fs.slot("uart0")]["object"] == "uart0"
    assert rows[fs.slot("rde:pd")]["object"] == "pd"
    assert rows[fs.slot("tcb.1")]["object"] == "fs.1"


def test_an_emptied_slot_says_why_until_it_is_filled_again() -> None:
    lab = Lab({"app": {}})
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    ok(app.copy(20, 21))
    ok(app.revoke(20))
    event = lab.k.event
    row = listed(lab, "app")[21]
    assert (row["type"], row["object"], row["rights"], row["badge"]) == (None, None, None, None)
    assert row["gone"] == {"status": "REVOKED", "pd": "app", "generation": 0, "event": event}
    ok(app.copy(20, 21))
    row = listed(lab, "app")[21]
    assert (row["type"], row["gone"]) == ("endpoint", None)


def test_a_name_belongs_to_a_capability_not_to_a_tombstone() -> None:
    lab = pair()
    app = lab["app"]
    slot = app.slot("fs")
    ok(app.delete("fs"))
    row = listed(lab, "app")[slot]
    assert (row["names"], row["from"], row["type"]) == ([], None, None)


def test_a_slot_that_was_only_looked_at_is_not_shown() -> None:
    lab = Lab({"app": {}})
    app = lab["app"]
    app.pd.cspace.slot(99)
    assert 99 not in listed(lab, "app")


def test_a_dead_pd_holds_nothing() -> None:
    lab = pair()
    lab.die("app")
    assert lab.operator("caps", pd="app") == {
        "pd": "app",
        "generation": 0,
        "slots": [],
        "more_slots": 0,
    }


def test_the_root_task_is_a_pd_too_unless_one_is_called_so() -> None:
    lab = pair()
    (row,) = listed(lab, "root").values()
    assert (row["object"], row["rights"], row["badge"]) == ("fs/gen0", "RWGP", 0)
    other = Lab({"root": {}})
    assert len(listed(other, "root")) == 5


def test_a_pd_nobody_knows_is_refused() -> None:
    lab = pair()
    for name in ("disk", None, 3):
        assert lab.operator("caps", pd=name)["error"]["code"] == "no-such-pd"


# -- the derivation ------------------------------------------------------------------------------


def test_the_tree_leads_to_what_a_capability_was_derived_from_in_other_pds() -> None:
    lab = trio()
    fs, app, web = lab["fs"], lab["app"], lab["web"]
    master = next(iter(listed(lab, "root")))
    ok(app.copy("fs", 20))
    row = listed(lab, "app", tree=True)[20]
    assert places(row["parents"]) == [("app", app.slot("fs"), 1), ("root", master, 2)]
    assert row["derived"] == []
    row = listed(lab, "app", tree=True)[app.slot("fs")]
    assert places(row["parents"]) == [("root", master, 1)]
    assert places(row["derived"]) == [("app", 20, 1)]
    assert row["derived"][0] == {
        "depth": 1,
        "pd": "app",
        "generation": 0,
        "slot": 20,
        "cnode": None,
        "tcb": None,
        "type": "endpoint",
        "rights": "-WGP",
        "badge": 2,
    }
    below = places(listed(lab, "root", tree=True)[master]["derived"])
    assert set(below) == {
        *(("fs", fs.slot("server"), 1), ("web", web.slot("fs"), 1)),
        *(("app", app.slot("fs"), 1), ("app", 20, 2)),
    }
    assert below.index(("app", app.slot("fs"), 1)) + 1 == below.index(("app", 20, 2))


def test_what_the_tree_calls_derived_is_what_revoke_deletes() -> None:
    lab = Lab({"app": {}})
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    ok(app.copy(20, 21))
    ok(app.mint(20, 22, badge=5))
    ok(app.copy(22, 23, READ_WRITE))
    ok(app.mint(21, 24, badge=5))
    ok(app.copy(24, 25))
    ok(app.mint(20, 26, badge=6))
    for slot in (22, 24, 21, 20):
        rows = listed(lab, "app", tree=True)
        told = {one["slot"] for one in rows[slot]["derived"]}
        for other, row in rows.items():
            assert (slot in {one["slot"] for one in row.get("parents", ())}) == (other in told)
        before = {index for index, row in rows.items() if row["type"]}
        ok(app.revoke(slot))
        after = {index for index, row in listed(lab, "app").items() if row["type"]}
        assert before - after == told


def test_the_depth_says_who_descends_from_whom() -> None:
    lab = Lab({"app": {}})
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    ok(app.mint(20, 21, badge=5))
    ok(app.copy(21, 22))
    ok(app.mint(20, 23, badge=6))
    rows = listed(lab, "app", tree=True)
    assert places(rows[20]["derived"]) == [("app", 23, 1), ("app", 21, 1), ("app", 22, 2)]


def test_a_copy_without_its_original_has_no_parent() -> None:
    lab = Lab({"app": {}})
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    ok(app.copy(20, 21))
    ok(app.delete(20))
    row = listed(lab, "app", tree=True)[21]
    assert places(row["parents"]) == [("app", app.slot("untyped"), 1)]
    assert row["derived"] == []


def retype(app: Thread, kind: ObjectType, slot: int, size_bits: int = 0) -> None:
    words = {"node_index": 0, "node_depth": 0, "node_offset": slot, "num_objects": 1}
    made = {"type": int(kind), "size_bits": size_bits}
    ok(app.invoke("untyped_retype", "untyped", caps=[SLOT_CNODE], **made, **words))


def test_objects_are_derived_from_the_untyped_they_were_made_of() -> None:
    lab = pair()
    app = lab["app"]
    retype(app, ObjectType.ENDPOINT, 30)
    ok(app.mint(30, 31, badge=5))
    rows = listed(lab, "app", tree=True)
    memory = rows[app.slot("untyped")]
    assert (memory["type"], memory["badge"]) == ("untyped", 0)
    assert memory["object"].endswith(" 16 of 4194304 bytes used")
    assert places(memory["derived"]) == [("app", 30, 1), ("app", 31, 2)]
    assert [one["slot"] for one in rows[31]["parents"]] == [30, memory["slot"]]


def test_the_slots_of_a_second_level_are_the_pds_too() -> None:
    lab = pair()
    app = lab["app"]
    retype(app, ObjectType.CNODE, 20, 4)
    words = {"dest_index": 3, "dest_depth": 4, "src_index": app.slot("fs"), "src_depth": 64}
    ok(app.invoke("cnode_copy", 20, caps=[SLOT_CNODE], rights=Rights.WRITE, **words))
    rows = lab.operator("caps", pd="app", tree=True)["slots"]
    number = -app.cap(20).obj.number
    (inner,) = [row for row in rows if row["cnode"] is not None]
    assert (inner["cnode"], inner["slot"], inner["names"]) == (number, 3, [])
    assert (inner["object"], inner["rights"]) == ("fs/gen0", "-W--")
    assert inner["parents"][0]["slot"] == app.slot("fs")
    outer = next(row for row in rows if (row["cnode"], row["slot"]) == (None, 20))
    assert (outer["type"], outer["object"], outer["badge"]) == ("cnode", str(number), 0)
    (below,) = next(row for row in rows if "fs" in row["names"])["derived"]
    assert (below["cnode"], below["slot"], below["tcb"]) == (number, 3, None)


def test_another_pds_first_cspace_is_one_capability_and_no_list() -> None:
    lab = Lab({"boss": {"rdes": ["pd"]}})
    boss = lab["boss"]
    boss.create("child", 30)
    ok(boss.pd_call("install", 30, caps=[SLOT_CNODE], name="parent", rights=15, badge=None))
    rows = lab.operator("caps", pd="child")["slots"]
    assert len({(row["cnode"], row["slot"]) for row in rows}) == len(rows)
    (row,) = [row for row in rows if row["names"] == ["parent"]]
    assert (row["type"], row["object"]) == ("cnode", "boss/gen0")


def test_a_root_given_to_a_thread_is_derived_from_the_capability_that_was_given() -> None:
    lab = pair()
    words = {"fault_ep": 0, "cspace_root_data": 0, "vspace_root_data": 0}
    ok(lab["app"].invoke("tcb_set_space", SLOT_TCB, caps=[SLOT_CNODE, SLOT_CNODE], **words))
    row = listed(lab, "app", tree=True)[SLOT_CNODE]
    assert ("app", "cnode") in {(one["tcb"], one["type"]) for one in row["derived"]}


# -- long lists ----------------------------------------------------------------------------------


def crowd(copies: int = 2 * SLICE) -> tuple[Lab, Thread]:
    """`app` with an endpoint in 20 and copies of it from 21 on."""
    lab = Lab({"app": {}, "web": {}})
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    lab.checked = False
    room = [slot for slot in range(21, 1024) if app.cap(slot) is None][:copies]
    for slot in room:
        ok(app.copy(20, slot))
    return lab, app


def test_a_short_list_is_answered_in_its_own_step() -> None:
    lab = pair()
    assert lab.operator("caps", pd="app")["pd"] == "app"
    assert not lab.k.jobs_pending


def test_a_long_list_is_collected_in_slices_and_answered_once_at_the_end() -> None:
    lab, _ = crowd()
    request = lab.ask("caps", pd="app")
    assert request not in lab.answers
    assert lab.work() == 2
    assert len(lab.answers[request]["slots"]) == 2 * SLICE + 6


def test_looking_changes_nothing() -> None:
    lab, _ = crowd()
    before = lab.k.state_hash()
    listed(lab, "app", tree=True)
    assert lab.k.state_hash() == before


def test_a_list_that_changes_under_the_walk_still_tells_the_truth() -> None:
    lab, app = crowd()
    untyped = ("app", app.slot("untyped"), 2)
    request = lab.ask("caps", pd="app", tree=True)
    deleted: set[int] = set()
    while lab.k.jobs_pending:
        (job,) = lab.k.jobs
        assert isinstance(job, caps.Listing)
        walk = job.walk if len(deleted) < 40 else None
        if walk is not None and walk.at not in (walk.slot, app.pd.cspace.slot(20)):
            deleted.add(walk.at.index)
            ok(app.delete(walk.at.index))  # the walk has lost its place
        lab.step(Work(lab.now))
    assert len(deleted) == 40
    rows = {row["slot"]: row for row in lab.answers[request]["slots"]}
    for slot, row in rows.items():
        if slot > 20 and row["type"] == "endpoint":
            assert places(row["parents"]) == [("app", 20, 1), untyped]


def test_an_ancestor_that_goes_during_the_walk_is_not_told() -> None:
    lab = Lab({"app": {}})
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 30)
    ok(app.mint(30, 21, badge=5))
    ok(app.copy(21, 20))
    lab.checked = False
    for slot in range(40, 40 + 2 * SLICE):
        if app.cap(slot) is None:
            ok(app.copy(30, slot))
    request = lab.ask("caps", pd="app", tree=True)
    (job,) = lab.k.jobs
    assert isinstance(job, caps.Listing)
    assert job.walk is not None
    assert job.walk.child.index == 21  # found, and on the way up from there
    ok(app.delete(21))
    lab.work()
    rows = {row["slot"]: row for row in lab.answers[request]["slots"]}
    assert places(rows[20]["parents"]) == [("app", 30, 1), ("app", app.slot("untyped"), 2)]


def test_of_a_capability_that_goes_during_its_walk_no_kin_is_told() -> None:
    lab, app = crowd()
    request = lab.ask("caps", pd="app", tree=True)
    gone = 0
    while lab.k.jobs_pending:
        (job,) = lab.k.jobs
        assert isinstance(job, caps.Listing)
        if not gone and job.walk is not None and job.walk.slot.index > 100:
            gone = job.walk.slot.index
            ok(app.delete(gone))
        lab.step(Work(lab.now))
    (row,) = [row for row in lab.answers[request]["slots"] if row["slot"] == gone]
    assert (row["parents"], row["derived"], row["more_derived"]) == ([], [], 0)


def test_an_answer_has_a_greatest_length_and_counts_what_it_leaves_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(caps, "ROWS_MAX", 6)
    lab, _ = crowd(10)
    request = lab.ask("caps", pd="app", tree=True)
    lab.work()
    answer = lab.answers[request]
    assert [row["slot"] for row in answer["slots"]] == [1, 2, 3, 4, 20]
    assert len(answer["slots"][-1]["derived"]) == 1
    assert answer["slots"][-1]["more_derived"] == 9
    assert answer["more_slots"] == 11


def test_replayed_the_same_slices_give_the_same_answer() -> None:
    lab, _ = crowd()
    request = lab.ask("caps", pd="app", tree=True)
    lab.work()
    again = Kernel(RootTask())
    answers = [effect for event in lab.events for effect in again.step(event)]
    assert lab.answers[request] in [getattr(effect, "body", None) for effect in answers]
    assert again.state_hash() == lab.k.state_hash()
