"""What was done about a death, in the order it was done, and who waits to hear of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.root.pd import PD
    from caplab.kernel.root.work import WorkItem

ACTIONS_SHOWN = 256
"""Actions kept word for word; more are only counted."""


class Report:
    """The account of one PD's death."""

    def __init__(self, pd: PD) -> None:
        self.pd = pd
        self.began: int | None = None
        self.ended = 0
        self.actions: list[dict[str, Any]] = []
        self.more = 0
        self.freed = 0
        self.items: list[WorkItem] = []
        """What servers were asked to do about it."""
        self.swept = False
        self.requests: list[int] = []
        self.tcbs: list[TCB] = []
        self.deadline: int | None = None
        self.policy: dict[str, Any] = {}
        """pd_depth and space_depth chosen for this death."""
        self.origin: Report | None = None
        """The report of the death that this one follows from; it has all that is done here too."""
        self.awaited: dict[int, str] = {}
        """PDs that die of this death and are not gone yet."""

    def begin(self, now: int) -> None:
        """The death is being caused, or has come: whichever is first."""
        if self.began is None:
            self.began = now

    def add(self, action: str, target: str, **more: Any) -> None:
        if self.origin is not None:
            self.origin.add(action, target, **more)
        if action == "free_caller":
            self.freed += 1
        if len(self.actions) < ACTIONS_SHOWN:
            self.actions.append({"action": action, "target": target, **more})
        else:
            self.more += 1

    def as_dict(self) -> dict[str, Any]:
        """The answer of `kill` and `crash`; seconds are those of the host's clock."""
        return {
            "pd": self.pd.name,
            "generation": self.pd.generation,
            "state": self.pd.ended,
            "reason": self.pd.reason,
            "actions": list(self.actions),
            "more_actions": self.more,
            "freed_callers": self.freed,
            "pending": self.pending(),
            "seconds": 0.0 if self.began is None else max(0, self.ended - self.began) / 1e9,
        }

    @property
    def complete(self) -> bool:
        """Everything the root task does itself is done, and so is what it asked of servers."""
        return self.swept and not self.awaited and all(item.done for item in self.items)

    def pending(self) -> list[str]:
        """What is waited for, in words; how many there are of one kind at one server."""
        items = Counter(
            f"{item.kind} at {item.server.name}" for item in self.items if not item.done
        )
        told = [f"{what} ({count})" if count > 1 else what for what, count in items.items()]
        return [f"the end of {name}" for name in self.awaited.values()] + told

    @property
    def top(self) -> Report:
        """The report that whoever asked waits for."""
        return self if self.origin is None else self.origin
