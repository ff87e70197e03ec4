"""`Task`: what the L4 threads of one PD share: whom they can send to, and their mailboxes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from caplab.kernel.abi import FAULT_HANDLER, ObjectType, Rights
from caplab.pd.l4.mailbox import Mailbox
from caplab.pd.l4.numbers import EINTR, ENOCAP, ESRCH, Kind, badge_of, container_of, thread_id
from caplab.pd.objects import Endpoint

if TYPE_CHECKING:
    from caplab.pd.env import Env
    from caplab.pd.l4.control import Child
    from caplab.pd.objects import PdCap
    from caplab.pd.threads import Entry

SEND_RIGHTS = Rights.WRITE | Rights.GRANT | Rights.GRANT_REPLY
OWN = "server"
"""The name of the endpoint a PD serves."""


class Task:
    """A PD, as a container of L4 threads.

    Capabilities to send come from the manifest: `uses` names PDs that serve an endpoint, and each
    is a thread with an id. `on_gone(tid)` is called when a thread can send here no more, which is
    when it died, or gave up its capability.
    """

    def __init__(self, env: Env) -> None:
        self.env = env
        self.number = env.info.pd
        self.mailboxes: dict[int, Mailbox] = {}
        """Of the own threads, by their ids."""
        self.peers: dict[int, Endpoint] = {}
        """Capabilities to threads of other PDs, by their ids."""
        self.on_gone: Callable[[int], object] = _nothing
        self.children: dict[int, Child] = {}
        """Threads that were made and not waited for, by their numbers."""
        self._threads = count(1)
        self._entry: Entry | None = None
        self._minted: dict[tuple[int, int], Endpoint] = {}
        self._names: dict[int, str] = {}

    def named(self, name: str) -> int:
        """The id of the thread that a name of `uses` stands for, as it is now.

        Of a PD that was restarted it is another. -ESRCH when nobody receives there. Raises
        MissingCap.
        """
        endpoint = self.env.endpoint(name)
        number = self.env.pd.lookup(name).pd
        if not number:
            return -ESRCH
        tid = thread_id(number)
        self.peers[tid] = endpoint
        self._names[tid] = name
        return tid

    def capability(self, sender: int, to: int) -> Endpoint | int:
        """What a thread of this PD sends to another thread on: -ENOCAP, or -ESRCH for a thread
        that nobody here has heard of.
        """
        peer = self.peers.get(to)
        if peer is not None:
            return peer
        if to in self.mailboxes:
            return self._sibling(sender, to)
        self._learn()
        heard = any(box.lives(to) for box in set(self.mailboxes.values()))
        return self.peers.get(to, -ENOCAP if heard else -ESRCH)

    def alive(self, to: int) -> bool:
        """Whether anybody receives for a thread. (Codezero looks before it queues a sender.)"""
        if to in self.mailboxes:
            return True
        self._learn()
        name = self._names.get(to)
        return name is None or self.env.pd.lookup(name).pd == container_of(to)

    def share(self, box: Mailbox, pd: PdCap, name: str, kinds: Kind) -> None:
        """Let another PD send to the threads of a mailbox, these kinds of IPC alone."""
        badge = badge_of(thread_id(pd.info()["number"]), kinds)
        pd.install(box.endpoint, name, rights=SEND_RIGHTS, badge=badge)

    def next_thread(self) -> int:
        """The number of a new thread; none is used twice."""
        return next(self._threads)

    def entry(self, run: Callable[[Task, int], None]) -> Entry:
        """Where a spare TCB starts that becomes a thread of this PD."""
        if self._entry is None:
            self._entry = partial(_start, self, run)
        return self._entry

    def fetch_work(self) -> None:
        """Learn who is gone."""
        while items := self.env.pd.get_work():
            for item in items:
                box = self._at(item.endpoint) if item.kind == "client-gone" else None
                if box is not None:
                    self.on_gone(box.forget(item.badge, item.pd))

    def open(self, tid: int, endpoint: Endpoint) -> Mailbox:
        """A mailbox for one of the own threads."""
        box = self.mailboxes[tid] = Mailbox(self.env, endpoint)
        return box

    def close(self, tid: int, strict: bool = False) -> None:
        """A thread has ended: whoever waits for it is told, and its endpoint goes."""
        box = self.mailboxes.pop(tid, None)
        for pair in [pair for pair in self._minted if tid in pair]:
            self._minted.pop(pair).delete()
        if box is not None and box not in self.mailboxes.values():
            box.dismiss(EINTR if strict else ESRCH, 0 if strict else EINTR)
            box.endpoint.delete()

    def _at(self, slot: int) -> Mailbox | None:
        return next((box for box in self.mailboxes.values() if box.endpoint.slot == slot), None)

    def _sibling(self, sender: int, to: int) -> Endpoint:
        """A capability to another thread of the own PD, with the id of the one that sends."""
        minted = self._minted.get((sender, to))
        if minted is None:
            minted = self.mailboxes[to].endpoint.mint(badge_of(sender, Kind.ALL), SEND_RIGHTS)
            self._minted[sender, to] = minted
        return minted

    def _learn(self) -> None:
        """Look through the names for capabilities that came since."""
        for name, found in self.env.pd.names().items():
            tid = thread_id(found.pd)
            ours = name in (OWN, FAULT_HANDLER) or found.pd in (0, self.number)
            if found.type == ObjectType.ENDPOINT and not ours and tid not in self.peers:
                self.peers[tid] = Endpoint(self.env, found.slot, name=name, renewal=found.renewal)
                self._names[tid] = name


def _start(task: Task, run: Callable[[Task, int], None], env: Env, number: int) -> None:
    run(task, number)


def _nothing(tid: int) -> None:
    """Nobody wants to know who is gone."""
