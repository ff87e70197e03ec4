"""Device memory by address: the parent's ranges, halved until a part lies where it is wanted.

What seL4's allocman does with its trees of untypeds. Halves that are both free become one again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from caplab.kernel.abi import ObjectType, Status
from caplab.pd import invocations
from caplab.pd.errors import refusal
from caplab.pd.objects import Untyped
from caplab.pd.sel4rpc.errors import OutsideRange, RpcError

if TYPE_CHECKING:
    from caplab.pd.env import Env


class Part:
    """An untyped: a whole range, or a half of the part above it."""

    def __init__(self, slot: int, address: int, bits: int, above: Part | None = None) -> None:
        self.slot = slot
        self.address = address
        self.bits = bits
        self.above = above
        self.halves: tuple[Part, ...] = ()
        self.cookie = 0
        """Of its loan; 0 when it is nobody's."""

    def covers(self, address: int) -> bool:
        return self.address <= address < self.address + (1 << self.bits)


class Ranges:
    """The device memory that the manifest gave this PD."""

    def __init__(self, env: Env, over: Callable[[int], None]) -> None:
        """`over` is told the cookie of a loan that was found to be over."""
        self._env = env
        self._over = over
        infos = [(one, one.info()) for one in env.ranges()]
        self.whole = [Part(one.slot, info.address, info.size_bits) for one, info in infos]

    def take(self, address: int, bits: int) -> Part:
        """The part of `1 << bits` bytes at an address, which is nobody's.

        Errors: OutsideRange; RevokeFirst's number, when somebody has some of it; SlotsExhausted
        """
        part = next((one for one in self.whole if one.covers(address)), None)
        if part is None or bits > part.bits:
            raise OutsideRange(f"{1 << bits} bytes at {address:#x}; the parent has {self._listed}")
        while True:
            if not self._is_nobodys(part):
                raise _taken(part)
            if part.bits == bits:
                if part.halves and not self._join(part):
                    raise _taken(part)
                return part
            if not part.halves:
                try:
                    self._halve(part)
                except BaseException:
                    self.give_back(part)
                    raise
            part = next(half for half in part.halves if half.covers(address))

    def give_back(self, part: Part) -> None:
        """Nobody has the part any more."""
        part.cookie = 0
        above = part.above
        while above is not None and not any(one.cookie or one.halves for one in above.halves):
            self._unhalve(above)
            above = above.above

    def is_free(self, part: Part) -> bool:
        """Whether nothing is made of it: only the kernel knows what a child has deleted."""
        return Untyped(self._env, part.slot).info().left == 1 << part.bits

    def _is_nobodys(self, part: Part) -> bool:
        if part.cookie and self.is_free(part):
            self._over(part.cookie)
            part.cookie = 0
        return not part.cookie

    @property
    def _listed(self) -> str:
        ends = [(one.address, one.address + (1 << one.bits) - 1) for one in self.whole]
        return ", ".join(f"{first:#x}-{last:#x}" for first, last in ends) or "no device memory"

    def _halve(self, part: Part) -> None:
        env, bits = self._env, part.bits - 1
        slots = env.slots.row(2)
        answer = invocations.untyped_retype(
            *(env.utcb().transport, part.slot, ObjectType.UNTYPED, bits),
            *(0, 0, slots[0], 2, env.cnode.slot),
        )
        if answer.status:
            for slot in slots:
                env.slots.free(slot)
            raise refusal(answer.status, "Untyped_Retype", part.slot, answer.data)
        part.halves = tuple(
            Part(slot, part.address + (number << bits), bits, part)
            for number, slot in enumerate(slots)
        )

    def _join(self, part: Part) -> bool:
        """Make one of the halves, if all of them are free."""
        for half in part.halves:
            if not self._is_nobodys(half) or (half.halves and not self._join(half)):
                return False
        self._unhalve(part)
        return True

    def _unhalve(self, part: Part) -> None:
        for half in part.halves:
            self._env.cnode.delete_slot(half.slot)
            self._env.slots.free(half.slot)
        part.halves = ()


def _taken(part: Part) -> RpcError:
    text = f"somebody has memory between {part.address:#x} and {part.address + (1 << part.bits):#x}"
    return RpcError.of(Status.REVOKE_FIRST, text)
