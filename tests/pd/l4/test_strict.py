"""`strict=True`: what Codezero does that one would not expect, each quirk beside its cure."""

from typing import Any

import pytest

from caplab.pd.l4 import (
    EINTR,
    ENOSYS,
    ESRCH,
    L4_ANYTHREAD,
    MR_SENDER,
    MR_TAG,
    Kind,
    L4Thread,
)
from l4_system import destroyed, l4_system


def forge(l4: L4Thread, to: int) -> int:
    l4.write_mr(MR_SENDER, 4711)
    return l4.sendrecv(to, to, 1)


def test_after_a_named_receive_the_sender_register_is_as_the_sender_wrote_it() -> None:
    with l4_system("a", "b", strict=True) as (a, b):
        called = a.begins(lambda l4: forge(l4, b.tid))
        assert b.does(lambda l4: (l4.receive(a.tid), l4.get_sender())) == (0, 4711)
        assert b.does(lambda l4: l4.ipc_return(0)) == -ESRCH, "it goes to whom the sender named"
        assert not called.done()
        b.does(lambda l4: l4.set_sender(a.tid))
        assert b.does(lambda l4: l4.ipc_return(0)) == 0
        assert called.result(5) == 0


def test_a_receiver_from_any_thread_is_told_the_truth() -> None:
    with l4_system("a", "b", strict=True) as (a, b):
        a.begins(lambda l4: forge(l4, b.tid))
        assert b.does(lambda l4: (l4.receive(L4_ANYTHREAD), l4.get_sender())) == (0, a.tid)


def test_tags_have_12_bits() -> None:
    with l4_system("a", "b", strict=True) as (a, b):
        sent = a.begins(lambda l4: l4.send(b.tid, 0x12345))
        assert b.does(lambda l4: (l4.receive(), l4.read_mr(MR_TAG))) == (0, 0x345)
        assert sent.result(5) == 0
        assert b.does(lambda l4: (l4.write_mr(MR_TAG, 0x98765), l4.get_tag())) == (None, 0x765)


def test_a_result_takes_the_place_of_the_tag() -> None:
    with l4_system("a", "b", strict=True) as (a, b):
        called = a.begins(lambda l4: l4.sendrecv(b.tid, b.tid, 9))
        b.does(lambda l4: l4.receive())
        b.does(lambda l4: l4.ipc_return(0xABC))
        assert called.result(5) == 0
        assert b.does(lambda l4: l4.get_tag()) == 0xABC


def test_without_strict_the_tag_of_a_request_outlives_its_return() -> None:
    with l4_system("a", "b") as (a, b):
        a.begins(lambda l4: l4.sendrecv(b.tid, b.tid, 0x12345))
        b.does(lambda l4: l4.receive())
        b.does(lambda l4: l4.ipc_return(0xABC))
        assert b.does(lambda l4: l4.get_tag()) == 0x12345


@pytest.mark.parametrize("strict", [False, True])
def test_a_full_receiver_is_told_what_else_stood_in_a_short_sender_s_registers(
    strict: bool,
) -> None:
    with l4_system("a", "b", strict=strict) as (a, b):
        a.does(lambda l4: l4.write_mr(40, 0x5EC2E7))
        a.begins(lambda l4: l4.send(b.tid, 1))
        b.does(lambda l4: l4.receive_full())
        assert b.does(lambda l4: l4.read_mr(40)) == (0x5EC2E7 if strict else 0)


@pytest.mark.parametrize("strict", [False, True])
def test_a_full_caller_is_told_what_else_stood_in_a_short_server_s_registers(strict: bool) -> None:
    with l4_system("a", "b", strict=strict) as (a, b):
        called = a.begins(lambda l4: l4.sendrecv_full(b.tid, b.tid, 1))
        b.does(lambda l4: l4.receive())
        b.does(lambda l4: l4.write_mr(40, 0x5EC2E7))
        b.does(lambda l4: l4.ipc_return(0))
        assert called.result(5) == 0
        assert a.does(lambda l4: l4.read_mr(40)) == (0x5EC2E7 if strict else 0)


@pytest.mark.parametrize("strict", [False, True])
def test_the_whole_buffer_of_an_extended_receiver_is_written(strict: bool) -> None:
    with l4_system("a", "b", "c", strict=strict) as (a, b, c):
        for who, data in ((a, b"secrets of another"), (b, b"hi")):
            buffer = bytearray(b"." * 18)
            who.begins(lambda l4, data=data: l4.send_extended(c.tid, 1, data))
            assert c.does(lambda l4, buf=buffer: l4.receive_extended(L4_ANYTHREAD, buf)) == 0
        assert buffer == (b"hicrets of another" if strict else b"hi" + b"." * 16)
        assert c.does(lambda l4: l4.received) == (0 if strict else 2)


def test_an_extended_sendrecv_is_a_stub_and_the_kernel_s_does_not_exist() -> None:
    with l4_system("a", "b", strict=True) as (a, b):
        assert a.does(lambda l4: l4.sendrecv_extended(b.tid, b.tid, 1, b"x")) == 0
        assert not b.does(lambda l4: b.system.root.latest["b"].endpoint.queue)
        assert a.does(lambda l4: l4.ipc(b.tid, b.tid, Kind.EXTENDED, b"x")) == -ENOSYS


def test_who_queues_at_a_thread_that_dies_is_interrupted_and_later_finds_nobody() -> None:
    with l4_system("a", "b", strict=True) as (a, b):
        sent = a.begins(lambda l4: l4.send(b.tid, 1))
        assert a.waits
        b.dies()
        assert sent.result(5) == -EINTR
        assert a.does(lambda l4: l4.send(b.tid, 1)) == -ESRCH
        assert a.does(lambda l4: l4.sendrecv(b.tid, b.tid, 1)) == -ESRCH


def test_who_queues_at_a_sibling_that_is_destroyed_is_interrupted() -> None:
    many: dict[str, Any] = {"threads": 9}
    with l4_system("a", strict=True, a=many) as (a,):
        assert destroyed(a) == EINTR


def test_a_client_of_a_server_that_died_waits_for_ever() -> None:
    with l4_system("a", "b", strict=True) as (a, b):
        called = a.begins(lambda l4: l4.sendrecv(b.tid, b.tid, 1))
        b.does(lambda l4: l4.receive())
        b.dies()
        a.system.until(lambda: a.waits)
        a.system.advance(3600)
        assert a.waits
        assert not called.done()


def test_who_receives_from_a_thread_that_died_waits_for_ever() -> None:
    with l4_system("a", "b", strict=True) as (a, b):
        named = b.begins(lambda l4: l4.receive(a.tid))
        a.dies()
        b.system.advance(3600)
        assert b.waits
        assert not named.done()


def test_there_are_no_time_limits() -> None:
    with l4_system("a", "b", strict=True) as (a, b):
        for do in (
            lambda l4: l4.send(b.tid, 1, timeout=1),
            lambda l4: l4.receive(timeout=1),
            lambda l4: l4.sendrecv(b.tid, b.tid, 1, timeout=1),
        ):
            with pytest.raises(ValueError, match="no time limit"):
                a.does(do)


@pytest.mark.parametrize("strict", [False, True])
def test_one_nested_ipc_is_kept(strict: bool) -> None:
    def nest(l4: L4Thread) -> list[int]:
        for sender in (1, 2):
            l4.set_sender(sender)
            l4.save_ipcregs()
        senders = []
        for _ in range(1 if strict else 2):
            l4.restore_ipcregs()
            senders.append(l4.get_sender())
        return senders

    with l4_system("a", strict=strict) as (a,):
        assert a.does(nest) == ([2] if strict else [2, 1])
        with pytest.raises(ValueError, match="no IPC registers"):
            a.does(lambda l4: l4.restore_ipcregs())


def test_recycling_tells_senders_that_all_is_well() -> None:
    with l4_system("a", "b", strict=True) as (a, b):
        sent = b.begins(lambda l4: l4.send(a.tid, 1))
        assert a.does(lambda l4: l4.thread_recycle(l4.tid)) == 1
        assert sent.result(5) == 0, "and nothing was delivered"


def test_reply_receive_does_both_halves() -> None:
    with l4_system("a", "b", strict=True) as (a, b):
        first = a.begins(lambda l4: l4.sendrecv(b.tid, b.tid, 1))
        b.does(lambda l4: l4.receive())
        second = b.begins(lambda l4: l4.reply_receive(5))
        assert first.result(5) == 0
        assert a.does(lambda l4: l4.get_retval()) == 5
        a.begins(lambda l4: l4.send(b.tid, 1))
        assert second.result(5) == 0
