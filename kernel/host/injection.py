"""Having a stopped thread make a system call for us: how the zygote reaches into an address space.

The thread's registers are saved, it executes one system-call instruction with others, and gets its
own back; what it was doing, an interrupted system call included, goes on as if nothing had been.
The call runs with the rights of the thread: its seccomp filter, its limits.
"""

import errno
import os
import signal
import socket
import struct

from caplab.kernel.host import signal_frame
from caplab.kernel.host.ptrace import Machine, Ptrace

WALL = 0x40000000
"""__WALL: threads too."""
PROT_NONE, PROT_READ, PROT_WRITE = 0, 1, 2
MAP_SHARED, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS, MAP_NORESERVE = 1, 2, 0x10, 0x20, 0x4000
TRIES = 64
"""Signals that may come while one instruction is to be executed."""


class Ended(Exception):
    """The thread was killed meanwhile."""


class Injection:
    """Acts on threads that are stopped.

    Args:
        trap: address of a system-call instruction, in every tracee.
        scratch: address of a page that every tracee has of its own, for arguments.
    """

    def __init__(self, ptrace: Ptrace, machine: Machine, trap: int, scratch: int) -> None:
        self._ptrace = ptrace
        self._machine = machine
        self._trap = trap
        self._scratch = scratch

    def tid(self, tid: int) -> int:
        """The thread's id as itself knows it. Raises Ended, OSError."""
        return self.call(tid, self._machine.gettid)

    def map_nothing(self, tid: int, address: int, length: int) -> None:
        """Take a range of the address space away: every touch is a fault. Raises Ended, OSError."""
        flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE
        self.call(tid, self._machine.mmap, address, length, PROT_NONE, flags, -1, 0)

    def map_shared(self, tid: int, channel: int, address: int, length: int, prot: int) -> None:
        """Map what has been sent to `channel`, a descriptor of the thread's process.

        Raises Ended, OSError.
        """
        fd = self._receive(tid, channel)
        try:
            flags = MAP_SHARED | MAP_FIXED
            self.call(tid, self._machine.mmap, address, length, prot, flags, fd, 0)
        finally:
            self.call(tid, self._machine.close, fd)

    def _receive(self, tid: int, channel: int) -> int:
        """The descriptor that waits there."""
        at = self._scratch
        vector, control, byte = at + 64, at + 128, at + 192
        header = struct.pack("<QI4xQQQQi4x", 0, 0, vector, 1, control, 24, 0)
        self._ptrace.write(tid, at, header)
        self._ptrace.write(tid, vector, struct.pack("<QQ", byte, 1))
        self._ptrace.write(tid, control, bytes(24))
        flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
        self.call(tid, self._machine.recvmsg, channel, at, flags)
        length, level, kind, fd = struct.unpack("<QiiI4x", self._ptrace.read(tid, control, 24))
        if (length, level, kind) != (20, socket.SOL_SOCKET, socket.SCM_RIGHTS):
            raise OSError(errno.EMFILE, "no descriptor came with the page")
        return int(fd)

    def call(self, tid: int, number: int, *arguments: int) -> int:
        """The result of a system call. Raises OSError when it fails, Ended."""
        saved = self._ptrace.registers(tid)
        changed = list(saved)
        for place, value in zip(self._machine.arguments, arguments, strict=False):
            changed[place] = value & (1 << 64) - 1
        changed[self._machine.number] = number
        changed[self._machine.pc] = self._trap
        if self._machine.restart is not None:
            changed[self._machine.restart] = (1 << 64) - 1
        self._ptrace.set_registers(tid, changed)
        self._step(tid)
        (result,) = struct.unpack(
            "<q", struct.pack("<Q", self._ptrace.registers(tid)[self._machine.result])
        )
        self._ptrace.set_registers(tid, saved)
        if -4096 < result < 0:
            raise OSError(-result, f"injected call {number}: {os.strerror(-result)}")
        return int(result)

    def access(self, tid: int, number: int) -> str | None:
        """What the instruction that faulted wanted: read, write, fetch; None if nobody can say.

        Only a signal frame tells. So the signal is delivered, which stops at the first instruction
        of the handler, the frame is read, and everything put back as it was; the handler must
        leave the signal unblocked (SA_NODEFER). Raises Ended, OSError.
        """
        frame = signal_frame.here()
        if frame is None:
            return None
        saved, vectors = self._ptrace.registers(tid), self._ptrace.vectors(tid)
        self._step(tid, number)
        ucontext = self._ptrace.registers(tid)[self._machine.third]
        said = self._ptrace.read(tid, ucontext, frame.ucontext_size)
        # A handler begins with empty vector registers, and memset writes from one.
        self._ptrace.set_vectors(tid, vectors)
        self._ptrace.set_registers(tid, saved)
        return frame.access(said)

    def _step(self, tid: int, number: int = 0) -> None:
        for _ in range(TRIES):
            self._ptrace.step(tid, number)
            number = 0
            stopped = wait(tid)
            if stopped == signal.SIGTRAP:
                return
            if stopped in (signal.SIGSEGV, signal.SIGBUS):
                raise OSError(errno.EFAULT, "a thread could not be made to act")
            if stopped & 0x7F != signal.SIGTRAP:
                os.kill(tid, stopped & 0x7F)  # another signal: it comes again when this is done
        raise OSError(errno.EAGAIN, "a thread gets too many signals")


def wait(tid: int) -> int:
    """Until the thread has stopped: the signal, with an event shifted left by eight.

    Raises Ended.
    """
    try:
        found = os.waitid(os.P_PID, tid, os.WSTOPPED | os.WEXITED | os.WNOWAIT | WALL)
        if found is None or found.si_code not in (os.CLD_TRAPPED, os.CLD_STOPPED):
            raise Ended
        stopped = os.waitid(os.P_PID, tid, os.WSTOPPED | os.WNOHANG | WALL)
    except ChildProcessError:
        raise Ended from None
    if stopped is None:
        raise Ended
    return stopped.si_status
