"""Threads of one PD: made, waited for, suspended, destroyed; and what they send each other."""

from typing import Any

import pytest

from caplab.kernel.core.states import RECV
from caplab.pd.errors import NotATcb
from caplab.pd.l4 import (
    EINTR,
    EINVAL,
    ENOCAP,
    ENOMEM,
    ESRCH,
    ETIMEDOUT,
    L4_ANYTHREAD,
    L4Thread,
    Mutex,
)
from caplab.pd.l4.numbers import thread_id
from l4_system import destroyed, l4_system, senders

MANY: dict[str, Any] = {"threads": 9}


def test_a_child_thread_gets_a_short_sendrecv_and_returns_zero() -> None:
    def child(l4: L4Thread, parent: int) -> int:
        assert l4.receive(parent) == 0
        assert [l4.read_mr(index) for index in range(2, 6)] == [2, 3, 4, 5]
        return -l4.ipc_return(0)

    def main(l4: L4Thread) -> tuple[int, ...]:
        tid = l4.thread_create(child, l4.tid)
        for index in range(2, 6):
            l4.write_mr(index, index)
        return (
            l4.sendrecv(tid, tid, 1),
            l4.get_retval(),
            l4.get_sender() == tid,
            l4.thread_wait(tid),
        )

    with l4_system("a", a=MANY) as (a,):
        assert a.does(main) == (0, 0, True, 0)


def test_a_thread_knows_which_of_its_siblings_sends() -> None:
    def child(l4: L4Thread, to: int) -> int:
        return -l4.sendrecv_full(to, to, 7)

    def main(l4: L4Thread) -> bool:
        children = {l4.thread_create(child, l4.tid) for _ in range(3)}
        heard = set()
        for _ in range(3):
            assert l4.receive(L4_ANYTHREAD) == 0
            heard.add(l4.get_sender())
            assert l4.ipc_return(0) == 0
        return heard == children and not any(l4.thread_wait(tid) for tid in children)

    with l4_system("a", a=MANY) as (a,):
        assert a.does(main)


def test_threads_of_a_pd_that_nobody_can_send_to_send_to_each_other() -> None:
    def main(l4: L4Thread) -> tuple[int, int]:
        child = l4.thread_create(lambda l4, to: -l4.send(to, 6), l4.tid)
        assert l4.receive(child) == 0
        return l4.get_tag(), l4.thread_wait(child)

    with l4_system("a", alone=("a",), a=MANY) as (a,):
        assert a.does(main) == (6, 0)


def test_a_thread_is_used_by_the_tcb_that_it_is() -> None:
    def main(l4: L4Thread) -> int:
        def child(_: L4Thread, arg: int) -> int:
            for do in (lambda: l4.receive(), lambda: l4.sendrecv(tid, tid, 1)):
                with pytest.raises(NotATcb, match="another TCB"):
                    do()
            return 7

        tid = l4.thread_create(child)
        return l4.thread_wait(tid)

    with l4_system("a", a=MANY) as (a,):
        assert a.does(main) == 7


def test_an_exit_code_is_there_before_and_after_the_exit() -> None:
    def child(l4: L4Thread, early: int) -> int:
        if not early:
            l4.receive()
        l4.thread_exit(40000)

    def main(l4: L4Thread) -> tuple[int, ...]:
        after = l4.thread_create(child, 1)
        gone = l4.send(after, 1)  # it exits, or has exited
        before = l4.thread_create(child, 0)
        assert l4.thread_wait(before, timeout=0) == -ETIMEDOUT
        assert l4.send(before, 1) == 0
        return gone, l4.thread_wait(after), l4.thread_wait(before), l4.thread_wait(before)

    with l4_system("a", a=MANY) as (a,):
        assert a.does(main) == (-ESRCH, 40000, 40000, -ESRCH)


def test_a_thread_that_was_waited_for_leaves_nothing() -> None:
    def main(l4: L4Thread) -> tuple[int, int]:
        def child(l4: L4Thread, to: int) -> int:
            return -l4.send(to, 1)

        for _ in range(3):
            tid = l4.thread_create(child, l4.tid)
            assert l4.receive(tid) == 0
            assert l4.thread_wait(tid) == 0
        return l4.env.slots.used(), len(l4.task.mailboxes)

    with l4_system("a", a=MANY) as (a,):
        used, boxes = a.does(main)
        assert (used, boxes) == (2, 1), "the parts of untyped memory that the pool keeps"


def test_more_threads_than_the_manifest_gives_are_refused() -> None:
    with l4_system("a", "b", a={"threads": 2}) as (a, _b):

        def main(l4: L4Thread) -> int:
            tid = l4.thread_create(lambda l4, arg: l4.receive())
            assert l4.thread_create(lambda l4, arg: 0) == -ENOMEM
            l4.send(tid, 1)
            return l4.thread_wait(tid)

        assert a.does(main) == 0
        assert a.does(lambda l4: len(l4.task.mailboxes)) == 1


def test_a_child_without_the_capability_to_a_thread_cannot_make_it() -> None:
    with l4_system("a", a={"threads": 2}) as (a,):

        def main(l4: L4Thread) -> int:
            l4.env.cnode.delete_slot(l4.env.pd.lookup("tcb.1").slot)
            return l4.thread_create(lambda l4, arg: 0)

        assert a.does(main) == -ENOCAP


def test_a_suspended_thread_waits_until_it_is_run() -> None:
    with l4_system("a", a=MANY) as (a,):

        def main(l4: L4Thread) -> tuple[int, ...]:
            def child(l4: L4Thread, to: int) -> int:
                while True:
                    if l4.sendrecv(to, to, 1) or l4.get_retval():
                        return 5

            tid = l4.thread_create(child, l4.tid)
            assert l4.receive(tid) == 0
            assert l4.thread_suspend(tid) == 0
            assert l4.ipc_return(0) == 0
            assert l4.receive(tid, timeout=0) == -ETIMEDOUT
            assert l4.thread_run(tid) == 0
            assert l4.receive(tid) == 0
            assert l4.ipc_return(1) == 0
            code = l4.thread_wait(tid)
            return code, l4.thread_suspend(tid), l4.thread_run(tid), l4.thread_destroy(tid)

        assert a.does(main) == (5, -ESRCH, -ESRCH, -ESRCH)


def test_who_sends_to_a_destroyed_thread_is_told() -> None:
    with l4_system("a", a=MANY) as (a,):
        assert destroyed(a) == ESRCH


def test_who_waits_to_send_to_a_recycled_thread_is_sent_away() -> None:
    with l4_system("a", "b", "c", a=MANY) as (a, b, c):
        sent = [who.begins(lambda l4: l4.send(a.tid, 1)) for who in (b, c)]
        assert a.does(lambda l4: l4.thread_recycle(l4.tid)) == 2
        assert [one.result(5) for one in sent] == [-EINTR, -EINTR]
        assert a.does(lambda l4: l4.thread_recycle(thread_id(99))) == -ESRCH


def test_a_thread_that_serves_the_same_endpoint_cures_the_stuck_client() -> None:
    """The remedy that the seed announces: one thread is stuck in its return phase, others serve."""

    def serve(l4: L4Thread, arg: int = 0) -> int:
        while True:
            l4.receive()
            l4.ipc_return(arg)

    with l4_system("stuck", "client", "server", alone=("client",), server=MANY) as members:
        stuck, client, server = members
        system = server.system
        server.does(lambda l4: l4.thread_create(serve, 1, share=True))
        server.begins(lambda l4: serve(l4, 2))
        to = stuck.id_of("server")
        assert stuck.begins(lambda l4: l4.send(to, 1)).result(5) == 0
        # One in its return phase, the other for the next message.
        system.until(lambda: all(tcb.state for tcb in system.root.latest["server"].tcbs[:2]))
        for _ in range(5):
            assert client.begins(lambda l4: l4.sendrecv(to, to, 1)).result(5) == 0
        assert stuck.begins(lambda l4: l4.receive()).result(5) == 0


def test_what_one_thread_sets_aside_another_that_waits_for_it_receives() -> None:
    """Three threads wait: for `a`, for `b`, and for anybody but with nothing to do with either."""
    told: list[tuple[int, int]] = []

    with l4_system("a", "b", "c", "server", server=MANY) as (a, b, c, server):

        def wait_for(l4: L4Thread, sender: int) -> int:
            assert l4.receive(sender) == 0
            told.append((sender, l4.get_sender()))
            return -l4.ipc_return(0)

        def start(l4: L4Thread) -> list[int]:
            return [
                l4.thread_create(wait_for, sender, share=True)
                for sender in (a.tid, b.tid, L4_ANYTHREAD)
            ]

        children = server.does(start)
        waiting = server.system.root.latest["server"].tcbs[1:4]
        server.system.until(lambda: all(tcb.state == RECV for tcb in waiting))
        to = a.id_of("server")
        for who in (c, a, b):
            assert who.begins(lambda l4: l4.sendrecv(to, to, 1)).result(5) == 0
        assert sorted(told) == sorted([(a.tid, a.tid), (b.tid, b.tid), (L4_ANYTHREAD, c.tid)])
        assert [server.does(lambda l4, tid=tid: l4.thread_wait(tid)) for tid in children] == [0] * 3


def test_eight_threads_count_to_1600_with_a_mutex() -> None:
    with l4_system("a", a=MANY) as (a,):

        def main(l4: L4Thread) -> int:
            mutex, total = Mutex(l4.env), [0]

            def child(l4: L4Thread, rounds: int) -> int:
                for _ in range(rounds):
                    with mutex:
                        seen = total[0]
                        l4.env.yield_()
                        total[0] = seen + 1
                return 0

            children = [l4.thread_create(child, 200) for _ in range(8)]
            assert all(l4.thread_wait(tid) == 0 for tid in children)
            return total[0]

        assert a.does(main) == 1600


def test_a_mutex_that_is_free_cannot_be_unlocked_and_waiting_has_a_limit() -> None:
    with l4_system("a", a=MANY) as (a,):

        def main(l4: L4Thread) -> list[int]:
            mutex = Mutex(l4.env)
            done = [mutex.unlock(), mutex.lock(), mutex.lock(timeout=0), mutex.unlock()]
            return [*done, mutex.lock(timeout=0), mutex.unlock()]

        assert a.does(main) == [-EINVAL, 0, -ETIMEDOUT, 0, 0, 0]


def test_who_waits_for_a_return_from_a_thread_that_exits_is_told() -> None:
    with l4_system("a", a=MANY) as (a,):

        def main(l4: L4Thread) -> int:
            tid = l4.thread_create(lambda l4, arg: l4.receive())
            return l4.sendrecv(tid, tid, 1)

        assert a.does(main) == -EINTR


def test_an_exit_code_has_16_bits() -> None:
    with l4_system("a", a=MANY) as (a,):
        a.does(lambda l4: l4.thread_create(lambda l4, arg: 1 << 16))
        a.system.until(lambda: "a" in a.system.faults)
        assert "65535" in str(a.system.faults["a"])


@pytest.mark.parametrize("strict", [False, True])
def test_an_exited_child_is_addressable_until_it_is_waited_for_only_in_codezero(
    strict: bool,
) -> None:
    with l4_system("a", strict=strict, a=MANY) as (a,):

        def main(l4: L4Thread) -> tuple[int, int]:
            ended = l4.thread_create(lambda l4, arg: 3)
            child = l4.task.children[ended & 0xFF]
            while not child.exited:
                l4.env.yield_()
            sender = l4.thread_create(lambda l4, arg: -l4.send(ended, 1))
            if strict:
                a.system.until(lambda: senders(a))
                assert not l4.task.children[sender & 0xFF].exited
            return l4.thread_wait(ended), l4.thread_wait(sender)

        assert a.does(main) == (3, EINTR if strict else ESRCH)
