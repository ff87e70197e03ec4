"""A naive second opinion on capabilities: who was derived from whom, kept as a tree, for ever.

The kernel keeps seL4's list and two bits per slot. Here is no list and no bit: every capability
remembers the one it was derived from, even when that is long gone, and what a Revoke deletes is
whatever descends from it, if it is an original. Pointers are looked up as strings of zeros and
ones. Slow, short, and written from the reference alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from caplab.kernel.abi import (
    RETYPE_MAX,
    UNTYPED_BITS_MAX,
    UNTYPED_BITS_MIN,
    ObjectType,
    Rights,
    Status,
)

CNODE, UNTYPED, TCB = ObjectType.CNODE, ObjectType.UNTYPED, ObjectType.TCB
BADGED = (ObjectType.ENDPOINT, ObjectType.NOTIFICATION)
PRICE = {
    CNODE: 5,
    ObjectType.ENDPOINT: 4,
    ObjectType.NOTIFICATION: 5,
    TCB: 11,
    ObjectType.FRAME: 12,
}


@dataclass(eq=False)
class Object:
    """Something capabilities name. Its slots, if it is a CNode; of a TCB, its CSpace's root."""

    kind: int
    real: Any
    """What the kernel has in its place, told by identity alone."""
    bits: int = 0
    """log2 of an untyped's bytes, or of a CNode's slots."""
    gift: bool = False
    """It does not end with its last capability."""
    slots: dict[int, Entry] = field(default_factory=dict)


@dataclass(eq=False)
class Entry:
    """One capability, where it lies, and the one it was derived from."""

    obj: Object
    rights: int
    word: int
    """A badge; of an untyped, the bytes used up."""
    guard: str
    original: bool
    parent: Entry | None
    home: Object
    index: int
    serial: int
    """Rises with each capability that is made."""
    alive: bool = True

    def ancestors(self) -> Iterator[Entry]:
        one = self.parent
        while one is not None:
            yield one
            one = one.parent

    @property
    def rank(self) -> tuple[int, ...]:
        """Where it stands among the descendants of one: the youngest first, each with its own."""
        return tuple(-one.serial for one in reversed([self, *self.ancestors()]))


Place = tuple[Object, int]


class Model:
    """All capabilities of one system."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.serial = 0

    # -- what there is ---------------------------------------------------------------------

    def add(self, place: Place, obj: Object, parent: Entry | None, **more: Any) -> Entry:
        self.serial += 1
        more = {"serial": self.serial, **more}
        new = Entry(obj=obj, parent=parent, home=place[0], index=place[1], **more)
        assert new.index not in new.home.slots
        new.home.slots[new.index] = new
        self.entries.append(new)
        return new

    def derive(self, source: Entry, place: Place, rights: int, word: int, guard: str) -> Entry:
        original = source.obj.kind == UNTYPED
        if source.obj.kind in BADGED:
            original = word != source.word
        more = {"rights": rights, "word": word, "guard": guard, "original": original}
        new = self.add(place, source.obj, source, **more)
        if source.obj.kind == UNTYPED:
            source.word = 1 << source.obj.bits
        return new

    def remove(self, entry: Entry) -> None:
        if not entry.alive:
            return
        entry.alive = False
        self.entries.remove(entry)
        del entry.home.slots[entry.index]
        if not entry.obj.gift and all(one.obj is not entry.obj for one in self.entries):
            for inside in list(entry.obj.slots.values()):
                self.remove(inside)

    def descendants(self, entry: Entry) -> list[Entry]:
        """What a Revoke of it would delete."""
        if not entry.original:
            return []
        return [one for one in self.entries if entry in one.ancestors()]

    def revoke(self, entry: Entry) -> None:
        """Delete what descends from it, until it goes itself: its CNode may be among that."""
        for one in sorted(self.descendants(entry), key=lambda one: one.rank):
            if entry.alive:
                self.remove(one)

    # -- pointers --------------------------------------------------------------------------

    def walk(self, root: Entry | None, index: int, depth: int) -> tuple[Place, str] | None:
        bits = format(index, "064b")[64 - depth :]
        cap = root
        while cap is not None and cap.obj.kind == CNODE:
            if not bits.startswith(cap.guard):
                return None
            bits = bits[len(cap.guard) :]
            radix = cap.obj.bits
            if len(bits) < radix:
                return None
            place = cap.obj, int(bits[:radix], 2)
            bits = bits[radix:]
            cap = place[0].slots.get(place[1])
            if not bits or cap is None or cap.obj.kind != CNODE:
                return place, bits
        return None

    def lookup(self, tcb: Object, cptr: int) -> Entry | None:
        """What a thread's pointer names; bits left over do not matter."""
        found = self.walk(tcb.slots.get(0), cptr, 64)
        return found[0][0].slots.get(found[0][1]) if found else None

    def target(self, root: Entry | None, index: int, depth: int) -> Place | Status:
        """The slot a CNode operation names; every bit matters."""
        if root is None or root.obj.kind != CNODE:
            return Status.FAILED_LOOKUP
        if depth not in range(1, 65):
            return Status.RANGE_ERROR
        found = self.walk(root, index, depth)
        return Status.FAILED_LOOKUP if found is None or found[1] else found[0]

    # -- operations: the status, and what it does ---------------------------------------------

    def _operands(
        self, node: Entry, to: tuple[int, int], root: Entry | None, at: tuple[int, int]
    ) -> tuple[Place, Entry] | Status:
        place = self.target(node, *to)
        if isinstance(place, Status):
            return place
        if place[1] in place[0].slots:
            return Status.DELETE_FIRST
        source = self.target(root, *at)
        if isinstance(source, Status):
            return source
        entry = source[0].slots.get(source[1])
        return Status.FAILED_LOOKUP if entry is None else (place, entry)

    def copy(
        self, node: Entry, to: Any, root: Entry | None, at: Any, rights: int, badge: int | None
    ) -> Status:
        """Copy, or Mint with a badge."""
        found = self._operands(node, to, root, at)
        if isinstance(found, Status):
            return found
        place, source = found
        word, guard = source.word, source.guard
        if badge is not None and source.obj.kind in BADGED:
            if word:
                return Status.ILLEGAL_OPERATION
            word = badge
        if badge is not None and source.obj.kind == CNODE:
            changed = guard_of(badge, source.obj.bits)
            if changed is None:
                return Status.ILLEGAL_OPERATION
            guard = changed
        if source.obj.kind == UNTYPED and self.descendants(source):
            return Status.REVOKE_FIRST
        if source.obj.kind != UNTYPED:
            rights &= source.rights
        else:
            rights = source.rights
        self.derive(source, place, rights, word, guard)
        return Status.OK

    def install(
        self, pd: Entry, source: Entry | None, place: Place, rights: int, badge: int | None
    ) -> Status:
        """What a PD capability with Grant may do: Copy or Mint into the PD's first CSpace."""
        if not pd.rights & Rights.GRANT:
            return Status.INVALID_CAPABILITY
        if source is None:
            return Status.FAILED_LOOKUP
        word, guard, kind = source.word, source.guard, source.obj.kind
        if badge is not None and kind in BADGED:
            if word:
                return Status.ILLEGAL_OPERATION
            word = badge
        changed = guard_of(badge, source.obj.bits) if badge is not None and kind == CNODE else guard
        if changed is None:
            return Status.ILLEGAL_OPERATION
        if kind == UNTYPED and self.descendants(source):
            return Status.REVOKE_FIRST
        if place[1] in place[0].slots:
            return Status.DELETE_FIRST
        rights = source.rights if kind == UNTYPED else rights & source.rights
        self.derive(source, place, rights, word, changed)
        return Status.OK

    def move(
        self, node: Entry, to: Any, root: Entry | None, at: Any, word: int | None = None
    ) -> Status:
        """Move, or Mutate with a word."""
        found = self._operands(node, to, root, at)
        if isinstance(found, Status):
            return found
        place, entry = found
        guard = entry.guard if word is None else self._mutated(entry, word)
        if guard is None:
            return Status.ILLEGAL_OPERATION
        self._shift(entry, place, guard)
        return Status.OK

    def _mutated(self, entry: Entry, word: int) -> str | None:
        if entry.obj.kind in BADGED:
            return None
        return guard_of(word, entry.obj.bits) if entry.obj.kind == CNODE else entry.guard

    def _shift(self, entry: Entry, place: Place, guard: str) -> None:
        del entry.home.slots[entry.index]
        entry.home, entry.index = place
        entry.guard = guard
        place[0].slots[place[1]] = entry

    def rotate(self, node: Entry, to: Any, middle: Any, at: Any, words: tuple[int, int]) -> Status:
        """`middle` and `at` are a root and a path; the words are the new guards.

        The source is looked up before the pivot, which shows when both are wrong.
        """
        places = [self.target(node, *to)]
        for root, path in (at, middle):
            if isinstance(places[-1], Status):
                break
            places.append(self.target(root, *path))
        if isinstance(places[-1], Status):
            return places[-1]
        destination, source, pivot = places
        if pivot in (source, destination):
            return Status.ILLEGAL_OPERATION
        if destination != source and destination[1] in destination[0].slots:
            return Status.DELETE_FIRST
        one, two = (place[0].slots.get(place[1]) for place in (pivot, source))
        if one is None or two is None:
            return Status.FAILED_LOOKUP
        to_destination, to_pivot = self._mutated(one, words[0]), self._mutated(two, words[1])
        if to_destination is None or to_pivot is None:
            return Status.ILLEGAL_OPERATION
        self._shift(two, (Object(CNODE, None), 0), to_pivot)
        self._shift(one, destination, to_destination)
        self._shift(two, pivot, to_pivot)
        return Status.OK

    def retype(
        self, source: Entry, root: Entry | None, kind: int, bits: int, path: Any, count: int
    ) -> list[Place] | Status:
        """The slots that new objects belong into (`made` puts them there)."""
        index, depth, offset = path
        if bits >= 64 or size_of(kind, bits) > UNTYPED_BITS_MAX:
            return Status.RANGE_ERROR
        least = {CNODE: 1, UNTYPED: UNTYPED_BITS_MIN}.get(kind, 0)
        if bits < least:
            return Status.INVALID_ARGUMENT
        if root is not None and depth:
            place = self.target(root, index, depth)
            if isinstance(place, Status):
                return place
            root = place[0].slots.get(place[1])
        if root is None or root.obj.kind != CNODE:
            return Status.FAILED_LOOKUP
        node, slots = root.obj, 1 << root.obj.bits
        if offset >= slots or not 1 <= count <= min(RETYPE_MAX, slots - offset):
            return Status.RANGE_ERROR
        if any(offset + number in node.slots for number in range(count)):
            return Status.DELETE_FIRST
        used = source.word if self.descendants(source) else 0
        size = 1 << size_of(kind, bits)
        first = (used + size - 1) // size
        if (first + count) * size > 1 << source.obj.bits:
            return Status.NOT_ENOUGH_MEMORY
        source.word = (first + count) * size
        return [(node, offset + number) for number in range(count)]

    def made(self, source: Entry, place: Place, obj: Object) -> None:
        self.add(place, obj, source, rights=15, word=0, guard="", original=True)

    def set_space(self, tcb: Object, source: Entry | None, data: int) -> Status:
        if source is None or source.obj.kind != CNODE:
            return Status.ILLEGAL_OPERATION
        guard = guard_of(data, source.obj.bits) if data else source.guard
        if guard is None:
            return Status.ILLEGAL_OPERATION
        if 0 in tcb.slots:
            self.remove(tcb.slots[0])
        if source.alive and 0 not in tcb.slots:
            self.derive(source, (tcb, 0), source.rights, 0, guard)
        return Status.OK


def guard_of(word: int, radix: int) -> str | None:
    """The guard a word describes (low six bits: how long), or None where it does not fit."""
    size = word % 64
    if size + radix > 64:
        return None
    return format(word // 64 % (1 << size), f"0{size}b") if size else ""


def size_of(kind: int, bits: int) -> int:
    """log2 of an object's bytes."""
    if kind == UNTYPED:
        return bits
    return PRICE[ObjectType(kind)] + (bits if kind == CNODE else 0)
