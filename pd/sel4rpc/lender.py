"""Memory lent to children: an untyped of its own behind each object, so that it can be had back.

What a child deletes, or leaves behind when it dies, is free in the kernel at once, and nobody is
told. So the oldest loan of a size is asked first: Retype on its untyped succeeds when nothing made
of it is left. In a parent whose children give back what they took, that is one call per request.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from caplab.kernel.abi import (
    FRAME_BITS_MIN,
    SIZE_BITS,
    UNTYPED_BITS_MAX,
    UNTYPED_BITS_MIN,
    ObjectType,
    Status,
)
from caplab.pd import invocations
from caplab.pd.errors import CapError, NotEnoughMemory, SlotsExhausted, refusal
from caplab.pd.objects import Capability
from caplab.pd.sel4rpc.errors import NoSuchCookie, RpcError
from caplab.pd.sel4rpc.ranges import Part, Ranges

if TYPE_CHECKING:
    from caplab.pd.env import Env
    from caplab.pd.memory_pool import MemoryPool

KEPT = 8
"""Free untypeds of one size that are kept for the next request."""


class Want(NamedTuple):
    """An object to be made in a slot of the parent's."""

    kind: int
    size_bits: int
    bits: int
    """log2 of its bytes."""
    slot: int


class Loan(NamedTuple):
    """What somebody has."""

    cookie: int
    badge: int
    """Whose: the badge of the capability that the request came through."""
    part: Part
    anywhere: bool
    """It comes from the parent's own untyped memory, not from a range."""


class Lender:
    """The memory a parent gives away and takes back."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._ranges: Ranges | None = None
        self.loans: dict[int, Loan] = {}
        """By cookie, the oldest first; some may be over without anybody having said so."""
        self._of_size: dict[int, deque[int]] = {}
        """Cookies of loans from anywhere, by size, the next to be asked first."""
        self._free: dict[int, list[Part]] = {}
        self._last = 0

    @property
    def ranges(self) -> Ranges:
        """The device memory, looked up when it is first asked for."""
        if self._ranges is None:
            self._ranges = Ranges(self._env, lambda cookie: self.loans.__delitem__(cookie))
        return self._ranges

    def lend(self, kind: int, size_bits: int, address: int, badge: int) -> tuple[int, int]:
        """Make an object for a child: its slot, for the parent to send and delete, and a cookie.

        At an address it comes from a range; address 0 is anywhere in the parent's own memory.

        Errors: OutsideRange, RpcError with the kernel's number, CapError, SlotsExhausted
        """
        bits = _bits_of(kind, size_bits)
        slot = self._env.slots.alloc()
        want = Want(kind, size_bits, bits, slot)
        try:
            part = self._at(want, address) if address else self._anywhere(want)
        except BaseException:
            self._env.slots.free(slot)
            raise
        self._last += 1
        part.cookie = self._last
        self.loans[self._last] = Loan(self._last, badge, part, not address)
        if not address:
            self._of_size.setdefault(bits, deque()).append(self._last)
        return slot, self._last

    def take_back(self, cookie: int, badge: int) -> None:
        """Destroy what was lent, wherever it is. A loan that is over already is no error.

        Errors: NoSuchCookie (never lent, or to another)
        """
        loan = self.loans.get(cookie)
        if (loan is None and not 0 < cookie <= self._last) or (loan and loan.badge != badge):
            raise NoSuchCookie(f"nothing was lent to this child under the cookie {cookie}")
        if loan is not None:
            self._env.cnode.revoke_slot(loan.part.slot)
            self._over(loan)

    def collect(self, badge: int | None = None) -> int:
        """Find the loans that are over, of one child or of all; how many were.

        What a child had passed on to others stays theirs.
        """
        mine = [one for one in self.loans.values() if badge is None or one.badge == badge]
        over = [one for one in mine if self._is_free(one.part)]
        for loan in over:
            self._over(loan)
        return len(over)

    def _is_free(self, part: Part) -> bool:
        """Whether nothing is left of a loan; nor is there when somebody revoked its untyped."""
        try:
            return self.ranges.is_free(part)
        except CapError:
            return True

    # -- where it comes from ---------------------------------------------------------------------

    def _at(self, want: Want, address: int) -> Part:
        if address % (1 << want.bits):
            text = f"{address:#x} is no address for {1 << want.bits} bytes"
            raise RpcError.of(Status.ALIGNMENT_ERROR, text)
        part = self.ranges.take(address, want.bits)
        try:
            self._make(part, want)
        except BaseException:
            self.ranges.give_back(part)
            raise
        return part

    def _anywhere(self, want: Want) -> Part:
        part = self._kept(want) or self._of_the_oldest(want)
        if part is not None:
            return part
        try:
            return self._new(want)
        except (NotEnoughMemory, SlotsExhausted):
            if not self._scrape():
                raise
        return self._kept(want) or self._new(want)

    def _kept(self, want: Want) -> Part | None:
        """One of the free untypeds of this size; one that is gone, or refuses, is let go of."""
        free = self._free.get(want.bits)
        while free:
            part = free.pop()
            if not self._retype(part, want):
                return part
            Capability(self._env, part.slot).delete()
        return None

    def _of_the_oldest(self, want: Want) -> Part | None:
        """The untyped of the oldest loan of this size, if that is over."""
        waiting = self._of_size.get(want.bits)
        if not waiting:
            return None
        part = self.loans[waiting[0]].part
        if self._retype(part, want):
            waiting.rotate(-1)
            return None
        del self.loans[waiting.popleft()]
        return part

    def _new(self, want: Want) -> Part:
        bits = max(want.bits, UNTYPED_BITS_MIN)
        return self._made(Part(self._pool.make(ObjectType.UNTYPED, bits), 0, bits), want)

    def _made(self, part: Part, want: Want) -> Part:
        try:
            self._make(part, want)
        except BaseException:
            Capability(self._env, part.slot).delete()
            raise
        return part

    def _make(self, part: Part, want: Want) -> None:
        status = self._retype(part, want)
        if status:
            raise refusal(status, "Untyped_Retype", part.slot, b"")

    def _retype(self, part: Part, want: Want) -> int:
        env = self._env
        answer = invocations.untyped_retype(
            *(env.utcb().transport, part.slot, want.kind, want.size_bits),
            *(0, 0, want.slot, 1, env.cnode.slot),
        )
        return answer.status

    @property
    def _pool(self) -> MemoryPool:
        return self._env.memory_pool

    def _scrape(self) -> bool:
        """Get together what is free: loans that are over, and untypeds kept for other sizes."""
        found = self.collect() > 0
        for parts in self._free.values():
            while parts:
                Capability(self._env, parts.pop().slot).delete()
                found = True
        return found

    def _over(self, loan: Loan) -> None:
        del self.loans[loan.cookie]
        if not loan.anywhere:
            self.ranges.give_back(loan.part)
            return
        self._of_size[loan.part.bits].remove(loan.cookie)
        free = self._free.setdefault(loan.part.bits, [])
        if len(free) < KEPT:
            free.append(loan.part)
        else:
            Capability(self._env, loan.part.slot).delete()


def _bits_of(kind: int, size_bits: int) -> int:
    """log2 of the bytes of an object. Raises RpcError with the number that Retype would give."""
    if kind in (ObjectType.UNTYPED, ObjectType.FRAME):
        bits = size_bits or (FRAME_BITS_MIN if kind == ObjectType.FRAME else 0)
    elif kind == ObjectType.CNODE:
        bits = size_bits + SIZE_BITS[ObjectType.CNODE]
    elif kind in SIZE_BITS:
        bits = SIZE_BITS[ObjectType(kind)]
    else:
        raise RpcError.of(Status.INVALID_ARGUMENT, f"no objects of type {kind} are made of memory")
    if bits > UNTYPED_BITS_MAX:
        raise RpcError.of(Status.RANGE_ERROR, f"objects have at most 2^{UNTYPED_BITS_MAX} bytes")
    return bits
