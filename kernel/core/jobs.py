"""Long work in slices, so that no caller waits for another's revoke.

A job is plain data in a queue, never a generator: it can be hashed, replayed and looked at. The
host feeds Work events while jobs are pending; slices are counted, not timed, so that a replay
repeats them.

Differs: seL4 is preempted in long work and executes the call again; here the rest of the work
    waits in a queue, other calls are executed between its slices, and the asker stays blocked
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB

SLICE = 256
"""Units (capabilities, resources, rows) a job may do in one step."""


class Job:
    """Work that may take several steps."""

    __slots__ = ("asker",)

    def __init__(self) -> None:
        self.asker: TCB | None = None
        """The TCB that stays blocked until the job is done."""

    def run(self, k: Kernel, units: int) -> bool:
        """Do at most `units` of the work; true when all of it is done."""
        raise AssertionError("a job says what it does")

    def done(self, k: Kernel) -> None:
        """All of it is done: what else follows."""
