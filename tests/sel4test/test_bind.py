"""BIND and NBWAIT: a bound notification, waited for and asked for."""

import pytest

from caplab.kernel.abi import Status
from lab import ok, refused
from sel4 import FREE, endpoint, helpers, notification, one

BELL, RUNG, EP, SENDER = FREE, FREE + 1, FREE + 2, FREE + 3


def test_a_bound_thread_waits_and_then_the_signal_comes() -> None:
    """BIND0003: a TCB waits on the notification bound to it, then another signals it."""
    test = one(threads=3)
    waiter, sender = helpers(test)
    notification(test, BELL)
    ok(test.mint(BELL, RUNG, badge=9))
    ok(test.bind(BELL, "tcb.1"))
    assert waiter.wait(BELL) is None
    ok(sender.send(RUNG))
    assert waiter.woken().badge == 9
    assert not test.cap(BELL).obj.active


def test_the_signal_comes_and_then_the_bound_thread_waits() -> None:
    """BIND0004: the notification bound to a TCB is signalled, then the TCB waits on it."""
    test = one(threads=3)
    waiter, sender = helpers(test)
    notification(test, BELL)
    ok(test.mint(BELL, RUNG, badge=9))
    ok(test.bind(BELL, "tcb.1"))
    ok(sender.send(RUNG))
    assert ok(waiter.wait(BELL)).badge == 9
    assert waiter.wait(BELL) is None


def test_a_notification_is_bound_once() -> None:
    """BIND0003, BIND0004: binding a second time, from either side, is 3."""
    test = one(threads=2)
    notification(test, BELL)
    notification(test, BELL + 1)
    ok(test.bind(BELL, "tcb.1"))
    refused(Status.ILLEGAL_OPERATION, test.bind, BELL)
    refused(Status.ILLEGAL_OPERATION, test.bind, BELL + 1, "tcb.1")


@pytest.mark.parametrize("on", ["the notification", "the endpoint"])
def test_nb_recv_takes_what_is_there_and_never_blocks(on: str) -> None:
    """NBWAIT0001: NBRecv and Poll return badge 0 when there is nothing, the word of a bound
    notification's signal once, and a queued sender's message once."""
    test = one(threads=2)
    (helper,) = helpers(test)
    notification(test, BELL)
    endpoint(test, EP)
    ok(test.bind(BELL))
    ok(test.mint(BELL, RUNG, badge=2))
    ok(test.mint(EP, SENDER, badge=1))

    def nothing() -> None:
        for answer in (ok(test.nb_recv(EP)), ok(test.poll(BELL))):
            assert (answer.badge, answer.nothing) == (0, True)

    nothing()
    ok(test.signal(RUNG))
    got = ok(test.poll(BELL) if on == "the notification" else test.nb_recv(EP))
    assert (got.badge, got.nothing) == (2, False)
    nothing()
    assert helper.send(SENDER, [0xDEADBEEF]) is None
    got = ok(test.nb_recv(EP))
    assert (got.badge, got.words) == (1, (0xDEADBEEF,))
    ok(helper.woken())
    nothing()
