"""Seed 003's service, in one process: its sender table, its tags, and its worst client."""

from collections.abc import Iterator
from typing import Any

import pytest

from caplab.clients.l4_stuck.main import main as stuck_client
from caplab.pd.l4 import EFAULT, EINVAL, ENOSYS, ESRCH, ETIMEDOUT, L4SYS_ARG0, L4Thread
from caplab.servers.l4demo import (
    L4_IPC_REGISTER,
    L4_IPC_REQUEST_NO_RETURN,
    L4_IPC_REQUEST_WITH_RETURN,
    L4_IPC_SHARE_PAGE,
)
from caplab.servers.l4demo.server import main
from l4_system import Member
from threaded_system import ThreadedSystem

USES = {"uses": {"service": "service"}}


def service(**more: Any) -> dict[str, Any]:
    return {"name": "service", "main": main, "serves": "endpoint", "role": "server", **more}


@pytest.fixture
def clients() -> Iterator[list[Member]]:
    with ThreadedSystem(
        service(), {"name": "a", **USES}, {"name": "b", **USES}, uarts=()
    ) as system:
        yield [Member(system, name, False) for name in ("a", "b")]


def ask(client: Member, tag: int, *args: int, **more: Any) -> int:
    """A sendrecv to the service: what it returned, or why it did not."""

    def do(l4: L4Thread) -> int:
        for index, arg in enumerate(args):
            l4.write_mr(L4SYS_ARG0 + index, arg)
        to = l4.thread_id("service")
        return l4.sendrecv(to, to, tag, **more) or l4.get_retval()

    future = client.begins(do)
    if "timeout" in more:
        client.system.advance(more["timeout"])
    return int(future.result(10))


def test_a_sender_that_is_not_in_the_table_does_not_exist(clients: list[Member]) -> None:
    a, b = clients
    assert ask(a, L4_IPC_REGISTER) == 0
    for tag in (L4_IPC_REQUEST_NO_RETURN, L4_IPC_REQUEST_WITH_RETURN, L4_IPC_SHARE_PAGE, 99):
        assert ask(b, tag, 1) == -ESRCH
        assert ask(a, tag, 1) != -ESRCH


def test_each_sender_has_an_account_of_its_own(clients: list[Member]) -> None:
    for client, amount in zip(clients, (3, 500), strict=True):
        ask(client, L4_IPC_REGISTER)
        assert ask(client, L4_IPC_REQUEST_WITH_RETURN, amount) == amount
    assert [ask(client, L4_IPC_REQUEST_WITH_RETURN, 1) for client in clients] == [4, 501]


def test_an_unknown_tag_is_no_success(clients: list[Member]) -> None:
    ask(clients[0], L4_IPC_REGISTER)
    assert ask(clients[0], 99) == -ENOSYS


def test_a_one_way_request_returns_errors_alone(
    clients: list[Member], capfd: pytest.CaptureFixture[str]
) -> None:
    a, _ = clients
    page = a.does(lambda l4: l4.env.memory())
    ask(a, L4_IPC_REGISTER)
    assert ask(a, L4_IPC_REQUEST_NO_RETURN, 0, 1, 1) == -EFAULT
    assert ask(a, L4_IPC_SHARE_PAGE) == -EINVAL
    assert ask(a, L4_IPC_SHARE_PAGE, caps=[page]) == 0
    for wrong in ((4096, 1, 1), (0, 4097, 1), (2**64 - 1, 1, 1), (0, 1, 11)):
        assert ask(a, L4_IPC_REQUEST_NO_RETURN, *wrong) == -EINVAL
    a.does(lambda l4: page.map().write(4090, b"six by"))

    def print_twice(l4: L4Thread) -> int:
        for index, arg in enumerate((4090, 6, 2)):
            l4.write_mr(L4SYS_ARG0 + index, arg)
        return l4.send(l4.thread_id("service"), L4_IPC_REQUEST_NO_RETURN)

    assert a.begins(print_twice).result(10) == 0
    assert ask(a, L4_IPC_SHARE_PAGE, caps=[page]) == 0, "it may be another page later"
    assert capfd.readouterr().out.count("says: six by") == 2


def test_a_sender_that_died_is_forgotten_and_the_service_goes_on(clients: list[Member]) -> None:
    a, b = clients
    page = a.does(lambda l4: l4.env.memory())
    ask(a, L4_IPC_REGISTER)
    ask(a, L4_IPC_SHARE_PAGE, caps=[page])
    report = a.system.operate(op="kill", pd="a")
    assert not report["pending"]
    assert ask(b, L4_IPC_REGISTER) == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_a_stuck_client_takes_one_thread_of_the_service(threads: int) -> None:
    stuck = {"name": "stuck", "main": stuck_client, "serves": "endpoint", "role": "server", **USES}
    one = service(threads=threads, args={"threads": threads}, uses={"stuck": "stuck"})
    client = {"name": "client", "uses": {"service": "service", "stuck": "stuck"}}
    with ThreadedSystem(
        one, {**stuck, "args": {"servers": ["service"]}}, client, uarts=()
    ) as system:
        member = Member(system, "client", False)
        system.until(lambda: system.blocked("stuck"))
        assert ask(member, L4_IPC_REGISTER) == 0

        def let_go(l4: L4Thread) -> int:
            to = l4.thread_id("stuck")
            return l4.sendrecv(to, to, 1)

        assert member.begins(let_go).result(10) == 0
        if threads == 1:
            assert ask(member, L4_IPC_REQUEST_WITH_RETURN, 1, timeout=1) == -ETIMEDOUT
        else:
            assert ask(member, L4_IPC_REQUEST_WITH_RETURN, 1) == 1
        system.operate(op="kill", pd="stuck")
        assert ask(member, L4_IPC_REQUEST_WITH_RETURN, 1) == threads
