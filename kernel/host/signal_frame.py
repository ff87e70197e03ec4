"""What Linux tells a thread about a fault: the signal frame, per architecture.

A signal handler is given a siginfo and a ucontext; both lie side by side on its stack, in this
order on aarch64 and the other way round on x86-64. siginfo has the address; whether it was read,
written or executed only the ucontext says (the page fault's error code; the exception syndrome).

An architecture that has no row in `FRAMES` is one whose PDs fault without last words.
"""

import platform
import signal
import struct
from collections.abc import Callable
from typing import NamedTuple

SIGINFO_SIZE = 128
TID = 124
"""Where in the siginfo our handler leaves the thread's id: padding of every fault's."""
_SIGNO, _CODE, _ADDRESS = 0, 8, 16
HEARD = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT)
"""The last is always sent by the process itself."""


class Words(NamedTuple):
    """One fault."""

    signal: int
    sent: bool
    """By somebody's kill: then the rest says nothing."""
    tid: int
    """Of the thread, as itself knows it."""
    address: int
    access: str | None
    """read, write or fetch; None: it was no fault of memory, or one without an address."""


class Frame(NamedTuple):
    """The two structures as one piece of memory."""

    size: int
    siginfo: int
    ucontext: int
    access: Callable[[bytes], str | None]
    """From the ucontext."""

    @property
    def ucontext_size(self) -> int:
        return self.size - SIGINFO_SIZE


def parse(frame: Frame, data: bytes) -> Words | None:
    """What the frame says; None if it is none."""
    if len(data) != frame.size:
        return None
    info = data[frame.siginfo : frame.siginfo + SIGINFO_SIZE]
    number, code, tid = (struct.unpack_from("<i", info, at)[0] for at in (_SIGNO, _CODE, TID))
    (address,) = struct.unpack_from("<Q", info, _ADDRESS)
    if number not in HEARD:
        return None
    access = frame.access(data[frame.ucontext :]) if code > 0 else None
    return Words(number, code <= 0, tid, address, access)


def _x86_64(ucontext: bytes) -> str | None:
    registers = 40  # general registers: 16, then ip, flags, segments, error code, trap
    error, trap = struct.unpack_from("<QQ", ucontext, registers + 19 * 8)
    if trap != 14:  # not a page fault: a general protection fault has no address
        return None
    if error & 16:
        return "fetch"
    return "write" if error & 2 else "read"


_ARM_RECORDS = 464
"""Of the ucontext: tagged records, each with its length, after the general registers."""
_ESR_MAGIC = 0x45535201


def _aarch64(ucontext: bytes) -> str | None:
    at = _ARM_RECORDS
    while at + 16 <= len(ucontext):
        magic, size, syndrome = struct.unpack_from("<IIQ", ucontext, at)
        if magic == _ESR_MAGIC:
            kind = syndrome >> 26 & 0x3F
            if kind in (0x20, 0x21):
                return "fetch"
            if kind not in (0x24, 0x25):
                return None
            return "write" if syndrome & 0x40 else "read"
        if magic == 0 or size < 8:
            return None
        at += size
    return None


FRAMES = {
    "x86_64": Frame(304 + SIGINFO_SIZE, siginfo=304, ucontext=0, access=_x86_64),
    "aarch64": Frame(
        SIGINFO_SIZE + _ARM_RECORDS + 1024, siginfo=0, ucontext=SIGINFO_SIZE, access=_aarch64
    ),
}


def here() -> Frame | None:
    """The frame of this machine, if it is known."""
    return FRAMES.get(platform.machine())
