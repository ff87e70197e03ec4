"""CANCEL_BADGED_SENDS: who is taken out of an endpoint's queue, and who is not."""

from typing import Any

import pytest

from caplab.kernel.abi import Status
from lab import Thread, ok
from sel4 import FREE, Helpers, Program, cnode, endpoint, helpers, one

CLIENTS = 32
EP = FREE
BADGED, DERIVED, PRIVATE = 200, 300, 400
"""First slots of the capabilities per client."""


def badge_endpoint(test: Thread) -> None:
    """Per client a badged endpoint, and one derived from it."""
    endpoint(test, EP)
    for number in range(CLIENTS):
        ok(test.mint(EP, BADGED + number, badge=200 + number))
        ok(test.copy(BADGED + number, DERIVED + number))


def revoked(test: Thread, number: int) -> None:
    ok(cnode(test, "revoke", BADGED + number))
    ok(cnode(test, "cancel_badged_sends", BADGED + number))


def caller(thread: Thread, number: int, done: dict[int, bool]) -> Program:
    """Two calls: the first is answered, the second cancelled, and then there is no capability."""
    answer = yield lambda: thread.call(DERIVED + number, [100 + number])
    assert answer.words == (~(100 + number) & (1 << 64) - 1,)
    done[number] = False
    answer = yield lambda: thread.call(DERIVED + number, [100 + number])
    assert answer.label == Status.INVALID_CAPABILITY
    done[number] = True


@pytest.mark.parametrize("seed", range(3))
def test_cancelled_senders_send_again_and_find_nothing(seed: int) -> None:
    """CANCEL_BADGED_SENDS_0001: of 32 callers in one queue, those whose badge is revoked and
    cancelled get label 2, one after another, and no others do."""
    test = one(threads=CLIENTS + 1)
    badge_endpoint(test)
    done: dict[int, bool] = {}
    run = Helpers(seed)
    for number, thread in enumerate(helpers(test)):
        run.start(thread, caller(thread, number, done))
    run.run()
    for _ in range(CLIENTS):
        told = ok(test.recv(EP))
        assert told.words == (told.badge - 100,)
        ok(test.reply([~told.words[0] & (1 << 64) - 1]))
    run.run()
    for number in range(CLIENTS):
        assert list(done.values()).count(True) == number
        revoked(test, number)
        run.run()
        assert done == {other: other <= number for other in range(CLIENTS)}
    run.finish()


def bouncer(thread: Thread) -> Program:
    """Answers everything, for ever."""
    yield lambda: thread.recv(EP)
    while True:
        yield lambda: thread.reply_recv(cptr=EP)


def prober(thread: Thread, number: int, works: dict[int, bool]) -> Program:
    """Whenever it is called, calls on its own capability and notes whether that worked."""
    while True:
        yield lambda: thread.recv(PRIVATE + number)
        answer = yield lambda: thread.call(DERIVED + number)
        works[number] = answer.label != Status.INVALID_CAPABILITY
        # A receive has dropped nobody: a Call leaves the caller served last in its place.
        yield lambda: thread.reply()


def test_revoking_and_cancelling_deletes_the_capabilities_of_one_badge() -> None:
    """CANCEL_BADGED_SENDS_0002: the capabilities derived from a revoked badge are gone, those of
    the others still work."""
    test = one(threads=CLIENTS + 2)
    badge_endpoint(test)
    works: dict[int, bool] = {}
    run = Helpers()
    first, *rest = helpers(test)
    run.start(first, bouncer(first))
    for number, thread in enumerate(rest):
        endpoint(test, PRIVATE + number)
        run.start(thread, prober(thread, number, works))
    run.run()

    def probe() -> dict[int, Any]:
        for number in range(CLIENTS):
            assert test.call(PRIVATE + number) is None
            run.run()
            ok(test.woken())
        return works

    assert probe() == dict.fromkeys(range(CLIENTS), True)
    for number in range(CLIENTS):
        revoked(test, number)
        assert probe() == {other: other > number for other in range(CLIENTS)}
