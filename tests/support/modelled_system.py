"""The kernel beside the derivation model: who can act, what can be named, and the comparison.

Pointers and paths are chosen from what the model says can be named, so that most operations do
something; one in sixteen is wild.
"""

from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from caplab.kernel.abi import SLOT_CNODE, Inv, ObjectType, Rights, Status, Sys
from caplab.kernel.core import cap as caps
from caplab.kernel.core.cap import GUARD_SIZE_BITS
from derivation_model import Entry, Model, Object, Place
from lab import Lab, Thread, ok

EP, CNODE = ObjectType.ENDPOINT, ObjectType.CNODE
UNTYPED, TCB = ObjectType.UNTYPED, ObjectType.TCB
GONE = (Status.NEVER_EXISTED, Status.REVOKED)
BIG = [*range(16, 24), SLOT_CNODE, 512, 513, 514, 515]
"""Slots of a first CSpace that take part."""


class ModelledSystem(RuleBasedStateMachine):
    """The kernel, the model, and what brings them apart if anything does."""

    def __init__(self) -> None:
        super().__init__()
        uses = {"uses": {"fs": "fs"}}
        pds = {"fs": {"serves": "endpoint", "threads": 2}, "app": uses, "web": uses}
        self.lab = lab = Lab(pds)
        fs, web = lab["fs"], lab["web"]
        ok(fs.invoke("cnode_delete", SLOT_CNODE, index=3, depth=64))
        web.call("fs", caps=[SLOT_CNODE])
        ok(fs.recv(slot=20))
        ok(fs.reply())
        ok(web.woken())
        self.actors = [fs, lab["fs.1"], lab["app"], web]
        self.model = Model()
        self.objects: dict[int, Object] = {}
        self.adopt()
        memory = fs.slot("untyped")
        for slot, kind, bits in ((16, EP, 0), (17, CNODE, 3), (18, CNODE, 2), (19, UNTYPED, 13)):
            self.retype_at(0, memory, SLOT_CNODE, kind, bits, (0, 0, slot), 1)
        self.copy_to(0, 17, (1, 3), SLOT_CNODE, (18, 64), 15, 0b10 << 6 | 2)
        self.copy_to(0, 17, (2, 3), SLOT_CNODE, (16, 64), 15, None)
        for slot, badge in ((16, None), (17, 7)):
            self.copy_to(0, 20, (slot, 64), SLOT_CNODE, (16, 64), 15, badge)

    def object_of(self, kind: int, real: Any) -> Object:
        found = self.objects.get(id(real))
        if found is None:
            bits = {CNODE: "radix", UNTYPED: "bits"}.get(ObjectType(kind))
            size = getattr(real, bits) if bits else 0
            gift = getattr(real, "base", None) is None
            found = self.objects[id(real)] = Object(kind, real, size, gift)
        return found

    def adopt(self) -> None:
        """What there is at boot: all of a chain descends from its first."""
        tcbs = list(self.lab.k.tcbs.values())
        nodes = [*self.lab.k.cnodes, *(tcb.hidden for tcb in tcbs), self.lab.root.cspace]
        slots = [slot for node in dict.fromkeys(nodes) for slot in node.slots.values() if slot.cap]
        for slot in slots:
            if slot.prev is not None:
                continue
            first: Entry | None = None
            one = slot
            while one is not None:
                assert one.cap is not None
                holder = one.cnode
                home = (
                    self.object_of(TCB, holder.tcb) if holder.tcb else self.object_of(CNODE, holder)
                )
                obj = self.object_of(one.cap.type, one.cap.obj)
                guard = bin_guard(one.cap.badge) if obj.kind == CNODE else ""
                new = self.model.add(
                    (home, one.index),
                    obj,
                    first,
                    rights=one.cap.rights,
                    word=0 if guard else one.cap.badge,
                    guard=guard,
                    original=one.revocable,
                    serial=-len(self.model.entries),
                )
                first = first or new
                one = one.next

    # -- choosing --------------------------------------------------------------------------

    def tcb(self, who: int) -> Object:
        return self.objects[id(self.actors[who].tcb)]

    def paths(
        self, root: Entry | None, left: int = 64, level: int = 0
    ) -> list[tuple[int, int, Place]]:
        """Index, depth and slot of all that can be named from a CNode, three levels deep."""
        if root is None or root.obj.kind != CNODE or level == 3:
            return []
        node, found = root.obj, []
        size = len(root.guard) + node.bits
        if size > left:
            return []
        for at in BIG if node.bits > 6 else range(min(4, 1 << node.bits)):
            index = int(root.guard + format(at, f"0{node.bits}b"), 2)
            found.append((index, size, (node, at)))
            for more, depth, place in self.paths(node.slots.get(at), left - size, level + 1):
                found.append((index << depth | more, size + depth, place))
        return found

    def cptr(self, who: int, which: int, *kinds: int, wild: bool = True) -> int:
        """A pointer of that thread, mostly to such an object."""
        if wild and which % 16 == 15:
            return [0, 1, 24, 1 << 10, 2**63, 2**64 - 1][which % 6]
        found = []
        for index, depth, (node, at) in self.paths(self.tcb(who).slots.get(0)):
            entry = node.slots.get(at)
            if entry is not None and (not kinds or entry.obj.kind in kinds):
                found.append(index << (64 - depth))
        return found[which // 16 % len(found)] if found else 24

    def path(self, who: int, node: int, which: int, full: bool) -> tuple[int, int]:
        """A path from the CNode at that pointer, mostly to a slot that is full, or to an empty."""
        if which % 16 == 15:
            return [(3, 0), (20, 65), (20, 10), (2**64 - 1, 64), (1, 2), (0, 2**63)][which % 6]
        found = self.paths(self.model.lookup(self.tcb(who), node))
        fitting = [one for one in found if (one[2][1] in one[2][0].slots) == full]
        fitting = fitting if fitting and which % 16 else found
        return fitting[which // 16 % len(fitting)][:2] if fitting else (20, 64)

    def object_at(self, who: int, cptr: int) -> Entry | None:
        return self.model.lookup(self.tcb(who), cptr)

    # -- doing and comparing ---------------------------------------------------------------

    def invoke(self, who: int, kind: int, label: Inv, cptr: int, words: Any, caps: Any) -> Any:
        """One invocation, unless the pointer names something else; its status.

        The model's entry comes with it where the object is there.
        """
        entry = self.object_at(who, cptr)
        if entry is not None and entry.obj.kind != kind:
            return None
        thread: Thread = self.actors[who]
        before = self.lab.k.state_hash()
        answer = thread.syscall(Sys.CALL, cptr, list(words), label=int(label), caps=caps)
        assert answer is not None, "no job here is that long"
        if answer.status:
            assert self.lab.k.state_hash() == before, "a refused call changed something"
        if entry is None:
            assert answer.status in (*GONE, Status.FAILED_LOOKUP)
            return None
        return entry, Status(answer.status)

    def compare(self) -> None:
        """Every slot, and what a Revoke of it would delete."""
        k = self.lab.k
        tcbs = {id(one.obj.real): one.obj.real for one in self.model.entries if one.obj.kind == TCB}
        tcbs |= {id(tcb): tcb for tcb in k.tcbs.values()}
        nodes = [*k.cnodes, self.lab.root.cspace, *(tcb.hidden for tcb in tcbs.values())]
        real = {}
        for node in dict.fromkeys(nodes):
            home = node.tcb if node.tcb is not None else node
            for slot in node.slots.values():
                if slot.cap is not None:
                    real[id(home), slot.index] = slot
        mine = {(id(one.home.real), one.index): one for one in self.model.entries}
        assert real.keys() == mine.keys()
        for key, slot in real.items():
            assert slot.cap is not None
            entry = mine[key]
            word = entry.word
            if entry.obj.kind == CNODE:
                word = int(entry.guard or "0", 2) << GUARD_SIZE_BITS | len(entry.guard)
            held = (slot.cap.obj, slot.cap.type, slot.cap.rights, slot.cap.badge)
            assert held == (entry.obj.real, entry.obj.kind, entry.rights, word)
            covered, child = set(), slot.next
            while child is not None and caps.is_parent(slot, child):
                covered.add((id(child.cnode.tcb or child.cnode), child.index))
                child = child.next
            descend = {(id(one.home.real), one.index) for one in self.model.descendants(entry)}
            assert covered == descend, "what a Revoke would delete"

    # -- what several rules do ----------------------------------------------------------------

    def retype_at(
        self, who: int, cptr: int, at: int, kind: int, bits: int, path: Any, count: int
    ) -> None:
        node = self.object_at(who, at)
        words = (kind, bits, *path, count)
        done = self.invoke(who, UNTYPED, Inv.UNTYPED_RETYPE, cptr, words, (at,))
        if done is not None:
            source, status = done
            made = self.model.retype(source, node, kind, bits, path, count)
            expected = made if isinstance(made, Status) else Status.OK
            assert status == expected
            for place in made if not isinstance(made, Status) else ():
                slot = place[0].real.slots[place[1]]
                assert slot.cap is not None
                self.model.made(source, place, self.object_of(kind, slot.cap.obj))
        self.compare()

    def copy_to(
        self, who: int, cptr: int, there: Any, root: int, here: Any, rights: int, badge: Any
    ) -> None:
        words = (*there, *here, rights, *([] if badge is None else [badge]))
        label = Inv.CNODE_COPY if badge is None else Inv.CNODE_MINT
        source = self.object_at(who, root)
        done = self.invoke(who, CNODE, label, cptr, words, (root,))
        if done is not None:
            assert done[1] == self.model.copy(done[0], there, source, here, rights, badge)
        self.compare()

    def meetings(self, a: int, b: int) -> list[tuple[int, int, Object]]:
        """Pointers of the two to one endpoint, over which the first may call the second."""
        return [
            (out, into, one.obj)
            for out, one in self.ends(a, Rights.WRITE | Rights.GRANT)
            for into, two in self.ends(b, Rights.READ | Rights.GRANT)
            if one.obj is two.obj
        ]

    def ends(self, who: int, rights: int) -> list[tuple[int, Entry]]:
        paths = self.paths(self.tcb(who).slots.get(0))
        named = ((index << (64 - depth), node.slots.get(at)) for index, depth, (node, at) in paths)
        return [
            (cptr, entry)
            for cptr, entry in named
            if entry is not None
            and entry is self.object_at(who, cptr)
            and entry.obj.kind == EP
            and entry.rights & rights == rights
        ]

    def landed(self, a: int, b: int, given: list[int], slot: Any, via: Object | None) -> Any:
        """What the receiver is told of the capabilities; the model gets them too."""
        root = self.object_at(b, slot[0]) if slot[0] else self.tcb(b).slots.get(0)
        place = self.model.target(root, *slot[1:])
        free = not isinstance(place, Status) and place[1] not in place[0].slots
        told = []
        for cptr in given:
            entry = self.object_at(a, cptr)
            assert entry is not None
            if entry.obj is via:
                told.append(entry.word)
                continue
            if not free or (entry.obj.kind == UNTYPED and self.model.descendants(entry)):
                break
            assert not isinstance(place, Status)
            self.model.derive(entry, place, entry.rights, entry.word, entry.guard)
            told.append(place[1])
            free = False
        return tuple(told)


def bin_guard(word: int) -> str:
    size = word & 63
    return format(word >> GUARD_SIZE_BITS, f"0{size}b") if size else ""
