"""Short and full IPC between L4 threads: Codezero's cases.

The cases are those of the table in the notes on Codezero: what travels, in which registers.
"""

from caplab.pd.l4 import (
    ENOCAP,
    L4_ANYTHREAD,
    MR_UNUSED_START,
    MR_UNUSED_TOTAL,
    L4Thread,
)
from caplab.pd.l4.numbers import FULL_TOTAL
from l4_system import l4_system

FREE = range(MR_UNUSED_START, MR_UNUSED_START + MR_UNUSED_TOTAL)
REST = range(MR_UNUSED_START, FULL_TOTAL)


def fill(l4: L4Thread, registers: range = REST, plus: int = 0) -> None:
    for index in registers:
        l4.write_mr(index, index + plus)


def values(l4: L4Thread, registers: range = FREE) -> list[int]:
    return [l4.read_mr(index) for index in registers]


def test_a_short_sendrecv_brings_four_words_and_a_result() -> None:
    with l4_system("client", "server", alone=("client",)) as (client, server):
        to = client.id_of("server")
        client.does(lambda l4: fill(l4))
        called = client.begins(lambda l4: l4.sendrecv(to, to, 0x123))
        assert server.does(lambda l4: l4.receive(L4_ANYTHREAD)) == 0
        assert server.does(values) == list(FREE)
        assert server.does(lambda l4: (l4.get_tag(), l4.get_sender())) == (0x123, client.tid)
        server.does(lambda l4: fill(l4, FREE, 100))
        assert server.does(lambda l4: l4.ipc_return(0)) == 0
        assert called.result(5) == 0
        assert client.does(lambda l4: l4.get_retval()) == 0
        assert client.does(values) == [index + 100 for index in FREE]
        assert client.does(lambda l4: l4.get_sender()) == to


def test_a_short_sendrecv_takes_no_more_than_four_words() -> None:
    with l4_system("client", "server") as (client, server):
        to = client.id_of("server")
        client.does(lambda l4: fill(l4))
        client.begins(lambda l4: l4.sendrecv(to, to, 1))
        server.does(lambda l4: l4.receive())
        assert server.does(lambda l4: values(l4, range(6, 60))) == [0] * 54


def test_a_full_sendrecv_brings_58_words_both_ways() -> None:
    with l4_system("client", "server") as (client, server):
        to = client.id_of("server")
        client.does(lambda l4: fill(l4))
        called = client.begins(lambda l4: l4.sendrecv_full(to, to, 1))
        assert server.does(lambda l4: l4.receive_full(L4_ANYTHREAD)) == 0
        assert server.does(lambda l4: values(l4, REST)) == list(REST)
        server.does(lambda l4: fill(l4, REST, 7))
        assert server.does(lambda l4: l4.ipc_return_full(-5)) == 0
        assert called.result(5) == 0
        assert client.does(lambda l4: values(l4, REST)) == [index + 7 for index in REST]
        assert client.does(lambda l4: l4.get_retval()) == -5


def test_a_full_sender_makes_a_short_receiver_a_full_one() -> None:
    with l4_system("client", "server") as (client, server):
        to = client.id_of("server")
        client.does(lambda l4: fill(l4))
        client.begins(lambda l4: l4.send_full(to, 1))
        assert server.does(lambda l4: l4.receive()) == 0
        assert server.does(lambda l4: values(l4, REST)) == list(REST)


def test_a_short_sender_tells_a_full_receiver_four_words_and_zeros() -> None:
    with l4_system("client", "server") as (client, server):
        to = client.id_of("server")
        client.does(lambda l4: fill(l4))
        server.does(lambda l4: fill(l4, REST, 1000))
        client.begins(lambda l4: l4.send(to, 1))
        assert server.does(lambda l4: l4.receive_full()) == 0
        assert server.does(lambda l4: values(l4, REST)) == [*FREE, *[0] * 54]


def test_a_short_sender_to_a_full_receiver_is_upgraded_with_all_58_words() -> None:
    """As in Codezero, where the short side's stale words go along."""
    with l4_system("client", "server", strict=True) as (client, server):
        to = client.id_of("server")
        client.does(lambda l4: fill(l4))
        client.begins(lambda l4: l4.send(to, 1))
        assert server.does(lambda l4: l4.receive_full()) == 0
        assert server.does(lambda l4: values(l4, REST)) == list(REST)


def test_a_full_sync_with_a_pager_comes_back_all_zeroed() -> None:
    with l4_system("child", "pager") as (child, pager):
        to = child.id_of("pager")
        child.does(lambda l4: fill(l4))
        synced = child.begins(lambda l4: l4.sendrecv_full(to, to, 4))
        assert pager.does(lambda l4: (l4.receive(), l4.get_tag())) == (0, 4)
        pager.does(lambda l4: [l4.write_mr(index, 0) for index in REST])
        assert pager.does(lambda l4: l4.ipc_return_full(0)) == 0
        assert synced.result(5) == 0
        assert child.does(lambda l4: values(l4, REST)) == [0] * 58


def test_a_one_way_sync_has_no_reply_phase() -> None:
    with l4_system("child", "pager", alone=("child",)) as (child, pager):
        to = child.id_of("pager")
        synced = child.begins(lambda l4: l4.send(to, 5))
        assert child.waits, "a send waits until it is received"
        assert pager.does(lambda l4: (l4.receive(), l4.get_tag())) == (0, 5)
        assert synced.result(5) == 0
        assert pager.does(lambda l4: l4.ipc_return(0)) == -ENOCAP, "nobody waits for it"


def test_a_thread_returns_to_one_that_sent_and_now_receives() -> None:
    """The two phases of Codezero's IPC, one by one."""
    with l4_system("client", "server") as (client, server):
        to = client.id_of("server")
        sent = client.begins(lambda l4: l4.send(to, 9))
        assert server.does(lambda l4: l4.receive()) == 0
        assert sent.result(5) == 0
        returned = server.begins(lambda l4: l4.ipc_return(77))
        assert server.waits, "it is a rendezvous"
        assert client.does(lambda l4: l4.receive(to)) == 0
        assert client.does(lambda l4: (l4.get_retval(), l4.get_sender())) == (77, to)
        assert returned.result(5) == 0


def test_a_named_receive_lets_the_others_wait_in_their_order() -> None:
    with l4_system("a", "b", "c", "server") as (a, b, c, server):
        to = a.id_of("server")
        sent = [who.begins(lambda l4: l4.send(to, 1)) for who in (a, b)]
        wanted = c.begins(lambda l4: l4.sendrecv(to, to, 3))
        assert server.does(lambda l4: l4.receive(c.tid)) == 0
        assert server.does(lambda l4: (l4.get_tag(), l4.get_sender())) == (3, c.tid)
        assert not any(one.done() for one in sent), "nobody has received from them"
        assert server.does(lambda l4: l4.ipc_return(0)) == 0
        assert wanted.result(5) == 0
        for who, one in zip((a, b), sent, strict=True):
            assert server.does(lambda l4: l4.receive()) == 0
            assert server.does(lambda l4: l4.get_sender()) == who.tid
            assert one.result(5) == 0


def test_a_sendrecv_that_was_set_aside_is_returned_to() -> None:
    with l4_system("a", "b", "server") as (a, b, server):
        to = a.id_of("server")
        first = a.begins(lambda l4: l4.sendrecv(to, to, 1))
        second = b.begins(lambda l4: l4.send(to, 2))
        assert server.does(lambda l4: l4.receive(b.tid)) == 0
        assert second.result(5) == 0
        assert server.does(lambda l4: (l4.receive(a.tid), l4.get_sender())) == (0, a.tid)
        assert server.does(lambda l4: l4.ipc_return(6)) == 0
        assert first.result(5) == 0
        assert a.does(lambda l4: l4.get_retval()) == 6


def test_a_deferred_reply_is_given_by_set_sender_and_ipc_return() -> None:
    with l4_system("a", "b", "server", alone=("a", "b")) as (a, b, server):
        to = a.id_of("server")
        called = [who.begins(lambda l4: l4.sendrecv(to, to, 56)) for who in (a, b)]
        for who in (a, b):
            assert server.does(lambda l4: (l4.receive(), l4.get_sender())) == (0, who.tid)
        for who, one in ((a, called[0]), (b, called[1])):
            assert not one.done()
            server.does(lambda l4, who=who: l4.set_sender(who.tid))
            assert server.does(lambda l4: l4.ipc_return(8)) == 0
            assert one.result(5) == 0
        assert not server.does(lambda l4: l4.env.slots.used())


def test_the_registers_of_one_nested_ipc_are_kept() -> None:
    with l4_system("client", "server", "other") as (client, server, other):
        to, further = client.id_of("server"), server.id_of("other")
        called = client.begins(lambda l4: l4.sendrecv(to, to, 12))
        server.does(lambda l4: l4.receive())

        def ask(l4: L4Thread) -> int:
            l4.save_ipcregs()
            asked = l4.sendrecv(further, further, 13)
            l4.restore_ipcregs()
            return asked

        nested = server.begins(ask)
        assert other.does(lambda l4: (l4.receive(), l4.get_sender())) == (0, server.tid)
        other.does(lambda l4: l4.ipc_return(0))
        assert nested.result(5) == 0
        assert server.does(lambda l4: (l4.get_tag(), l4.get_sender())) == (12, client.tid)
        assert server.does(lambda l4: l4.ipc_return(0)) == 0
        assert called.result(5) == 0


def test_reply_receive_returns_and_brings_the_next_request() -> None:
    with l4_system("a", "b", "server", alone=("a", "b")) as (a, b, server):
        to = a.id_of("server")
        for _ in range(3):
            first = a.begins(lambda l4: l4.sendrecv(to, to, 1))
            second = b.begins(lambda l4: l4.sendrecv(to, to, 2))
            assert server.does(lambda l4: l4.receive()) == 0
            assert server.does(lambda l4: l4.reply_receive(11)) == 0
            assert first.result(5) == 0
            assert a.does(lambda l4: l4.get_retval()) == 11
            assert server.does(lambda l4: (l4.get_tag(), l4.get_sender())) == (2, b.tid)
            assert server.does(lambda l4: l4.ipc_return(12)) == 0
            assert second.result(5) == 0


def test_reply_receive_returns_to_a_sender_that_was_chosen_as_well() -> None:
    with l4_system("a", "b", "server", alone=("a", "b")) as (a, b, server):
        to = a.id_of("server")
        first = a.begins(lambda l4: l4.sendrecv(to, to, 1))
        second = b.begins(lambda l4: l4.sendrecv(to, to, 2))
        server.does(lambda l4: (l4.receive(), l4.receive()))
        server.does(lambda l4: l4.set_sender(a.tid))
        waiting = server.begins(lambda l4: l4.reply_receive(1))
        assert first.result(5) == 0
        again = a.begins(lambda l4: l4.sendrecv(to, to, 3))
        assert waiting.result(5) == 0
        assert not second.done()
        server.does(lambda l4: l4.ipc_return(0))
        assert again.result(5) == 0
