"""A confined child, without namespaces, trying what a hostile program would: nothing gets through.

Each attack runs in a process of its own that has confined itself; what comes back is the error.
"""

import ctypes
import mmap
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from caplab.kernel.confine.child import Confinement, Plan
from caplab.kernel.confine.landlock import Landlock
from caplab.kernel.confine.level import Level
from caplab.kernel.confine.libc import Libc
from caplab.kernel.confine.seccomp import Seccomp
from children import confined, in_child, refused

READABLE = ("/usr", sys.base_prefix)
BASIC = Plan(Level.BASIC, READABLE)

pytestmark = pytest.mark.skipif(
    not Seccomp(Libc()).available() or not Landlock(Libc()).version,
    reason="this host has no Landlock or no seccomp filters",
)


@pytest.fixture
def peer() -> Iterator[int]:
    """Another process of this user, to be harmed."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    alive = process.poll() is None
    process.communicate(b"\n")
    assert alive
    assert process.returncode == 0


def syscall(number: int, *arguments: int) -> Callable[[], int]:
    """A raw call of x86-64, through whatever the C library would do."""
    library = ctypes.CDLL(None, use_errno=True)

    def call() -> int:
        result = library.syscall(number, *(ctypes.c_ulong(each) for each in arguments))
        if result < 0:
            raise OSError(ctypes.get_errno(), "")
        return int(result)

    return call


# -- what a program needs ------------------------------------------------------------------------


def test_a_confined_program_computes_threads_reads_its_code_and_tells_the_time() -> None:
    def body() -> list[object]:
        found: list[object] = []
        threads = [threading.Thread(target=found.append, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        left, right = socket.socketpair()
        left.send(b"hello")
        found.append(right.recv(5))
        found.append(Path(threading.__file__).read_text()[:3])
        import colorsys  # a module that nobody has loaded yet

        found.append(colorsys.rgb_to_hsv(0, 0, 0)[0])
        with open(os.devnull, "w") as null:
            print("nothing", file=null)
        assert time.time() > 0
        assert time.localtime().tm_year > 2000
        assert len(os.urandom(3)) == 3
        assert select.select([right], [], [], 0) == ([], [], [])
        return found

    outcome = confined(BASIC, body)
    assert outcome.value == [0, 1, 2, 3, b"hello", '"""', 0.0], outcome.trace


def test_it_connects_before_it_is_sealed_and_not_afterwards(tmp_path: Path) -> None:
    path = str(tmp_path / "kernel.sock")
    means = Confinement()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        def body() -> bool:
            seal = means.confine(BASIC)
            with socket.socket(socket.AF_UNIX) as first:
                first.connect(path)
                seal()
                first.send(b"still here")
            with pytest.raises(PermissionError):
                socket.socket(socket.AF_UNIX)
            return True

        outcome = in_child(body)
        assert outcome.value is True, outcome.trace
        with server.accept()[0] as accepted:
            assert accepted.recv(10) == b"still here"


def test_without_confinement_only_the_limits_hold(tmp_path: Path) -> None:
    def body() -> tuple[int, int]:
        (tmp_path / "mine").write_text("mine")
        return resource.getrlimit(resource.RLIMIT_CORE)

    assert confined(Plan(Level.NONE), body).value == (0, 0)
    assert (tmp_path / "mine").exists()


# -- processes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP])
def test_a_peer_is_not_signalled(peer: int, number: int) -> None:
    assert refused(confined(BASIC, lambda: os.kill(peer, number)))


def test_everybody_is_not_signalled_at_once() -> None:
    for group in (0, -1):
        assert refused(confined(BASIC, lambda group=group: os.kill(group, signal.SIGCONT)))


def test_it_may_end_itself() -> None:
    outcome = confined(BASIC, lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert outcome.signal == signal.SIGKILL
    assert confined(BASIC, lambda: signal.raise_signal(signal.SIGTERM)).signal == signal.SIGTERM


def test_a_descriptor_sends_no_signal_to_a_peer(peer: int) -> None:
    import fcntl

    readable, writable = os.pipe()

    def body() -> None:
        fcntl.fcntl(readable, fcntl.F_SETOWN, peer)

    assert refused(confined(BASIC, body))
    F_SETSIG = 10
    assert refused(confined(BASIC, lambda: fcntl.fcntl(readable, F_SETSIG, signal.SIGKILL)))
    os.close(readable)
    os.close(writable)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")
@pytest.mark.parametrize(
    ("name", "number", "arguments"),
    [
        ("process_vm_readv", 310, ()),
        ("process_vm_writev", 311, ()),
        ("pidfd_open", 434, ()),
        ("tkill", 200, (signal.SIGKILL,)),
        ("rt_sigqueueinfo", 129, (signal.SIGKILL,)),
        ("prlimit64", 302, (resource.RLIMIT_NOFILE,)),
        ("sched_setaffinity", 203, ()),
        ("kcmp", 312, ()),
    ],
)
def test_a_peer_is_neither_read_nor_steered(
    peer: int, name: str, number: int, arguments: tuple[int, ...]
) -> None:
    assert refused(confined(BASIC, syscall(number, peer, *arguments))), name


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")
@pytest.mark.parametrize(
    ("name", "number"),
    [
        *(("io_uring_setup", 425), ("bpf", 321), ("perf_event_open", 298), ("userfaultfd", 323)),
        *(("keyctl", 250), ("add_key", 248), ("unshare", 272), ("setns", 308), ("mount", 165)),
        *(("chroot", 161), ("pivot_root", 155), ("seccomp", 317), ("shmget", 29), ("msgget", 68)),
        *(
            ("ptrace", 101),
            ("mq_open", 240),
            ("fork", 57),
            ("vfork", 58),
            ("execve", 59),
            ("acct", 163),
        ),
        *(("setuid", 105), ("setpgid", 109), ("setsid", 112), ("personality", 135)),
        *(("memfd_create", 319), ("memfd_secret", 447), ("openat2", 437), ("open_by_handle", 304)),
    ],
)
def test_what_would_lead_out_is_refused(name: str, number: int) -> None:
    assert refused(confined(BASIC, syscall(number, 0, 0, 0))), name


def test_no_process_is_made() -> None:
    assert refused(confined(BASIC, os.fork))
    outcome = confined(BASIC, lambda: os.execv(sys.executable, [sys.executable, "-c", ""]))
    assert refused(outcome)
    assert refused(confined(BASIC, lambda: os.posix_spawn("/bin/true", ["true"], {})))


@pytest.mark.parametrize("file", ["environ", "mem", "maps", "cmdline", "fd"])
def test_nothing_is_read_of_a_peer(peer: int, file: str) -> None:
    def body() -> None:
        os.close(os.open(f"/proc/{peer}/{file}", os.O_RDONLY))

    assert in_child(body).error == 0
    assert refused(confined(BASIC, body))


def test_its_death_with_its_parent_and_its_privileges_stay_as_they_are() -> None:
    calls = Libc()
    PR_SET_PDEATHSIG, PR_GET_NO_NEW_PRIVS = 1, 39
    assert refused(confined(BASIC, lambda: calls.prctl(PR_SET_PDEATHSIG, 0)))
    assert confined(BASIC, lambda: calls.prctl(PR_GET_NO_NEW_PRIVS)).value == 1


def test_it_has_no_capability() -> None:
    plan = Plan(Level.BASIC, (*READABLE, "/proc"))

    def body() -> set[str]:
        lines = Path("/proc/self/status").read_text().splitlines()
        return {line.split()[1] for line in lines if line.startswith(("CapEff", "CapPrm"))}

    assert confined(plan, body).value == {"0" * 16}


def test_descriptors_run_out_for_itself_alone() -> None:
    def body() -> int:
        kept = []
        try:
            while len(kept) < 5000:
                kept.append(os.dup(0))
        except OSError:
            pass
        for fd in kept:
            os.close(fd)
        return len(kept)

    outcome = confined(BASIC, body)
    assert 400 < outcome.value < 600


def test_memory_runs_out_for_itself_alone() -> None:
    def body() -> int:
        with pytest.raises(MemoryError):
            bytearray(2 << 30)
        with pytest.raises(OSError, match="Cannot allocate"):
            mmap.mmap(-1, 5 << 30)
        return len(mmap.mmap(-1, 1 << 20))

    assert confined(BASIC, body).value == 1 << 20


def test_limits_do_not_rise_again() -> None:
    def body() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    outcome = confined(BASIC, body)
    assert outcome.error or "ValueError" in outcome.trace


def test_a_confined_child_dies_with_its_parent() -> None:
    means = Confinement()
    readable, writable = os.pipe()
    parent = os.fork()  # not `in_child`, which waits for whoever is left
    if parent == 0:
        try:
            if os.fork() == 0:
                os.close(readable)
                means.confine(BASIC)()
                os.write(writable, b"!")
                select.select([], [], [], 30)  # should it survive
            os.read(readable, 1)
        finally:
            os._exit(0)
    os.waitpid(parent, 0)
    os.close(writable)
    try:
        assert select.select([readable], [], [], 10)[0]
        assert os.read(readable, 1) == b""  # its copy of the writing end is closed
    finally:
        os.close(readable)
