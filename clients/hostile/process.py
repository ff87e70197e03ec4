"""Attacks on processes and on the host's resources. All of them end by themselves."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import mmap
import os
import platform
import socket
import threading
import time
from collections.abc import Callable
from functools import partial

from caplab import Env
from caplab.clients.hostile import native
from caplab.clients.hostile.attack import Contained, GotThrough, Order, each

PTRACE_SEIZE = 0x4206
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, SIGKILL = 1, 4, 9
THREADS, DESCRIPTORS, GIB = 200, 5000, 1 << 30
FAILED = 127
HOGS, BUSY = 32, 1.0
CLONE_NEWUTS = 0x04000000
GETPID_32 = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"
"""mov eax, 20 (getpid of 32-bit Linux); int 0x80; ret"""
X32 = 0x40000000


def signal_peer(env: Env, order: Order) -> None:
    """Be allowed to signal the victim, or whoever forked the attacker; no signal is sent."""
    others = {"the victim": order.victim, "its parent": os.getppid()}
    each({name: partial(_signal, pid) for name, pid in others.items()})


def _signal(pid: int) -> None:
    os.kill(_foreign(pid), 0)


def _foreign(pid: int) -> int:
    """The pid, if it is another's. In a namespace of its own an attacker may find that the number
    is that of one of its own threads, and that nobody forked it."""
    if not pid:
        raise Contained("nobody is there")
    try:
        native.call("tgkill", os.getpid(), pid, 0)
    except OSError:
        return pid
    raise Contained("a thread of its own")


def signal_owner(env: Env, order: Order) -> None:
    """Have Linux send SIGKILL to the victim when a socket becomes readable (F_SETOWN, F_SETSIG)."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        # The owner is set and nothing more: the signal is never asked for.
        each(
            {
                "F_SETOWN": lambda: fcntl.fcntl(ours, fcntl.F_SETOWN, order.victim),
                "F_SETSIG": lambda: fcntl.fcntl(ours, fcntl.F_SETSIG, 0),
            }
        )


def trace_peer(env: Env, order: Order) -> None:
    """Trace the victim, read its memory, take a handle on it."""
    each(
        {
            "ptrace": lambda: native.call("ptrace", PTRACE_SEIZE, _foreign(order.victim), 0, 0),
            "process_vm_readv": lambda: native.read_memory(_foreign(order.victim)),
            "pidfd_open": lambda: os.close(os.pidfd_open(_foreign(order.victim))),
        }
    )


def look_into_proc(env: Env, order: Order) -> None:
    """Read the victim's memory and environment in /proc."""
    files = ("mem", "environ", "maps", "root/etc/passwd")
    each({name: partial(_read, f"/proc/{order.victim}/{name}") for name in files})


def _read(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY))


def fork(env: Env, order: Order) -> None:
    """Make another process, and run another program."""
    each({"fork": _fork, "posix_spawn": _spawn, "exec": _exec})


def _fork() -> None:
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)


def _spawn() -> None:
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


def _exec() -> None:
    pid = os.fork()
    if not pid:
        try:
            os.execv("/bin/true", ["true"])
        finally:
            os._exit(FAILED)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == FAILED:
        raise FileNotFoundError(errno.ENOENT, "/bin/true")


def threads(env: Env, order: Order) -> None:
    """Start two hundred threads."""
    done = threading.Event()
    started = []
    try:
        for _ in range(THREADS):
            started.append(threading.Thread(target=done.wait, args=(30,), daemon=True))
            started[-1].start()
    except RuntimeError:
        raise Contained(f"no more than {len(started) - 1}") from None
    finally:
        done.set()
    raise GotThrough(f"{THREADS} threads")


def descriptors(env: Env, order: Order) -> None:
    """Open five thousand descriptors."""
    taken: list[int] = []
    try:
        taken.extend(os.dup(2) for _ in range(DESCRIPTORS))
    finally:
        for descriptor in taken:
            os.close(descriptor)


def socket_buffers(env: Env, order: Order) -> None:
    """Have the host keep what is sent to nobody: pairs of sockets with the largest of buffers."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        largest = {"SO_SNDBUF": socket.SO_SNDBUF, "SO_RCVBUF": socket.SO_RCVBUF}
        each(
            {
                name: partial(ours.setsockopt, socket.SOL_SOCKET, option, GIB)
                for name, option in largest.items()
            }
        )


def processor_hog(env: Env, order: Order) -> None:
    """Keep the processors busy with as many threads as it may have."""
    until = time.monotonic() + BUSY
    work = bytes(1 << 22)

    def spin() -> None:
        while time.monotonic() < until:
            hashlib.sha256(work).digest()  # which lets go of the interpreter

    hogs: list[threading.Thread] = []
    try:
        for _ in range(HOGS):
            hogs.append(threading.Thread(target=spin, daemon=True))
            hogs[-1].start()
    except RuntimeError:
        hogs.pop()
    for hog in hogs:
        hog.join()
    raise Contained(f"no more than {len(hogs)} threads, for {BUSY:g} s beside the others")


def memory(env: Env, order: Order) -> None:
    """Reserve more memory than a PD may have, private and shared; none of it is touched."""
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    shared = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS
    each({"2 GiB private": partial(_map, 2, private), "5 GiB shared": partial(_map, 5, shared)})


def _map(gibs: int, flags: int) -> None:
    held: list[mmap.mmap] = []
    try:
        held.extend(mmap.mmap(-1, GIB, flags=flags) for _ in range(gibs))
    finally:
        for one in held:
            one.close()


def outlive(env: Env, order: Order) -> None:
    """Wish not to die with the kernel, and to be looked into."""
    each({"PDEATHSIG": _ignore_the_death, "DUMPABLE": partial(_prctl, PR_SET_DUMPABLE, 1)})


def _ignore_the_death() -> None:
    _prctl(PR_SET_PDEATHSIG, 0)
    _prctl(PR_SET_PDEATHSIG, SIGKILL)  # it was allowed; nothing is to be left behind all the same


def _prctl(option: int, value: int) -> None:
    native.call("prctl", option, value, 0, 0, 0)


def kernel_surface(env: Env, order: Order) -> None:
    """Reach parts of Linux that are known for their holes."""
    calls: dict[str, Callable[[], object]] = {
        "io_uring": lambda: native.call("io_uring_setup", 1, 0),
        "bpf": lambda: native.call("bpf", 0, 0, 0),
        "perf": lambda: native.call("perf_event_open", 0, 0, -1, -1, 0),
        "userfaultfd": lambda: os.close(native.call("userfaultfd", 0)),
        "keyctl": lambda: native.call("keyctl", 0, -3, 0),
        "unshare": lambda: native.call("unshare", CLONE_NEWUTS),
        "mount": lambda: native.call("mount", 0, 0, 0, 0, 0),
    }
    each(calls)


def x32(env: Env, order: Order) -> None:
    """Make a system call by the numbers of the x32 ABI, which a filter may have forgotten."""
    if platform.machine() != native.X86:
        raise Contained("this processor has no x32")
    native.raw(X32 | 39)


def thirty_two_bits(env: Env, order: Order) -> None:
    """Make a system call by the numbers of 32-bit Linux, which mean something else."""
    if platform.machine() != native.X86:
        raise Contained("this processor has no int 0x80")
    found = native.execute(GETPID_32)
    if found < 0:
        raise OSError(-found, os.strerror(-found))
    raise GotThrough("getpid was answered")
