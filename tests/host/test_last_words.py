"""Last words: what a process that dies of a memory fault sends, and what is made of it."""

import mmap
import os
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest

from caplab.kernel.abi import Status, Sys
from caplab.kernel.host import signal_frame
from caplab.kernel.host.last_words import CODE, LastWords
from caplab.kernel.host.signal_frame import FRAMES, SIGINFO_SIZE, Words, parse
from caplab.kernel.host.spawn_channel import THREADS_MAX, SpawnChannel
from zygote_host import Child, RouterKernel, ZygoteHost, reply, say_ok

known_here = pytest.mark.skipif(signal_frame.here() is None, reason="an unknown architecture")
MAPPED = """
import ctypes, mmap
def main(env):
    call = ctypes.CDLL(None).mmap
    call.restype = ctypes.c_void_p
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    at = call(None, ctypes.c_size_t(4096), {prot}, flags, -1, ctypes.c_long(0))
    print(at + 24, flush=True)
    {act}
"""
MACHINES = sorted(FRAMES)


@pytest.fixture
def kernel(runtime_dir: Path) -> Iterator[RouterKernel]:
    fake = RouterKernel(runtime_dir)
    yield fake
    fake.close()


@pytest.fixture
def zygote(tmp_path: Path, kernel: RouterKernel, baseline: None) -> Iterator[ZygoteHost]:
    with ZygoteHost(tmp_path) as host:
        yield host


def last_words(child: Child, number: int) -> Words:
    """What it said, once it has died of the signal."""
    assert os.waitstatus_to_exitcode(child.status()) == -number
    words = child.channel.last_words()
    assert words is not None
    return words


def siginfo(number: int, code: int, address: int, tid: int) -> bytes:
    info = bytearray(SIGINFO_SIZE)
    struct.pack_into("<iii4xQ", info, 0, number, 0, code, address)
    struct.pack_into("<i", info, 124, tid)
    return bytes(info)


def x86(error: int, trap: int = 14) -> bytes:
    ucontext = bytearray(304)
    struct.pack_into("<QQ", ucontext, 40 + 19 * 8, error, trap)
    return bytes(ucontext)


def arm(syndrome: int) -> bytes:
    """A ucontext whose records are one of floating point, then the syndrome's."""
    ucontext = bytearray(464 + 1024)
    struct.pack_into("<II", ucontext, 464, 0x46508001, 528)
    struct.pack_into("<IIQ", ucontext, 464 + 528, 0x45535201, 16, syndrome)
    return bytes(ucontext)


@pytest.mark.parametrize(
    ("error", "access"), [(4, "read"), (6, "write"), (7, "write"), (0x14, "fetch")]
)
def test_x86_says_the_access_in_the_page_faults_error_code(error: int, access: str) -> None:
    frame = x86(error) + siginfo(11, 1, 0x5000, 77)
    assert parse(FRAMES["x86_64"], frame) == Words(11, False, 77, 0x5000, access)


def test_a_general_protection_fault_has_no_address() -> None:
    words = parse(FRAMES["x86_64"], x86(0, trap=13) + siginfo(11, 0x80, 0, 77))
    assert words is not None
    assert words.access is None


@pytest.mark.parametrize(
    ("syndrome", "access"),
    [
        (0x24 << 26, "read"),
        (0x24 << 26 | 0x40, "write"),
        (0x25 << 26 | 0x40, "write"),
        (0x20 << 26, "fetch"),
        (0x3C << 26, None),
    ],
)
def test_arm_says_the_access_in_the_exception_syndrome(syndrome: int, access: str | None) -> None:
    frame = siginfo(7, 2, 0x7FFF0000, 78) + arm(syndrome)
    assert parse(FRAMES["aarch64"], frame) == Words(7, False, 78, 0x7FFF0000, access)


def test_an_arm_frame_without_a_syndrome_says_no_access() -> None:
    for ucontext in (bytes(464 + 1024), struct.pack("<II", 1, 4).rjust(472, b"\0").ljust(1488)):
        words = parse(FRAMES["aarch64"], siginfo(7, 2, 0x5000, 1) + ucontext)
        assert words is not None
        assert words.access is None


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_no_frame_of_a_memory_fault_is_nothing(machine: str) -> None:
    frame = FRAMES[machine]
    assert parse(frame, b"") is None
    assert parse(frame, bytes(frame.size - 1)) is None
    assert parse(frame, bytes(frame.size)) is None


def test_every_architecture_with_code_has_a_frame_of_the_size_it_sends() -> None:
    assert CODE.keys() == FRAMES.keys()
    assert struct.pack("<BI", 0xBA, FRAMES["x86_64"].size) in CODE["x86_64"]
    move = 0xD2800002 | FRAMES["aarch64"].size << 5
    assert struct.pack("<I", move) in CODE["aarch64"]


@known_here
@pytest.mark.parametrize(
    ("prot", "act", "access"),
    [
        (0, "ctypes.string_at(at + 24, 1)", "read"),
        (mmap.PROT_READ, "ctypes.memset(at + 24, 1, 1)", "write"),
        (mmap.PROT_READ, "ctypes.CFUNCTYPE(None)(at + 24)()", "fetch"),
    ],
)
def test_a_pd_says_where_it_faulted_and_dies_of_the_signal(
    zygote: ZygoteHost, kernel: RouterKernel, prot: int, act: str, access: str
) -> None:
    child = zygote.run(kernel, MAPPED.format(prot=prot, act=act))
    words = last_words(child, signal.SIGSEGV)
    said = child.text()
    assert (words.signal, words.sent, words.access) == (signal.SIGSEGV, False, access)
    assert words.address == int(said)
    assert child.channel.tcb(words.tid) == 0


@known_here
def test_it_says_which_of_its_threads_it_was(zygote: ZygoteHost, kernel: RouterKernel) -> None:
    child = zygote.run(
        kernel,
        "import ctypes, threading\n"
        "from caplab.pd.spawn import introduce\n"
        "def main(env):\n"
        "    def touch():\n"
        "        introduce(env.info, 2)\n"
        "        ctypes.string_at(64)\n"
        "    thread = threading.Thread(target=touch)\n"
        "    thread.start()\n"
        "    thread.join()\n",
    )
    words = last_words(child, signal.SIGSEGV)
    assert child.text() == ""
    assert words.address == 64
    assert child.channel.tcb(words.tid) == 2


@known_here
def test_a_page_that_was_taken_away_is_a_bus_error_with_its_address(
    zygote: ZygoteHost, kernel: RouterKernel
) -> None:
    kernel.handler = lambda call: (
        reply(call.call, Status.CRASH, b"bus") if call.call == Sys.YIELD else say_ok(call)
    )
    child = zygote.run(kernel, "def main(env):\n    env.yield_()\n")
    words = last_words(child, signal.SIGBUS)
    assert child.text() == ""
    assert (words.signal, words.access) == (signal.SIGBUS, "read")
    assert words.address % mmap.PAGESIZE == 0 != words.address


@known_here
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS])
def test_a_fault_signal_that_somebody_sent_still_ends_it(
    zygote: ZygoteHost, kernel: RouterKernel, number: int
) -> None:
    kernel.handler = lambda call: None if call.call == Sys.SLEEP else say_ok(call)
    child = zygote.run(kernel, "def main(env):\n    env.sleep(1000)\n")
    kernel.wait_for(Sys.SLEEP)
    signal.pidfd_send_signal(child.pidfd, number)
    words = last_words(child, signal.SIGSEGV)
    assert child.text() == ""
    assert (words.signal, words.sent, words.access) == (number, True, None)


@known_here
def test_a_pd_that_fills_its_channel_dies_all_the_same(
    zygote: ZygoteHost, kernel: RouterKernel
) -> None:
    child = zygote.run(
        kernel,
        "import ctypes, os, socket\n"
        "def main(env):\n"
        "    channel = socket.socket(fileno=os.dup(3))\n"
        "    try:\n"
        "        while True:\n"
        "            channel.send(b'x' * 1000, socket.MSG_DONTWAIT)\n"
        "    except BlockingIOError:\n"
        "        ctypes.string_at(0)\n",
    )
    assert os.waitstatus_to_exitcode(child.status()) == -signal.SIGSEGV
    assert child.text() == ""
    assert child.channel.last_words() is None


def test_where_there_is_no_code_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    before = signal.getsignal(signal.SIGSEGV)
    words = LastWords()
    words.install()
    assert words.address == 0
    assert signal_frame.here() is None
    assert signal.getsignal(signal.SIGSEGV) == before


@known_here
def test_where_executable_memory_is_refused_it_is_said_and_nothing_is_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(1, "no")

    monkeypatch.setattr("os.memfd_create", refuse)
    assert LastWords().address == 0
    assert "without last words" in capsys.readouterr().err


def test_a_pd_that_names_ever_more_threads_does_not_fill_the_kernels_memory(
    baseline: None,
) -> None:
    channel = SpawnChannel(b"information")
    with socket.socket(fileno=channel.theirs) as pd:
        for round in range(300):
            for number in range(8):
                pd.send(msgpack.packb({"tid": round * 8 + number, "tcb": 1}))
            assert channel.tcb(round * 8) == 1
    assert len(channel._tcbs) == THREADS_MAX
    channel.close()


def test_what_a_pd_says_that_makes_no_sense_is_passed_over(baseline: None) -> None:
    channel = SpawnChannel(b"information")
    with socket.socket(fileno=channel.theirs) as pd:
        assert pd.recv(100) == b"information"
        for nonsense in (b"\xc1", b"\x90", msgpack.packb({"tid": "x", "tcb": 1}), bytes(432)):
            pd.send(nonsense)
        pd.send(msgpack.packb({"tid": 5, "tcb": 1}))
        assert channel.tcb(5) == 1
        assert channel.tcb(6) is None
        assert channel.last_words() is None
    assert channel.tcb(5) == 1
    channel.close()
