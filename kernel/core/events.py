"""What happens to the kernel: the only arguments :meth:`Kernel.step` ever sees.

Time (nanoseconds of the monotonic clock) and every number that a host makes up arrive here, so
that a recorded list of events replays to the same state. NamedTuples, because building a frozen
dataclass costs 12 % of a call.
"""

from typing import Any, NamedTuple


class Boot(NamedTuple):
    """The first event: the system as the manifest describes it (`boot/README.md` has the keys)."""

    now: int
    spec: dict[str, Any]


class Syscall(NamedTuple):
    """TCB `tcb` sent `frame` (header, optional parts, body, capability slots; see abi)."""

    now: int
    tcb: int
    frame: bytes


class Started(NamedTuple):
    """The host forked the process of a PD."""

    now: int
    pd: int
    pid: int


class Exited(NamedTuple):
    """The process of a PD is reaped; `status` is its wait status. Only this means dead."""

    now: int
    pd: int
    status: int


class BadFrame(NamedTuple):
    """TCB `tcb` broke the transport's rules (too long, too many parts, disconnected)."""

    now: int
    tcb: int
    reason: str


class Interrupt(NamedTuple):
    """A line became readable; the host has masked it until an Unmask effect."""

    now: int
    irq: int


class Deadline(NamedTuple):
    """`kernel.next_deadline` has passed."""

    now: int


class Operator(NamedTuple):
    """A command from outside; `request` is the host's name for the asker, given back in Answer."""

    now: int
    request: int
    command: dict[str, Any]


class Work(NamedTuple):
    """Do one slice of the pending jobs."""

    now: int


class Faulted(NamedTuple):
    """A thread stands at an instruction it cannot execute, outside any call.

    `kind` is a FaultLabel: VM_FAULT, with the address and an access (read, write, fetch), or
    USER_EXCEPTION, with the number of the exception as address and no access.
    """

    now: int
    tcb: int
    kind: int
    address: int
    access: str


Event = (
    Boot | Syscall | Started | Exited | BadFrame | Interrupt | Deadline | Operator | Work | Faulted
)
EVENT_TYPES: tuple[type, ...] = (
    Boot,
    Syscall,
    Started,
    Exited,
    BadFrame,
    Interrupt,
    Deadline,
    Operator,
    Work,
    Faulted,
)
