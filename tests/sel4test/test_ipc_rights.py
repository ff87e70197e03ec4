"""IPCRIGHTS: what each of the sixteen masks lets through, where upstream tries four."""

import pytest

from caplab.kernel.abi import Rights
from caplab.kernel.core.states import INACTIVE
from lab import Thread, ok
from sel4 import FREE, MASKS, cnode, endpoint, helpers, is_empty, notification, one, resume, suspend

EP, MASKED, SENT, LANDED, SAVED = FREE, FREE + 1, FREE + 2, FREE + 3, FREE + 4
WAYS = ["reply", "save_caller", "reply_recv"]
every_mask = pytest.mark.parametrize("mask", MASKS)
every_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture
def pair() -> tuple[Thread, Thread]:
    """A thread and its helper, and an endpoint."""
    test = one(threads=2)
    endpoint(test, EP)
    return test, helpers(test)[0]


@every_mask
def test_send_needs_write(pair: tuple[Thread, Thread], mask: int) -> None:
    """IPCRIGHTS0001: without Write a Send vanishes without an error; with it, it arrives."""
    test, helper = pair
    ok(test.mint(EP, MASKED, badge=0, rights=mask))
    assert helper.recv(EP) is None
    ok(test.send(MASKED, [0xDEADBEEF]))
    if mask & Rights.WRITE:
        assert helper.woken().words == (0xDEADBEEF,)
        assert helper.recv(EP) is None
    assert helper.blocked
    ok(test.send(EP, [42]))
    assert helper.woken().words == (42,)


@every_mask
def test_a_cap_is_sent_only_with_grant(pair: tuple[Thread, Thread], mask: int) -> None:
    """IPCRIGHTS0003: a capability arrives if and only if the sender's has Grant; the words
    arrive anyway, and without Write nothing does."""
    test, helper = pair
    ok(test.mint(EP, MASKED, badge=0, rights=mask))
    notification(test, SENT)
    assert helper.recv(EP, slot=LANDED) is None
    ok(test.send(MASKED, [42], caps=[SENT]))
    if not mask & Rights.WRITE:
        assert helper.blocked
        return
    told = helper.woken()
    assert told.words == (42,)
    granted = bool(mask & Rights.GRANT)
    assert len(told.extra) == granted
    assert is_empty(helper, LANDED) == (not granted)
    assert not is_empty(test, SENT)
    if granted:
        ok(helper.signal(LANDED))
        assert ok(test.poll(SENT)).notification


def answered(test: Thread, way: str, body: list[int], caps: tuple[int, ...] = ()) -> None:
    """Answer the caller served last in one of three ways; no way answers twice."""
    if way == "reply":
        ok(test.reply(body, caps=caps))
        ok(cnode(test, "save_caller", SAVED))
    elif way == "save_caller":
        ok(cnode(test, "save_caller", SAVED))
        assert not is_empty(test, SAVED)
        ok(test.send(SAVED, body, caps=caps))
    else:
        assert test.reply_recv(body, EP, caps=caps) is None
    if way != "reply_recv":
        assert is_empty(test, SAVED)


@every_way
@every_mask
def test_a_call_needs_grant_or_grant_reply(
    pair: tuple[Thread, Thread], mask: int, way: str
) -> None:
    """IPCRIGHTS0004: a Call is answered by Reply, by SaveCaller and Send, by ReplyRecv, if and
    only if its capability has Grant or GrantReply; without them the message arrives and the
    caller becomes inactive, and Resume sends it again with the rights it finds then."""
    test, helper = pair
    ok(test.copy(EP, MASKED, mask))
    asked = helper.call(MASKED, [42])
    if not mask & Rights.WRITE:
        assert asked is not None
        assert asked.label == 2
        return
    assert asked is None
    assert ok(test.recv(EP)).words == (42,)
    if mask & (Rights.GRANT | Rights.GRANT_REPLY):
        answered(test, way, [0xDEADBEEF])
        assert helper.woken().words == (0xDEADBEEF,)
        return
    assert helper.tcb.state == INACTIVE
    ok(cnode(test, "save_caller", SAVED))
    assert is_empty(test, SAVED)
    ok(test.delete(MASKED))
    ok(test.copy(EP, MASKED))
    resume(test, "tcb.1")
    assert ok(test.recv(EP)).words == (42,)
    ok(cnode(test, "save_caller", SAVED))
    assert not is_empty(test, SAVED)
    suspend(test, "tcb.1")
    assert is_empty(test, SAVED)


@every_way
@every_mask
def test_a_reply_carries_a_cap_if_the_receiver_had_grant(
    pair: tuple[Thread, Thread], mask: int, way: str
) -> None:
    """IPCRIGHTS0005: a reply carries a capability if and only if the capability the call was
    received with had Grant; its words arrive anyway."""
    test, helper = pair
    ok(test.copy(EP, MASKED, mask))
    notification(test, SENT)
    assert helper.call(EP, [42], slot=LANDED) is None
    if not mask & Rights.READ:
        assert test.recv(MASKED) is None
        assert test.tcb.state == INACTIVE
        assert helper.blocked
        return
    assert ok(test.recv(MASKED)).words == (42,)
    answered(test, way, [0xDEADBEEF], (SENT,))
    told = helper.woken()
    assert told.words == (0xDEADBEEF,)
    granted = bool(mask & Rights.GRANT)
    assert len(told.extra) == granted
    assert (helper.cap(LANDED) is not None) == granted
    if granted:
        ok(helper.signal(LANDED))
        assert helper.cap(LANDED).obj.active
