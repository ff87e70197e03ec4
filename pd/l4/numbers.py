"""Codezero's numbers: message registers, thread ids, kinds of IPC, error codes.

Sources: libl4's message registers and the kernel's IPC limits, told in own words; the names are
those that seed 003 and Codezero's services use.
"""

from __future__ import annotations

from enum import IntFlag

MR_TAG = MR_RETURN = 0
"""The tag of a request and the result of its return share a register."""
MR_SENDER = 1
MR_UNUSED_START, MR_UNUSED_TOTAL = 2, 4
"""The registers that are free in a short IPC."""
MR_TOTAL = 6
"""What a short IPC transfers."""
MR_REST = 54
"""What a full IPC transfers besides."""
FULL_TOTAL = MR_TOTAL + MR_REST
UTCB_WORDS = 64
"""Message registers there are; the last four are never transferred."""
L4SYS_ARG0, L4SYS_ARG1, L4SYS_ARG2, L4SYS_ARG3 = 2, 3, 4, 5

L4_NILTHREAD, L4_ANYTHREAD = 0xFFFFFFFF, 0xFFFFFFFE
L4_IPC_EXTENDED_MAX = 2048
"""Bytes that an extended IPC transfers at most, besides the registers of a short one."""
TAG_MASK = 0xFFF
"""What Codezero keeps of a tag."""


class Kind(IntFlag):
    """Kinds of IPC, and with `|` what a capability allows of them."""

    SHORT = 1
    FULL = 2
    EXTENDED = 4
    ALL = 7


_THREAD_BITS = 24
_REFUSED_AT = 21
"""Where in a badge that `share` mints the kinds stand that its holder may not use."""
_REFUSED = int(Kind.ALL) << _REFUSED_AT
FIRST_MINTED = 1 << _THREAD_BITS
"""From here on badges are those that `share` mints; below are the root task's."""


def thread_id(pd: int, thread: int = 0) -> int:
    """The id of a thread: the number of its PD (Codezero: its container) over its own.

    Every generation of a PD has a number of its own, and so have its threads.
    """
    return pd << _THREAD_BITS | thread


def container_of(tid: int) -> int:
    """The number of the PD that a thread is of."""
    return tid >> _THREAD_BITS


def badge_of(tid: int, kinds: Kind) -> int:
    """The badge of a capability that lets a thread send these kinds alone."""
    return tid | (int(Kind.ALL) & ~int(kinds)) << _REFUSED_AT


def holder_of(badge: int) -> int:
    """The thread that a badge made by `badge_of` is for."""
    return badge & ~_REFUSED


def allowed_by(badge: int) -> Kind:
    """The kinds of IPC that a capability with this badge allows."""
    if badge < FIRST_MINTED:
        return Kind.ALL
    return Kind.ALL & ~Kind(badge >> _REFUSED_AT & int(Kind.ALL))


ESRCH, EINTR, ENOMEM, EFAULT, EINVAL, ENOSYS = 3, 4, 12, 14, 22, 38
ETIMEDOUT = 110
"""Ours: Codezero has no time limits."""
EACTIVE, ENOIPC, ENOCAP, ENOUTCB, ENOMAP, ENOIRQ, EABORT, ENOCHILD = range(132, 140)

_MEANINGS = {
    ESRCH: "no such thread, or it is dead",
    EINTR: "the other side died, or the IPC was cancelled",
    ENOMEM: "no thread, no slot or no memory left",
    EFAULT: "the buffer cannot be used",
    EINVAL: "an argument is not valid",
    ENOSYS: "no such request",
    ETIMEDOUT: "the time limit ran out",
    EACTIVE: "the thread is active",
    ENOIPC: "the two sides do not do the same kind of IPC",
    ENOCAP: "no capability for it",
    ENOUTCB: "a side has no message registers",
    ENOMAP: "there is no such mapping",
    ENOIRQ: "there is no such interrupt",
    EABORT: "the other side will not answer any more",
    ENOCHILD: "there is no such child",
}
_NAMES = {
    number: name
    for name, number in list(globals().items())
    if name.startswith("E") and isinstance(number, int)
}


class L4Error(OSError):
    """A negative return as an exception: `errno` is Codezero's number, which from 132 up is not
    the host's.
    """

    def __init__(self, code: int) -> None:
        self.name = _NAMES.get(code, str(code))
        super().__init__(code, f"{self.name}: {_MEANINGS.get(code, 'an error of the service')}")


def check(returned: int) -> int:
    """What an L4 verb returned, if that is no error. Raises L4Error.

    The verbs return numbers, as the seed's code reads them: `check(l4.send(…))` is for code that
    would rather not.
    """
    if returned < 0:
        raise L4Error(-returned)
    return returned
