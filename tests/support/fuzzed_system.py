"""Two honest PDs and one that is not, over a real ROUTER and the real core; no process.

`fs` serves `app`; `bad` has a CSpace, a thread and an endpoint of its own, and nothing to do with
either. What the two are and have is `rest_of(…)`, which nothing that `bad` says may change.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import msgpack

from caplab.kernel.abi import Status, Sys
from caplab.kernel.core import state
from caplab.kernel.core.effects import Effect, Kill
from caplab.kernel.core.events import Boot, Event, Exited, Started, Syscall
from caplab.kernel.core.invariants import violations
from caplab.kernel.core.kernel import Kernel
from caplab.kernel.root import look, space
from caplab.kernel.root.task import RootTask
from frames import decode, encode
from loop_lab import FakeKernel, LoopLab

PDS: dict[str, dict[str, Any]] = {
    "fs": {"serves": "endpoint"},
    "app": {"uses": {"fs": "fs"}},
    "bad": {"serves": "endpoint", "threads": 2},
}
NAME = {"fs": "server", "app": "fs"}


def rest_of(k: Kernel, offender: str) -> bytes:
    """The capability state of every PD but one, without its neighbours in the derivation list."""
    root: Any = k.root
    one = root.latest[offender]
    tcbs = [state._tcb(tcb) for tcb in k.tcbs.values() if tcb.pd is not one]
    cspaces = [
        [cnode.number, [state._slot(slot)[:7] for slot in cnode.slots.values() if slot.cap]]
        for cnode in k.cnodes
        if cnode.pd is not one and cnode is not root.cspace
    ]
    records = [look.record(pd) for pd in root.pds.values() if pd is not one]
    rest = [sorted(tcbs), cspaces, records, space.describe(root)]
    return bytes(msgpack.packb(rest, default=str))


class CheckedKernel(FakeKernel):
    """The real core behind the face that a LoopLab knows; every step is checked."""

    def __init__(self) -> None:
        super().__init__(lambda call: [])
        self.core = Kernel(RootTask())

    def on_event(self, event: Event) -> list[Effect]:
        effects = self.core.step(event)
        broken = violations(self.core)
        assert not broken, broken
        self.next_deadline = self.core.next_deadline
        self.jobs_pending = self.core.jobs_pending
        return effects


class FuzzedSystem(LoopLab):
    """The three PDs, booted; `app` has called `fs` and been answered."""

    def __init__(self, folder: Path) -> None:
        self.real = CheckedKernel()
        perform: Any = defaultdict(lambda: self._ignore, {Kill: self._kill})
        super().__init__(folder, self.real, perform=perform)
        entries = [{"name": name, "run": {"module": name}, **entry} for name, entry in PDS.items()]
        spec = {"name": "fuzz", "shm_prefix": "cl.fuzz.", "pds": entries}
        self.real.step(Boot(0, spec))
        root: Any = self.real.core.root
        self.pds = root.latest
        self._ids: dict[str, bytes] = {}
        self._ended: list[int] = []
        """Connections, by descriptor, that have ended so far."""
        self._numbers = {name: {tcb.number for tcb in pd.tcbs} for name, pd in self.pds.items()}

    def boot(self) -> None:
        """In the loop's life: the PDs have processes, and the honest ones have met."""
        for name, pd in self.pds.items():
            self._ids[name] = self.pd(pd.number, *[tcb.number for tcb in pd.tcbs])[0]
            self.call(lambda number=pd.number: self.loop.feed(Started(0, number, 1)))
        self.fs, self.app = self.peer(self._ids["fs"]), self.peer(self._ids["app"])
        self.fs.send(encode(Sys.RECV, self._slot("fs")))
        self.app.send(encode(Sys.CALL, self._slot("app"), b"hello"))
        self._serve(b"hello")

    def id_of(self, name: str) -> bytes:
        return self._ids[name]

    def rest(self) -> bytes:
        found: bytes = self.call(lambda: rest_of(self.real.core, "bad"))
        return found

    def talk(self) -> None:
        """`app` calls `fs`, and both get what the other says."""
        self.app.send(encode(Sys.CALL, self._slot("app"), b"still here"))
        self._serve(b"still here")

    def settle(self) -> None:
        """Blame whoever has lost a connection, as the host does; and let others have their turn."""
        self._ended += self.loop.hangups.read()
        for fd in self._ended:
            for pd in self.call(lambda fd=fd: self.loop.hung_up(fd)):
                self.call(lambda pd=pd: self.loop.blame(pd, "it broke its connection"))
        self.talk()

    def calls_of(self, name: str) -> list[bytes]:
        """What the loop took for system calls of a PD."""
        own = self._numbers[name]
        events = self.real.events
        return [one.frame for one in events if isinstance(one, Syscall) and one.tcb in own]

    def faulted(self, name: str) -> bool:
        return self.pds[name].fault is not None

    def _slot(self, name: str) -> int:
        return int(self.pds[name].names[NAME[name]].slot)

    def _serve(self, body: bytes) -> None:
        question = decode(self.fs.recv())
        assert (question.status, question.body) == (Status.OK, body)
        self.fs.send(encode(Sys.REPLY_RECV, self._slot("fs"), b"answer"))
        answer = decode(self.app.recv())
        assert (answer.status, answer.body) == (Status.OK, b"answer")

    def _kill(self, effect: Kill) -> None:
        self.loop.inbox.append(lambda: self._reap(effect.pd))

    def _reap(self, pd: int) -> None:
        self.loop.feed(Exited(0, pd, 9))
        self.loop.forget(pd)

    @staticmethod
    def _ignore(effect: Effect) -> None:
        """Nothing of the world is here."""
