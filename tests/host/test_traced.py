"""Traced PDs, with this test as the kernel: what is told of a fault, and what helps against it."""

import mmap
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from caplab.kernel.abi import Sys
from caplab.kernel.host import ptrace
from caplab.kernel.host.last_words import LastWords
from caplab.kernel.host.traced import Tracer
from zygote_host import PATIENCE, Call, Child, RouterKernel, ZygoteHost, say_ok

pytestmark = pytest.mark.skipif(ptrace.machine() is None, reason="an unknown architecture")
PD = 1
RESERVED = """
import ctypes, mmap, os, signal, threading
def reserve(pages=1, prot=0):
    call = ctypes.CDLL(None).mmap
    call.restype = ctypes.c_void_p
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    return call(None, ctypes.c_size_t(4096 * pages), prot, flags, -1, ctypes.c_long(0))
"""


@pytest.fixture
def kernel(runtime_dir: Path) -> Iterator[RouterKernel]:
    fake = RouterKernel(runtime_dir)
    yield fake
    fake.close()


@pytest.fixture
def zygote(tmp_path: Path, kernel: RouterKernel, baseline: None) -> Iterator[ZygoteHost]:
    with ZygoteHost(tmp_path) as host:
        yield host


def file(text: bytes) -> int:
    """A page that begins so."""
    fd = os.memfd_create("page")
    os.ftruncate(fd, mmap.PAGESIZE)
    os.pwrite(fd, text, 0)
    return fd


def run(zygote: ZygoteHost, kernel: RouterKernel, source: str, **info: Any) -> Child:
    return zygote.run(kernel, RESERVED + source, traced=True, **info)


def fault(zygote: ZygoteHost) -> dict[str, Any]:
    message, _ = zygote.expect("faulted")
    assert message["pd"] == PD
    return message


def put(zygote: ZygoteHost, at: int, text: bytes, *, writable: bool = True) -> None:
    page = file(text)
    start = at - at % mmap.PAGESIZE
    place = {"pd": PD, "address": start, "length": mmap.PAGESIZE, "writable": writable}
    zygote.send({"op": "map", **place}, [page])
    os.close(page)


def go_on(zygote: ZygoteHost, tid: int) -> None:
    zygote.send({"op": "continue", "pd": PD, "tid": tid})


@pytest.mark.parametrize(
    ("act", "prot", "access"),
    [
        ("print(ctypes.string_at(at + 8, 4).decode())", 0, "read"),
        ("ctypes.memset(at + 8, 65, 1); print(ctypes.string_at(at + 8, 4).decode())", 1, "write"),
    ],
)
def test_a_fault_is_told_and_with_a_page_the_access_completes(
    zygote: ZygoteHost, kernel: RouterKernel, act: str, prot: int, access: str
) -> None:
    program = (
        f"def main(env):\n    at = reserve(prot={prot})\n    print(at, flush=True)\n    {act}\n"
    )
    child = run(zygote, kernel, program)
    told = fault(zygote)
    assert told["access"] == access
    assert child.channel.tcb(told["thread"]) == 0
    assert psutil.Process(child.pid).status() == psutil.STATUS_TRACING_STOP
    put(zygote, told["address"], b"12345678page")
    go_on(zygote, told["tid"])
    assert child.status() == 0
    at, found = child.text().split()
    assert told["address"] == int(at) + 8
    assert found == ("page" if access == "read" else "Aage")


def test_what_is_mapped_for_reading_cannot_be_written_even_with_mprotect(
    zygote: ZygoteHost, kernel: RouterKernel
) -> None:
    child = run(
        zygote,
        kernel,
        "def main(env):\n"
        "    at = reserve()\n"
        "    print(ctypes.string_at(at, 4).decode(), flush=True)\n"
        "    libc = ctypes.CDLL(None, use_errno=True)\n"
        "    print(libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(4096), 3), flush=True)\n"
        "    ctypes.memset(at, 65, 1)\n",
    )
    told = fault(zygote)
    page = file(b"page")
    reading = os.open(f"/proc/self/fd/{page}", os.O_RDONLY)
    place = {"pd": PD, "address": told["address"], "length": 4096, "writable": False}
    zygote.send({"op": "map", **place}, [reading])
    go_on(zygote, told["tid"])
    again = fault(zygote)
    assert (again["address"], again["access"]) == (told["address"], "write")
    signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
    assert child.status() == signal.SIGKILL
    assert child.text().split() == ["page", "-1"]
    os.close(page)
    os.close(reading)


def test_the_thread_that_faults_is_named_and_the_others_run_on(
    zygote: ZygoteHost, kernel: RouterKernel
) -> None:
    child = run(
        zygote,
        kernel,
        "from caplab.pd.spawn import introduce\n"
        "def main(env):\n"
        "    def touch():\n"
        "        introduce(env.info, 2)\n"
        # This kind of call lets go of the interpreter's lock.
        "        print(ctypes.CDLL(None).strlen(ctypes.c_void_p(reserve())), flush=True)\n"
        "    thread = threading.Thread(target=touch)\n"
        "    thread.start()\n"
        "    env.yield_()\n"
        "    thread.join()\n",
    )
    told = fault(zygote)
    kernel.wait_for(Sys.YIELD)
    assert told["tid"] != child.pid
    put(zygote, told["address"], b"page")
    go_on(zygote, told["tid"])
    assert child.status() == 0
    assert child.text() == "4\n"
    assert child.channel.tcb(told["thread"]) == 2


def test_pages_are_taken_from_a_pd_that_waits_in_a_call_which_goes_on(
    zygote: ZygoteHost, kernel: RouterKernel
) -> None:
    gate = threading.Event()

    def handle(call: Call) -> bytes | None:
        if call.call == Sys.SLEEP:
            assert gate.wait(PATIENCE)
        return say_ok(call)

    kernel.handler = handle
    child = run(
        zygote,
        kernel,
        "def main(env):\n"
        "    at = reserve(2, prot=3)\n"
        "    ctypes.memset(at, 65, 8192)\n"
        "    print(at, flush=True)\n"
        "    env.sleep(0)\n"
        "    print(ctypes.string_at(at + 4096, 4).decode(), flush=True)\n"
        "    print(ctypes.string_at(at, 4).decode(), flush=True)\n",
    )
    kernel.wait_for(Sys.SLEEP)
    at = int(os.read(child.output, 100))
    zygote.send({"op": "unmap", "pd": PD, "ranges": [[at, mmap.PAGESIZE]]})
    while f"{at:x}-{at + mmap.PAGESIZE:x} ---p" not in Path(f"/proc/{child.pid}/maps").read_text():
        pass
    gate.set()
    told = fault(zygote)
    assert (told["address"], told["access"]) == (at, "read")
    put(zygote, at, b"page")
    go_on(zygote, told["tid"])
    assert child.status() == 0
    assert child.text().split() == ["AAAA", "page"]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS])
def test_a_fault_signal_that_was_sent_ends_it_with_that_status(
    zygote: ZygoteHost, kernel: RouterKernel, number: int
) -> None:
    kernel.handler = lambda call: None if call.call == Sys.SLEEP else say_ok(call)
    child = run(zygote, kernel, "def main(env):\n    env.sleep(1000)\n")
    kernel.wait_for(Sys.SLEEP)
    signal.pidfd_send_signal(child.pidfd, number)
    assert child.status() == number
    assert child.text() == ""


def test_a_fault_without_an_address_ends_it_with_its_signal(
    zygote: ZygoteHost, kernel: RouterKernel
) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("only there is an address that is none a protection fault")
    child = run(zygote, kernel, "def main(env):\n    ctypes.string_at(1 << 63)\n")
    assert child.status() == signal.SIGSEGV
    assert child.text() == ""


def test_threads_of_a_traced_pd_come_and_go(zygote: ZygoteHost, kernel: RouterKernel) -> None:
    child = run(
        zygote,
        kernel,
        "def main(env):\n"
        "    for n in range(50):\n"
        "        thread = threading.Thread(target=str)\n"
        "        thread.start()\n"
        "        thread.join()\n"
        "    print(len(os.listdir('/proc/self/task')))\n"
        "    signal.raise_signal(signal.SIGUSR1)\n",
    )
    assert child.status() == signal.SIGUSR1
    threads = int(child.text())
    assert threads < 20


def test_a_traced_pd_may_run_programs_of_its_own(zygote: ZygoteHost, kernel: RouterKernel) -> None:
    child = run(
        zygote,
        kernel,
        "import subprocess, sys\n"
        "def main(env):\n"
        "    done = subprocess.run([sys.executable, '-c', 'print(6 * 7)'], capture_output=True)\n"
        "    print(done.stdout.decode(), done.returncode)\n",
    )
    assert child.status() == 0
    assert child.text().split() == ["42", "0"]


def test_untraced_pds_beside_a_traced_one_die_of_their_faults(
    zygote: ZygoteHost, kernel: RouterKernel
) -> None:
    held = run(zygote, kernel, "def main(env):\n    ctypes.string_at(reserve())\n")
    fault(zygote)
    other = zygote.run(
        kernel, "import ctypes\ndef main(env):\n    ctypes.string_at(64)\n", number=2
    )
    assert other.status() == signal.SIGSEGV
    words = other.channel.last_words()
    assert words is not None
    assert words.address == 64
    assert other.text() == ""
    signal.pidfd_send_signal(held.pidfd, signal.SIGKILL)
    assert held.status() == signal.SIGKILL
    assert held.text() == ""


def test_when_the_kernel_is_gone_a_held_pd_is_ended_too(
    kernel: RouterKernel, tmp_path: Path, baseline: None
) -> None:
    host = ZygoteHost(tmp_path)
    child = run(host, kernel, "def main(env):\n    ctypes.string_at(reserve())\n", threads=4)
    fault(host)
    host.channel.close()
    assert host.process.wait(PATIENCE) == 0
    child.wait_ended()
    assert child.text() == ""
    with host:
        pass


def test_a_held_pd_dies_with_a_zygote_that_is_killed(
    kernel: RouterKernel, tmp_path: Path, baseline: None
) -> None:
    host = ZygoteHost(tmp_path)
    child = run(host, kernel, "def main(env):\n    ctypes.string_at(reserve())\n")
    fault(host)
    host.process.kill()
    child.wait_ended()
    assert child.text() == ""
    with host:
        pass


@pytest.mark.parametrize(
    "request_",
    [
        {"op": "map", "pd": 1, "address": 4096, "length": 4096},
        {"op": "unmap", "pd": 1, "ranges": 7},
        {"op": "continue", "pd": "x", "tid": 1},
    ],
)
def test_a_request_without_what_it_needs_is_refused(
    zygote: ZygoteHost, request_: dict[str, Any]
) -> None:
    zygote.send(request_)
    assert "needs" in zygote.expect("refused")[0]["reason"]


def test_requests_about_a_pd_that_is_not_traced_do_nothing(
    zygote: ZygoteHost, kernel: RouterKernel
) -> None:
    put(zygote, 4096, b"page")
    zygote.send({"op": "unmap", "pd": PD, "ranges": [[4096, 4096]]})
    go_on(zygote, 1)
    child = zygote.run(kernel, "def main(env):\n    print('well')\n")
    assert child.status() == 0
    assert child.text() == "well\n"


def test_on_an_architecture_nobody_knows_a_pd_runs_untraced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], baseline: None
) -> None:
    monkeypatch.setattr(ptrace, "machine", lambda: None)
    before = signal.getsignal(signal.SIGCHLD)
    tracer = Tracer(lambda _message: None, LastWords())
    assert tracer.fileno() == -1
    seat = tracer.seat()
    tracer.seize(seat, PD, os.getpid(), 5)
    assert "PD 1 is not traced" in capsys.readouterr().err
    seat.wait()
    assert not seat.traced
    seat.close()
    tracer.close()
    assert signal.getsignal(signal.SIGCHLD) == before
    assert tracer.forget(PD, 9) == 9


@pytest.mark.parametrize("batches", range(1, 9))
def test_a_pd_that_is_killed_while_it_makes_threads_has_ended(
    zygote: ZygoteHost, kernel: RouterKernel, batches: int
) -> None:
    """Of a thread's making its tracer is told by its maker, which may be dead before it says so."""
    child = run(
        zygote,
        kernel,
        "import _thread\n"
        "def main(env):\n"
        "    while True:\n"
        "        os.write(1, b'.')\n"
        "        for _ in range(8):\n"
        "            _thread.start_new_thread(int, ())\n",
    )
    for _ in range(batches):
        assert os.read(child.output, 1) == b"."
    signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
    assert child.status() == signal.SIGKILL
    child.text()
