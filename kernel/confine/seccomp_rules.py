"""Which system calls a confined process may make: pure data, from which a filter is built.

Everything not named here fails with EPERM: a call that Linux gets next year is denied until
somebody has read what it does. Numbers are the same on both architectures (the generic ones).
"""

import errno
import struct
from typing import NamedTuple


class Check(NamedTuple):
    """Holds when `argument & mask` is one of `values`. Only the low 32 bits are looked at.

    That is enough for every argument below: the kernel takes them as 32-bit numbers itself.
    """

    argument: int
    mask: int
    values: tuple[int, ...]


DONE = -1


class Rule(NamedTuple):
    """A call that is allowed where every check holds; or one that fails with a given error."""

    name: str
    checks: tuple[Check, ...] = ()
    error: int = 0
    """DONE for one that is not made, and returns as if it had been."""


_WORD = 0xFFFFFFFF
_CLONE_THREAD = 0x00010000
_CLONE_NEW = 0x7E020000
"""All of CLONE_NEW…: namespaces."""
_AF_UNIX = 1
_SCHED_OTHER = 0
_STREAM, _SEQPACKET, _TYPE = 1, 5, 0xF
"""Types of sockets, and the bits of a number that say the type."""

_FCNTL = (
    *(0, 1, 2, 3, 4),  # DUPFD, GETFD, SETFD, GETFL, SETFL
    *(5, 6, 7),  # GETLK, SETLK, SETLKW
    *(1030, 1032, 1034),  # DUPFD_CLOEXEC, GETPIPE_SZ, GET_SEALS
)
"""Without SETOWN and SETSIG, by which another process can be killed, leases, notification, and
ADD_SEALS, which would keep the kernel from truncating a page it takes back."""
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS (is it a terminal?), TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX."""
_IOCTL_TERMINAL = (0x5402, 0x5403, 0x5404)
"""TCSETS, TCSETSW, TCSETSF: for a process that has a terminal of its own."""
_PRCTL = (3, 15, 16, 21, 38, 39, 0x53564D41)
"""GET_DUMPABLE, SET_NAME, GET_NAME, GET_SECCOMP, SET_NO_NEW_PRIVS, GET_NO_NEW_PRIVS, SET_VMA."""
_MADVISE = (0, 1, 2, 3, 4, 8, 14, 15, 16, 17, 20, 21, 102, 103)
"""Without REMOVE, which punches a hole into a page that others share."""

_SOCKET_OPTIONS = (2, 13, 20, 21, 66, 67)
"""REUSEADDR, LINGER, RCVTIMEO and SNDTIMEO (of 32 and of 64 bits). Without the sizes of buffers,
which are memory of the host that no limit of a process counts, and without filters."""

_DESCRIPTORS = """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close
    close_range dup dup2 dup3 pipe pipe2 poll ppoll select pselect6 epoll_create epoll_create1
    epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 fstat fstatfs fsync fdatasync
    fadvise64
"""
_FILES = """
    newfstatat stat lstat statx access faccessat faccessat2 readlink readlinkat getdents64 getcwd
    statfs
"""
"""Looking. Which files may be opened at all is for the root file system and Landlock to say."""
_SOCKETS = """
    sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg shutdown getsockopt getsockname getpeername
"""
_MEMORY = "mmap munmap mprotect mremap brk msync membarrier"
_THREADS = """
    futex futex_waitv sched_yield rseq set_robust_list set_tid_address restart_syscall exit
    exit_group getcpu
"""
_SIGNALS = """
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait
    sigaltstack pause signalfd signalfd4
"""
_TIME = """
    nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times timerfd_create
    timerfd_settime timerfd_gettime setitimer getitimer alarm
"""
_ITSELF = """
    getpid gettid getppid getuid geteuid getgid getegid getresuid getresgid getgroups getpgrp
    getpgid getrandom uname sysinfo getrusage getrlimit sched_getaffinity sched_getparam
    sched_getscheduler sched_get_priority_max sched_get_priority_min
"""
# In the order of how often they are called: a filter is read from its beginning.
_ALWAYS = (_THREADS, _SOCKETS, _DESCRIPTORS, _TIME, _MEMORY, _SIGNALS, _FILES, _ITSELF)

ANY_PID = 0x7FFFFFF5
"""In place of a pid that is not known yet; no process has it."""

CONNECTING = ("socket", "connect", "seccomp")
"""What a process may do until it is connected, and not afterwards."""


def rules(pid: int, no_open: int = 0, *, terminal: bool = False) -> list[Rule]:
    """What the process `pid` may do while it starts; with `terminal`, change its modes.

    `no_open` are flags of open(2) that are refused (O_TRUNC …), for a host where nothing else
    refuses them. Signals may be sent to the process itself only.
    """
    names = [name for group in _ALWAYS for name in group.split()]
    openable = (Check(1, no_open, (0,)),) if no_open else ()
    openable_at = (Check(2, no_open, (0,)),) if no_open else ()
    requests = _IOCTL + _IOCTL_TERMINAL if terminal else _IOCTL
    return [
        *(Rule(name) for name in names),
        Rule("open", openable),
        Rule("openat", openable_at),
        Rule("fcntl", (Check(1, _WORD, _FCNTL),)),
        Rule("ioctl", (Check(1, _WORD, requests),)),
        Rule("madvise", (Check(2, _WORD, _MADVISE),)),
        Rule("clone", (Check(0, _CLONE_THREAD | _CLONE_NEW, (_CLONE_THREAD,)),)),
        # Its arguments lie in memory, where no filter can look. Without it, clone is used.
        Rule("clone3", error=errno.ENOSYS),
        Rule("kill", (Check(0, _WORD, (pid,)),)),
        Rule("tgkill", (Check(0, _WORD, (pid,)),)),
        Rule("prctl", (Check(0, _WORD, _PRCTL),)),
        # Its own limits, which it cannot raise above what they are.
        Rule("prlimit64", (Check(0, _WORD, (0, pid)),)),
        # libzmq sets the policy of its threads to what it is, and aborts when it must not. It is
        # told that this was done: whose thread it is, a filter cannot see.
        Rule("sched_setscheduler", (Check(1, _WORD, (_SCHED_OTHER,)),), error=DONE),
        # Half a pair of datagrams may send to any socket that it can name, the host's included.
        Rule("socketpair", (Check(0, _WORD, (_AF_UNIX,)), Check(1, _TYPE, (_STREAM, _SEQPACKET)))),
        Rule("socket", (Check(0, _WORD, (_AF_UNIX,)),)),
        Rule("setsockopt", (Check(2, _WORD, _SOCKET_OPTIONS),)),
        Rule("connect"),
        Rule("seccomp"),  # for the second filter
    ]


def sealing() -> list[Rule]:
    """The second filter: what was needed to connect fails from now on, the rest is as it was."""
    return [Rule(name, error=errno.EPERM) for name in CONNECTING]


def for_process(code: bytes, pid: int) -> bytes:
    """The filter made of `rules(ANY_PID)` and packed, for this process."""
    return code.replace(struct.pack("=I", ANY_PID), struct.pack("=I", pid))
