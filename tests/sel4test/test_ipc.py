"""IPC: messages of every length, both orders of arrival, in one CSpace and across two PDs."""

from collections.abc import Callable

import pytest

from lab import Thread, ok
from sel4 import FREE, apart, cnode, endpoint, helpers, is_empty, one, resume, suspend

Pair = tuple[Thread, Thread, int, int]
LENGTHS = range(121)
FIRST_WORD = 0xABBACAFE


def threads() -> Pair:
    """Two threads of one PD, and the slots they use."""
    test = one(threads=2)
    return test, helpers(test)[0], endpoint(test), FREE


def processes() -> Pair:
    """Two PDs, each with its own CSpace."""
    test, helper = apart()
    return test, helper, test.slot("server"), helper.slot("test")


both_spaces = pytest.mark.parametrize("make", [threads, processes])
both_orders = pytest.mark.parametrize("first", ["sender", "receiver"])


def words(length: int) -> list[int]:
    return [FIRST_WORD + number for number in range(length)]


def received(answer: object, length: int) -> None:
    assert ok(answer).words == tuple(words(length))  # type: ignore[arg-type]


@both_spaces
@both_orders
def test_send_and_recv(make: Callable[[], Pair], first: str) -> None:
    """IPC0001, IPC1001: a Send of 0 to 120 words arrives whole at a Recv, whichever is first."""
    receiver, sender, recv_on, send_on = make()
    for length in LENGTHS:
        if first == "sender":
            assert sender.send(send_on, words(length)) is None
            received(receiver.recv(recv_on), length)
            ok(sender.woken())
        else:
            assert receiver.recv(recv_on) is None
            ok(sender.send(send_on, words(length)))
            received(receiver.woken(), length)


@both_spaces
@both_orders
def test_call_and_reply_recv(make: Callable[[], Pair], first: str) -> None:
    """IPC0002, IPC1002: 0 to 120 words by Call, and as many back by ReplyRecv, whichever is
    first."""
    server, client, recv_on, call_on = make()
    if first == "sender":
        assert client.call(call_on, words(0)) is None
        received(server.recv(recv_on), 0)
    else:
        assert server.recv(recv_on) is None
        assert client.call(call_on, words(0)) is None
        received(server.woken(), 0)
    for length in LENGTHS:
        # The reply answers what came last, and the same call waits for the next request.
        assert server.reply_recv(words(length), recv_on) is None
        received(client.woken(), length)
        assert client.call(call_on, words(length)) is None
        received(server.woken(), length)
    ok(server.reply())
    ok(client.woken())


@both_spaces
@both_orders
def test_call_and_reply_and_recv(make: Callable[[], Pair], first: str) -> None:
    """IPC0003, IPC1003: 0 to 120 words by Call, and as many back by Reply, then Recv; whichever
    is first."""
    server, client, recv_on, call_on = make()
    for length in LENGTHS:
        if first == "sender":
            assert client.call(call_on, words(length)) is None
            received(server.recv(recv_on), length)
        else:
            assert server.recv(recv_on) is None
            assert client.call(call_on, words(length)) is None
            received(server.woken(), length)
        ok(server.reply(words(length)))
        received(client.woken(), length)


@pytest.mark.parametrize("saved", [False, True])
def test_a_caller_may_go_away_while_it_waits_for_its_reply(saved: bool) -> None:
    """IPC0010: receive a Call, then suspend, resume, suspend and delete the caller: nobody
    hangs, and the reply capability is gone wherever it lay."""
    test = one(threads=3)
    caller, other = helpers(test)
    slot = endpoint(test)
    assert caller.call(slot, b"heard") is None
    assert ok(test.recv(slot)).body == b"heard"
    if saved:
        ok(cnode(test, "save_caller", 200))
        assert not is_empty(test, 200)
    suspend(test, "tcb.1")
    assert is_empty(test, 200)
    ok(test.reply(b"to nobody"))
    resume(test, "tcb.1")
    assert ok(test.recv(slot)).body == b"heard"
    suspend(test, "tcb.1")
    ok(cnode(test, "revoke", test.slot("tcb.1")))
    ok(test.delete("tcb.1"))
    ok(test.reply(b"to nobody"))
    assert caller.blocked
    assert other.call(slot, b"next") is None
    assert ok(test.recv(slot)).body == b"next"
    ok(test.reply(b"served"))
    assert other.woken().body == b"served"


def test_a_caller_whose_pd_ends_takes_its_reply_with_it() -> None:
    """IPC0010: a caller that ends while it waits leaves its server nothing to hang on."""
    server, client = apart()
    assert client.call("test") is None
    ok(server.recv())
    ok(cnode(server, "save_caller", 200))
    server.lab.die("helper")
    assert is_empty(server, 200)
    ok(server.send(200, b"to nobody"))
