"""A whole system inside the test: the pure kernel, driven thread by thread, no process in sight.

    lab = Lab({"fs": {"serves": "endpoint"}, "app": {"uses": {"fs": "fs"}}})
    fs, app = lab["fs"], lab["app"]
    assert fs.recv("server") is None            # blocked
    assert app.call("fs", b"open") is None      # blocked, and fs is woken:
    assert fs.woken().body == b"open"

Every step is followed by a look at the invariants. A call returns its decoded answer, or None when
the caller is blocked; what a blocked caller is told later, `woken` gives.
"""

import os
from collections import deque
from collections.abc import Callable
from typing import Any

import msgpack

from caplab.kernel.abi import (
    SLOT_CNODE,
    SLOT_PD,
    SLOT_TCB,
    ObjectType,
    Status,
    Sys,
)
from caplab.kernel.core import syscalls
from caplab.kernel.core.effects import Answer as OperatorAnswer
from caplab.kernel.core.effects import Effect, Resume
from caplab.kernel.core.events import (
    Boot,
    Deadline,
    Event,
    Exited,
    Operator,
    Started,
    Syscall,
    Work,
)
from caplab.kernel.core.invariants import violations
from caplab.kernel.core.kernel import Kernel
from caplab.kernel.core.states import NAMES, RUNNING
from caplab.kernel.root.pd import PD
from caplab.kernel.root.task import RootTask
from frames import Answer, Body, decode, encode

SECOND = 1_000_000_000
ROWS = {row.name: row for row in syscalls.INVOCATIONS}
Cptr = int | str


class Thread:
    """One TCB of a PD, as its own code would use the kernel."""

    def __init__(self, lab: "Lab", pd: PD, index: int = 0) -> None:
        self.lab = lab
        self.pd = pd
        self.tcb = pd.tcbs[index]
        self.number = self.tcb.number
        self.mail: deque[Answer] = deque()
        lab.threads[self.number] = self

    def slot(self, cptr: Cptr) -> int:
        return cptr if isinstance(cptr, int) else self.pd.names[cptr].slot

    def cap(self, cptr: Cptr) -> Any:
        """What the slot holds, or None."""
        slot = self.pd.cspace.slots.get(self.slot(cptr))
        return None if slot is None else slot.cap

    def send_frame(self, frame: bytes) -> Answer | None:
        """One call; its answer, or None when the caller is blocked."""
        assert not self.mail, f"{self.tcb.name} was told {self.mail} and nobody looked"
        assert self.tcb.state == RUNNING, f"{self.tcb.name} is blocked: {NAMES[self.tcb.state]}"
        self.lab.step(Syscall(self.lab.now, self.number, frame))
        return self.mail.popleft() if self.mail else None

    def syscall(
        self, call: Sys, cptr: Cptr = 0, body: Body = b"", *, caps: Any = (), **more: Any
    ) -> Answer | None:
        slots = tuple(self.slot(cap) for cap in caps)
        return self.send_frame(encode(call, self.slot(cptr), body, caps=slots, **more))

    def woken(self) -> Answer:
        """What this blocked thread has been told since."""
        assert self.mail, f"{self.tcb.name} is still blocked"
        return self.mail.popleft()

    @property
    def blocked(self) -> bool:
        return not self.mail

    # -- system calls -------------------------------------------------------------------------

    def call(self, cptr: Cptr, body: Body = b"", **more: Any) -> Answer | None:
        return self.syscall(Sys.CALL, cptr, body, **more)

    def send(self, cptr: Cptr, body: Body = b"", **more: Any) -> Answer | None:
        return self.syscall(Sys.SEND, cptr, body, **more)

    def nb_send(self, cptr: Cptr, body: Body = b"", **more: Any) -> Answer | None:
        return self.syscall(Sys.NB_SEND, cptr, body, **more)

    def recv(self, cptr: Cptr = "server", **more: Any) -> Answer | None:
        return self.syscall(Sys.RECV, cptr, **more)

    def nb_recv(self, cptr: Cptr = "server", **more: Any) -> Answer | None:
        return self.syscall(Sys.NB_RECV, cptr, **more)

    def reply(self, body: Body = b"", **more: Any) -> Answer | None:
        return self.syscall(Sys.REPLY, 0, body, **more)

    def reply_recv(self, body: Body = b"", cptr: Cptr = "server", **more: Any) -> Answer | None:
        return self.syscall(Sys.REPLY_RECV, cptr, body, **more)

    def signal(self, cptr: Cptr) -> Answer | None:
        return self.syscall(Sys.SIGNAL, cptr)

    def wait(self, cptr: Cptr, **more: Any) -> Answer | None:
        return self.syscall(Sys.WAIT, cptr, **more)

    def poll(self, cptr: Cptr) -> Answer | None:
        return self.syscall(Sys.POLL, cptr)

    # -- invocations, by the names of the table ---------------------------------------------------

    def invoke(
        self,
        name: str,
        cptr: Cptr,
        /,
        *,
        caps: Any = (),
        call: Sys = Sys.CALL,
        receive: int | tuple[int, int, int] | None = None,
        timeout: float | None = None,
        **arguments: Any,
    ) -> Answer | None:
        """One invocation: words in the table's order, or a map where the table says so."""
        row = ROWS[name]
        assert arguments.keys() <= {*row.words, row.rest}, f"{name} takes {row.words}"
        if row.body == "msgpack":
            body: Body = msgpack.packb(arguments)
        else:
            body = [*(arguments[word] for word in row.words), *arguments.get(row.rest, ())]
        more = {"label": int(row.label), "slot": receive, "timeout": timeout}
        return self.syscall(call, cptr, body, caps=caps, **more)

    def pd_call(self, name: str, cptr: Cptr = SLOT_PD, /, **arguments: Any) -> Answer | None:
        return self.invoke(f"pd_{name}", cptr, **arguments)

    def create(self, name: str, receive: int, *, start: bool = True, **arguments: Any) -> "Thread":
        """Make a PD through `rde:pd`, its capability in slot `receive`; its first thread.

        It has 64 KiB of memory of its parent's, where that has as much.
        """
        arguments = {"run": "./child.py", "untyped": self._memory(), **arguments}
        ok(self.invoke("pd_create", "rde:pd", name=name, receive=receive, **arguments))
        if arguments["untyped"] is not None:
            ok(self.delete(arguments["untyped"]))
        if start:
            ok(self.pd_call("start", receive))
            pd = self.lab.pd(name)
            self.lab.step(Started(self.lab.now, pd.number, 1000 + pd.number))
        return self.lab[name]

    def _memory(self) -> int | None:
        """A new untyped in a slot of the own half; None when there is no memory for it."""
        slot = next(slot for slot in range(511, 16, -1) if self.cap(slot) is None)
        made = "untyped" in self.pd.names and self.retype(ObjectType.UNTYPED, slot, 16)
        return slot if made and made.status == Status.OK else None

    def retype(
        self,
        kind: int,
        slot: int,
        size_bits: int = 0,
        count: int = 1,
        of: Cptr = "untyped",
        **node: int,
    ) -> Answer | None:
        """Make objects of untyped memory, in a row of slots."""
        return self.invoke(
            "untyped_retype",
            of,
            caps=[SLOT_CNODE],
            type=int(kind),
            size_bits=size_bits,
            node_offset=slot,
            num_objects=count,
            **{"node_index": 0, "node_depth": 0, **node},
        )

    def alloc(self, kind: ObjectType, slot: int, pages: int = 1) -> int:
        """Make an object of the thread's own in a slot; the slot."""
        ok(self.retype(kind, slot, size_bits=12 + (pages - 1).bit_length()))
        return slot

    def copy(self, source: Cptr, to: int, rights: int = 15) -> Answer | None:
        return self.invoke(
            "cnode_copy",
            SLOT_CNODE,
            caps=[SLOT_CNODE],
            dest_index=to,
            dest_depth=64,
            src_index=self.slot(source),
            src_depth=64,
            rights=rights,
        )

    def mint(self, source: Cptr, to: int, badge: int, rights: int = 15) -> Answer | None:
        return self.invoke(
            "cnode_mint",
            SLOT_CNODE,
            caps=[SLOT_CNODE],
            dest_index=to,
            dest_depth=64,
            src_index=self.slot(source),
            src_depth=64,
            rights=rights,
            badge=badge,
        )

    def move(self, source: Cptr, to: int) -> Answer | None:
        return self.invoke(
            "cnode_move",
            SLOT_CNODE,
            caps=[SLOT_CNODE],
            dest_index=to,
            dest_depth=64,
            src_index=self.slot(source),
            src_depth=64,
        )

    def delete(self, cptr: Cptr) -> Answer | None:
        return self.invoke("cnode_delete", SLOT_CNODE, index=self.slot(cptr), depth=64)

    def revoke(self, cptr: Cptr, **more: Any) -> Answer | None:
        return self.invoke("cnode_revoke", SLOT_CNODE, index=self.slot(cptr), depth=64, **more)

    def save_caller(self, slot: int) -> Answer | None:
        return self.invoke("cnode_save_caller", SLOT_CNODE, index=slot, depth=64)

    def bind(self, notification: Cptr, tcb: Cptr = SLOT_TCB) -> Answer | None:
        return self.invoke("tcb_bind_notification", tcb, caps=[notification])


class Lab:
    """One system: a kernel booted from a few words of manifest, and what it said."""

    def __init__(
        self,
        pds: dict[str, dict[str, Any]],
        *,
        start: bool = True,
        checked: bool = True,
        **spec: Any,
    ) -> None:
        self.k = Kernel(RootTask())
        self.root: RootTask = self.k.root  # type: ignore[assignment]
        self.now = 0
        self.checked = checked and "CAPLAB_TESTS_UNCHECKED" not in os.environ
        self.events: list[Event] = []
        self.all_effects: list[Effect] = []
        self.effects: list[Effect] = []
        """Of the last step."""
        self.threads: dict[int, Thread] = {}
        self.answers: dict[int, dict[str, Any]] = {}
        self.requests = 0
        entries = [
            {"name": name, "run": {"module": name}, "role": _role(entry), **entry}
            for name, entry in pds.items()
        ]
        self.step(Boot(0, {"name": "lab", "shm_prefix": "cl.lab.", "pds": entries, **spec}))
        if start:
            for number in list(self.root.pds):
                self.step(Started(self.now, number, 1000 + number))

    def __getitem__(self, name: str) -> Thread:
        """The first thread of a PD, or of a later one: `lab["fs.1"]`."""
        pd_name, _, index = name.partition(".")
        pd = self.root.latest[pd_name]
        number = pd.tcbs[int(index or 0)].number
        return self.threads.get(number) or Thread(self, pd, int(index or 0))

    def pd(self, name: str) -> PD:
        return self.root.latest[name]

    # -- events -------------------------------------------------------------------------------

    def step(self, event: Event) -> list[Effect]:
        self.events.append(event)
        self.effects = self.k.step(event)
        self.all_effects += self.effects
        for effect in self.effects:
            if isinstance(effect, Resume):
                self._told(effect)
            elif isinstance(effect, OperatorAnswer):
                assert effect.request not in self.answers, "an operator was answered twice"
                self.answers[effect.request] = effect.body
        if self.checked:
            broken = violations(self.k)
            assert not broken, broken
        return self.effects

    def _told(self, effect: Resume) -> None:
        thread = self.threads.get(effect.tcb)
        if thread is None:
            tcb = self.k.tcbs[effect.tcb]
            thread = Thread(self, tcb.pd, tcb.index)
        thread.mail.append(decode(effect.frame))
        assert len(thread.mail) == 1, f"{thread.tcb.name} was answered twice"

    def exited(self, name: str, status: int = 9) -> list[Effect]:
        """The process of a PD has ended; its sweep may still be going on."""
        return self.step(Exited(self.now, self.pd(name).number, status))

    def die(self, name: str, status: int = 9) -> None:
        """The process of a PD has ended and the sweep is over."""
        self.exited(name, status)
        self.work()

    def work(self) -> int:
        """Let the pending jobs be done; how many slices that took."""
        slices = 0
        while self.k.jobs_pending:
            self.step(Work(self.now))
            slices += 1
        return slices

    def pass_time(self, seconds: float) -> None:
        """Let time go by, with a Deadline event whenever the kernel wants one."""
        end = self.now + int(seconds * SECOND)
        while self.k.next_deadline is not None and self.k.next_deadline <= end:
            self.now = max(self.now, self.k.next_deadline)
            self.step(Deadline(self.now))
        self.now = end

    def ask(self, op: str, **more: Any) -> int:
        """An operator's command; the number its answer will have."""
        self.requests += 1
        self.step(Operator(self.now, self.requests, {"op": op, **more}))
        return self.requests

    def operator(self, op: str, **more: Any) -> dict[str, Any]:
        """An operator's command that is answered at once."""
        return self.answers[self.ask(op, **more)]

    def ps(self, name: str) -> dict[str, Any]:
        return next(row for row in self.operator("ps")["pds"] if row["pd"] == name)

    def of(self, kind: type) -> list[Any]:
        """Effects of that kind in the last step."""
        return [effect for effect in self.effects if isinstance(effect, kind)]


def _role(entry: dict[str, Any]) -> str:
    return "server" if entry.get("serves") else "client"


def pair(**spec: Any) -> Lab:
    """A server `fs` and its client `app`."""
    return Lab({"fs": {"serves": "endpoint"}, "app": {"uses": {"fs": "fs"}}}, **spec)


def trio(**spec: Any) -> Lab:
    """A server `fs` and its clients `app` and `web`."""
    uses = {"uses": {"fs": "fs"}}
    return Lab({"fs": {"serves": "endpoint"}, "app": uses, "web": uses}, **spec)


def ok(answer: Answer | None) -> Answer:
    """The answer of a call that must not block or fail."""
    assert answer is not None, "the call blocks"
    assert answer.status == Status.OK, Status(answer.status)
    return answer


def refused(status: Status, do: Callable[..., Any], *args: Any, **kw: Any) -> Answer:
    """Do what must be refused, and see that it changed nothing and concerned nobody else.

    `do` is a thread's method, or a function whose first argument is the thread.
    """
    thread: Thread = getattr(do, "__self__", None) or args[0]
    before = thread.lab.k.state_hash()
    answer = do(*args, **kw)
    assert answer is not None, "the call blocks"
    assert Status(answer.status) == status
    assert thread.lab.k.state_hash() == before, "a refused call changed something"
    others = [effect for effect in thread.lab.effects if not isinstance(effect, Resume)]
    assert not others
    assert len(thread.lab.effects) == 1
    return answer
