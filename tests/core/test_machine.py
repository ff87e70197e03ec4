"""Anything at all, in any order: the invariants hold after every step, and all can be undone.

Hypothesis drives a system of five PDs at random. What it finds is a short list of steps.
"""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from caplab.kernel.abi import SLOT_CNODE, SLOT_TCB, FaultLabel, ObjectType, Rights, Sys
from caplab.kernel.core.events import Faulted, Interrupt, Started, Work
from caplab.kernel.core.fault import ACCESS, handler
from drawn import run
from lab import ROWS, Answer, Thread
from random_system import OWN, Action, RandomSystem, invocations_on, pick, ways

pytestmark = pytest.mark.fuzz

EP, NTFN, CNODE = ObjectType.ENDPOINT, ObjectType.NOTIFICATION, ObjectType.CNODE
REPLY, PD, TCB = ObjectType.REPLY, ObjectType.PD, ObjectType.TCB
FRAME, IRQ = ObjectType.FRAME, ObjectType.IRQ_HANDLER
UNTYPED = ObjectType.UNTYPED

who = st.integers(0, 30)
which = st.integers(0, 60)
own = st.sampled_from(OWN)
rights = st.sampled_from([15, 15, 15, 13, 1, 2, 3, 5, 9, 0])
badge = st.sampled_from([0, 1, 2, 3, 7])
receive = st.none() | own | own
timeout = st.sampled_from([None, 0.0, 0.5, 0.5, 0.5, 2.0])
several = st.lists(which, max_size=3)


class Machine(RandomSystem):
    """The rules."""

    # -- system calls ----------------------------------------------------------------------

    @rule(
        who=who,
        kind=st.sampled_from([Sys.CALL, Sys.CALL, Sys.CALL, Sys.SEND, Sys.NB_SEND]),
        to=which,
        caps=several,
        slot=receive,
        timeout=timeout,
    )
    def sends(self, who: int, kind: Sys, to: int, caps: list[int], slot: Any, timeout: Any) -> None:
        def action(thread: Thread) -> Answer | None:
            sent = [pick(thread, cap) for cap in caps]
            cptr = pick(thread, to, EP, EP, NTFN, REPLY)
            return thread.syscall(kind, cptr, b"x", caps=sent, slot=slot, timeout=timeout, label=1)

        self.do(who, action)

    @rule(who=who, to=which, caps=several, slot=receive, back=receive, first=st.booleans())
    def meet(self, who: int, to: int, caps: list[int], slot: Any, back: Any, first: bool) -> None:
        """One calls, another that reads the same endpoint receives, in either order."""
        ready = self.threads()
        pairs = [
            (ready.index(caller), out, ready.index(server), into)
            for caller in ready
            for server in ready
            if server is not caller
            for out in ways(caller, EP, Rights.WRITE)
            for into in ways(server, EP, Rights.READ)
            if caller.cap(out).obj is server.cap(into).obj
        ]
        if not pairs:
            return
        caller, out, server, into = pairs[to % len(pairs)]

        def call(thread: Thread) -> Answer | None:
            sent = [pick(thread, cap) for cap in caps]
            return thread.call(out, b"x", caps=sent, slot=back, timeout=2.0)

        def recv(thread: Thread) -> Answer | None:
            return thread.recv(into, slot=slot, timeout=1.0)

        callee = ready[server]
        self.do(caller if first else server, call if first else recv)
        again = self.threads()
        if callee in again and not first:
            return
        other = callee if first else ready[caller]
        if other in again:
            self.do(again.index(other), recv if first else call)

    @rule(
        who=who,
        kind=st.sampled_from([Sys.RECV, Sys.RECV, Sys.NB_RECV, Sys.WAIT, Sys.POLL]),
        on=which,
        slot=receive,
        timeout=timeout,
    )
    def receives(self, who: int, kind: Sys, on: int, slot: Any, timeout: Any) -> None:
        kinds = (NTFN,) if kind in (Sys.WAIT, Sys.POLL) else (EP,)
        self.do(
            who,
            lambda thread: thread.syscall(
                kind, pick(thread, on, *kinds), slot=slot, timeout=timeout
            ),
        )

    @rule(who=who, only=st.booleans(), on=which, caps=several, slot=receive)
    def replies(self, who: int, only: bool, on: int, caps: list[int], slot: Any) -> None:
        def action(thread: Thread) -> Answer | None:
            sent = [pick(thread, cap) for cap in caps]
            cptr = 0 if only else pick(thread, on, EP)
            return thread.syscall(
                Sys.REPLY if only else Sys.REPLY_RECV, cptr, b"r", caps=sent, slot=slot
            )

        self.do(who, action)

    @rule(who=who, kind=st.sampled_from([Sys.YIELD, Sys.PARK, Sys.SLEEP]), timeout=timeout)
    def rests(self, who: int, kind: Sys, timeout: Any) -> None:
        self.do(who, lambda thread: thread.syscall(kind, timeout=timeout))

    @rule(who=who, on=which)
    def signals(self, who: int, on: int) -> None:
        self.do(who, lambda thread: thread.signal(pick(thread, on, NTFN)))

    # -- capabilities ------------------------------------------------------------------------

    @rule(who=who, kind=st.sampled_from([2, 2, 3, 3, 7, 7, 6]), to=own, of=which)
    def allocates(self, who: int, kind: int, to: int, of: int) -> None:
        """Makes an object of some untyped, or splits the untyped."""
        bits = 13 if kind in (ObjectType.FRAME, ObjectType.UNTYPED) else 0
        self.do(who, lambda thread: thread.retype(kind, to, bits, of=pick(thread, of, UNTYPED)))

    @rule(who=who, source=which, to=own, rights=rights)
    def copies(self, who: int, source: int, to: int, rights: int) -> None:
        self.do(who, lambda thread: thread.copy(pick(thread, source), to, rights))

    @rule(who=who, source=which, to=own, rights=rights, badge=badge)
    def mints(self, who: int, source: int, to: int, rights: int, badge: int) -> None:
        self.do(who, lambda thread: thread.mint(pick(thread, source, EP, NTFN), to, badge, rights))

    @rule(who=who, source=which, to=own)
    def moves(self, who: int, source: int, to: int) -> None:
        self.do(who, lambda thread: thread.move(pick(thread, source), to))

    @rule(who=who, source=which, far=which, to=own)
    def copies_into_anothers_cspace(self, who: int, source: int, far: int, to: int) -> None:
        paths = {"dest_index": to, "dest_depth": 64, "src_depth": 64, "rights": 15}

        def action(thread: Thread) -> Answer | None:
            cnodes = [slot for slot in OWN if (cap := thread.cap(slot)) and cap.type == CNODE]
            root = cnodes[far % len(cnodes)] if cnodes else SLOT_CNODE
            index = pick(thread, source)
            return thread.invoke("cnode_copy", root, caps=[SLOT_CNODE], src_index=index, **paths)

        self.do(who, action)

    @rule(who=who, at=which, how=st.sampled_from([Thread.delete, Thread.delete, Thread.revoke]))
    def takes_away(self, who: int, at: int, how: Any) -> None:
        self.do(who, lambda thread: how(thread, pick(thread, at)))

    @rule(who=who, to=own)
    def saves_its_caller(self, who: int, to: int) -> None:
        self.do(who, lambda thread: thread.save_caller(to))

    @rule(who=who, on=which, what=which, cap=which)
    def invokes(self, who: int, on: int, what: int, cap: int) -> None:
        """Something that its object can do and that needs no words."""

        def action(thread: Thread) -> Answer | None:
            slot = pick(thread, on, TCB, FRAME, FRAME, IRQ, IRQ, PD)
            names = invocations_on(thread, slot)
            name = names[what % len(names)]
            caps = [pick(thread, cap, NTFN)] if ROWS[name].caps else []
            return thread.invoke(name, slot, caps=caps)

        self.do(who, action)

    @rule(who=who, to=own, which=which)
    def maps(self, who: int, to: int, which: int) -> None:
        """Makes a page, if it has none, and else maps it."""

        def action(thread: Thread) -> Answer | None:
            pages = ways(thread, FRAME, Rights.READ)
            if not pages:
                return thread.retype(FRAME, to, of=pick(thread, which, UNTYPED))
            return thread.invoke("frame_map", pages[which % len(pages)])

        self.do(who, action)

    @rule(name=st.sampled_from(["fs", "net"]), to=own)
    def claims(self, name: str, to: int) -> None:
        names = [thread.tcb.name for thread in self.threads()]
        if name in names:
            self.do(
                names.index(name),
                lambda thread: thread.invoke("device_claim", thread.slot("uart0"), slot=to),
            )

    # -- PDs ---------------------------------------------------------------------------------

    def boss(self, action: Action) -> Answer | None:
        """A call of the boss, if it can make one."""
        names = [thread.tcb.name for thread in self.threads()]
        return self.do(names.index("boss"), action) if "boss" in names else None

    @precondition(lambda self: self.children < 6)
    @rule(to=own, serves=st.sampled_from([None, "endpoint"]), start=st.booleans(), name=who)
    def creates(self, to: int, serves: str | None, start: bool, name: int) -> None:
        more = {"name": f"child{name % 3}", "run": "x", "serves": serves, "threads": 2}
        answer = self.boss(
            lambda boss: boss.invoke("pd_create", boss.slot("rde:pd"), receive=to, **more)
        )
        if answer is not None and not answer.status:
            self.children += 1
            if start:
                self.starts(to)

    @rule(at=own)
    def starts(self, at: int) -> None:
        cap = self.lab["boss"].cap(at) if self.lab.pd("boss").alive else None
        answer = self.boss(lambda boss: boss.pd_call("start", at))
        if answer is not None and not answer.status:
            self.lab.step(Started(self.lab.now, cap.obj.number, 99))

    @rule(into=which, source=which, to=own, named=st.booleans(), rights=rights)
    def installs(self, into: int, source: int, to: int, named: bool, rights: int) -> None:
        def action(boss: Thread) -> Answer | None:
            slot = pick(boss, source)
            where = {"name": f"n{slot}", "slot": None} if named else {"name": None, "slot": to}
            more = {"rights": rights, "badge": None, **where}
            return boss.pd_call("install", pick(boss, into, PD), caps=[slot], **more)

        self.boss(action)

    @rule(whom=which, timeout=timeout)
    def kills(self, whom: int, timeout: Any) -> None:
        self.boss(lambda boss: boss.pd_call("kill", pick(boss, whom, PD), timeout=timeout))

    @rule(who=who, status=st.sampled_from([0, 9, 11, 256]))
    def dies(self, who: int, status: int) -> None:
        alive = [pd for pd in self.lab.root.latest.values() if pd.state == "started"]
        if len(alive) > 4 or (len(alive) > 2 and status == 9):
            self.settle()
            self.lab.exited(alive[who % len(alive)].name, status)
            self.after()

    # -- the world outside ---------------------------------------------------------------------

    @rule(who=who, op=st.sampled_from(["suspend", "resume", "resume", "ps", "ready", "wait"]))
    def commands(self, who: int, op: str) -> None:
        names = list(self.lab.root.latest)
        self.settle()
        self.lab.ask(op, pd=names[who % len(names)])
        self.after()

    @rule(who=who, how=st.sampled_from(["segv", "exit:1"]), after=st.sampled_from([None, 3, 99]))
    def crashes(self, who: int, how: str, after: Any) -> None:
        names = list(self.lab.root.latest)
        self.settle()
        self.lab.ask("crash", pd=names[who % len(names)], how=how, after=after)
        self.after()

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0, 3.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.pass_time(seconds)

    @rule(who=who, address=which, access=st.sampled_from([*ACCESS, ""]))
    def faults(self, who: int, address: int, access: str) -> None:
        """A thread cannot execute an instruction; those without a handler would end at once."""
        ready = [thread for thread in self.threads() if handler(self.lab.k, thread.tcb)]
        if ready:
            thread = ready[who % len(ready)]
            kind = FaultLabel.VM_FAULT if access else FaultLabel.USER_EXCEPTION
            self.settle()
            self.lab.step(Faulted(self.lab.now, thread.number, kind, address, access))
            self.after()

    @rule(who=who, call=st.sampled_from([Sys.FAULT, 99]))
    def misbehaves(self, who: int, call: Any) -> None:
        def action(thread: Thread) -> Answer | None:
            return thread.syscall(call if handler(self.lab.k, thread.tcb) else Sys.YIELD)

        self.do(who, action)

    @rule(who=who, ep=which, root=st.booleans())
    def chooses_a_handler(self, who: int, ep: int, root: bool) -> None:
        words = {"fault_ep": 0, "cspace_root_data": 0, "vspace_root_data": 0}

        def action(thread: Thread) -> Answer | None:
            words["fault_ep"] = pick(thread, ep, EP)
            caps = [SLOT_CNODE, SLOT_CNODE]
            return thread.invoke("tcb_set_space", pick(thread, ep, TCB), caps=caps, **words)

        self.do(who, action)

    @rule()
    def works(self) -> None:
        self.settle()
        self.lab.step(Work(self.lab.now))
        self.after()

    @rule()
    def interrupts(self) -> None:
        self.settle()
        self.lab.step(Interrupt(self.lab.now, 0))
        self.after()


class Sel4Machine(Machine):
    """The same under `semantics: sel4`."""

    semantics = "sel4"


class StrictMachine(Machine):
    """The same under `scheduler: strict`."""

    scheduler = "strict"

    @rule(who=who, domain=st.sampled_from([0, 0, 1, 2, 16]), whom=which, at=which)
    def domains(self, who: int, domain: int, whom: int, at: int) -> None:
        def action(thread: Thread) -> Answer | None:
            target, on = pick(thread, whom, TCB), pick(thread, at, ObjectType.DOMAIN_SET)
            return thread.invoke("domain_set_set", on, domain=domain, caps=[target])

        self.do(who, action)

    @rule(
        who=who,
        index=st.integers(0, 2),
        domain=st.sampled_from([0, 1, 2]),
        duration=st.sampled_from([0, 10, 300, 2000]),
        start=st.booleans(),
    )
    def schedule(self, who: int, index: int, domain: int, duration: int, start: bool) -> None:
        name = "domain_set_schedule_set_start" if start else "domain_set_schedule_configure"
        more = {} if start else {"domain": domain, "duration": duration}

        def action(thread: Thread) -> Answer | None:
            on = pick(thread, 0, ObjectType.DOMAIN_SET)
            return thread.invoke(name, on, index=index, **more)

        self.do(who, action)

    @rule(who=who, priority=st.sampled_from([0, 90, 100, 120]), mcp=st.booleans(), whom=which)
    def priorities(self, who: int, priority: int, mcp: bool, whom: int) -> None:
        name = "tcb_set_mc_priority" if mcp else "tcb_set_priority"
        word = {"mcp" if mcp else "priority": priority}
        self.do(who, lambda one: one.invoke(name, pick(one, whom, TCB), caps=[SLOT_TCB], **word))


def test_whatever_happens_the_invariants_hold() -> None:
    run(Machine, examples=40, steps=60)


def test_whatever_happens_under_sel4_the_invariants_hold() -> None:
    run(Sel4Machine, examples=15, steps=50)


def test_whatever_happens_under_strict_priorities_the_invariants_hold() -> None:
    run(StrictMachine, examples=25, steps=60)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("machine", [Machine, Sel4Machine, StrictMachine])
def test_whatever_happens_for_long_the_invariants_hold(machine: type[Machine]) -> None:
    run(machine, examples=1500, steps=120, anew=True)
