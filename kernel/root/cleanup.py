"""What follows from a PD's death for spaces and holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.core.cap import Cause
from caplab.kernel.core.jobs import Job
from caplab.kernel.root import holds

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.pd import PD
    from caplab.kernel.root.task import RootTask


class Aftermath(Job):
    """The spaces of a dead PD go, one after the other, then everything it held."""

    __slots__ = ("cause", "pd", "root", "task")

    def __init__(self, root: RootTask, pd: PD, cause: Cause) -> None:
        super().__init__()
        self.root = root
        self.pd = pd
        self.cause = cause
        self.task: holds.Taking | None = None

    def run(self, k: Kernel, units: int) -> bool:
        while units > 0:
            if self.task is None:
                self.task = self._next(k)
            if self.task is None:
                k.units = units
                return True
            units -= 1
            if self.task.more:
                self.task.unit(k)
            else:
                self.task.done(k)
                self.task = None
        return False

    def _next(self, k: Kernel) -> holds.Taking | None:
        for space in self.pd.spaces.values():
            if space.cause is None:
                return holds.destruction(k, space, self.cause)
        return holds.Dropping(self.root, self.pd, self.cause) if self.pd.holds else None
