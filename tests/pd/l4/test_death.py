"""The death of either side of an IPC, and capabilities that are missing, gone or too weak."""

import queue
from collections.abc import Callable
from typing import Any

import pytest

from caplab.kernel.abi import Rights
from caplab.pd.env import Env
from caplab.pd.l4 import (
    EABORT,
    EINTR,
    EINVAL,
    ENOCAP,
    ESRCH,
    ETIMEDOUT,
    L4_ANYTHREAD,
    Kind,
    L4Thread,
    wire,
)
from caplab.pd.l4.numbers import allowed_by, badge_of, container_of, holder_of, thread_id
from caplab.pd.objects import Capability
from l4_system import l4_system
from threaded_system import ThreadedSystem

FAST: tuple[Callable[..., int], ...] = (
    lambda l4, to: l4.sendrecv(to, to, 1),
    lambda l4, to: l4.sendrecv_full(to, to, 1),
    lambda l4, to: l4.sendrecv_extended(to, to, 1, bytearray(9)),
)


@pytest.mark.parametrize("sendrecv", FAST)
def test_a_client_that_waits_for_a_return_is_told_that_the_server_died(sendrecv: Any) -> None:
    """In Codezero it would wait for ever."""
    with l4_system("client", "server", alone=("client",)) as (client, server):
        to = client.id_of("server")
        called = client.begins(lambda l4: sendrecv(l4, to))
        if sendrecv is FAST[2]:
            server.does(lambda l4: l4.receive_extended(L4_ANYTHREAD, bytearray(9)))
        else:
            server.does(lambda l4: l4.receive())
        server.dies()
        assert called.result(5) == -EINTR


@pytest.mark.parametrize("sendrecv", FAST)
def test_a_client_whose_message_was_not_received_is_told_that_there_is_no_server(
    sendrecv: Any,
) -> None:
    with l4_system("client", "server", alone=("client",)) as (client, server):
        to = client.id_of("server")
        called = client.begins(lambda l4: sendrecv(l4, to))
        assert client.waits
        server.dies()
        assert called.result(5) == -ESRCH
        assert client.does(lambda l4: sendrecv(l4, to)) == -ESRCH
        assert client.does(lambda l4: l4.send(to, 1)) == -ESRCH
        assert client.does(lambda l4: l4.thread_id("the-server")) == -ESRCH


def test_a_return_to_a_dead_client_has_a_failure_code_of_its_own() -> None:
    with l4_system("client", "server", alone=("client",)) as (client, server):
        to = client.id_of("server")
        client.begins(lambda l4: l4.sendrecv(to, to, 1))
        assert server.does(lambda l4: l4.receive()) == 0
        client.dies()
        assert server.does(lambda l4: l4.ipc_return(0)) == -ESRCH
        assert server.does(lambda l4: l4.ipc_return(0)) == -ESRCH


def test_a_deferred_return_to_a_dead_client_fails_too() -> None:
    with l4_system("client", "server", alone=("client",)) as (client, server):
        to = client.id_of("server")
        client.begins(lambda l4: l4.sendrecv(to, to, 1))
        server.does(lambda l4: l4.receive())
        server.does(lambda l4: l4.receive(thread_id(99), timeout=0))
        client.dies()
        server.does(lambda l4: l4.set_sender(client.tid))
        assert server.does(lambda l4: l4.ipc_return(0)) == -ESRCH
        assert not server.does(lambda l4: l4.env.slots.used())


def test_a_server_stuck_in_its_return_phase_is_freed_by_the_client_s_death() -> None:
    with l4_system("stuck", "server") as (stuck, server):
        stuck.begins(lambda l4: l4.send(server.tid, 1))
        server.does(lambda l4: l4.receive())
        returned = server.begins(lambda l4: l4.ipc_return(0))
        assert server.waits
        stuck.dies()
        assert returned.result(5) == -ESRCH


def test_who_receives_from_a_thread_is_told_that_it_died() -> None:
    """In Codezero it sleeps on its own queue, where nobody looks for it."""
    with l4_system("a", "b") as (a, b):
        named = b.begins(lambda l4: l4.receive(a.tid))
        assert b.waits
        a.dies()
        assert named.result(5) == -ESRCH
        assert b.does(lambda l4: l4.receive(a.tid)) == -ESRCH


def test_who_receives_from_any_goes_on_when_one_dies_and_hears_of_it() -> None:
    with l4_system("a", "b", "server") as (a, b, server):
        gone: list[int] = []
        server.does(lambda l4: l4.on_gone(gone.append))
        waiting = server.begins(lambda l4: l4.receive())
        a.dies()
        sent = b.begins(lambda l4: l4.send(server.tid, 1))
        assert waiting.result(5) == 0
        assert sent.result(5) == 0
        assert gone == [a.tid]


def test_what_a_dead_thread_sent_is_never_received() -> None:
    with l4_system("a", "b", "c", "server") as (a, b, c, server):
        waiting = server.begins(lambda l4: l4.receive(c.tid))
        for who in (a, b):
            who.begins(lambda l4: l4.send(server.tid, 1))
        a.dies()
        c.begins(lambda l4: l4.send(server.tid, 1))
        assert waiting.result(5) == 0
        assert [one.sender for one in server.l4.box.aside] == [b.tid]
        assert server.does(lambda l4: (l4.receive(), l4.get_sender())) == (0, b.tid)
        assert server.does(lambda l4: l4.receive(timeout=0)) == -ETIMEDOUT
        assert not server.does(lambda l4: l4.env.slots.used())


def test_a_server_that_drops_a_request_lets_the_client_know() -> None:
    with l4_system("client", "server", alone=("client",)) as (client, server):
        to = client.id_of("server")
        called = client.begins(lambda l4: l4.sendrecv(to, to, 1))
        server.does(lambda l4: l4.receive())
        server.does(lambda l4: l4.env.endpoint("server").nb_recv())
        assert called.result(5) == -EABORT


def test_a_suspended_thread_s_ipc_is_not_lost() -> None:
    with l4_system("a", "server") as (a, server):
        sent = a.begins(lambda l4: l4.send(server.tid, 1))
        a.system.operate(op="suspend", pd="a")
        assert server.does(lambda l4: l4.receive(timeout=0)) == -ETIMEDOUT
        a.system.operate(op="resume", pd="a")
        assert server.does(lambda l4: l4.receive()) == 0
        assert sent.result(5) == 0


def test_a_program_with_a_notification_of_its_own_is_told_of_its_bits() -> None:
    with l4_system("a", "server") as (a, server):

        def ring(l4: L4Thread) -> int:
            bell = l4.env.work.mint(0xFF << 56 | 6)
            bell.signal()
            return l4.receive()

        assert server.does(ring) == -EINTR
        assert server.does(lambda l4: l4.notified & 0xFF) == 6
        sent = a.begins(lambda l4: l4.send(server.tid, 1))
        assert server.does(lambda l4: l4.receive()) == 0
        assert sent.result(5) == 0


def test_a_program_that_has_bound_a_notification_keeps_it() -> None:
    with ThreadedSystem({"name": "a", "serves": "endpoint", "role": "server"}, uarts=()) as system:
        env = system.env("a")
        bell = env.notification()
        env.tcb.bind_notification(bell)
        l4 = L4Thread(env)
        bell.mint(0xFF << 56 | 2).signal()
        assert (l4.receive(), l4.notified & 0xFF) == (-EINTR, 2)


# -- capabilities ----------------------------------------------------------------------------------


def test_ids_and_badges_go_into_each_other() -> None:
    tid = thread_id(300, 5)
    assert (container_of(tid), tid & 0xFF) == (300, 5)
    for kinds in (Kind.ALL, Kind.SHORT, Kind.SHORT | Kind.EXTENDED, Kind(0)):
        badge = badge_of(tid, kinds)
        assert (holder_of(badge), allowed_by(badge)) == (tid, kinds)
    assert allowed_by(2) is Kind.ALL


def test_without_a_capability_there_is_no_ipc_with_a_thread_that_one_knows() -> None:
    with l4_system("client", "server", alone=("client",)) as (client, server):
        to = client.id_of("server")
        client.begins(lambda l4: l4.sendrecv(to, to, 1))
        server.does(lambda l4: l4.receive())
        server.does(lambda l4: l4.ipc_return(0))
        assert server.does(lambda l4: l4.send(client.tid, 1)) == -ENOCAP


def test_a_capability_that_was_given_up_or_taken_away_is_missing() -> None:
    with l4_system("a", "b") as (a, b):
        a.id_of("b")

        def give_up(l4: L4Thread) -> None:
            Capability(l4.env, l4.env.endpoint("the-b").slot).delete()

        a.does(give_up)
        for do in (
            lambda l4: l4.send(b.tid, 1),
            lambda l4: l4.sendrecv(b.tid, b.tid, 1),
            lambda l4: l4.send_full(b.tid, 1),
        ):
            assert a.does(do) == -ENOCAP


def test_a_capability_without_the_right_to_send_is_none() -> None:
    with l4_system("a", "b") as (a, b):
        to = a.id_of("b")

        def weaken(l4: L4Thread) -> None:
            l4.task.peers[to] = l4.env.endpoint("the-b").copy(Rights.GRANT)

        a.does(weaken)
        assert a.does(lambda l4: l4.sendrecv(b.tid, b.tid, 1)) == -ENOCAP
        assert a.does(lambda l4: l4.send(b.tid, 1)) == -ENOCAP


VERBS = {
    Kind.SHORT: lambda l4, to: l4.send(to, 1),
    Kind.FULL: lambda l4, to: l4.send_full(to, 1),
    Kind.EXTENDED: lambda l4, to: l4.send_extended(to, 1, b"12"),
}


@pytest.mark.parametrize("kinds", [Kind.SHORT, Kind.FULL | Kind.EXTENDED, Kind(0)])
def test_a_capability_may_allow_some_kinds_of_ipc_alone(kinds: Kind) -> None:
    """A parent shares its endpoint with a child; what the child may not do is never received."""
    ids: list[int] = []
    go: queue.SimpleQueue[None] = queue.SimpleQueue()
    told: queue.SimpleQueue[tuple[Kind, int]] = queue.SimpleQueue()

    def child(env: Env) -> None:
        l4 = L4Thread(env)
        ids.append(l4.tid)
        to = l4.thread_id("parent")
        for kind, send in VERBS.items():
            go.get(timeout=10)
            told.put((kind, send(l4, to)))
        go.get(timeout=10)
        VERBS[Kind.SHORT](l4, l4.thread_id("again"))

    with l4_system("parent", parent={"rdes": ["pd"]}) as (parent,):
        parent.system.programs(child=child)

        def make(l4: L4Thread) -> None:
            made = l4.env.rde("pd").create("child", "./child.py", untyped=0)
            l4.share(made, "parent", kinds)
            l4.share(made, "again")
            made.start()

        parent.does(make)
        for kind in VERBS:
            done = parent.begins(lambda l4, kind=kind: receive(l4, kind))
            go.put(None)
            if kind not in kinds:
                assert told.get(timeout=5) == (kind, -ENOCAP)
                parent.system.advance(1)
                assert done.result(5) == -ETIMEDOUT, "who may not be heard is not heard"
                continue
            assert done.result(5) == 0
            assert told.get(timeout=5) == (kind, 0)
            assert parent.does(lambda l4: l4.get_sender()) == ids[0]
        go.put(None)
        assert parent.begins(lambda l4: l4.receive()).result(5) == 0
        assert parent.does(lambda l4: l4.get_sender()) == ids[0], "by whichever capability"


def receive(l4: L4Thread, kind: Kind) -> int:
    if kind is Kind.EXTENDED:
        return l4.receive_extended(L4_ANYTHREAD, bytearray(2), timeout=1)
    return l4.receive(timeout=1)


def test_a_badge_that_somebody_minted_by_hand_is_an_id_as_it_is() -> None:
    with l4_system("server", server={"threads": 2}) as (server,):

        def forge(l4: L4Thread) -> Any:
            return l4.env.endpoint("server").mint(0x77, Rights.WRITE | Rights.GRANT_REPLY)

        minted = server.does(forge)
        label, body = wire.label(wire.SEND | Kind.SHORT), bytes(48)
        server.begins(lambda l4: l4.thread_create(lambda l4, arg: minted.call(label, body) and 0))
        assert server.does(lambda l4: (l4.receive(), l4.get_sender())) == (0, 0x77)
        assert server.does(lambda l4: l4.ipc_return(0)) == -ENOCAP


def test_a_size_over_2048_is_refused() -> None:
    with l4_system("a", "b") as (a, b):
        big = bytearray(2049)
        assert a.does(lambda l4: l4.send_extended(b.tid, 1, big)) == -EINVAL
        assert a.does(lambda l4: l4.sendrecv_extended(b.tid, b.tid, 1, big)) == -EINVAL
        assert a.does(lambda l4: l4.receive_extended(b.tid, big)) == -EINVAL
        assert a.does(lambda l4: l4.ipc_return_extended(0, big)) == -EINVAL
