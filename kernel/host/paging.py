"""Memory faults of PDs that have a handler: between the kernel, the zygote that holds a thread, and
the memory objects.

Which thread of which PD stands for a faulted TCB; pages mapped into a traced PD; and, when one is
taken from it, the places where it had it.
"""

import os
from collections.abc import Sequence
from typing import Any, Protocol

from caplab.kernel.core.effects import ContinueFault, MapPages, WithdrawSegment
from caplab.kernel.host import outside
from caplab.kernel.host.processes import Fault, Processes, Send

Range = tuple[int, int]
"""Address and length."""


class Files(Protocol):
    """What knows the memory objects' files."""

    def descriptor(self, mo: int) -> int: ...
    def withdraw(self, effect: WithdrawSegment) -> None: ...


class Paging:
    """The core thread's."""

    def __init__(self, processes: Processes, files: Files, to_zygote: Send) -> None:
        self._processes = processes
        self._files = files
        self._to_zygote = to_zygote
        self._held: dict[int, tuple[int, int]] = {}
        """By TCB: PD and thread."""

    def faulted(self, message: dict[str, Any]) -> Fault | None:
        """The zygote holds a thread; None if the PD has ended."""
        tcb = self._processes.tcb(message["pd"], message["thread"])
        if tcb is None:
            return None
        self._held[tcb] = (message["pd"], message["tid"])
        return Fault(tcb, message["address"], message["access"])

    def forget(self, pd: int) -> None:
        """A PD has ended."""
        for tcb in [tcb for tcb, held in self._held.items() if held[0] == pd]:
            del self._held[tcb]

    def go_on(self, effect: ContinueFault) -> None:
        held = self._held.pop(effect.tcb, None)
        if held is not None:
            self._to_zygote({"op": "continue", "pd": held[0], "tid": held[1]}, ())

    def map(self, effect: MapPages) -> None:
        """Put a memory object into the PD's address space; whatever was there goes."""
        file = self._files.descriptor(effect.mo)
        if file < 0:
            return  # its memory could not be had, and that was said
        # What may only be read is opened so: else the PD could ask for more.
        mode = os.O_RDWR if effect.writable else os.O_RDONLY
        copy = os.dup(file) if effect.writable else os.open(f"/proc/self/fd/{file}", mode)
        message = {
            "op": "map",
            "pd": effect.pd,
            "address": effect.address,
            "length": os.fstat(file).st_size,
            "writable": effect.writable,
        }
        self._to_zygote(message, [copy])

    def withdraw(self, effect: WithdrawSegment) -> None:
        """Take a memory object from one PD: its name, and where it is traced the pages."""
        pidfd = self._processes.traced(effect.pd)
        file = self._files.descriptor(effect.mo)
        ranges = mapped(outside.pid_of(pidfd), file) if pidfd >= 0 and file >= 0 else []
        self._files.withdraw(effect)
        if ranges:
            self._to_zygote({"op": "unmap", "pd": effect.pd, "ranges": ranges}, ())


def mapped(pid: int, file: int) -> Sequence[Range]:
    """Where a process has the file mapped; nowhere, when it has ended."""
    about = os.fstat(file)
    device = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}"
    found = []
    try:
        with open(f"/proc/{pid}/maps") as maps:
            for line in maps:
                words = line.split(None, 5)
                if words[3] == device and words[4] == str(about.st_ino):
                    begin, end = (int(word, 16) for word in words[0].split("-"))
                    found.append((begin, end - begin))
    except OSError:
        return []
    return found
