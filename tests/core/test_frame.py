"""Memory objects: who holds them, who may open them, and when the segment goes."""

from caplab.kernel.abi import ANSWER, PAGE_SIZE, AnswerFlag, ObjectType, Rights, Status, Sys
from caplab.kernel.core.effects import (
    CreateSegment,
    DestroySegment,
    Effect,
    GrantSegment,
    MapPages,
    Resume,
    Spawn,
    WithdrawSegment,
)
from caplab.kernel.core.withdrawal import MOST
from lab import Lab, Thread, ok, pair, refused


def shared() -> tuple[Lab, Thread, Thread]:
    """`app` has a page in 20 and gave `fs` a copy in 40."""
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.alloc(ObjectType.FRAME, 20)
    app.call("fs", caps=[20])
    ok(fs.recv(slot=40))
    ok(fs.reply())
    ok(app.woken())
    return lab, fs, app


def test_making_pages_makes_a_segment_under_the_systems_prefix() -> None:
    lab = pair()
    app = lab["app"]
    app.alloc(ObjectType.FRAME, 20, pages=4)
    (made,) = lab.of(CreateSegment)
    assert made.size == 4 * PAGE_SIZE
    assert made.name == f"cl.lab.{made.mo}"


def test_without_a_size_one_page_is_made() -> None:
    lab = pair()
    ok(lab["app"].retype(ObjectType.FRAME, 20))
    assert lab.of(CreateSegment)[0].size == PAGE_SIZE


def test_a_frame_is_one_page_to_512() -> None:
    lab = pair()
    app = lab["app"]
    for bits in (1, 11, 22, 63, 2**64 - 1):
        answer = refused(Status.RANGE_ERROR, app.retype, ObjectType.FRAME, 20, bits)
        assert answer.words == (12, 21)
    for slot, bits in ((20, 12), (21, 21)):
        ok(app.retype(ObjectType.FRAME, slot, bits))
        assert lab.of(CreateSegment)[0].size == 1 << bits


def test_a_frame_of_many_pages_is_paid_for_in_full() -> None:
    app = pair()["app"]
    ok(app.retype(ObjectType.UNTYPED, 30, 14))
    ok(app.retype(ObjectType.FRAME, 31, 13, of=30))
    ok(app.retype(ObjectType.FRAME, 32, 13, of=30))
    refused(Status.NOT_ENOUGH_MEMORY, app.retype, ObjectType.FRAME, 33, of=30)
    ok(app.revoke(30))
    assert app.cap(31) is app.cap(32) is None


def test_mapping_lets_the_pd_open_the_segment_and_names_it() -> None:
    lab, _, app = shared()
    told = ok(app.invoke("frame_map", 20))
    mo = app.cap(20).obj
    assert lab.of(GrantSegment) == [GrantSegment(mo.number, app.pd.number, True)]
    assert told.body.decode() == mo.name
    assert told.label == PAGE_SIZE


def test_mapping_again_grants_nothing_new() -> None:
    lab, _, app = shared()
    ok(app.invoke("frame_map", 20))
    ok(app.invoke("frame_map", 20))
    assert lab.of(GrantSegment) == []


def test_a_capability_without_write_maps_for_reading() -> None:
    lab, _, app = shared()
    ok(app.copy(20, 21, Rights.READ))
    ok(app.invoke("frame_map", 21))
    assert [grant.writable for grant in lab.of(GrantSegment)] == [False]
    ok(app.invoke("frame_map", 20))
    assert [grant.writable for grant in lab.of(GrantSegment)] == [True]
    ok(app.invoke("frame_map", 21))
    assert lab.of(GrantSegment) == []


def test_mapping_needs_read() -> None:
    _, _, app = shared()
    ok(app.copy(20, 21, Rights.WRITE))
    refused(Status.INVALID_CAPABILITY, app.invoke, "frame_map", 21)


def test_unmapping_takes_the_grant_back_and_leaves_the_capability() -> None:
    lab, _, app = shared()
    ok(app.invoke("frame_map", 20))
    ok(app.invoke("frame_unmap", 20))
    mo = app.cap(20).obj
    assert lab.of(WithdrawSegment) == [WithdrawSegment(mo.number, app.pd.number)]
    ok(app.invoke("frame_unmap", 20))
    assert lab.of(WithdrawSegment) == []


def test_a_pd_that_loses_its_last_capability_loses_the_segment() -> None:
    lab, fs, app = shared()
    mo = app.cap(20).obj
    ok(fs.copy(40, 41))
    ok(fs.invoke("frame_map", 40))
    ok(fs.delete(40))
    assert lab.of(WithdrawSegment) == []
    ok(fs.delete(41))
    assert lab.of(WithdrawSegment) == [WithdrawSegment(mo.number, fs.pd.number)]
    assert mo.holds == {app.pd.number: 1}


def test_a_pd_that_never_mapped_it_has_nothing_withdrawn() -> None:
    lab, fs, _ = shared()
    ok(fs.delete(40))
    assert lab.effects[:-1] == []


def test_revoking_takes_the_window_from_the_server() -> None:
    lab, fs, app = shared()
    ok(fs.invoke("frame_map", 40))
    ok(app.revoke(20))
    assert lab.of(WithdrawSegment) == [WithdrawSegment(app.cap(20).obj.number, fs.pd.number)]


def test_a_death_takes_only_the_dead_pds_hold() -> None:
    lab, fs, app = shared()
    mo = app.cap(20).obj
    ok(app.invoke("frame_map", 20))
    ok(fs.invoke("frame_map", 40))
    lab.die("app")
    withdrawn = [e for e in lab.all_effects if isinstance(e, WithdrawSegment)]
    assert withdrawn == [WithdrawSegment(mo.number, app.pd.number)]
    assert mo.holds == {fs.pd.number: 1}
    assert not [e for e in lab.all_effects if isinstance(e, DestroySegment)]


def test_the_last_hold_gone_destroys_the_segment() -> None:
    lab, fs, app = shared()
    mo = app.cap(20).obj
    lab.die("app")
    ok(fs.delete(40))
    assert lab.of(DestroySegment) == [DestroySegment(mo.number)]
    assert lab.of(WithdrawSegment) == []


def test_a_moved_page_stays_where_it_is_mapped() -> None:
    lab, _, app = shared()
    ok(app.invoke("frame_map", 20))
    ok(app.move(20, 21))
    assert lab.of(WithdrawSegment) == []
    assert app.cap(21).obj.holds[app.pd.number] == 1


def paged(**keys: object) -> tuple[Lab, Thread, Thread]:
    """`pager` has a page in 20 and power over `app`, whose faults it handles."""
    lab = Lab(
        {
            "pager": {"serves": "endpoint", "manages": ["app"]},
            "app": {"faults": "pager", **keys},
        }
    )
    lab["pager"].alloc(ObjectType.FRAME, 20)
    return lab, lab["pager"], lab["app"]


def put(pager: Thread, cap: int, **words: int) -> object:
    given = {"vaddr": 0x7000, "rights": int(Rights.READ | Rights.WRITE), **words}
    return pager.invoke("frame_map_in", cap, caps=[pager.slot("pd:app")], **given)


def test_a_pager_maps_its_page_into_the_pd_whose_faults_it_handles() -> None:
    lab, pager, app = paged()
    ok(put(pager, 20))
    mo = pager.cap(20).obj
    assert lab.of(MapPages) == [MapPages(mo.number, app.pd.number, 0x7000, True)]
    assert mo.holds == {pager.pd.number: 1}


def test_a_page_is_mapped_with_no_more_rights_than_its_capability_has() -> None:
    lab, pager, _ = paged()
    ok(pager.copy(20, 21, int(Rights.READ)))
    ok(put(pager, 21))
    assert [effect.writable for effect in lab.of(MapPages)] == [False]
    ok(put(pager, 20, rights=int(Rights.READ)))
    assert [effect.writable for effect in lab.of(MapPages)] == [False]
    ok(pager.copy(20, 22, int(Rights.WRITE)))
    refused(Status.INVALID_CAPABILITY, put, pager, 22)


def test_only_an_address_of_a_users_page_is_mapped() -> None:
    lab, pager, _ = paged()
    refused(Status.ALIGNMENT_ERROR, put, pager, 20, vaddr=0x7001)
    for address in (0, 1 << 47, 1 << 63):
        refused(Status.INVALID_ARGUMENT, put, pager, 20, vaddr=address)
    ok(put(pager, 20, vaddr=(1 << 47) - PAGE_SIZE))
    assert len(lab.of(MapPages)) == 1


def test_nothing_is_mapped_in_a_pd_whose_faults_nobody_handles_or_that_has_ended() -> None:
    _, pager, _ = paged(faults="")
    refused(Status.ILLEGAL_OPERATION, put, pager, 20)
    lab, pager, _ = paged()
    lab.die("app")
    refused(Status.ILLEGAL_OPERATION, put, pager, 20)


def test_mapping_takes_write_on_the_pd() -> None:
    lab, pager, _ = paged()
    ok(pager.copy("pd:app", 30, int(Rights.READ)))
    words = {"vaddr": 0x7000, "rights": 3}
    refused(Status.ILLEGAL_OPERATION, pager.invoke, "frame_map_in", 20, caps=[30], **words)
    assert lab.of(MapPages) == []


def test_only_who_has_a_handler_when_it_starts_is_to_be_traced() -> None:
    lab, pager, app = paged()
    specs = {e.spec["name"]: e.spec for e in lab.all_effects if isinstance(e, Spawn)}
    assert (specs["pager"]["traced"], specs["app"]["traced"]) == (False, True)
    assert app.pd.paged
    assert not pager.pd.paged


TAKEN = AnswerFlag.WITHDRAWN


def withdrawn(thread: Thread) -> list[str]:
    return ok(thread.syscall(Sys.WITHDRAWN)).body.decode().split()


def test_who_loses_a_page_is_told_with_its_next_answer_and_once() -> None:
    lab, fs, app = shared()
    name = ok(fs.invoke("frame_map", 40)).body.decode()
    assert not ok(app.revoke(20)).flags & TAKEN
    assert lab.of(WithdrawSegment) != []
    assert ok(fs.syscall(Sys.YIELD)).flags & TAKEN
    assert not ok(fs.syscall(Sys.YIELD)).flags & TAKEN
    assert withdrawn(fs) == [name]
    assert withdrawn(fs) == []


def test_a_blocked_one_is_told_with_the_answer_it_waits_for() -> None:
    _, fs, app = shared()
    ok(fs.invoke("frame_map", 40))
    assert fs.recv() is None
    ok(app.revoke(20))
    assert app.call("fs", b"x") is None
    message = fs.woken()
    assert message.flags & TAKEN
    assert message.body == b"x"


def test_who_gives_a_page_back_is_told_by_that_answer() -> None:
    _, fs, _ = shared()
    name = ok(fs.invoke("frame_map", 40)).body.decode()
    assert ok(fs.invoke("frame_unmap", 40)).flags & TAKEN
    assert withdrawn(fs) == [name]


def test_an_answer_that_went_out_before_does_not_tell_of_a_withdrawal() -> None:
    """The host has not taken the name away yet when it is sent."""
    lab, fs, app = shared()
    ok(fs.invoke("frame_map", 40))
    withdrawals = lab.k.withdrawals
    withdrawals.note(fs.pd, "cl.x")
    frame = bytes(ANSWER.size)
    gone = DestroySegment(2)
    early: list[Effect] = [Resume(fs.number, frame), gone, WithdrawSegment(1, fs.pd.number)]
    withdrawals.tell(early)
    assert early[0] == Resume(fs.number, frame)
    both: list[Effect] = [
        Resume(fs.number, frame),
        Resume(fs.number, frame),
        Resume(app.number, b""),
    ]
    withdrawals.tell(both)
    assert both[0] == Resume(fs.number, frame)
    assert both[1] != Resume(fs.number, frame)
    assert both[2] == Resume(app.number, b"")
    assert withdrawals.due == {}


def test_what_a_pd_was_given_again_to_write_it_may_keep() -> None:
    _, fs, app = shared()
    app.call("fs", caps=[20])
    ok(fs.recv(slot=41))
    ok(fs.invoke("frame_map", 40))
    ok(fs.delete(40))
    assert withdrawn(fs) == []  # it has another capability
    ok(fs.invoke("frame_unmap", 41))
    ok(fs.invoke("frame_map", 41))
    assert withdrawn(fs) == []


def test_what_it_was_given_again_for_reading_only_it_has_lost() -> None:
    _, fs, _ = shared()
    name = ok(fs.invoke("frame_map", 40)).body.decode()
    ok(fs.copy(40, 41, rights=int(Rights.READ)))
    ok(fs.invoke("frame_unmap", 40))
    ok(fs.invoke("frame_map", 41))
    assert withdrawn(fs) == [name]


def test_more_than_fits_is_told_in_turn() -> None:
    lab, fs, _ = shared()
    names = [f"cl.lab.{number}" for number in range(MOST + 1)]
    for name in names:
        lab.k.withdrawals.note(fs.pd, name)
    ok(fs.syscall(Sys.YIELD))
    answer = ok(fs.syscall(Sys.WITHDRAWN))
    assert answer.flags & TAKEN
    assert answer.body.decode().split() + withdrawn(fs) == names


def test_who_dies_is_told_nothing_and_nothing_is_kept_for_it() -> None:
    lab, fs, app = shared()
    ok(fs.invoke("frame_map", 40))
    ok(app.revoke(20))
    lab.die("fs")
    assert (lab.k.withdrawals.due, lab.k.withdrawals.names) == ({}, {})
