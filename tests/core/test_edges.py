"""Corners of the capability invocations that no ordinary system gets to."""

import pytest

from caplab.kernel.abi import SLOT_CNODE, SLOT_TCB, Inv, ObjectType, Status
from caplab.kernel.core.cap import Cap, covers
from caplab.kernel.core.untyped import Untyped
from lab import Lab, Thread, ok, pair, refused

EP, FRAME, UNTYPED = ObjectType.ENDPOINT, ObjectType.FRAME, ObjectType.UNTYPED


def retype(app: Thread, memory: int, kind: int, slot: int, bits: int = 0, caps=(SLOT_CNODE,)):
    words = [kind, bits, 0, 0, slot, 1]
    return app.call(memory, words, label=int(Inv.UNTYPED_RETYPE), caps=caps)


@pytest.fixture
def app() -> Thread:
    return pair()["app"]


@pytest.mark.parametrize(
    ("label", "cptr", "words", "caps"),
    [
        (Inv.CNODE_ROTATE, SLOT_CNODE, [20, 64, 0, 21, 64, 0, 22], [SLOT_CNODE] * 2),
        (Inv.CNODE_ROTATE, SLOT_CNODE, [20, 64, 0, 21, 64, 0, 22, 64], [SLOT_CNODE]),
        (Inv.TCB_SET_SPACE, SLOT_TCB, [0, 0], [SLOT_CNODE] * 2),
        (Inv.TCB_SET_SPACE, SLOT_TCB, [0, 0, 0], [SLOT_CNODE]),
    ],
)
def test_too_few_words_or_capabilities_are_a_truncated_message(
    app: Thread, label: Inv, cptr: int, words: list[int], caps: list[int]
) -> None:
    refused(Status.TRUNCATED_MESSAGE, app.call, cptr, words, label=int(label), caps=caps)


def test_retype_without_a_root_to_put_things_in_is_truncated(app: Thread) -> None:
    refused(Status.TRUNCATED_MESSAGE, retype, app, app.slot("untyped"), EP, 30, caps=())


def test_device_memory_becomes_frames_and_untypeds_that_are_device_memory_too(app: Thread) -> None:
    device = Untyped(99, 1 << 40, 16, device=True)
    app.lab.k.put(app.pd.cspace.slot(30), Cap(UNTYPED, device, 15), None, "root")
    for kind in (EP, ObjectType.NOTIFICATION, ObjectType.TCB):
        assert refused(Status.INVALID_ARGUMENT, retype, app, 30, kind, 31).words == (1,)
    ok(retype(app, 30, UNTYPED, 31, 13))
    assert app.cap(31).obj.device
    ok(retype(app, 31, FRAME, 32, 12))
    refused(Status.INVALID_ARGUMENT, retype, app, 31, EP, 33)


def test_what_the_root_task_gave_away_lies_in_nobodys_memory(app: Thread) -> None:
    memory = app.cap("untyped").obj
    assert not covers(memory, app.pd)
    assert covers(memory, memory)


def test_a_tcb_that_ends_gives_its_notification_back(app: Thread) -> None:
    ok(retype(app, app.slot("untyped"), ObjectType.TCB, 30))
    ok(retype(app, app.slot("untyped"), ObjectType.NOTIFICATION, 31))
    ok(app.bind(31, tcb=30))
    refused(Status.ILLEGAL_OPERATION, app.bind, 31)
    ok(app.delete(30))
    ok(app.bind(31))


def test_cancelling_senders_leaves_a_receiver_alone() -> None:
    lab = Lab({"app": {"threads": 2}})
    app, other = lab["app"], lab["app.1"]
    app.alloc(EP, 20)
    ok(app.mint(20, 21, badge=5))
    assert other.recv(20) is None
    ok(app.invoke("cnode_cancel_badged_sends", SLOT_CNODE, index=21, depth=64))
    assert other.blocked
    ok(app.send(21, b"still there"))
    assert other.woken().badge == 5


@pytest.mark.parametrize("words", [[30, 64, 0, 20, 65, 0, 21, 64], [30, 64, 0, 20, 64, 0, 21, 0]])
def test_rotate_refuses_a_depth_of_the_pivot_or_the_source(app: Thread, words: list[int]) -> None:
    app.alloc(EP, 20)
    app.alloc(EP, 21)
    both = [SLOT_CNODE] * 2
    rotate = {"label": int(Inv.CNODE_ROTATE), "caps": both}
    assert refused(Status.RANGE_ERROR, app.call, SLOT_CNODE, words, **rotate).words == (1, 64)


def test_a_thread_that_has_ended_has_no_priority_to_change() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs", caps=[SLOT_TCB])
    ok(fs.recv(slot=30))
    lab.die("app")
    for name, word in (("tcb_set_priority", "priority"), ("tcb_set_mc_priority", "mcp")):
        refused(Status.ILLEGAL_OPERATION, fs.invoke, name, 30, caps=[SLOT_TCB], **{word: 1})
