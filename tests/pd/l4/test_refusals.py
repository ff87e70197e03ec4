"""What an L4 thread is refused, what has a time limit, and what only a mistake brings about."""

from typing import Any

import pytest

from caplab.pd.errors import MissingCap
from caplab.pd.l4 import (
    EINVAL,
    ENOCAP,
    ENOIPC,
    ENOSYS,
    ESRCH,
    ETIMEDOUT,
    L4_ANYTHREAD,
    L4_NILTHREAD,
    MR_RETURN,
    MR_SENDER,
    MR_TAG,
    Kind,
    L4Error,
    L4Thread,
    check,
    wire,
)
from caplab.pd.l4.numbers import thread_id
from l4_system import Member, l4_system


@pytest.mark.parametrize("verb", ["send", "sendrecv", "receive"])
def test_a_thread_has_no_ipc_with_itself(verb: str) -> None:
    with l4_system("server") as (server,):
        own = server.tid
        does: dict[str, Any] = {
            "send": lambda l4: l4.send(own, 1),
            "sendrecv": lambda l4: l4.sendrecv(own, own, 1),
            "receive": lambda l4: l4.receive(own),
        }
        assert server.does(does[verb]) == -EINVAL


def test_send_and_receive_with_two_threads_at_once_is_no_ipc() -> None:
    with l4_system("a", "b", "c") as (a, _b, _c):
        one, other = a.id_of("b"), a.id_of("c")
        for verb in ("sendrecv", "sendrecv_full"):
            assert a.does(lambda l4, verb=verb: getattr(l4, verb)(one, other, 1)) == -ENOSYS
        assert a.does(lambda l4: l4.sendrecv_extended(one, other, 1, b"")) == -ENOSYS
        assert a.does(lambda l4: l4.ipc(one, other)) == -ENOSYS
        assert a.does(lambda l4: l4.ipc(L4_NILTHREAD, L4_NILTHREAD)) == -ENOSYS


@pytest.mark.parametrize("to", [L4_ANYTHREAD, L4_NILTHREAD])
def test_nobody_is_no_addressee(to: int) -> None:
    with l4_system("a") as (a,):
        assert a.does(lambda l4: l4.send(to, 1)) == -EINVAL


def test_a_thread_that_nobody_has_heard_of_does_not_exist() -> None:
    with l4_system("a", "b") as (a, b):
        assert a.does(lambda l4: l4.send(thread_id(99), 1)) == -ESRCH
        assert a.does(lambda l4: l4.sendrecv(b.tid + 1, b.tid + 1, 1)) == -ESRCH


def test_one_call_does_all_kinds_of_ipc() -> None:
    with l4_system("a", "b") as (a, b):
        buffer = bytearray(8)
        for kind, room in ((Kind.SHORT, b""), (Kind.FULL, b""), (Kind.EXTENDED, b"12345678")):
            a.does(lambda l4: l4.write_mr(MR_TAG, 21))
            sent = a.begins(lambda l4, k=kind, r=room: l4.ipc(b.tid, L4_NILTHREAD, k, r))
            assert b.does(lambda l4, k=kind: l4.ipc(L4_NILTHREAD, a.tid, k, buffer)) == 0
            assert sent.result(5) == 0
            assert b.does(lambda l4: l4.get_tag()) == 21
        assert buffer == b"12345678"
        both = a.begins(lambda l4: l4.ipc(b.tid, b.tid))
        assert b.does(lambda l4: l4.receive()) == 0
        assert b.does(lambda l4: l4.ipc_return(3)) == 0
        assert both.result(5) == 0
        for from_ in (a.tid, b.tid):
            assert a.does(lambda l4, from_=from_: l4.ipc(a.tid, from_)) == -EINVAL
        assert a.does(lambda l4: l4.ipc(L4_NILTHREAD, b.tid, Kind.EXTENDED, b"")) == -EINVAL


def test_a_time_limit_ends_any_wait() -> None:
    with l4_system("a", "b") as (a, b):
        waits = [
            (a, lambda l4: l4.send(b.tid, 1, timeout=1)),
            (a, lambda l4: l4.sendrecv(b.tid, b.tid, 1, timeout=1)),
            (a, lambda l4: l4.receive(b.tid, timeout=1)),
            (a, lambda l4: l4.receive(timeout=1)),
        ]
        for who, do in waits:
            began = who.begins(do)
            assert who.waits
            who.system.advance(1)
            assert began.result(5) == -ETIMEDOUT


def test_a_time_limit_counts_whatever_else_arrives() -> None:
    with l4_system("a", "b", "server") as (a, b, server):
        waiting = server.begins(lambda l4: l4.receive(b.tid, timeout=2))
        server.system.advance(1)
        sent = a.begins(lambda l4: l4.send(server.tid, 1))
        server.system.until(lambda: server.waits)
        server.system.advance(1)
        assert waiting.result(5) == -ETIMEDOUT
        assert server.does(lambda l4: l4.receive()) == 0
        assert sent.result(5) == 0


def test_what_its_sender_has_given_up_is_received_by_nobody() -> None:
    with l4_system("a", "b", "server") as (a, b, server):
        limited = {
            "send": a.begins(lambda l4: l4.send(server.tid, 1, timeout=1)),
            "call": b.begins(lambda l4: l4.sendrecv(server.tid, server.tid, 1, timeout=1)),
        }
        waiting = server.begins(lambda l4: l4.receive(thread_id(99), timeout=1))
        server.system.advance(1)
        assert [one.result(5) for one in limited.values()] == [-ETIMEDOUT] * 2
        assert waiting.result(5) == -ETIMEDOUT
        nothing = server.begins(lambda l4: l4.receive(timeout=1))
        assert server.waits
        server.system.advance(1)
        assert nothing.result(5) == -ETIMEDOUT
        assert not server.does(lambda l4: l4.env.slots.used())


def test_a_return_with_a_time_limit_leaves_a_client_that_never_receives() -> None:
    with l4_system("stuck", "server") as (stuck, server):
        stuck.begins(lambda l4: l4.send(server.tid, 1))
        server.does(lambda l4: l4.receive())
        returned = server.begins(lambda l4: l4.ipc_return(0, timeout=1))
        assert server.waits
        server.system.advance(1)
        assert returned.result(5) == -ETIMEDOUT


def test_a_message_that_is_no_l4_message_is_answered_and_not_received() -> None:
    with l4_system("a", "server", alone=("a",)) as (a, server):
        raw = a.begins(lambda l4: l4.env.endpoint("the-server").call(5, b"hello"))
        waiting = server.begins(lambda l4: l4.receive())
        assert raw.result(5).data == b""
        bad = (0x4C34 << 48 | 1, b"short"), (0x4C34 << 48 | 3, bytes(48)), (0x4C34 << 48 | 12, b"")
        for label, body in (*bad, (0x4C34 << 48 | 40, b""), (0x4C34 << 48 | 26, b"")):
            a.does(lambda l4, la=label, b=body: l4.env.endpoint("the-server").call(la, b))
        assert not waiting.done()
        to = a.id_of("server")
        a.begins(lambda l4: l4.sendrecv(to, to, 1))
        assert waiting.result(5) == 0


def test_what_is_sent_without_a_call_is_received_from_nobody() -> None:
    """Who forges a message by hand waits for no acceptance, and is returned to in vain."""
    with l4_system("a", "server", alone=("a",)) as (a, server):
        body = bytes(48)
        waiting = server.begins(lambda l4: l4.receive())
        for op in (wire.SEND, wire.SENDRECV):
            label = wire.label(op | Kind.SHORT)
            a.does(lambda l4, la=label: l4.env.endpoint("the-server").send(la, body))
            server.system.until(lambda: waiting.done() or server.waits)
            assert waiting.done() is (op == wire.SENDRECV)
        assert waiting.result(5) == 0
        assert server.does(lambda l4: l4.ipc_return(0)) == -ESRCH


def test_a_server_that_speaks_another_language_is_no_l4_thread() -> None:
    with l4_system("a", "server", alone=("a",)) as (a, server):
        to = a.id_of("server")
        called = a.begins(lambda l4: l4.sendrecv(to, to, 1))
        server.does(lambda l4: l4.env.endpoint("server").recv())
        server.does(lambda l4: l4.env.reply(0, b"hello"))
        assert called.result(5) == -ENOIPC


def test_capabilities_go_along_to_who_takes_them() -> None:
    with l4_system("a", "server", alone=("a",)) as (a, server):
        to = a.id_of("server")
        page = a.does(lambda l4: l4.env.memory())
        sent = a.begins(lambda l4: l4.send(to, 1, caps=[page]))
        assert server.does(lambda l4: l4.receive()) == 0
        assert server.does(lambda l4: l4.slots) == ()
        assert sent.result(5) == 0

        def take(l4: L4Thread) -> int:
            l4.takes_caps = True
            return l4.receive()

        for _ in range(2):
            called = a.begins(lambda l4: l4.sendrecv(to, to, 1, caps=[page]))
            assert server.does(take) == 0
            (slot,) = server.does(lambda l4: l4.slots)
            assert server.does(lambda l4, slot=slot: l4.env.cnode.is_full(slot))
            server.does(lambda l4: l4.ipc_return(0))
            assert called.result(5) == 0


def test_who_serves_no_endpoint_can_only_send() -> None:
    with l4_system("a", "server", alone=("a",)) as (a, _server):
        for verb in (lambda l4: l4.receive(), lambda l4: l4.reply_receive(0)):
            with pytest.raises(MissingCap, match="serves: endpoint"):
                a.does(verb)
        with pytest.raises(MissingCap, match="uses"):
            a.does(lambda l4: l4.thread_id("nobody"))


def test_registers_and_tags_have_bounds() -> None:
    with l4_system("a", "b") as (a, b):
        for wrong in (-1, 64):
            with pytest.raises(ValueError, match="message registers"):
                a.does(lambda l4, wrong=wrong: l4.read_mr(wrong))
            with pytest.raises(ValueError, match="message registers"):
                a.does(lambda l4, wrong=wrong: l4.write_mr(wrong, 0))
        for wrong in (-1, 1 << 64):
            with pytest.raises(ValueError, match="a tag"):
                a.does(lambda l4, wrong=wrong: l4.sendrecv(b.tid, b.tid, wrong))
        with pytest.raises(ValueError, match="no IPC registers"):
            a.does(lambda l4: l4.restore_ipcregs())
        a.does(lambda l4: (l4.set_tag(7), l4.write_mr(MR_RETURN, -3)))
        assert a.does(lambda l4: (l4.get_tag(), l4.get_retval())) == (7, -3)


def test_check_makes_an_exception_of_a_negative_return() -> None:
    assert check(5) == 5
    with pytest.raises(L4Error, match="ENOCAP") as raised:
        check(-ENOCAP)
    assert (raised.value.errno, raised.value.name) == (ENOCAP, "ENOCAP")
    assert isinstance(raised.value, OSError)


def test_ids_belong_to_a_generation() -> None:
    again = {"restart": {"policy": "always", "backoff": 0, "max": 3}}
    with l4_system("a", "b", b=again) as (a, b):
        first = a.id_of("b")
        assert first == b.tid
        b.dies()
        second = a.id_of("b")
        assert second not in (first, -ESRCH)
        assert a.does(lambda l4: l4.send(first, 1)) == -ESRCH
        again_b = Member(a.system, "b", False)
        sent = a.begins(lambda l4: l4.send(second, 1))
        assert again_b.does(lambda l4: (l4.receive(), l4.get_sender())) == (0, a.tid)
        assert sent.result(5) == 0


def test_a_sender_cannot_choose_its_id() -> None:
    with l4_system("a", "server", alone=("a",)) as (a, server):
        to = a.id_of("server")

        def forge(l4: L4Thread) -> int:
            l4.write_mr(MR_SENDER, 4711)
            return l4.sendrecv(to, to, 1)

        for from_ in (L4_ANYTHREAD, a.tid):
            a.begins(forge)
            assert server.does(lambda l4, f=from_: (l4.receive(f), l4.get_sender())) == (0, a.tid)
            server.does(lambda l4: l4.ipc_return(0))


def test_capabilities_that_nobody_will_have_leave_no_slot_behind() -> None:
    """Of messages that are refused, given up, set aside by a dead thread, or mere pieces."""
    with l4_system("a", "b", "server") as (a, b, server):
        page = a.does(lambda l4: l4.env.memory())
        to = server.tid

        def raw(label: int, body: bytes) -> Any:
            def do(l4: L4Thread) -> int:
                return l4.env.endpoint("the-server").call(label, body, caps=[page]).label

            return do

        def take(l4: L4Thread) -> int:
            l4.takes_caps = True
            return l4.receive_extended(b.tid, bytearray(2048), timeout=1)

        wants = server.begins(take)
        used = server.l4.env.slots.used()
        piece = wire.label(wire.SEND | Kind.EXTENDED, 2048)
        for label in (5, wire.label(wire.FETCH)):
            assert a.begins(raw(label, b"")).result(5)
        a.begins(lambda l4: l4.send(to, 1, caps=[page], timeout=0.5))
        server.system.until(lambda: server.l4.box.aside)
        server.system.advance(0.5)
        server.system.advance(0.5)
        assert wants.result(5) == -ETIMEDOUT
        again = server.begins(lambda l4: l4.receive_extended(L4_ANYTHREAD, bytearray(9), timeout=1))
        sent = a.begins(raw(piece, bytes(960)))
        assert sent.result(5) == wire.label(wire.ACCEPTED)
        assert again.result(5) == 0
        (kept,) = server.does(lambda l4: l4.slots)
        assert server.does(lambda l4: l4.env.slots.used()) <= used + 1, kept


def test_capabilities_of_a_dead_thread_s_message_go_with_it() -> None:
    with l4_system("a", "b", "server") as (a, b, server):
        page = a.does(lambda l4: l4.env.memory())

        def take(l4: L4Thread) -> int:
            l4.takes_caps = True
            return l4.receive(b.tid)

        wants = server.begins(take)
        a.begins(lambda l4: l4.send(server.tid, 1, caps=[page]))
        server.system.until(lambda: server.l4.box.aside)
        a.dies()
        b.begins(lambda l4: l4.send(server.tid, 1))
        assert wants.result(5) == 0
        assert server.does(lambda l4: l4.env.slots.used()) == 1, "the slot for the next capability"
