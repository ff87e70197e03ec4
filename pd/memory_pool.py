"""What a PD's objects are paid from: its own untyped memory, split into parts that come back.

As seL4's allocman does it. An object's bytes are free again when the untyped it was made of has
no children left, so each page has a part of its own, and small objects share parts of 1 KiB. What
is free the kernel knows best: a part is asked, and a refusal means that something made of it is
still held, perhaps by another PD.
"""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from caplab.kernel.abi import SIZE_BITS, WORD, ObjectType, Status
from caplab.pd import directory, invocations
from caplab.pd.errors import NotEnoughMemory, OutOfUntyped, SlotsExhausted, refusal
from caplab.pd.objects import Untyped
from caplab.pd.stubs import Answer

if TYPE_CHECKING:
    from caplab.pd.env import Env

SMALL_BITS = 10
"""log2 of the bytes of a part that small objects share."""
ASKED = 4
"""Parts that are asked before a new one is split off."""
_GONE = (
    Status.FAILED_LOOKUP,
    Status.INVALID_CAPABILITY,
    Status.NEVER_EXISTED,
    Status.REVOKED,
)


class _Part:
    """An untyped of the pool's own."""

    def __init__(self, source: int, slot: int, bits: int, unit: int) -> None:
        self.source = source
        """Slot of the untyped it was split from."""
        self.slot = slot
        self.bits = bits
        self.unit = unit
        """log2 of the bytes of the objects made of it."""
        self.held: set[int] = set()
        """Slots of the objects made of it, as far as this PD has not deleted them."""


class _Want(NamedTuple):
    kind: ObjectType
    bits: int
    slot: int


class MemoryPool:
    """Makes a PD's kernel objects of its own untyped memory, and takes their bytes back.

    No call is made while the lock is held: a suspended TCB would keep the others out.
    """

    def __init__(self, env: Env) -> None:
        self._env = env
        self._sources: list[int] | None = None
        self._parts: list[_Part] = []
        self._ready: dict[int, deque[_Part]] = {}
        """Parts to ask first, by the size of the objects made of them."""
        self._part_of: dict[int, _Part] = {}
        self._lock = Lock()

    def make(self, kind: ObjectType, size_bits: int = 0) -> int:
        """A new object in a new slot of the own half.

        Errors: OutOfUntyped, SlotsExhausted
        """
        bits = size_bits or SIZE_BITS[kind]
        return self._env.slots.place(lambda slot: self._make(_Want(kind, bits, slot)))

    def gone(self, slot: int) -> None:
        """The capability in a slot was deleted: what it was made of may be free again."""
        with self._lock:
            self._forget(slot)

    def _make(self, want: _Want) -> None:
        for _ in range(ASKED):
            part = self._next_ready(want.bits)
            if part is None:
                break
            if self._ask(part, want):
                return
        try:
            self._split(want)
        except (OutOfUntyped, SlotsExhausted):
            if not self._ask_all(want):
                self._join(want.slot)
                self._split(want)

    # -- parts ------------------------------------------------------------------------------

    def _next_ready(self, bits: int) -> _Part | None:
        """The part whose turn it is; the next time it is another's."""
        with self._lock:
            ready = self._ready.get(bits)
            if not ready:
                return None
            ready.rotate(-1)
            return ready[-1]

    def _ask(self, part: _Part, want: _Want) -> bool:
        """Make the object of this part, if it has room."""
        status = self._retype(part.slot, want.kind, want.bits, want.slot)
        with self._lock:
            if status == Status.OK:
                self._made(part, want)
            elif status in _GONE:
                self._drop(part)
            elif part.held:
                self._unready(part)  # full; it is ready again when an object of it is deleted
        return status == Status.OK

    def _ask_all(self, want: _Want) -> bool:
        """Ask every part that is large enough, the smallest first: the last resort but one."""
        with self._lock:
            fit = [part for part in self._parts if part.bits >= want.bits]
        return any(
            self._ask(part, want)
            for part in sorted(fit, key=lambda part: (bool(part.held), part.bits))
        )

    def _split(self, want: _Want) -> None:
        """Make the object of a part that is split off for it."""
        bits = max(want.bits, SMALL_BITS)
        part = self._new_part(bits, want.bits)
        if part is None:  # somebody may have given this PD more since
            self._sources = None
            part = self._new_part(bits, want.bits)
        if part is not None:
            with self._lock:
                self._parts.append(part)
                self._ready_again(part)
            if self._ask(part, want):
                return
        raise OutOfUntyped(self._env.name, want.kind.name.lower(), 1 << want.bits)

    def _new_part(self, bits: int, unit: int) -> _Part | None:
        for source in self._known_sources():

            def put(slot: int, source: int = source) -> None:
                status = self._retype(source, ObjectType.UNTYPED, bits, slot)
                if status != Status.OK:
                    raise NotEnoughMemory(status, "Untyped_Retype", source)

            try:
                return _Part(source, self._env.slots.place(put), bits, unit)
            except NotEnoughMemory:
                continue
        return None

    def _join(self, slot: int) -> None:
        """Give parts back to the untypeds of which every part is free: those are whole again."""
        with self._lock:
            idle = [part for part in self._parts if not part.held]
        whole = {part for part in idle if self._is_whole(part, slot)}
        with self._lock:
            busy = {part.source for part in self._parts if part.held or part not in whole}
            free = [part for part in self._parts if part.source not in busy]
            for part in free:
                self._remove(part)
        for part in free:
            self._env.cnode.delete_slot(part.slot)
            self._env.slots.free(part.slot)

    def _is_whole(self, part: _Part, slot: int) -> bool:
        """Whether nobody holds anything made of it: asked for too much, it says what is left."""
        answer = self._call(part.slot, ObjectType.UNTYPED, part.bits + 1, slot)
        if answer.status in _GONE:
            with self._lock:
                self._drop(part)
        whole = WORD.pack(1 << part.bits)
        return answer.status == Status.NOT_ENOUGH_MEMORY and answer.data == whole

    def _known_sources(self) -> list[int]:
        found = self._sources
        if found is None:
            named = directory.of_kind(self._env, Untyped, directory.UNTYPED)
            found = self._sources = [untyped.slot for untyped in named.values()]
        return found

    def _retype(self, source: int, kind: ObjectType, bits: int, slot: int) -> Status | int:
        """OK, NOT_ENOUGH_MEMORY or that there is no such untyped; other refusals are raised."""
        answer = self._call(source, kind, bits, slot)
        if answer.status in (Status.OK, Status.NOT_ENOUGH_MEMORY, *_GONE):
            return answer.status
        raise refusal(answer.status, "Untyped_Retype", source, answer.data, "untyped")

    def _call(self, source: int, kind: ObjectType, bits: int, slot: int) -> Answer:
        env = self._env
        sized = kind in (ObjectType.UNTYPED, ObjectType.FRAME)
        size_bits = bits if sized else 0
        return invocations.untyped_retype(
            env.utcb().transport, source, kind, size_bits, 0, 0, slot, 1, env.cnode.slot
        )

    # -- books, kept under the lock ---------------------------------------------------------

    def _made(self, part: _Part, want: _Want) -> None:
        self._forget(want.slot)
        part.held.add(want.slot)
        self._part_of[want.slot] = part
        self._unready(part)
        part.unit = want.bits
        if part.bits > part.unit:  # perhaps room for more: who asks next learns it
            self._ready_again(part)

    def _forget(self, slot: int) -> None:
        part = self._part_of.pop(slot, None)
        if part is not None:
            part.held.discard(slot)
            if not part.held:
                self._unready(part)
                self._ready_again(part)

    def _ready_again(self, part: _Part) -> None:
        if part in self._parts:  # else it was given back meanwhile
            self._ready.setdefault(part.unit, deque()).append(part)

    def _unready(self, part: _Part) -> None:
        for ready in self._ready.values():
            if part in ready:
                ready.remove(part)

    def _drop(self, part: _Part) -> None:
        """Somebody took the part away, by revoking what it was split from."""
        if part in self._parts:
            self._remove(part)
            self._env.slots.free(part.slot)
        self._unready(part)

    def _remove(self, part: _Part) -> None:
        self._parts.remove(part)
        self._unready(part)
        for slot in part.held:
            self._part_of.pop(slot, None)
