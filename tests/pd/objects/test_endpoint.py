"""Calls on endpoints: the plain lane and the general one give the same."""

import threading

import pytest

from caplab.kernel.abi import DEATH, MSG_BYTES, RENEWAL, AnswerFlag, Flag, Status, Sys
from caplab.pd.errors import InvalidCapability, IpcTimeout, NotATcb, PeerDied, Stop
from caplab.pd.ipc import Message
from caplab.pd.objects import Endpoint, Memory, Notification
from fakes import FakeTransport, answer, fake_env

FIRST_CALL_SECOND = {"call": Sys.CALL, "reply_recv": Sys.REPLY_RECV}
"""The methods with a lane of their own."""


@pytest.mark.parametrize("method", FIRST_CALL_SECOND)
@pytest.mark.parametrize("entered", [True, False], ids=["plain", "general"])
def test_both_lanes_send_the_same_frame_and_read_the_same_message(method, entered) -> None:
    transport = FakeTransport(answer(body=b"yes", label=4, badge=6))
    env = fake_env(transport)
    if entered:
        env.first.enter()
    message = getattr(Endpoint(env, 20), method)(7, b"hello")
    assert message == Message(b"yes", 6, 4, (), 0, False)
    assert type(message) is Message
    assert transport.header[1:] == (FIRST_CALL_SECOND[method], 0, 5, 20, 7, 0)
    assert transport.frames[0].endswith(b"hello")


@pytest.mark.parametrize("method", FIRST_CALL_SECOND)
@pytest.mark.parametrize("entered", [True, False], ids=["plain", "general"])
@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (answer(Status.INVALID_CAPABILITY), InvalidCapability),
        (answer(Status.DIED_AFTER_RECV, DEATH.pack(2, 1, 5) + b"fs"), PeerDied),
        (answer(Status.TIMED_OUT), IpcTimeout),
        (answer(Status.STOP), Stop),
    ],
)
def test_a_refusal_is_raised_on_both_lanes(method, entered, frame, error) -> None:
    env = fake_env(FakeTransport(frame))
    if entered:
        env.first.enter()
    with pytest.raises(error):
        getattr(Endpoint(env, 20, name="fs"), method)(7, b"hello")


@pytest.mark.parametrize("method", FIRST_CALL_SECOND)
def test_capabilities_and_notifications_are_read_on_the_plain_lane_too(method) -> None:
    frames = (
        answer(caps=(17, 3), unwrapped=2),
        answer(badge=5, flags=AnswerFlag.NOTIFICATION),
    )
    env = fake_env(FakeTransport(*frames))
    env.first.enter()
    endpoint = Endpoint(env, 20)
    with_caps = getattr(endpoint, method)()
    assert (with_caps.caps, with_caps.unwrapped, with_caps.slots) == ((17, 3), 2, (17,))
    notified = getattr(endpoint, method)()
    assert (notified.notification, notified.badge) == (True, 5)


def test_what_a_call_is_given_travels_with_it() -> None:
    transport = FakeTransport()
    env = fake_env(transport)
    env.first.enter()
    endpoint = Endpoint(env, 20, renewal=2)
    endpoint.call(1, [5], caps=[Memory(env, 30), 31], receive=17, timeout=0.5)
    assert transport.header[2] == Flag.SLOT | Flag.TIMEOUT | Flag.RENEWAL
    assert transport.header[6] == 2


def test_only_an_object_that_a_name_gave_sends_its_renewal_count() -> None:
    transport = FakeTransport()
    env = fake_env(transport)
    env.first.enter()
    Endpoint(env, 20).call()
    assert transport.header[2] == 0
    for renewal in (0, 1):
        Endpoint(env, 20, renewal=renewal).call(data=b"x")
        assert transport.header[2] == Flag.RENEWAL
        assert transport.frames[-1].endswith(RENEWAL.pack(renewal) + b"x")


@pytest.mark.parametrize("method", ["call", "send", "nb_send", "reply_recv"])
def test_a_message_that_is_too_long_is_refused_before_it_is_sent(method) -> None:
    transport = FakeTransport()
    env = fake_env(transport)
    env.first.enter()
    with pytest.raises(ValueError, match="at most 960 bytes"):
        getattr(Endpoint(env, 20), method)(0, bytes(MSG_BYTES + 1))
    assert not transport.frames


def test_calls_that_do_not_wait_say_so_instead() -> None:
    nothing = answer(flags=AnswerFlag.NOTHING)
    env = fake_env(FakeTransport(nothing, nothing, nothing, answer(), answer(badge=3), answer()))
    endpoint, notification = Endpoint(env, 20), Notification(env, 21)
    assert endpoint.nb_recv() is None
    assert endpoint.nb_send() is False
    assert notification.poll() is None
    assert endpoint.nb_send() is True
    assert notification.poll() == 3
    assert endpoint.nb_recv() == Message()


def test_two_pds_in_one_thread_each_use_their_own_transport() -> None:
    one, other = FakeTransport(), FakeTransport()
    env, env2 = fake_env(one, name="one"), fake_env(other, name="other")
    env.first.enter()
    Endpoint(env, 20).call(1)
    Endpoint(env2, 20).call(2)
    Endpoint(env, 20).call(3)
    assert [len(one.frames), len(other.frames)] == [2, 1]


def test_a_thread_that_is_no_tcb_cannot_use_another_threads_transport() -> None:
    transport = FakeTransport()
    env = fake_env(transport)
    env.first.enter()
    raised: list[BaseException] = []

    def intrude() -> None:
        try:
            Endpoint(env, 20).call()
        except NotATcb as error:
            raised.append(error)

    thread = threading.Thread(target=intrude)
    thread.start()
    thread.join()
    assert "env.thread()" in str(raised[0])
    assert not transport.frames
