"""Domains: partitions of time. Of all TCBs only those of the current domain run.

The schedule is a list of entries, a domain and for how long; an empty entry ends it, and then it
begins anew at its start. An entry whose time is over gives way at a Deadline event, so that nothing
here knows a clock. A system begins with one entry, domain 0 without end, and all TCBs are in it.

Domains act through the gate of `scheduler: strict`; without it they are only remembered. As the
gate cannot take the CPU from a TCB that computes, one that computes past the end of its domain
holds the next one up until it makes a call.

Differs: a tick is one millisecond of the host's clock; an entry of the greatest duration never ends
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from caplab.kernel.abi import (
    DOMAIN_DURATION_MAX,
    DOMAIN_SCHEDULES,
    DOMAIN_TICK,
    NUM_DOMAINS,
    ObjectType,
    Status,
)
from caplab.kernel.core import cspace, message
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.outcome import OK, Outcome, Result, error
from caplab.kernel.core.states import DEAD

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB


class Entry(NamedTuple):
    """One turn of a domain, in ticks; an entry of no ticks ends the schedule."""

    domain: int
    duration: int


END = Entry(0, 0)


class Domains:
    """The schedule, and whose turn it is. All capabilities of this type name this one object."""

    __slots__ = ("current", "deadline", "index", "refs", "schedule", "start")
    name = "domains"

    def __init__(self) -> None:
        self.schedule = [Entry(0, DOMAIN_DURATION_MAX)] + [END] * (DOMAIN_SCHEDULES - 1)
        """The last entry stays an end."""
        self.start = 0
        self.index = 0
        """The entry whose turn it is; it may have been configured anew since it began."""
        self.current = 0
        """The domain whose turn it is."""
        self.deadline: int | None = None
        self.refs = 0

    def expired(self, k: Kernel) -> None:
        """The turn is over: the next entry's begins, after the last one that of the start."""
        following = self.index + 1
        self.begin(k, self.start if self.schedule[following] == END else following)

    def begin(self, k: Kernel, index: int) -> None:
        """The turn of an entry begins now."""
        self.index = index
        self.current, duration = self.schedule[index]
        self.deadline = None
        if k.gate is not None and duration < DOMAIN_DURATION_MAX:
            k.deadlines.set(self, k.now + duration * DOMAIN_TICK, len(k.tcbs))

    def describe(self) -> list[int | list[Entry]]:
        """For the state hash."""
        filled = [entry for entry in self.schedule if entry != END]
        return [self.start, self.index, self.current, len(filled), filled]


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    cap.obj.refs += 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    cap.obj.refs -= 1


def set_domain(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Put a TCB into a domain. One that is ready goes to the end of its queue there.

    seL4:      seL4_DomainSet_Set
    Object:    DOMAIN_SET
    Arguments: domain (0 to 15); caps: tcb
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT (0: no such domain; 1: not a TCB),
        ILLEGAL_OPERATION (the TCB has ended)
    """
    words = message.words(caller, 1)
    if isinstance(words, Result):
        return words
    domain = words[0]
    if domain >= NUM_DOMAINS:
        return error(Status.INVALID_ARGUMENT, 0)
    if not caller.request.caps:
        return error(Status.TRUNCATED_MESSAGE)
    slot = cspace.lookup(caller, caller.request.caps[0])
    if slot is None or slot.cap is None or slot.cap.type != ObjectType.TCB:
        return error(Status.INVALID_ARGUMENT, 1)
    target: TCB = slot.cap.obj
    if target.state == DEAD:
        return error(Status.ILLEGAL_OPERATION)
    if k.gate is None:
        target.domain = domain
    else:
        k.gate.reorder(target, target.priority, domain)
    return OK


def configure(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Set one entry of the schedule; it counts from its next turn on.

    seL4:      seL4_DomainSet_ScheduleConfigure
    Object:    DOMAIN_SET
    Arguments: index (0 to 62), domain (0 to 15), duration (ticks of a millisecond, below 2**56;
        0, with domain 0, ends the schedule there)
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR (index, domain), INVALID_ARGUMENT (2: too long, or
        the entry at the start would be empty; 1: a domain without a duration)
    """
    words = message.words(caller, 3)
    if isinstance(words, Result):
        return words
    index, domain, duration = words
    domains: Domains = cap.obj
    if index >= DOMAIN_SCHEDULES - 1:
        return error(Status.RANGE_ERROR, 0, DOMAIN_SCHEDULES - 2)
    if domain >= NUM_DOMAINS:
        return error(Status.RANGE_ERROR, 0, NUM_DOMAINS - 1)
    if duration > DOMAIN_DURATION_MAX:
        return error(Status.INVALID_ARGUMENT, 2)
    if not duration and domain:
        return error(Status.INVALID_ARGUMENT, 1)
    if not duration and index == domains.start:
        return error(Status.INVALID_ARGUMENT, 2)
    domains.schedule[index] = Entry(domain, duration)
    return OK


def set_start(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Say where the schedule begins, and begin there at once.

    seL4:      seL4_DomainSet_ScheduleSetStart
    Object:    DOMAIN_SET
    Arguments: index
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR, INVALID_ARGUMENT (0: the entry is empty)
    """
    words = message.words(caller, 1)
    if isinstance(words, Result):
        return words
    domains: Domains = cap.obj
    if words[0] >= DOMAIN_SCHEDULES:
        return error(Status.RANGE_ERROR, 0, DOMAIN_SCHEDULES - 1)
    if domains.schedule[words[0]] == END:
        return error(Status.INVALID_ARGUMENT, 0)
    domains.start = words[0]
    domains.begin(k, words[0])
    return OK
