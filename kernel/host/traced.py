"""PDs whose memory faults somebody handles: seized by the zygote, which holds a thread that faults.

A thread that touches what is not there stops before its signal is delivered. The kernel is told
where and how; it has pages mapped meanwhile (`map`, `unmap`), and in the end lets the thread
execute its instruction again (`continue`) or kills the PD. All other signals pass. No other thread
is stopped, but one that faults within the interpreter has its lock, which the others then wait for.
What a traced PD calls costs as much as ever.

A fault that no page could mend (somebody's `kill -SEGV`, an address that is none), or abort(), ends
the PD: with SIGKILL, because Linux drops any other signal for process 1 of a namespace, and the
wait status that the kernel is told is the signal's.

Why in the zygote: Linux lets only an ancestor trace where Yama is on, and a thread that traces is
the one that waits for it. SIGCHLD says that one has stopped; it is caught from the first traced PD
on, and children put it back.
"""

import ctypes
import errno
import mmap
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from caplab.kernel.host import ptrace
from caplab.kernel.host.injection import (
    PROT_READ,
    PROT_WRITE,
    WALL,
    Ended,
    Injection,
)
from caplab.kernel.host.last_words import CODE, LastWords

STOPPING = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
FAULTS = (signal.SIGSEGV, signal.SIGBUS)
YES, NO = b"y", b"n"
Job = Callable[[int], None]
"""Something to be done in a stopped thread."""


class Seat:
    """A pair of sockets for a PD that is to be traced: word that it is, then files of pages."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.traced = False

    def wait(self) -> None:
        """In the child, before all else: until the zygote has seized it, or could not."""
        self.traced = self.theirs.recv(1) == YES

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


class Tracee:
    """One traced PD."""

    def __init__(self, pd: int, pid: int, channel: socket.socket, at: int) -> None:
        self.pd = pd
        self.pid = pid
        self.channel = channel
        self.at = at
        """The number of the channel's other end there."""
        self.threads: dict[int, int] = {pid: 0}
        """By our name for it, each thread's own name, once that is known."""
        self.held: set[int] = set()
        self.jobs: list[Job] = []
        self.died_of = 0


class Tracer:
    """All traced PDs; the zygote's one thread.

    Args:
        tell: send the kernel a message.
        words: the handler that PDs have; its code holds a system-call instruction.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], None], words: LastWords) -> None:
        self._tell = tell
        self._tracees: dict[int, Tracee] = {}
        """By PD."""
        self._threads: dict[int, Tracee] = {}
        self._early: dict[int, int] = {}
        """Stops of threads whose making has not been reported yet."""
        self._wake: tuple[socket.socket, socket.socket] | None = None
        # Private: the zygote's page, and in each child a copy of its own.
        self._scratch = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        machine = ptrace.machine()
        self._injection: Injection | None = None
        if machine is not None and words.address:
            self._ptrace = ptrace.Ptrace(machine)
            trap = words.address + CODE[os.uname().machine].index(machine.trap)
            scratch = ctypes.addressof(ctypes.c_char.from_buffer(self._scratch))
            self._injection = Injection(self._ptrace, machine, trap, scratch)

    # -- the beginning and the end of a tracee ---------------------------------------------------

    def seat(self) -> Seat:
        """For the next fork. SIGCHLD is heard from now on: `fileno` is readable then."""
        if self._wake is None:
            readable, writable = self._wake = socket.socketpair()
            readable.setblocking(False)
            writable.setblocking(False)
            signal.signal(signal.SIGCHLD, lambda *_: None)
            signal.set_wakeup_fd(writable.fileno(), warn_on_full_buffer=False)
        return Seat()

    def fileno(self) -> int:
        """-1 as long as nobody was ever traced."""
        return self._wake[0].fileno() if self._wake is not None else -1

    def in_child(self) -> None:
        """After each fork: SIGCHLD is the child's own again."""
        if self._wake is not None:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def seize(self, seat: Seat, pd: int, pid: int, at: int) -> None:
        """Trace a PD that waits in its seat; if that cannot be, it dies of faults as others do."""
        try:
            if self._injection is None:
                raise OSError(errno.ENOSYS, "this architecture is not known")
            self._ptrace.seize(pid)
        except OSError as error:
            print(f"zygote: PD {pd} is not traced: {error}", file=sys.stderr, flush=True)
            seat.ours.send(NO)
            return
        tracee = Tracee(pd, pid, seat.ours.dup(), at)
        self._tracees[pd] = self._threads[pid] = tracee
        seat.ours.send(YES)

    def close(self) -> None:
        """SIGCHLD is nobody's again."""
        self.in_child()
        for end in self._wake or ():
            end.close()

    def forget(self, pd: int, status: int) -> int:
        """The PD has been reaped; the wait status that says what it died of."""
        tracee = self._tracees.pop(pd, None)
        if tracee is None:
            return status
        tracee.channel.close()
        for tid in tracee.threads:
            self._threads.pop(tid, None)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        return tracee.died_of if killed and tracee.died_of else status

    # -- what the kernel asks for -----------------------------------------------------------------

    def request(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """`map`, `unmap` or `continue`; of a PD that has ended, nothing."""
        tracee = self._tracees.get(message["pd"])
        if tracee is None or self._injection is None:
            return
        if message["op"] == "continue":
            if message["tid"] in tracee.held:
                tracee.held.discard(message["tid"])
                self._leniently(lambda: self._ptrace.cont(message["tid"]))
            return
        if message["op"] == "map":
            socket.send_fds(tracee.channel, [b"m"], descriptors)
            job = self._mapping(tracee, message)
        else:
            job = self._unmapping(message)
        held = next(iter(tracee.held), None)
        if held is not None:
            self._leniently(lambda: job(held))
            return
        tracee.jobs.append(job)
        self._leniently(lambda: self._ptrace.interrupt(tracee.pid))

    def _mapping(self, tracee: Tracee, message: dict[str, Any]) -> Job:
        prot = PROT_READ | PROT_WRITE if message["writable"] else PROT_READ
        address, length = message["address"], message["length"]
        inject = self._injection
        assert inject is not None
        return lambda tid: inject.map_shared(tid, tracee.at, address, length, prot)

    def _unmapping(self, message: dict[str, Any]) -> Job:
        inject = self._injection
        assert inject is not None

        def unmap(tid: int) -> None:
            for address, length in message["ranges"]:
                inject.map_nothing(tid, address, length)

        return unmap

    def _leniently(self, act: Callable[[], None]) -> None:
        """Who is acted on may have been killed; what fails otherwise is said."""
        try:
            act()
        except Ended:
            pass
        except OSError as error:
            if error.errno != errno.ESRCH:
                print(f"zygote: {error}", file=sys.stderr, flush=True)

    # -- stops ---------------------------------------------------------------------------------

    def ready(self) -> None:
        """See to every thread that has stopped, and reap those that have ended."""
        assert self._wake is not None
        try:
            self._wake[0].recv(4096)
        except BlockingIOError:
            pass
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WSTOPPED | os.WNOHANG | WALL)
            except ChildProcessError:
                break  # there is nobody who could stop; somebody may have ended
            if found is None:
                break
            self._stopped(found.si_pid, found.si_status)
        for tid, tracee in list(self._threads.items()):
            if tid != tracee.pid:
                self._reap(tracee, tid)
        self.sweep()

    def sweep(self) -> None:
        """Reap threads of whose making we were not told, because that killed their maker first.

        Linux does not call a process ended before them. It names one at a time, and processes that
        have ended before threads: the zygote asks again when it has reaped one of those.
        """
        if self._wake is None:
            return
        with suppress(ChildProcessError):
            while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT | WALL):
                if found.si_code in (os.CLD_TRAPPED, os.CLD_STOPPED) or is_process(found.si_pid):
                    return
                os.waitid(os.P_PID, found.si_pid, os.WEXITED | os.WNOHANG | WALL)
                self._early.pop(found.si_pid, None)

    def _reap(self, tracee: Tracee, tid: int) -> None:
        """A thread that is not the first of its process may have ended."""
        try:
            found = os.waitid(os.P_PID, tid, os.WEXITED | os.WNOHANG | WALL)
            if found is None:
                return
        except ChildProcessError:
            found = None
        if found is not None and found.si_code in (os.CLD_TRAPPED, os.CLD_STOPPED):
            # Of those one traces Linux tells stops too, asked or not, and only once.
            self._stopped(tid, found.si_status)
            return
        del self._threads[tid], tracee.threads[tid]
        tracee.held.discard(tid)

    def _stopped(self, tid: int, status: int) -> None:
        tracee = self._threads.get(tid)
        if tracee is not None:
            self._leniently(lambda: self._act(tracee, tid, status & 0xFF, status >> 8))
        elif status >> 8 == ptrace.EVENT_STOP:
            self._early[tid] = status

    def _act(self, tracee: Tracee, tid: int, number: int, event: int) -> None:
        if event == ptrace.EVENT_CLONE:
            made = self._ptrace.event_message(tid)
            self._threads[made] = tracee
            tracee.threads[made] = 0
            self._ptrace.cont(tid)
            if made in self._early:
                self._stopped(made, self._early.pop(made))
        elif event == ptrace.EVENT_STOP:
            self._interrupted(tracee, tid, number)
        elif event == 0 and number in FAULTS:
            self._faulted(tracee, tid, number)
        elif event == 0 and number == signal.SIGABRT:
            self._end(tracee, number)
        else:
            self._ptrace.cont(tid, number if event == 0 else 0)

    def _interrupted(self, tracee: Tracee, tid: int, number: int) -> None:
        """A stop without a signal: a thread that begins, a SIGSTOP that acts, or our own wish."""
        jobs, tracee.jobs = tracee.jobs, []
        for job in jobs:
            self._leniently(lambda job=job: job(tid))  # type: ignore[misc]
        if number not in STOPPING:
            self._ptrace.cont(tid)
        elif jobs:
            os.kill(tracee.pid, number)  # it has been made to run for a moment
            self._ptrace.cont(tid)
        else:
            self._ptrace.listen(tid)

    def _faulted(self, tracee: Tracee, tid: int, number: int) -> None:
        assert self._injection is not None
        code, address = struct.unpack_from("<8xi4xQ", self._ptrace.siginfo(tid))
        access = self._injection.access(tid, number) if code > 0 else None
        if access is None:
            self._end(tracee, number)
            return
        if not tracee.threads[tid]:
            tracee.threads[tid] = self._injection.tid(tid)
        tracee.held.add(tid)
        fault = {"tid": tid, "thread": tracee.threads[tid], "address": address, "access": access}
        self._tell({"op": "faulted", "pd": tracee.pd, **fault})

    @staticmethod
    def _end(tracee: Tracee, number: int) -> None:
        """End a PD for a signal that it would die of, or would not as process 1."""
        tracee.died_of = number
        os.kill(tracee.pid, signal.SIGKILL)


def is_process(tid: int) -> bool:
    """Whether this names a process, not one of its other threads."""
    try:
        os.close(os.pidfd_open(tid))
    except OSError:
        return False
    return True
