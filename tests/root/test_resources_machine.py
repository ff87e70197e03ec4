"""Anything may happen to spaces, holds and RDEs; a naive model says who must hold what."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from caplab.kernel.abi import BADGE_OBJ_ID_NULL, Status, badge_parts
from caplab.kernel.core import states
from caplab.kernel.core.events import Exited, Started
from lab import Answer, Lab, Thread
from spaces import ask, pd_cap

SERVERS, CLIENTS = ("low", "high"), ("ann", "bob", "cat")
PDS: dict[str, dict[str, Any]] = {
    "low": {"serves": {"space": "LOW"}, "rdes": ["resspc"], "restart": "always"},
    "high": {"serves": {"space": "HIGH"}, "rdes": ["resspc"], "uses": {"low": "low"}},
    **{name: {"uses": {"low": "low", "high": "high"}} for name in CLIENTS},
}
NAMES = (*SERVERS, *CLIENTS)
server, client, anyone = (st.sampled_from(each) for each in (SERVERS, CLIENTS, NAMES))
number = st.integers(1, 3)
Key = tuple[int, int]


class Resources(RuleBasedStateMachine):
    """The model is two dictionaries: what exists, and how often each PD holds it."""

    def __init__(self) -> None:
        super().__init__()
        self.lab = Lab(PDS, cleanup={"pd_depth": 0, "space_depth": 0})
        self.objects: set[Key] = set()
        self.counts: dict[tuple[int, Key], int] = {}
        """(PD number, (space, object)) -> count."""
        self.caps = {(one, two): pd_cap(self.lab, one, two) for one in CLIENTS for two in CLIENTS}

    # -- the system -------------------------------------------------------------------------------

    def thread(self, name: str) -> Thread | None:
        pd = self.lab.pd(name)
        ready = pd.state == "started" and pd.tcbs[0].state == states.RUNNING
        return self.lab[name] if ready else None

    def space(self, name: str) -> int:
        return self.lab.pd(name).default_space

    def do(self, answer: Answer | None) -> Status | None:
        """The answer's status once all that follows is done."""
        self.lab.work()
        for thread in self.lab.threads.values():
            answer = answer or (thread.mail[0] if thread.mail else None)
            thread.mail.clear()
        return None if answer is None else Status(answer.status)

    def drop(self, pd: int | None = None, key: Key | None = None, space: int = 0) -> None:
        """Holds of a PD, on an object, in a space are no more."""
        self.counts = {
            (one, what): count
            for (one, what), count in self.counts.items()
            if not (
                (pd is None or one == pd)
                and (key is None or what == key)
                and (not space or what[0] == space)
            )
        }

    def check(self) -> None:
        found = {}
        for pd in self.lab.root.pds.values():
            for badge, hold in pd.holds.items():
                parts = badge_parts(badge)
                if parts.object != BADGE_OBJ_ID_NULL:
                    found[pd.number, (parts.space, parts.object)] = hold.count
        assert found == self.counts
        spaces = self.lab.root.spaces.values()
        assert {(one.number, each) for one in spaces for each in one.resources} == self.objects

    # -- what PDs do ------------------------------------------------------------------------------

    @rule(of=server, number=number)
    def creates(self, of: str, number: int) -> None:
        thread = self.thread(of)
        if thread is None or thread.cap("space") is None:
            return
        key = self.space(of), number
        told = self.do(ask(thread, "create", object=number))
        assert told == (Status.DELETE_FIRST if key in self.objects else Status.OK)
        self.objects.add(key)
        self.check()

    @rule(of=server, number=number, to=anyone)
    def gives(self, of: str, number: int, to: str) -> None:
        thread, pd = self.thread(of), self.lab.pd(to)
        if thread is None or thread.cap("space") is None:
            return
        key = self.space(of), number
        told = self.do(ask(thread, "give", object=number, pd=pd.number))
        if key not in self.objects:
            assert told in (Status.NEVER_HELD, Status.REVOKED)
        elif not pd.alive:
            assert told == Status.PD_DEAD
        else:
            assert told == Status.OK
            self.counts[pd.number, key] = self.counts.get((pd.number, key), 0) + 1
        self.check()

    @rule(of=server, number=number, whose=anyone, count=st.none() | st.integers(1, 2))
    def revokes(self, of: str, number: int, whose: str, count: int | None) -> None:
        thread, pd = self.thread(of), self.lab.pd(whose)
        if thread is None or thread.cap("space") is None:
            return
        held = self.counts.get((pd.number, (self.space(of), number)), 0)
        told = self.do(ask(thread, "revoke", object=number, pd=pd.number, count=count))
        if told == Status.OK:
            assert held >= (count or 1)
            self.counts[pd.number, (self.space(of), number)] = held - (count or held)
            self.counts = {key: left for key, left in self.counts.items() if left}
        elif told == Status.RANGE_ERROR:
            assert count is not None
            assert count > held
        else:
            assert not held or not pd.alive
        self.check()

    @rule(of=server, number=number)
    def deletes(self, of: str, number: int) -> None:
        thread = self.thread(of)
        if thread is None or thread.cap("space") is None:
            return
        key = self.space(of), number
        told = self.do(ask(thread, "delete", object=number))
        assert (told == Status.OK) == (key in self.objects)
        self.objects.discard(key)
        self.drop(key=key)
        self.check()

    @rule(who=client, to=client, which=st.integers(0, 9))
    def sends(self, who: str, to: str, which: int) -> None:
        thread, pd = self.thread(who), self.lab.pd(to)
        mine = [key for one, key in self.counts if one == self.lab.pd(who).number]
        if thread is None or not mine:
            return
        key = mine[which % len(mine)]
        slot = self.slot(thread, key)
        told = self.do(thread.pd_call("send", self.caps[who, to], caps=[slot]))
        if told == Status.OK:
            self.counts[pd.number, key] = self.counts.get((pd.number, key), 0) + 1
        else:
            assert told == Status.PD_DEAD or thread.cap(self.caps[who, to]) is None
        self.check()

    def slot(self, thread: Thread, key: Key) -> int:
        """Where a PD has its capability to a resource."""
        for index, slot in thread.pd.cspace.slots.items():
            badge = slot.cap.badge if slot.cap is not None and slot.cap.type == 2 else 0
            parts = badge_parts(badge)
            if badge and (parts.space, parts.object) == key and parts.client == thread.pd.number:
                return index
        raise AssertionError(f"{thread.pd.name} holds {key} without a capability")

    @rule(who=client, which=st.integers(0, 9), how=st.sampled_from(["delete", "copy", "move"]))
    def handles_a_capability(self, who: str, which: int, how: str) -> None:
        thread = self.thread(who)
        mine = [key for one, key in self.counts if one == self.lab.pd(who).number]
        free = [index for index in range(16, 30) if thread and thread.cap(index) is None]
        if thread is None or not mine or not free:
            return
        key = mine[which % len(mine)]
        slot = self.slot(thread, key)
        badge = thread.cap(slot).badge
        if how == "delete":
            self.do(thread.delete(slot))
            slots = thread.pd.cspace.slots.values()
            if not any(each.cap is not None and each.cap.badge == badge for each in slots):
                self.drop(pd=thread.pd.number, key=key)
        else:
            assert self.do(getattr(thread, how)(slot, free[0])) == Status.OK
        self.check()

    @rule(of=server)
    def works(self, of: str) -> None:
        thread = self.thread(of)
        if thread is not None:
            self.do(thread.pd_call("get_work"))
            self.check()

    @rule(who=client, kind=st.sampled_from(["LOW", "HIGH"]), to=client)
    def shares(self, who: str, kind: str, to: str) -> None:
        thread = self.thread(who)
        if thread is not None:
            self.do(thread.pd_call("share_rde", self.caps[who, to], type=kind))
            self.check()

    @rule(who=client, kind=st.sampled_from(["LOW", "HIGH"]))
    def removes(self, who: str, kind: str) -> None:
        thread = self.thread(who)
        if thread is not None:
            self.do(thread.pd_call("remove_rde", type=kind))
            self.check()

    # -- deaths -----------------------------------------------------------------------------------

    @rule(who=anyone)
    def dies(self, who: str) -> None:
        pd = self.lab.pd(who)
        if pd.state != "started":
            return
        self.lab.step(Exited(self.lab.now, pd.number, 9))
        self.do(None)
        self.drop(pd=pd.number)
        if pd.default_space:
            self.drop(space=pd.default_space)
            self.objects = {key for key in self.objects if key[0] != pd.default_space}
        self.check()

    @rule()
    def time_passes(self) -> None:
        self.lab.pass_time(61)
        for pd in self.lab.root.pds.values():
            if pd.state == "started" and pd.pid is None:
                self.lab.step(Started(self.lab.now, pd.number, 1000 + pd.number))
        self.do(None)
        self.check()

    @rule(of=server)
    def destroys(self, of: str) -> None:
        thread = self.thread(of)
        if thread is None or thread.cap("space") is None:
            return
        space = self.space(of)
        assert self.do(ask(thread, "destroy")) == Status.OK
        self.drop(space=space)
        self.objects = {key for key in self.objects if key[0] != space}
        self.check()

    @rule()
    def is_looked_at(self) -> None:
        self.lab.ask("graph", timeout=1)
        self.do(None)
        self.check()

    def teardown(self) -> None:
        lab = self.lab
        lab.ask("down")
        while not lab.k.finished:
            self.do(None)
            for pd in list(lab.root.pds.values()):
                if pd.state == "started":
                    lab.step(Exited(lab.now, pd.number, 0))
                    self.do(None)
        assert not lab.root.spaces
        assert not lab.root.types
        assert not lab.root.address_spaces
        filled = [slot for cnode in lab.k.cnodes for slot in cnode.slots.values() if slot.cap]
        assert filled == []


TestResources = Resources.TestCase
TestResources.settings = settings(max_examples=25, stateful_step_count=40)
