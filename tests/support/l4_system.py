"""L4 threads of several PDs in one process: whom each test needs, and what has become of them."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from caplab.kernel.core.states import REPLY, SEND
from caplab.pd.l4 import L4Thread
from threaded_system import Hand, ThreadedSystem

Does = Callable[[L4Thread], Any]


class Member:
    """A PD whose first TCB is an L4 thread; what it is to do, it does one thing after another."""

    def __init__(self, system: ThreadedSystem, name: str, strict: bool) -> None:
        self.system, self.name = system, name
        self._hand = Hand(system, name)
        self.l4: L4Thread = self._hand.do(lambda env: L4Thread(env, strict=strict))

    def does(self, do: Does) -> Any:
        """Have it do something that does not block, and see what came of it."""
        return self._hand.do(lambda env: do(self.l4))

    def begins(self, do: Does) -> "Future[Any]":
        """Have it do something that blocks; returns once it waits, or is done."""
        future = self._hand.begin(lambda env: do(self.l4))
        self.system.until(lambda: future.done() or self.waits)
        return future

    @property
    def waits(self) -> bool:
        return self.system.blocked(self.name)

    def id_of(self, name: str) -> int:
        return int(self.does(lambda l4: l4.thread_id(f"the-{name}")))

    @property
    def tid(self) -> int:
        return self.l4.tid

    def dies(self) -> None:
        """It is killed; nobody waits until the others have done their part of the cleanup."""
        with self.system.lock:
            self.system._kill(self.system.root.latest[self.name].number, 9)


@contextlib.contextmanager
def l4_system(
    *names: str, strict: bool = False, alone: tuple[str, ...] = (), **more: dict[str, Any]
) -> Iterator[list[Any]]:
    """PDs that all serve and use each other, as `the-NAME`; those `alone` serve nothing. `more` is
    by name.
    """
    entries = []
    for name in names:
        serves = {} if name in alone else {"serves": "endpoint", "role": "server"}
        uses = {f"the-{other}": other for other in names if other not in (name, *alone)}
        entries.append({"name": name, "uses": uses, **serves, **more.get(name, {})})
    with ThreadedSystem(*entries, uarts=()) as system:
        yield [Member(system, name, strict) for name in names]


def senders(member: Member) -> int:
    """How many threads of the member's PD wait to be received from, or for a return."""
    tcbs = member.system.root.latest[member.name].tcbs
    return sum(tcb.state in (SEND, REPLY) for tcb in tcbs)


def destroyed(member: Member) -> int:
    """A thread of the member's PD is destroyed while another waits to send to it; what that one is
    told, as its exit code.
    """

    def main(l4: L4Thread) -> int:
        tid = l4.thread_create(lambda l4, to: l4.receive(to), l4.tid)
        sender = l4.thread_create(lambda l4, arg: -l4.send(tid, 1))
        member.system.until(lambda: l4.task.mailboxes[tid].aside)
        assert l4.thread_destroy(tid) == 0
        return l4.thread_wait(sender)

    return int(member.does(main))
