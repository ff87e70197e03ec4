"""Telling a PD what was taken from it, so that it lets go of what it has mapped.

The host takes a withdrawn memory object's name away at once; a mapping it cannot undo where it
does not trace the PD. So the next answer that any TCB of the PD gets has a flag, and the runtime
asks with the system call Withdrawn what it is about, before the program sees the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import ANSWER, AnswerFlag
from caplab.kernel.core.effects import Effect, Resume, WithdrawSegment
from caplab.kernel.core.outcome import Outcome, Result
from caplab.kernel.core.states import DEAD

if TYPE_CHECKING:
    from caplab.kernel.core.cap import Cap
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB

MOST = 1000
"""Names in one answer."""


class Withdrawals:
    """What PDs have not been told yet."""

    def __init__(self) -> None:
        self.names: dict[int, dict[str, None]] = {}
        """By PD: memory objects that were taken from it, the first one first."""
        self.due: dict[int, int] = {}
        """By TCB whose next answer is to say so: its PD."""

    def note(self, pd: Any, name: str) -> None:
        """A memory object is taken from a PD."""
        living = [tcb.number for tcb in pd.tcbs if tcb.state != DEAD]
        self.due.update(dict.fromkeys(living, pd.number))
        if living:
            self.names.setdefault(pd.number, {})[name] = None

    def again(self, pd: int, name: str) -> None:
        """It may have it again, as before: what it has mapped, it may keep."""
        self.names.get(pd, {}).pop(name, None)

    def forget(self, pd: int) -> None:
        """A PD is no more."""
        self.names.pop(pd, None)
        self.due = {tcb: of for tcb, of in self.due.items() if of != pd}

    def tell(self, effects: list[Effect]) -> None:
        """Put the flag into answers that go out after the host has taken the name away."""
        later = set()
        for index in range(len(effects) - 1, -1, -1):
            effect = effects[index]
            if isinstance(effect, WithdrawSegment):
                later.add(effect.pd)
            elif isinstance(effect, Resume):
                pd = self.due.get(effect.tcb)
                if pd is not None and pd not in later:
                    effects[index] = Resume(effect.tcb, flagged(effect.frame))
                    self.due = {tcb: of for tcb, of in self.due.items() if of != pd}
                    later.add(pd)  # once is enough


def flagged(frame: bytes) -> bytes:
    """The answer, with the flag."""
    *header, flags = ANSWER.unpack_from(frame)
    return ANSWER.pack(*header, flags | AnswerFlag.WITHDRAWN) + frame[ANSWER.size :]


def withdrawn(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Which memory objects were taken from the caller's PD since it asked last.

    The runtime asks when an answer has AnswerFlag.WITHDRAWN, and lets go of what it has mapped or
    open; an access to it is a VM fault from then on. If there are more than fit, the answer has the
    flag again.

    Answer:  body: names of segments (UTF-8), a line each
    Differs: seL4 unmaps a frame wherever it was mapped, when its capability is deleted; here a
        process must do so itself, unless it is traced
    """
    names = k.withdrawals.names.pop(caller.pd.number, {})
    told, rest = list(names)[:MOST], list(names)[MOST:]
    for name in rest:
        k.withdrawals.note(caller.pd, name)
    return Result(body="\n".join(told).encode())
