"""What the kernel asks its host to do, performed in the order of the list.

An effect names objects by number; the host knows which process, socket, descriptor or file stands
behind a number, the core never does.
"""

from typing import Any, NamedTuple

new = tuple.__new__
"""`new(Resume, (tcb, frame))` is `Resume(tcb, frame)` in half the time, because a NamedTuple's own
constructor is Python code. For the few places that every call passes."""


class Resume(NamedTuple):
    """Answer the one outstanding call of a TCB."""

    tcb: int
    frame: bytes


class Spawn(NamedTuple):
    """Make the process of a PD; `spec` has name, generation, run, args, path, tcbs, devices."""

    pd: int
    spec: dict[str, Any]


class Kill(NamedTuple):
    """Send a signal to the process of a PD."""

    pd: int
    signal: int


class Stop(NamedTuple):
    """SIGSTOP: every TCB of the PD is suspended."""

    pd: int


class Continue(NamedTuple):
    """SIGCONT."""

    pd: int


class CreateSegment(NamedTuple):
    """Allocate `size` bytes of shared memory under `name`."""

    mo: int
    name: str
    size: int


class GrantSegment(NamedTuple):
    """Let a PD open the segment."""

    mo: int
    pd: int
    writable: bool


class WithdrawSegment(NamedTuple):
    """Take the segment from one PD while others keep it."""

    mo: int
    pd: int


class MapPages(NamedTuple):
    """Put the segment into the address space of a PD, in place of what was there."""

    mo: int
    pd: int
    address: int
    writable: bool


class DestroySegment(NamedTuple):
    """Truncate and remove the segment for everybody."""

    mo: int


class Unmask(NamedTuple):
    """Watch the interrupt's line again."""

    irq: int


class ContinueFault(NamedTuple):
    """Let a thread that was stopped by a fault execute its instruction again."""

    tcb: int


class Answer(NamedTuple):
    """The reply to an Operator event."""

    request: int
    body: dict[str, Any]


class Announce(NamedTuple):
    """A change of state for whoever watches the system from outside."""

    body: dict[str, Any]


Effect = (
    Resume
    | Spawn
    | Kill
    | Stop
    | Continue
    | CreateSegment
    | GrantSegment
    | WithdrawSegment
    | MapPages
    | DestroySegment
    | Unmask
    | ContinueFault
    | Answer
    | Announce
)
