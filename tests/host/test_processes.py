"""The kernel's side of PDs' processes, with this test as the zygote."""

import os
import platform
import resource
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import msgpack
import pytest

from caplab.kernel.abi import BODY_MAX
from caplab.kernel.core.effects import Continue, Kill, Spawn, Stop
from caplab.kernel.host.hogs import Threads
from caplab.kernel.host.injection import WALL
from caplab.kernel.host.processes import CannotSpawn, Fault, Processes
from caplab.kernel.host.ptrace import Ptrace, machine

SPEC = {
    "name": "hello",
    "generation": 3,
    "run": {"module": "m", "function": "main", "file": None},
    "args": {"count": 2},
    "path": ["/somewhere"],
    "tcbs": [5],
    "devices": ["uart0"],
}


class Zygote:
    """What was sent where; `fork` starts a process that waits."""

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, Any], list[int]]] = []
        self.logs: list[tuple[dict[str, Any], list[int]]] = []
        self.processes = Processes(
            lambda message, fds: self.sent.append((message, list(fds))),
            lambda message, fds: self.logs.append((message, list(fds))),
            {"address": "ipc:///run/kernel.sock", "semantics": "lab"},
        )
        self.children: list[subprocess.Popen[bytes]] = []

    def spawn(self, pd: int, ids: Sequence[bytes] = (b"\1" * 16,), **more: Any) -> None:
        spec = {**SPEC, "devices": [], **more}
        registers = dict.fromkeys(spec["devices"], 0)
        self.processes.spawn(Spawn(pd, spec), ids, registers)

    def fork(self, pd: int, program: str = "") -> subprocess.Popen[bytes]:
        """Report a process for the PD: one that says `ready` and waits."""
        program += "\nimport signal; print('ready', flush=True); signal.pause()"
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        self.children.append(child)
        self.processes.started(pd, child.pid, os.pidfd_open(child.pid))
        return child

    def close(self) -> None:
        for child in self.children:
            child.kill()
            child.wait()
            assert child.stdout is not None
            child.stdout.close()
        for pd in range(9):
            self.processes.exited(pd)
        for _, descriptors in self.sent + self.logs:
            for descriptor in descriptors:
                os.close(descriptor)


@pytest.fixture
def zygote(baseline: None) -> Iterator[Zygote]:
    zygote = Zygote()
    yield zygote
    zygote.close()


def test_a_pd_is_told_everything_it_starts_with_through_its_channel(zygote: Zygote) -> None:
    zygote.processes.spawn(Spawn(1, SPEC), [b"\1" * 16, b"\2" * 16], {"uart0": 0})
    message, (channel, output, register) = zygote.sent[0]
    assert message == {
        "op": "spawn",
        "pd": 1,
        "name": "hello",
        "traced": False,
        "level": "none",
        "read": [],
        "threads": 1,
        "debug": False,
    }
    told = msgpack.unpackb(os.read(channel, BODY_MAX + 1))
    assert told.pop("seed") >= 0
    assert told == {
        "pd": 1,
        "name": "hello",
        "generation": 3,
        "address": "ipc:///run/kernel.sock",
        "ids": [b"\1" * 16, b"\2" * 16],
        "run": SPEC["run"],
        "args": {"count": 2},
        "path": ["/somewhere"],
        "devices": {"uart0": 4},
        "console": {},
        "confinement": "none",
        "semantics": "lab",
    }
    assert os.fstat(register).st_ino == os.fstat(0).st_ino
    log, (reading,) = zygote.logs[0]
    assert log == {"log": "hello", "pd": 1, "generation": 3}
    os.write(output, b"printed")
    assert os.read(reading, 10) == b"printed"


def test_a_pd_that_would_be_told_too_much_is_refused_and_leaves_nothing(zygote: Zygote) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(CannotSpawn, match=r"hello could not be started: .*shorten its args"):
        zygote.spawn(1, args={"text": "x" * BODY_MAX})
    assert os.listdir("/proc/self/fd") == before
    assert not zygote.sent
    assert zygote.processes.names() == []


def test_a_pd_whose_device_cannot_be_copied_leaves_nothing(zygote: Zygote) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(CannotSpawn):
        zygote.processes.spawn(Spawn(1, SPEC), [b"\1" * 16], {"uart0": 1 << 20})
    _, (output,) = zygote.logs[0]
    assert os.read(output, 1) == b""  # the launcher sees its end
    assert set(os.listdir("/proc/self/fd")) == before | {str(output)}


def test_no_more_pds_are_made_than_the_kernel_has_descriptors_for(zygote: Zygote) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (72, hard))
    try:
        zygote.spawn(1)
        zygote.spawn(2)
        with pytest.raises(CannotSpawn, match=r"72 open files.*ulimit -n"):
            zygote.spawn(3)
        zygote.processes.exited(1)
        zygote.spawn(3)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert zygote.processes.names() == ["hello", "hello"]


def test_that_a_pd_takes_nothing_it_is_handed_is_said_once(
    zygote: Zygote, capsys: pytest.CaptureFixture[str]
) -> None:
    zygote.spawn(1)
    for number in range(2000):  # more than any channel holds
        zygote.processes.hand(1, {"withdrawn": f"cl.{number}"}, ())
    assert capsys.readouterr().err.count("was not handed") == 1


def test_a_signal_that_comes_before_the_process_is_reported_waits_for_it(zygote: Zygote) -> None:
    zygote.spawn(1)
    zygote.processes.kill(Kill(1, signal.SIGTERM))
    child = zygote.fork(1)
    assert child.wait(10) == -signal.SIGTERM


def test_stop_and_continue_act_on_the_process(zygote: Zygote) -> None:
    zygote.spawn(1)
    child = zygote.fork(1)
    zygote.processes.stop(Stop(1))
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    zygote.processes.resume(Continue(1))
    _, status = os.waitpid(child.pid, os.WCONTINUED)
    assert os.WIFCONTINUED(status)


def test_which_threads_are_tcbs_is_known_when_all_of_them_have_said_so(zygote: Zygote) -> None:
    zygote.spawn(1, [b"\1" * 16, b"\2" * 16], tcbs=[5, 6])
    assert zygote.processes.threads(1) is None  # it is not there yet
    child = zygote.fork(1)
    channel = zygote.sent[0][1][0]
    for tcb, tid in ((0, 71), (7, 72), (0, 73)):
        os.write(channel, msgpack.packb({"tcb": tcb, "tid": tid}))
    assert zygote.processes.threads(1) is None
    os.write(channel, msgpack.packb({"tcb": 1, "tid": 74}))
    assert zygote.processes.threads(1) == Threads("hello", child.pid, frozenset([73, 74]))
    assert zygote.processes.threads(2) is None


def test_who_cannot_but_end_counts_as_ended_however_long_that_takes(zygote: Zygote) -> None:
    here = machine()
    if here is None:
        pytest.skip("nobody can be traced here")
    zygote.spawn(1)
    waits = "import threading; threading.Thread(target=threading.Event().wait).start()"
    child = zygote.fork(1, waits)
    thread = max(map(int, set(os.listdir(f"/proc/{child.pid}/task")) - {str(child.pid)}))
    Ptrace(here).seize(thread)  # it has not ended before its tracer has noticed that
    assert not zygote.processes.ending(1)
    zygote.processes.kill(Kill(1, signal.SIGKILL))
    while not zygote.processes.ending(1):
        os.sched_yield()
    pidfd = os.pidfd_open(child.pid)
    try:
        assert not select.select([pidfd], [], [], 0)[0]
    finally:
        os.close(pidfd)
        os.waitpid(thread, WALL)


def test_who_has_lost_only_its_first_thread_lives_on(zygote: Zygote) -> None:
    zygote.spawn(1)
    program = (
        "import ctypes, platform, sys, threading\n"
        "number = {'x86_64': 60, 'aarch64': 93}[platform.machine()]\n"
        "main = threading.main_thread().native_id\n"
        "def tell():\n"
        "    while ' Z ' not in open(f'/proc/self/task/{main}/stat').read(): pass\n"
        "    print('ready', flush=True)\n"
        "    threading.Event().wait()\n"
        "threading.Thread(target=tell).start()\n"
        "ctypes.CDLL(None).syscall(number, 0)\n"
    )
    zygote.fork(1, program)
    assert not zygote.processes.ending(1)


def test_signals_to_who_has_ended_are_lost_quietly(
    zygote: Zygote, capsys: pytest.CaptureFixture[str]
) -> None:
    zygote.spawn(1)
    child = zygote.fork(1)
    assert not zygote.processes.ending(1)
    zygote.processes.kill(Kill(1, signal.SIGKILL))
    child.wait(10)
    assert zygote.processes.ending(1)
    zygote.processes.kill(Kill(1, signal.SIGKILL))
    zygote.processes.exited(1)
    zygote.processes.kill(Kill(1, signal.SIGKILL))
    assert zygote.processes.names() == []
    assert capsys.readouterr().err == ""


def test_a_signal_nobody_knows_is_told_and_harms_nobody(
    zygote: Zygote, capsys: pytest.CaptureFixture[str]
) -> None:
    zygote.spawn(1)
    child = zygote.fork(1)
    zygote.processes.kill(Kill(1, 200))
    assert "signal 200 for hello" in capsys.readouterr().err
    assert child.poll() is None


def test_all_are_killed_at_once(zygote: Zygote) -> None:
    for pd in (1, 2):
        zygote.spawn(pd)
    children = [zygote.fork(pd) for pd in (1, 2)]
    zygote.processes.kill_all()
    assert [child.wait(10) for child in children] == [-signal.SIGKILL] * 2


def fault_of(zygote: Zygote, status: int, number: int, *, code: int = 1) -> object:
    """What is made of a PD with two TCBs that ended so, and had said this."""
    zygote.spawn(1, ids=[b"\1" * 16, b"\2" * 16], tcbs=[5, 6])
    _, (channel, _) = zygote.sent[-1]
    os.write(channel, msgpack.packb({"tcb": 1, "tid": 77}))
    frame = bytearray(304 + 128)
    struct.pack_into("<QQ", frame, 40 + 19 * 8, 6, 14)
    struct.pack_into("<iii4xQ", frame, 304, number, 0, code, 0x5008)
    struct.pack_into("<i", frame, 304 + 124, 77)
    os.write(channel, bytes(frame))
    return zygote.processes.last_fault(1, status)


x86_only = pytest.mark.skipif(platform.machine() != "x86_64", reason="the frame is x86-64's")


@x86_only
def test_last_words_that_fit_the_wait_status_are_the_tcbs_fault(zygote: Zygote) -> None:
    assert fault_of(zygote, 11, 11) == (11, Fault(6, 0x5008, "write"))


@x86_only
@pytest.mark.parametrize("status", [0, 256, 9, 7, 6])
def test_last_words_that_do_not_fit_are_not_believed(zygote: Zygote, status: int) -> None:
    assert fault_of(zygote, status, 11) == (status, None)


@x86_only
def test_a_bus_error_that_was_sent_is_told_as_it_was_meant(zygote: Zygote) -> None:
    assert fault_of(zygote, 11, 7, code=0) == (7, None)


def test_who_said_nothing_died_of_what_the_status_says(zygote: Zygote) -> None:
    zygote.spawn(1)
    assert zygote.processes.last_fault(1, 11) == (11, None)
    assert zygote.processes.last_fault(2, 11) == (11, None)


def test_a_debug_pd_finds_its_terminal_after_its_devices(zygote: Zygote) -> None:
    zygote.processes.spawn(Spawn(1, {**SPEC, "debug": True}), [b"\1" * 16], {"uart0": 0}, 1)
    message, (channel, _, register, terminal) = zygote.sent[0]
    told = msgpack.unpackb(os.read(channel, 4096))
    assert (told["devices"], told["terminal"]) == ({"uart0": 4}, 5)
    assert message["debug"]
    assert os.path.sameopenfile(terminal, 1)
    assert os.path.sameopenfile(register, 0)
