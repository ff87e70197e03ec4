"""Every capability operation, in any order, against a naive model of who was derived from whom.

Three PDs with CNodes of several levels; two threads of the first can be given other CSpaces.
After each step every slot of the kernel is compared with the model: what it holds, with which
rights and badge, and what a Revoke of it would delete.
"""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from caplab.kernel.abi import SLOT_PD, Inv, ObjectType, Rights, Status
from drawn import run
from lab import Answer, ok
from modelled_system import BIG, CNODE, EP, TCB, UNTYPED, ModelledSystem

pytestmark = pytest.mark.fuzz

NTFN, FRAME = ObjectType.NOTIFICATION, ObjectType.FRAME

number = st.integers(0, 9999)
who = st.sampled_from([0, 0, 0, 1, 2, 3, 3])
rights = st.sampled_from([15, 15, 15, 13, 7, 1, 2, 0, 2**64 - 1])
word = st.sampled_from([0, 1, 2, 7, 0b101 << 6 | 3, 1 << 6 | 1, 54, 60, 63, 2**64 - 1])
kinds = st.sampled_from(
    [EP, EP, NTFN, CNODE, CNODE, CNODE, UNTYPED, UNTYPED, TCB, ObjectType.FRAME]
)


class Against(ModelledSystem):
    """The operations."""

    @rule(who=who, ut=number, root=number, kind=kinds, bits=number, to=number, count=number)
    def retype(
        self, who: int, ut: int, root: int, kind: int, bits: int, to: int, count: int
    ) -> None:
        cptr, at = self.cptr(who, ut, UNTYPED), self.cptr(who, root, CNODE)
        bits = [2, 3, 4, 7][bits % 4] if kind != UNTYPED else [8, 12, 12, 13, 3, 64][bits % 6]
        bits = 12 if kind == ObjectType.FRAME else bits
        count = [1, 1, 1, 2, 3, 0, 257][count % 7]
        index, _ = self.path(who, at, to, full=False)
        below = self.path(who, at, to, full=True)
        node = self.object_at(who, at)
        path = (
            (0, 0, index % (1 << node.obj.bits)) if node and node.obj.kind == CNODE else (0, 0, 9)
        )
        if to % 3 == 0:
            path = (*below, to % 4)
        self.retype_at(who, cptr, at, kind, bits, path, count)

    @rule(who=who, a=number, b=number, to=number, at=number, rights=rights, badge=st.none() | word)
    def copy(self, who: int, a: int, b: int, to: int, at: int, rights: int, badge: Any) -> None:
        cptr, root = self.cptr(who, a, CNODE), self.cptr(who, b, CNODE)
        there = self.path(who, cptr, to, full=False)
        here = self.path(who, root, at, full=True)
        self.copy_to(who, cptr, there, root, here, rights, badge)

    @rule(who=who, a=number, b=number, to=number, at=number, word=st.none() | word)
    def move(self, who: int, a: int, b: int, to: int, at: int, word: Any) -> None:
        cptr, root = self.cptr(who, a, CNODE), self.cptr(who, b, CNODE)
        there = self.path(who, cptr, to, full=False)
        here = self.path(who, root, at, full=True)
        label = Inv.CNODE_MOVE if word is None else Inv.CNODE_MUTATE
        words = (*there, *here, *([] if word is None else [word]))
        source = self.object_at(who, root)
        done = self.invoke(who, CNODE, label, cptr, words, (root,))
        if done is not None:
            assert done[1] == self.model.move(done[0], there, source, here, word)
        self.compare()

    @rule(
        who=who,
        roots=st.tuples(number, number, number),
        to=number,
        via=number,
        at=number,
        one=word,
        two=word,
        swap=st.booleans(),
    )
    def rotate(
        self, who: int, roots: Any, to: int, via: int, at: int, one: int, two: int, swap: bool
    ) -> None:
        cptr, middle, last = (self.cptr(who, root, CNODE) for root in roots)
        source = self.path(who, last, at, full=True)
        pivot = self.path(who, middle, via, full=True)
        there = self.path(who, cptr, to, full=False)
        if swap:
            cptr, there = last, source
        words = (*there, one, *pivot, two, *source)
        known = self.object_at(who, middle), self.object_at(who, last)
        done = self.invoke(who, CNODE, Inv.CNODE_ROTATE, cptr, words, (middle, last))
        if done is not None:
            after = self.model.rotate(
                done[0], there, (known[0], pivot), (known[1], source), (one, two)
            )
            assert done[1] == after
        self.compare()

    @rule(who=who, a=number, at=number, revoke=st.booleans())
    def take_away(self, who: int, a: int, at: int, revoke: bool) -> None:
        """Delete or Revoke; first slots are spared mostly, or soon nobody could do anything."""
        cptr = self.cptr(who, a, CNODE)
        path = self.path(who, cptr, at, full=True)
        label = Inv.CNODE_REVOKE if revoke else Inv.CNODE_DELETE
        place = self.model.target(self.object_at(who, cptr), *path)
        if not revoke and at % 5 and not isinstance(place, Status) and place[1] in BIG[8:]:
            return
        done = self.invoke(who, CNODE, label, cptr, path, ())
        if done is not None:
            assert done[1] == (place if isinstance(place, Status) else Status.OK)
            entry = None if isinstance(place, Status) else place[0].slots.get(place[1])
            if entry is not None and revoke:
                self.model.revoke(entry)
            elif entry is not None:
                self.model.remove(entry)
        self.compare()

    @rule(who=who, of=number, root=number, data=word, configure=st.booleans())
    def set_space(self, who: int, of: int, root: int, data: int, configure: bool) -> None:
        cptr, at = self.cptr(who, of, TCB), self.cptr(who, root, CNODE)
        target, source = self.object_at(who, cptr), self.object_at(who, at)
        if target is None or target.obj is self.tcb(0):
            return
        label = Inv.TCB_CONFIGURE if configure else Inv.TCB_SET_SPACE
        words, roots = (0, data, 0, *[0] * configure), (at, at, *[at] * configure)
        done = self.invoke(who, TCB, label, cptr, words, roots)
        if done is not None:
            assert done[1] == self.model.set_space(done[0].obj, source, data)
        self.compare()

    @rule(
        who=st.sampled_from([2, 3]), sent=number, to=number, rights=rights, badge=st.none() | word
    )
    def install(self, who: int, sent: int, to: int, rights: int, badge: Any) -> None:
        """Through its own PD capability, into its first CSpace."""
        given = self.cptr(who, sent)
        pd, source = self.object_at(who, SLOT_PD), self.object_at(who, given)
        if pd is None or pd.obj.kind != ObjectType.PD:
            return
        more = {"name": None, "slot": BIG[to % 8], "rights": rights, "badge": badge}
        answer = self.actors[who].pd_call("install", caps=[given], **more)
        assert answer is not None
        place = self.objects[id(pd.obj.real.cspace)], BIG[to % 8]
        assert answer.status == self.model.install(pd, source, place, rights, badge)
        self.compare()

    @rule(
        a=who,
        b=who,
        out=number,
        into=number,
        sent=st.lists(number, max_size=4),
        to=number,
        reply=st.booleans(),
    )
    def transfer(
        self, a: int, b: int, out: int, into: int, sent: list[int], to: int, reply: bool
    ) -> None:
        """A call whose message, or whose reply, carries capabilities."""
        pairs = self.meetings(a, b)
        if a == b or not pairs:
            return
        outward, inward, endpoint = pairs[out % len(pairs)]
        caller, server = self.actors[a], self.actors[b]
        sender, receiver = (b, a) if reply else (a, b)
        given = [self.cptr(sender, one, wild=False) for one in sent[:3]]
        given = [one for one in given if self.object_at(sender, one)]
        index, depth = self.path(receiver, self.cptr(receiver, into, CNODE), to, full=False)
        at = self.cptr(receiver, into, CNODE)
        slot = (at, index, depth)
        back = slot if reply else None
        assert server.recv(inward, slot=None if reply else slot) is None
        assert caller.call(outward, b"x", caps=() if reply else given, slot=back) is None
        got = ok(server.woken())
        if reply:
            ok(server.reply(b"y", caps=given))
            got = ok(caller.woken())
        landed = self.landed(sender, receiver, given, slot, None if reply else endpoint)
        assert got.extra == landed
        if not reply:
            ok(server.reply())
            ok(caller.woken())
        self.compare()

    @rule(a=who, b=who, out=number, cn=number, at=number)
    def cancel_badged_sends(self, a: int, b: int, out: int, cn: int, at: int) -> None:
        """With a sender of some badge in the queue, if there can be one."""
        ends = [] if a == b else self.ends(a, Rights.WRITE)
        sender, queued = self.actors[a], None
        if ends:
            cptr, entry = ends[out % len(ends)]
            if sender.send(cptr, b"x", timeout=1.0) is None:
                queued = entry
        cptr = self.cptr(b, cn, CNODE)
        path = self.path(b, cptr, at, full=True)
        done = self.invoke(b, CNODE, Inv.CNODE_CANCEL_BADGED_SENDS, cptr, path, ())
        freed = False
        if done is not None:
            found = self.model.target(done[0], *path)
            entry = None if isinstance(found, Status) else found[0].slots.get(found[1])
            expected = found if isinstance(found, Status) else Status.ILLEGAL_OPERATION
            if entry is not None and entry.obj.kind == EP and entry.rights == Rights.ALL:
                expected = Status.OK
                freed = bool(queued and queued.obj is entry.obj and queued.word == entry.word != 0)
            assert done[1] == expected
        if queued is not None:
            assert sender.blocked != freed
            self.lab.pass_time(2.0)
            told: Answer = sender.woken()
            assert told.status == (Status.CANCELLED if freed else Status.TIMED_OUT)
        self.compare()


def test_every_operation_does_what_the_model_says() -> None:
    run(Against, examples=100, steps=40)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_every_operation_does_what_the_model_says_for_long() -> None:
    run(Against, examples=3000, steps=80, anew=True)
