"""The filter, interpreted here line by line for either architecture; and installed, on this one."""

import ctypes
import errno
import os
import signal
import struct
import threading

import pytest

from caplab.kernel.confine import seccomp
from caplab.kernel.confine.libc import Libc
from caplab.kernel.confine.seccomp import ALLOW, ERROR, KILL_PROCESS, Seccomp, build, pack
from caplab.kernel.confine.seccomp_rules import (
    ANY_PID,
    CONNECTING,
    Check,
    Rule,
    for_process,
    rules,
    sealing,
)
from caplab.kernel.confine.seccomp_tables import ARCHITECTURES, X32_BIT, Architecture, numbers
from children import in_child

DENIED = ERROR | errno.EPERM
PRETENDED = ERROR
ME = 4242
both = pytest.mark.parametrize("machine", sorted(ARCHITECTURES))


def interpret(code: bytes, number: int, audit: int, arguments: tuple[int, ...] = ()) -> int:
    """What the classic BPF machine returns for a call."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("=IIQ6Q", number, audit, 0, *(each & (1 << 64) - 1 for each in padded))
    lines = list(struct.iter_unpack("=HBBI", code))
    accumulator = at = 0
    while True:
        what, yes, no, value = lines[at]
        at += 1
        if what == seccomp.LOAD:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif what == seccomp.AND:
            accumulator &= value
        elif what == seccomp.JUMP_EQUAL:
            at += yes if accumulator == value else no
        elif what == seccomp.JUMP_AT_LEAST:
            at += yes if accumulator >= value else no
        else:
            assert what == seccomp.RETURN
            return int(value)


class Machine:
    """A machine with the first filter, and perhaps the second."""

    def __init__(
        self, machine: str, no_open: int = 0, *, sealed: bool = False, terminal: bool = False
    ) -> None:
        self.architecture: Architecture = ARCHITECTURES[machine]
        self.numbers = numbers(self.architecture)
        self._filters = [
            pack(build(self.architecture, rules(ME, no_open, terminal=terminal), DENIED))
        ]
        if sealed:
            self._filters.append(pack(build(self.architecture, sealing(), ALLOW)))

    def number(self, number: int, *arguments: int, audit: int | None = None) -> int:
        """What happens at a call: the strictest of what the filters say."""
        at = self.architecture.audit if audit is None else audit
        verdicts = [interpret(code, number, at, arguments) for code in self._filters]
        order = (KILL_PROCESS, DENIED, ERROR | errno.ENOSYS, PRETENDED, ALLOW)
        return min(verdicts, key=order.index)

    def call(self, name: str, *arguments: int) -> int:
        return self.number(self.numbers[name], *arguments)


@both
def test_what_a_program_lives_on_is_allowed(machine: str) -> None:
    names = ("read", "write", "futex", "mmap", "openat", "recvfrom", "exit_group", "clock_gettime")
    there = Machine(machine, sealed=True)
    assert {name: there.call(name) for name in names} == dict.fromkeys(names, ALLOW)


@both
def test_connecting_is_allowed_until_it_is_sealed(machine: str) -> None:
    before, after = Machine(machine), Machine(machine, sealed=True)
    arguments = {"socket": (1,), "connect": (3,), "seccomp": (1,)}
    for name in CONNECTING:
        assert before.call(name, *arguments[name]) == ALLOW, name
        assert after.call(name, *arguments[name]) == DENIED, name


@both
@pytest.mark.parametrize("domain", [2, 10, 16, 17, 38])  # INET, INET6, NETLINK, PACKET, ALG
def test_only_unix_sockets_are_made(machine: str, domain: int) -> None:
    assert Machine(machine).call("socket", domain) == DENIED


HOSTILE = {
    "x86_64": {
        "ptrace": 101,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "pidfd_open": 434,
        "pidfd_getfd": 438,
        "pidfd_send_signal": 424,
        "execve": 59,
        "execveat": 322,
        "fork": 57,
        "vfork": 58,
        "unshare": 272,
        "setns": 308,
        "mount": 165,
        "bpf": 321,
        "io_uring_setup": 425,
        "userfaultfd": 323,
        "perf_event_open": 298,
        "keyctl": 250,
        "memfd_create": 319,
        "ftruncate": 77,
        "truncate": 76,
        "fallocate": 285,
        "tkill": 200,
        "unlink": 87,
        "unlinkat": 263,
        "renameat2": 316,
        "linkat": 265,
        "fchmod": 91,
        "bind": 49,
        "listen": 50,
        "accept4": 288,
        "setpriority": 141,
        "shmget": 29,
        "rt_sigqueueinfo": 129,
        "rt_tgsigqueueinfo": 297,
        "sched_setaffinity": 203,
        "openat2": 437,
        "inotify_init1": 294,
        "chdir": 80,
        "mknodat": 259,
        "mkdirat": 258,
    },
    "aarch64": {
        "ptrace": 117,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "pidfd_open": 434,
        "pidfd_getfd": 438,
        "pidfd_send_signal": 424,
        "execve": 221,
        "execveat": 281,
        "unshare": 97,
        "setns": 268,
        "mount": 40,
        "bpf": 280,
        "io_uring_setup": 425,
        "userfaultfd": 282,
        "perf_event_open": 241,
        "keyctl": 219,
        "memfd_create": 279,
        "ftruncate": 46,
        "truncate": 45,
        "fallocate": 47,
        "tkill": 130,
        "unlinkat": 35,
        "renameat2": 276,
        "linkat": 37,
        "fchmod": 52,
        "bind": 200,
        "listen": 201,
        "accept4": 242,
        "setpriority": 140,
        "shmget": 194,
        "rt_sigqueueinfo": 138,
        "rt_tgsigqueueinfo": 240,
        "sched_setaffinity": 122,
        "openat2": 437,
        "chdir": 49,
    },
}


@both
def test_what_reaches_beyond_the_process_is_denied(machine: str) -> None:
    there = Machine(machine)
    allowed = [name for name, nr in HOSTILE[machine].items() if there.number(nr) != DENIED]
    assert not allowed


@both
def test_a_number_that_nobody_has_heard_of_is_denied(machine: str) -> None:
    assert Machine(machine).number(1999) == DENIED


@both
def test_signals_are_for_oneself(machine: str) -> None:
    there = Machine(machine)
    for name in ("kill", "tgkill"):
        assert there.call(name, ME) == ALLOW
        for other in (ME + 1, 0, -1, 1):
            assert there.call(name, other) == DENIED, (name, other)


@both
def test_threads_are_made_and_processes_and_namespaces_are_not(machine: str) -> None:
    there = Machine(machine)
    thread = 0x003D0F00  # as pthread_create asks for one
    assert there.call("clone", thread) == ALLOW
    assert there.call("clone", signal.SIGCHLD) == DENIED
    assert there.call("clone", thread | 0x10000000) == DENIED  # CLONE_NEWUSER
    assert there.call("clone3") == ERROR | errno.ENOSYS


@both
@pytest.mark.parametrize(
    ("name", "arguments", "verdict"),
    [
        ("fcntl", (3, 3), ALLOW),  # F_GETFL
        ("fcntl", (3, 8), DENIED),  # F_SETOWN
        ("fcntl", (3, 10), DENIED),  # F_SETSIG
        ("fcntl", (3, 1033), DENIED),  # F_ADD_SEALS
        ("fcntl", (3, (1 << 32) + 8), DENIED),
        ("ioctl", (0, 0x5401), ALLOW),  # TCGETS
        ("ioctl", (0, 0x5412), DENIED),  # TIOCSTI
        ("prctl", (15,), ALLOW),  # PR_SET_NAME
        ("prctl", (1, 0), DENIED),  # PR_SET_PDEATHSIG
        ("prctl", (4, 1), DENIED),  # PR_SET_DUMPABLE
        ("madvise", (0, 4096, 4), ALLOW),  # MADV_DONTNEED
        ("madvise", (0, 4096, 9), DENIED),  # MADV_REMOVE
        ("prlimit64", (0, 7), ALLOW),
        ("prlimit64", (ME, 7), ALLOW),
        ("prlimit64", (ME - 1, 7), DENIED),
        ("sched_setscheduler", (0, 0), PRETENDED),
        ("sched_setscheduler", (ME - 1, 0), PRETENDED),
        ("setsockopt", (4, 1, 20), ALLOW),  # SO_RCVTIMEO
        ("setsockopt", (4, 1, 7), DENIED),  # SO_SNDBUF
        ("setsockopt", (4, 1, 33), DENIED),  # SO_RCVBUFFORCE
        ("setsockopt", (4, 1, 26), DENIED),  # SO_ATTACH_FILTER
        ("sched_setscheduler", (0, 1), DENIED),  # SCHED_FIFO
        ("socketpair", (1, 1), ALLOW),  # a stream
        ("socketpair", (1, 0o2000000 | 5), ALLOW),  # packets, close-on-exec
        ("socketpair", (1, 2), DENIED),  # datagrams
        ("socketpair", (16, 1), DENIED),
    ],
)
def test_arguments_decide(
    machine: str, name: str, arguments: tuple[int, ...], verdict: int
) -> None:
    assert Machine(machine).call(name, *arguments) == verdict


@both
def test_where_nothing_else_does_the_filter_refuses_to_truncate_and_create(machine: str) -> None:
    open_, weak = Machine(machine), Machine(machine, no_open=os.O_TRUNC | os.O_CREAT)
    assert open_.call("openat", -100, 0, os.O_RDWR | os.O_CREAT) == ALLOW
    assert weak.call("openat", -100, 0, os.O_RDWR) == ALLOW
    assert weak.call("openat", -100, 0, os.O_RDWR | os.O_CREAT) == DENIED
    assert weak.call("openat", -100, 0, os.O_WRONLY | os.O_TRUNC) == DENIED


def test_32_bit_and_x32_calls_kill() -> None:
    there = Machine("x86_64")
    assert there.number(3, audit=0x40000003) == KILL_PROCESS  # i386's read
    assert there.number(X32_BIT | there.numbers["read"]) == KILL_PROCESS
    assert there.number(0xFFFFFFFF) == KILL_PROCESS
    assert Machine("aarch64").number(63, audit=0x40000028) == KILL_PROCESS  # arm's


@both
def test_every_rule_is_about_a_call_that_the_tables_know(machine: str) -> None:
    known = {name for each in ARCHITECTURES.values() for name in numbers(each)}
    named = {rule.name for rule in (*rules(ME), *sealing())}
    assert named == known
    filters = build(ARCHITECTURES[machine], rules(ME), DENIED)
    assert len(filters) < 4096  # the most that Linux takes


@both
def test_every_jump_lands_inside_the_filter(machine: str) -> None:
    program = build(ARCHITECTURES[machine], rules(ME, os.O_TRUNC), DENIED)
    for at, line in enumerate(program[:-1]):
        assert at + 1 + max(line.yes, line.no) < len(program)
    assert program[-1] == (seccomp.RETURN, 0, 0, DENIED)


def test_several_checks_must_all_hold() -> None:
    rule = Rule("prctl", (Check(0, 0xFF, (1, 2)), Check(1, 0xFFFFFFFF, (7,))))
    code = pack(build(ARCHITECTURES["x86_64"], [rule], DENIED))
    audit, prctl = ARCHITECTURES["x86_64"].audit, 157
    assert interpret(code, prctl, audit, (0x102, 7)) == ALLOW
    assert interpret(code, prctl, audit, (2, 8)) == DENIED
    assert interpret(code, prctl, audit, (3, 7)) == DENIED
    assert interpret(code, prctl + 1, audit, (2, 7)) == DENIED


def test_an_unknown_processor_has_no_filters_and_says_so() -> None:
    filters = Seccomp(Libc(machine="vax"))
    assert not filters.available()
    with pytest.raises(OSError, match="no table for vax") as caught:
        filters.install([], all_threads=False)
    assert caught.value.errno == errno.ENOSYS


# -- installed --------------------------------------------------------------------------------

installed = pytest.mark.skipif(
    not Seccomp(Libc()).available(), reason="this host has no seccomp filters"
)


@installed
def test_a_policy_is_said_to_be_set_and_is_not_set() -> None:
    filters = Seccomp(Libc())

    def body() -> int:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        filters.install(rules(os.getpid()), all_threads=False)
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        return os.sched_getscheduler(0)

    assert in_child(body).value == os.SCHED_BATCH


@installed
def test_threads_that_are_there_already_are_filtered_too() -> None:
    filters = Seccomp(Libc())

    def body() -> list[int]:
        ready, go = threading.Event(), threading.Event()
        errors = []

        def look() -> None:
            ready.set()
            go.wait()
            try:
                os.uname()
            except OSError as error:
                errors.append(error.errno)

        thread = threading.Thread(target=look)
        thread.start()
        ready.wait()
        filters.install([Rule("uname", error=errno.ENOSPC)], ALLOW, all_threads=True)
        go.set()
        thread.join()
        return errors

    assert in_child(body).value == [errno.ENOSPC]


@installed
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="x32 is x86-64's")
def test_a_call_through_x32_ends_the_process() -> None:
    filters = Seccomp(Libc())
    syscall = ctypes.CDLL(None).syscall

    def body() -> None:
        filters.install(rules(os.getpid()), all_threads=False)
        syscall(X32_BIT | 39)

    assert in_child(body).signal == signal.SIGSYS


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_a_filter_made_for_anybody_becomes_that_of_one_process(machine: str) -> None:
    architecture = ARCHITECTURES[machine]
    for pid in (1, 4711, 2**22):
        made = pack(build(architecture, rules(ANY_PID, os.O_TRUNC), DENIED))
        assert for_process(made, pid) == pack(build(architecture, rules(pid, os.O_TRUNC), DENIED))


@both
def test_only_who_has_a_terminal_may_change_its_modes(machine: str) -> None:
    for request in (0x5402, 0x5403, 0x5404):  # TCSETS, TCSETSW, TCSETSF
        assert Machine(machine, sealed=True).call("ioctl", 0, request) == DENIED
        assert Machine(machine, sealed=True, terminal=True).call("ioctl", 0, request) == ALLOW
    assert Machine(machine, terminal=True).call("ioctl", 0, 0x5412) == DENIED  # TIOCSTI
