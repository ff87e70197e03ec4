"""The raw system calls: which frame they make, how they read an answer."""

from struct import Struct

import pytest

from caplab.kernel.abi import (
    BODY_MAX,
    HEADER_SIZE,
    RENEWAL,
    REQUEST,
    SLOT_PATH,
    TIMEOUT,
    VERSION,
    AnswerFlag,
    Flag,
    Status,
    Sys,
)
from caplab.pd import stubs
from caplab.pd.errors import CrashRequested, Stop
from fakes import FakeTransport, answer


def test_a_plain_call_is_a_header_and_its_body() -> None:
    transport = FakeTransport()
    stubs.call(transport, 20, 7, b"hello")
    assert transport.frames == [REQUEST.pack(VERSION, Sys.CALL, 0, 5, 20, 7, 0) + b"hello"]


def test_optional_parts_follow_the_header_in_the_order_of_their_flags() -> None:
    transport = FakeTransport()
    stubs.call(transport, 20, 7, b"hello", (30, 31), (0, 17, 64), 1.5, 3)
    assert transport.frames == [
        REQUEST.pack(VERSION, Sys.CALL, Flag.SLOT | Flag.TIMEOUT | Flag.RENEWAL, 5, 20, 7, 2)
        + SLOT_PATH.pack(0, 17, 64)
        + TIMEOUT.pack(1.5)
        + RENEWAL.pack(3)
        + b"hello"
        + Struct("<QQ").pack(30, 31)
    ]


def test_an_answer_is_read_whole() -> None:
    frame = answer(
        body=b"hi", label=5, badge=9, caps=(21, 4), unwrapped=2, flags=AnswerFlag.NOTIFICATION
    )
    got = stubs.call(FakeTransport(frame), 20)
    assert got == stubs.Answer(0, 5, 9, b"hi", (21, 4), 2, AnswerFlag.NOTIFICATION)


@pytest.mark.parametrize("status", [s for s in Status if s < Status.STOP])
def test_a_refusal_is_returned_as_a_number(status: Status) -> None:
    got = stubs.send(FakeTransport(answer(status, b"why")), 20)
    assert (got.status, got.data) == (status, b"why")


@pytest.mark.parametrize(
    ("stub", "number"),
    [
        (lambda t: stubs.send(t, 9), Sys.SEND),
        (lambda t: stubs.nb_send(t, 9), Sys.NB_SEND),
        (lambda t: stubs.recv(t, 9), Sys.RECV),
        (lambda t: stubs.nb_recv(t, 9), Sys.NB_RECV),
        (lambda t: stubs.reply(t), Sys.REPLY),
        (lambda t: stubs.reply_recv(t, 9), Sys.REPLY_RECV),
        (lambda t: stubs.signal(t, 9), Sys.SIGNAL),
        (lambda t: stubs.wait(t, 9), Sys.WAIT),
        (lambda t: stubs.poll(t, 9), Sys.POLL),
        (lambda t: stubs.yield_(t), Sys.YIELD),
        (lambda t: stubs.park(t), Sys.PARK),
        (lambda t: stubs.sleep(t, 1), Sys.SLEEP),
        (lambda t: stubs.fault(t, b"x"), Sys.FAULT),
        (lambda t: stubs.debug(t, 1), Sys.DEBUG),
        (lambda t: stubs.withdrawn(t), Sys.WITHDRAWN),
    ],
)
def test_each_stub_makes_its_call_and_obeys_stop(stub, number) -> None:
    transport = FakeTransport(answer(Status.STOP))
    with pytest.raises(Stop):
        stub(transport)
    assert transport.header[1] == number
    assert len(transport.frames) == 1


def test_a_requested_exception_is_raised_out_of_the_call() -> None:
    with pytest.raises(CrashRequested):
        stubs.call(FakeTransport(answer(Status.CRASH, b"exception")), 20)


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": bytes(BODY_MAX + 1)},
        {"caps": (1, 2, 3, 4)},
        {"timeout": -1.0},
        {"timeout": float("nan")},
    ],
)
def test_what_would_have_the_pd_faulted_is_refused_before_it_is_sent(wrong) -> None:
    transport = FakeTransport()
    with pytest.raises(ValueError):
        stubs.call(transport, 20, **wrong)
    assert not transport.frames


def test_of_a_long_fault_the_tail_is_told() -> None:
    transport = FakeTransport()
    stubs.fault(transport, b"a" * BODY_MAX + b"the end")
    body = transport.frames[0][HEADER_SIZE:]
    assert len(body) == BODY_MAX
    assert body.endswith(b"the end")


def test_the_fields_of_an_invocation_travel_as_a_map() -> None:
    transport = FakeTransport(lambda frame: answer(body=frame[HEADER_SIZE:]))
    got = stubs.invoke_map(transport, 3, 81, {"name": None, "slot": 4})
    assert stubs.fields(got.data) == {"name": None, "slot": 4}
    assert stubs.fields(b"") == {}
