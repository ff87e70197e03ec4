"""A system in which anything may happen: what random tests of the core stand on.

A machine of Hypothesis adds the rules. Here is who can act, how one call is made and judged, and
what must be true when all is over.
"""

from collections.abc import Callable
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from caplab.kernel.abi import (
    SLOT_CNODE,
    SLOT_PD,
    SLOT_TCB,
    SLOT_WORK,
    ObjectType,
    Rights,
    Status,
    Sys,
)
from caplab.kernel.core import state, states
from caplab.kernel.core.effects import (
    CreateSegment,
    DestroySegment,
    GrantSegment,
    Kill,
    WithdrawSegment,
)
from caplab.kernel.core.kernel import Kernel
from caplab.kernel.core.syscalls import INVOCATIONS
from caplab.kernel.root.task import RootTask
from lab import Answer, Lab, Thread

Action = Callable[[Thread], Answer | None]

PDS: dict[str, dict[str, Any]] = {
    "fs": {"serves": "endpoint", "threads": 2, "devices": ["uart0"]},
    "net": {"serves": "endpoint", "uses": {"fs": "fs"}, "devices": ["uart0"]},
    "app": {"uses": {"fs": "fs", "net": "net"}, "threads": 2, "faults": "fs"},
    "web": {"uses": {"fs": "fs", "net": "net"}, "faults": "net"},
    "boss": {
        "uses": {"fs": "fs"},
        "rdes": ["pd", "domain"],
        "manages": ["fs", "net", "app", "web"],
    },
}
OWN = list(range(16, 28))
"""Few slots, so that they are full, empty and reused in turn."""
GIVEN = list(range(512, 518))
FIXED = [SLOT_TCB, SLOT_CNODE, SLOT_PD, SLOT_WORK]


def pick(thread: Thread, which: int, *kinds: ObjectType) -> int:
    """A slot of the thread's CSpace: mostly one that holds such an object, at times any."""
    if which % 8 == 7:
        return (OWN + GIVEN + FIXED)[which % 22]
    slots = thread.pd.cspace.slots
    found = [
        index
        for index in sorted(slots)
        if (cap := slots[index].cap) and (not kinds or cap.type in kinds)
    ]
    return found[which % len(found)] if found else OWN[which % len(OWN)]


def ways(thread: Thread, kind: ObjectType, right: Rights) -> list[int]:
    """Slots whose capability is of that kind and has the right."""
    slots = thread.pd.cspace.slots
    filled = ((index, slots[index].cap) for index in sorted(slots))
    return [index for index, cap in filled if cap and cap.type == kind and cap.rights & right]


def invocations_on(thread: Thread, slot: int) -> list[str]:
    """Names of what can be asked of the slot's object without words; of a page, if it is none."""
    cap = thread.cap(slot)
    kind = ObjectType.FRAME if cap is None else cap.type
    found = [row.name for row in INVOCATIONS if row.object == kind and not row.words]
    return [name for name in found if name != "pd_start"] or ["frame_map"]


class RandomSystem(RuleBasedStateMachine):
    """A lab, and what is true of it besides the invariants."""

    semantics = "lab"
    scheduler = "host"

    def __init__(self) -> None:
        super().__init__()
        ranks = {"fs": 120, "net": 110, "app": 100, "web": 100, "boss": 110}
        pds = {name: {**entry, "priority": ranks[name]} for name, entry in PDS.items()}
        spec = {"semantics": self.semantics, "scheduler": self.scheduler}
        self.lab = Lab(pds, uarts=["uart0"], **spec)
        self.children = 0
        self.segments: dict[int, set[int]] = {}
        """Memory object -> the PDs the host has let open it."""
        self.seen = 0

    # -- who can do something ------------------------------------------------------------------

    def threads(self) -> list[Thread]:
        """Threads that are outside any call, as far as their own PD knows."""
        k = self.lab.k
        found = []
        for number in sorted(k.tcbs):
            tcb = k.tcbs[number]
            if tcb.state == states.RUNNING and tcb.pd.state == "started":
                name = tcb.pd.name if not tcb.index else f"{tcb.pd.name}.{tcb.index}"
                found.append(self.lab[name])
        return found

    def do(self, index: int, action: Action) -> Answer | None:
        """One call of some thread; a refused one changes nothing."""
        ready = self.threads()
        if not ready:
            self.pass_time(3.0)
            return None
        thread = ready[index % len(ready)]
        self.settle()
        before = self.comparable()
        gate = self.lab.k.gate
        held = thread.tcb.gate
        if gate is not None:  # others may have their turn first
            held = held or gate.running is not thread.tcb or gate.outranked(thread.tcb)
        answer = action(thread)
        replied = answer is not None and answer.call == Sys.REPLY_RECV
        if answer is not None and answer.status and not replied and not held:
            assert self.comparable() == before, f"refused with {Status(answer.status)!r}"
        self.after()
        return answer

    def comparable(self) -> Any:
        """What a refused call must leave alone; under strict priorities not whose turn it is."""
        if self.lab.k.gate is None:
            return self.lab.k.state_hash()
        return {k: v for k, v in state.describe(self.lab.k).items() if k not in ("gate", "tcbs")}

    def settle(self) -> None:
        """Every thread has read its mail."""
        for thread in self.lab.threads.values():
            thread.mail.clear()

    def after(self) -> None:
        """What the host was told of the segments is what the kernel thinks of them."""
        self.settle()
        for effect in self.lab.all_effects[self.seen :]:
            if isinstance(effect, CreateSegment):
                assert effect.mo not in self.segments
                self.segments[effect.mo] = set()
            elif isinstance(effect, GrantSegment):
                self.segments[effect.mo].add(effect.pd)
            elif isinstance(effect, WithdrawSegment):
                self.segments[effect.mo].remove(effect.pd)
            elif isinstance(effect, DestroySegment):
                del self.segments[effect.mo]
        self.seen = len(self.lab.all_effects)
        for cnode in self.lab.k.cnodes:
            for slot in cnode.slots.values():
                if slot.cap and slot.cap.type == ObjectType.FRAME:
                    mo = slot.cap.obj
                    assert self.segments[mo.number] == mo.granted.keys()

    def pass_time(self, seconds: float) -> None:
        self.settle()
        self.lab.pass_time(seconds)
        self.after()

    def teardown(self) -> None:
        """Whatever was done, the system goes down, leaves nothing, and can be replayed."""
        lab = self.lab
        self.settle()
        lab.ask("down")
        while not lab.k.finished:
            lab.work()
            self.after()
            for pd in list(lab.root.pds.values()):
                if pd.state == "started":
                    lab.exited(pd.name)
                    self.after()
        assert lab.k.tcbs == {}
        assert lab.k.numbers["pd"] >= len(lab.root.pds)
        assert self.segments == {}
        filled = [slot for cnode in lab.k.cnodes for slot in cnode.slots.values() if slot.cap]
        assert filled == []
        assert not [effect for effect in lab.effects if isinstance(effect, Kill)]
        again = Kernel(RootTask())
        effects = [effect for event in lab.events for effect in again.step(event)]
        assert effects == lab.all_effects
        assert again.state_hash() == lab.k.state_hash()
