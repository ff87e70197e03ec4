"""Making, furnishing and starting PDs: what a Parent does."""

import pytest

from caplab.kernel.abi import (
    ROOT_SLOTS,
    SLOT_FIRST_ROOT,
    SLOT_PD,
    SLOT_TCB,
    FaultLabel,
    ObjectType,
    Rights,
    Status,
)
from caplab.kernel.core.cap import Cap
from caplab.kernel.core.effects import Spawn
from caplab.kernel.core.untyped import Untyped
from caplab.kernel.root.pd import MAX_PDS
from lab import Answer, Lab, Thread, ok, refused


def parent(**more: object) -> tuple[Lab, Thread]:
    lab = Lab(
        {"boss": {"rdes": ["pd"], "devices": ["uart0"], "path": ["/code"], **more}, "app": {}},
        uarts=["uart0", "uart1"],
    )
    return lab, lab["boss"]


def create(boss: Thread, receive: object = 30, **arguments: object) -> Answer | None:
    arguments = {"name": "child", "run": "./child.py", **arguments}
    return boss.invoke("pd_create", "rde:pd", receive=receive, **arguments)  # type: ignore[arg-type]


def test_a_pd_is_made_but_not_started() -> None:
    lab, boss = parent()
    answer = ok(create(boss))
    child = lab.pd("child")
    assert answer.map == {"pd": child.number, "endpoint": 0, "space": 0, "rde": 0, "ads": 3}
    assert answer.extra == (30,)
    assert boss.cap(30).obj is child
    assert boss.cap(30).rights == Rights.ALL
    assert lab.of(Spawn) == []
    row = lab.ps("child")
    assert (row["state"], row["reason"], row["pid"]) == ("starting", "created, not started", None)


def test_starting_it_asks_for_its_process() -> None:
    lab, boss = parent()
    ok(create(boss, args={"count": 3}, threads=2, devices=["uart0"]))
    ok(boss.pd_call("start", 30))
    (spawn,) = lab.of(Spawn)
    assert spawn.pd == lab.pd("child").number
    assert spawn.spec["run"] == "./child.py"
    assert spawn.spec["args"] == {"count": 3}
    assert len(spawn.spec["tcbs"]) == 2
    assert spawn.spec["devices"] == ["uart0"]
    assert spawn.spec["path"] == ["/code"]  # its parent's


def test_its_code_roots_may_be_given() -> None:
    lab, boss = parent()
    ok(create(boss, path=["/mine"]))
    ok(boss.pd_call("start", 30))
    assert lab.of(Spawn)[0].spec["path"] == ["/mine"]


def test_a_pd_is_started_once() -> None:
    _, boss = parent()
    ok(create(boss))
    ok(boss.pd_call("start", 30))
    refused(Status.ILLEGAL_OPERATION, boss.pd_call, "start", 30)


def test_a_serving_pd_gets_its_endpoint_and_its_parent_a_copy_to_mint_from() -> None:
    lab, boss = parent()
    master = ok(create(boss, serves="endpoint")).map["endpoint"]
    child = boss.create("other", 31)
    cap = boss.cap(master)
    assert cap.rights == Rights.WRITE | Rights.GRANT | Rights.GRANT_REPLY
    assert cap.badge == 0
    server = lab["child"]
    assert server.cap("server").rights & Rights.READ
    assert server.cap("server").obj is cap.obj
    ok(boss.pd_call("install", 31, caps=[master], name="srv", rights=15, badge=77))
    ok(boss.pd_call("start", 30))
    child.call("srv", b"hello")
    assert ok(server.recv()).badge == 77
    assert lab.ps("child")["role"] == "server"


def test_the_new_pd_may_make_pds_itself_only_if_it_is_given_the_service() -> None:
    _, boss = parent()
    child = boss.create("child", 30)
    assert set(child.pd.names) == {"untyped"}
    ok(boss.pd_call("install", 30, caps=["rde:pd"], name="rde:pd", rights=15, badge=None))
    grandchild = child.create("grandchild", 40, untyped=None)
    ok(grandchild.nb_send(4))


@pytest.mark.parametrize(
    ("arguments", "position"),
    [
        ({"name": ""}, 0),
        ({"name": "1st"}, 0),
        ({"name": "a b"}, 0),
        ({"name": "x" * 33}, 0),
        ({"name": "child\n"}, 0),
        ({"name": 5}, 0),
        ({"run": None}, 1),
        ({"args": []}, 2),
        ({"args": {b"a": 2}}, 2),
        ({"threads": "two"}, 3),
        ({"threads": True}, 3),
        ({"devices": ["uart1"]}, 4),
        ({"devices": [["uart0"]]}, 4),
        ({"devices": "uart0"}, 4),
        ({"serves": "space"}, 5),
        ({"devices": ["uart0", "uart0"]}, 4),
        ({"path": [3]}, 6),
        ({"faults": "fixer"}, 7),
        ({"faults": 300}, 7),
        ({"faults": -1}, 7),
        ({"faults": SLOT_TCB}, 7),
        ({"untyped": "all"}, 8),
        ({"untyped": 2**64 - 1}, 8),
        ({"untyped": SLOT_TCB}, 8),
    ],
)
def test_a_wrong_argument_is_named_by_its_position(
    arguments: dict[str, object], position: int
) -> None:
    _, boss = parent()
    assert refused(Status.INVALID_ARGUMENT, create, boss, **arguments).words == (position,)


def test_an_argument_nobody_knows_is_refused() -> None:
    _, boss = parent()
    body = bytes.fromhex("81") + b"\xa5color\x01"
    answer = refused(Status.INVALID_ARGUMENT, boss.call, "rde:pd", body, label=96, slot=30)
    assert answer.words == (10,)


@pytest.mark.parametrize("body", [b"\xc1", b"\x93\x01", b"\x01", b"\x81\xa1a", b"\xd9\x05\xff"])
def test_a_body_that_is_no_map_is_truncated(body: bytes) -> None:
    _, boss = parent()
    refused(Status.TRUNCATED_MESSAGE, boss.call, "rde:pd", body, label=96, slot=30)


@pytest.mark.parametrize("threads", [0, -1, 33])
def test_threads_have_bounds(threads: int) -> None:
    _, boss = parent()
    assert refused(Status.RANGE_ERROR, create, boss, threads=threads).words == (1, 32)


def test_a_name_is_taken_while_its_pd_lives() -> None:
    lab, boss = parent()
    for name in ("app", "boss"):
        refused(Status.DELETE_FIRST, create, boss, name=name)
    lab.die("app")
    ok(create(boss, name="app"))


@pytest.mark.parametrize("receive", [None, (1, 30, 64), (2, 30, 64), (0, 30, 10)])
def test_the_capability_needs_a_receive_slot_of_the_own_cspace(receive: object) -> None:
    _, boss = parent()
    refused(Status.FAILED_LOOKUP, create, boss, receive)


def test_the_receive_slot_is_an_empty_one_of_the_own_half() -> None:
    _, boss = parent()
    boss.alloc(ObjectType.ENDPOINT, 30)
    refused(Status.DELETE_FIRST, create, boss, 30)
    for slot in (0, 15, 512, 5000):
        refused(Status.RANGE_ERROR, create, boss, slot)


def test_there_is_an_end_to_pds() -> None:
    lab, boss = parent()
    lab.checked = False
    slot = 16
    for number in range(MAX_PDS - 2):
        ok(create(boss, slot, name=f"child{number}"))
        if slot == 511:
            # The PD lives on as long as it is named in another slot.
            ok(boss.invoke("pd_start", slot))
            ok(boss.delete(slot))
        else:
            slot += 1
    refused(Status.NOT_ENOUGH_MEMORY, create, boss, 511)
    lab.die("child0")
    ok(create(boss, 511))


def test_a_parent_without_a_slot_for_the_master_copy_is_refused() -> None:
    lab, boss = parent()
    lab.checked = False
    for index in range(SLOT_FIRST_ROOT, ROOT_SLOTS):
        if boss.cap(index) is None:
            ok(boss.copy(SLOT_PD, index))
    refused(Status.NOT_ENOUGH_MEMORY, create, boss, serves="endpoint")
    ok(create(boss))


def test_a_pd_that_nobody_can_start_any_more_ends() -> None:
    lab, boss = parent()
    waiting = lab.ask("wait")
    ok(create(boss))
    ok(boss.copy(30, 31))
    ok(boss.delete(30))
    assert lab.pd("child").alive
    ok(boss.delete(31))
    lab.work()
    row = lab.ps("child")
    assert (row["state"], row["reason"]) == ("exited", "never started")
    lab.die("app", 0)
    lab.die("boss", 0)
    assert lab.answers[waiting]["failed"] == []


def test_unstarted_pds_end_with_their_parent_and_let_go_of_what_they_were_given() -> None:
    lab, boss = parent()
    ok(create(boss))
    boss.alloc(ObjectType.FRAME, 20)
    mo = boss.cap(20).obj
    ok(boss.pd_call("install", 30, caps=[20], name="page", rights=15, badge=None))
    lab.die("boss")
    assert lab.pd("child").state == "dead"
    assert mo.holds == {}


def test_a_running_pd_survives_its_parent() -> None:
    lab, boss = parent()
    child = boss.create("child", 30)
    lab.die("boss")
    assert lab.pd("child").alive
    refused(Status.NEVER_EXISTED, child.call, 99)


def test_an_unstarted_pd_may_be_killed() -> None:
    lab, boss = parent()
    ok(create(boss))
    assert boss.pd_call("kill", 30) is None
    lab.work()
    report = boss.woken().map
    assert (report["pd"], report["state"]) == ("child", "killed")
    ok(create(boss, 31))
    refused(Status.ILLEGAL_OPERATION, boss.pd_call, "start", 30)


def test_an_unstarted_pd_is_neither_crashed_nor_suspended() -> None:
    _, boss = parent()
    ok(create(boss))
    refused(Status.ILLEGAL_OPERATION, boss.pd_call, "crash", 30, how="segv", after=None)
    for name in ("suspend", "resume"):
        refused(Status.ILLEGAL_OPERATION, boss.pd_call, name, 30)


def test_callers_of_an_unstarted_server_are_freed_when_it_ends() -> None:
    lab, boss = parent(threads=2)
    second = lab["boss.1"]
    master = ok(create(boss, serves="endpoint")).map["endpoint"]
    assert second.call(master) is None
    ok(boss.delete(30))
    assert second.woken().status == Status.DIED_BEFORE_RECV
    lab.work()
    assert lab.pd("child").state == "dead"


# -- what its parent gives it ----------------------------------------------------------------------

MEMORY = 40
SIZE = 1 << 16


def test_a_pd_has_no_memory_but_what_its_parent_gives_it() -> None:
    _, boss = parent()
    before = boss.lab.root.memory_used
    ok(create(boss))
    assert "untyped" not in boss.lab.pd("child").names
    assert boss.lab.root.memory_used == before


def test_memory_is_lent_to_a_child_and_comes_back_when_it_has_ended() -> None:
    lab, boss = parent()
    ok(boss.retype(ObjectType.UNTYPED, MEMORY, 16))
    ok(create(boss, untyped=MEMORY))
    ok(boss.pd_call("start", 30))
    child = lab["child"]
    assert child.cap("untyped").obj is boss.cap(MEMORY).obj
    told = boss.retype(ObjectType.FRAME, 41, of=MEMORY)
    assert told is not None
    assert (told.status, told.words) == (Status.NOT_ENOUGH_MEMORY, (0,))
    ok(child.retype(ObjectType.FRAME, 20, count=SIZE >> 12))
    told = child.retype(ObjectType.FRAME, 50)
    assert told is not None
    assert told.status == Status.NOT_ENOUGH_MEMORY
    lab.die("child")
    ok(boss.retype(ObjectType.FRAME, 41, count=SIZE >> 12, of=MEMORY))


def test_what_a_child_made_and_another_holds_keeps_the_memory_lent() -> None:
    lab, boss = parent()
    ok(boss.retype(ObjectType.UNTYPED, MEMORY, 16))
    ok(create(boss, untyped=MEMORY))
    ok(boss.pd_call("install", 30, caps=[SLOT_PD], name="boss", rights=15, badge=None))
    ok(boss.pd_call("start", 30))
    child = lab["child"]
    child.alloc(ObjectType.FRAME, 20)
    ok(child.pd_call("install", "boss", caps=[20], name="page", rights=15, badge=None))
    lab.die("child")
    refused(Status.REVOKE_FIRST, boss.copy, MEMORY, 60)
    ok(boss.delete("page"))
    ok(boss.copy(MEMORY, 60))


def test_a_parent_takes_its_memory_back_by_revoking_it() -> None:
    lab, boss = parent()
    ok(boss.retype(ObjectType.UNTYPED, MEMORY, 16))
    ok(create(boss, untyped=MEMORY))
    ok(boss.revoke(MEMORY))
    assert lab["child"].cap("untyped") is None


def test_memory_that_something_is_made_of_is_not_lent() -> None:
    _, boss = parent()
    boss.alloc(ObjectType.ENDPOINT, 41)
    refused(Status.REVOKE_FIRST, create, boss, untyped=boss.slot("untyped"))


def test_a_devices_memory_pays_for_nothing() -> None:
    lab, boss = parent()
    device = Untyped(99, 0x1000_0000, 16, device=True)
    slot = boss.pd.cspace.slot(MEMORY)
    lab.k.put(slot, Cap(ObjectType.UNTYPED, device, Rights.ALL), None, "test")
    assert refused(Status.INVALID_ARGUMENT, create, boss, untyped=MEMORY).words == (8,)


@pytest.mark.parametrize("semantics", ["lab", "sel4"])
def test_a_parent_handles_the_faults_of_its_child(semantics: str) -> None:
    lab = Lab({"boss": {"rdes": ["pd"], "serves": "endpoint"}}, semantics=semantics)
    boss = lab["boss"]
    ok(boss.mint("server", 41, badge=0xBEEF))
    ok(create(boss, faults=41, threads=2))
    ok(boss.pd_call("start", 30))
    child = lab["child"]
    assert not child.cap("fault-handler").rights & Rights.READ
    for thread in (child, lab["child.1"]):
        assert thread.recv(300) is None
        fault = ok(boss.recv())
        assert (fault.label, fault.badge, fault.words[1]) == (FaultLabel.CAP_FAULT, 0xBEEF, 300)


@pytest.mark.parametrize("rights", [Rights.WRITE, Rights.GRANT | Rights.GRANT_REPLY, Rights.READ])
def test_a_fault_handler_must_be_able_to_carry_faults(rights: Rights) -> None:
    _, boss = parent()
    boss.alloc(ObjectType.ENDPOINT, 41)
    ok(boss.copy(41, 42, rights=int(rights)))
    assert refused(Status.INVALID_ARGUMENT, create, boss, faults=42).words == (7,)


def test_a_refused_child_takes_no_memory_and_no_handler() -> None:
    _, boss = parent()
    ok(boss.retype(ObjectType.UNTYPED, MEMORY, 16))
    refused(Status.RANGE_ERROR, create, boss, receive=700, untyped=MEMORY)
    ok(create(boss, untyped=MEMORY))
