"""What the loop asks of those it runs for: the kernel, and whoever wants to be asked in return."""

from typing import Protocol

from caplab.kernel.core.effects import Effect
from caplab.kernel.core.events import Event


class Core(Protocol):
    """What the loop asks of a kernel."""

    @property
    def next_deadline(self) -> int | None: ...
    @property
    def jobs_pending(self) -> bool: ...
    @property
    def finished(self) -> bool: ...
    @property
    def restless(self) -> bool: ...
    def step(self, event: Event, /) -> list[Effect]: ...


class Rest(Protocol):
    """Somebody who wants to be asked when nothing happens: the recorder."""

    @property
    def patience(self) -> int:
        """In how many nanoseconds after an event to ask, at the latest."""

    def rest(self, now: int) -> int | None:
        """Do what is best done now; in how many nanoseconds to ask again, if at all."""
