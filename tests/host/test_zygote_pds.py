"""PDs as processes: how they fail, stop, share memory, and what they are told."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import strict_host
from caplab.kernel.abi import Status, Sys
from zygote_host import Call, RouterKernel, ZygoteHost, reply, say_ok

CALLS = "def main(env):\n    env.yield_()\n    print('survived')\n"


@pytest.fixture
def kernel(runtime_dir: Path) -> Iterator[RouterKernel]:
    fake = RouterKernel(runtime_dir)
    yield fake
    fake.close()


@pytest.fixture(params=["none", "basic", pytest.param("strict", marks=strict_host.needed)])
def zygote(
    tmp_path: Path, kernel: RouterKernel, baseline: None, request: pytest.FixtureRequest
) -> Iterator[ZygoteHost]:
    """A zygote whose PDs are confined so."""
    with ZygoteHost(tmp_path, request.param, kernel) as host:
        yield host


def answering(status: Status, body: bytes = b"", to: Sys = Sys.YIELD):
    """A kernel that gives one kind of call this answer."""

    def handle(call: Call) -> bytes | None:
        return reply(call.call, status, body) if call.call == to else say_ok(call)

    return handle


@pytest.mark.parametrize(
    ("how", "exit_code"),
    [
        ("segv", -signal.SIGSEGV),
        ("abort", -signal.SIGABRT),
        ("bus", -signal.SIGBUS),
        ("oom", -signal.SIGABRT),
        ("exit:7", 7),
        ("exit:0", 0),
        ("exception", 1),
    ],
)
def test_a_pd_fails_as_its_operator_asks(zygote, kernel, tmp_path, how, exit_code) -> None:
    kernel.handler = answering(Status.CRASH, how.encode())
    child = zygote.run(kernel, CALLS)
    status = os.waitstatus_to_exitcode(child.status())
    words = child.channel.last_words()
    if words is not None and words.sent:  # it could not die of the signal that it sent itself
        assert status == -signal.SIGSEGV
        status = -words.signal
    assert status == exit_code
    assert "survived" not in child.text()
    assert [path.name for path in tmp_path.iterdir()] == ["program.py"], "a core file is left"
    if how == "exception":
        assert b"CrashRequested" in kernel.wait_for(Sys.FAULT)[0].body


def test_a_pd_that_hangs_is_deaf_to_all_but_a_signal(zygote, kernel) -> None:
    kernel.handler = answering(Status.CRASH, b"hang")
    child = zygote.run(kernel, CALLS)
    kernel.wait_for(Sys.YIELD)
    signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(child.status()) == -signal.SIGKILL
    assert child.text() == ""


def test_stop_lets_a_pd_part_and_ends_it_quietly(zygote, kernel) -> None:
    kernel.handler = answering(Status.STOP)
    child = zygote.run(
        kernel,
        "def main(env):\n"
        "    try:\n        env.yield_()\n"
        "    except Exception:\n        print('swallowed')\n"
        "    finally:\n        env.sleep(0)\n        print('parted')\n",
    )
    assert child.status() == 0
    assert child.text() == "parted\n"
    assert len(kernel.wait_for(Sys.SLEEP)) == 1


def test_an_exception_reaches_the_kernel_and_the_log(zygote, kernel) -> None:
    child = zygote.run(kernel, "def main(env):\n    raise RuntimeError('lost my way')\n")
    assert os.waitstatus_to_exitcode(child.status()) == 1
    text = child.text()
    assert kernel.wait_for(Sys.FAULT)[0].body.decode() == text
    assert text.endswith("RuntimeError: lost my way\n")
    assert text.count("File") == 1


def test_arguments_that_do_not_fit_are_a_fault_in_one_sentence(zygote, kernel) -> None:
    child = zygote.run(kernel, "def main(env, count): pass", args={"cuont": 3})
    assert os.waitstatus_to_exitcode(child.status()) == 1
    assert child.text().startswith("pd cannot start: program.main does not fit")
    assert b"'count'" in kernel.wait_for(Sys.FAULT)[0].body


def test_an_exception_in_a_spare_tcb_ends_the_process(zygote, kernel) -> None:
    def handle(call: Call) -> bytes | None:
        if call.call == Sys.PARK:
            return reply(call.call, label=1, body=bytes(8))
        return None if call.call == Sys.SLEEP else reply(call.call)

    kernel.handler = handle
    child = zygote.run(
        kernel,
        "def main(env):\n    env.sleep(1000)\n",
        threads=2,
    )
    assert os.waitstatus_to_exitcode(child.status()) == 1
    assert "entry 1" in child.text()
    assert kernel.wait_for(Sys.FAULT)[0].who == b"\1" + bytes([2]) * 15


def test_each_tcb_calls_under_the_id_it_was_given(zygote, kernel) -> None:
    child = zygote.run(kernel, CALLS, threads=3)
    assert child.status() == 0
    assert child.text() == "survived\n"
    assert {call.who for call in kernel.calls if call.call == Sys.YIELD} == {
        b"\1" + bytes([1]) * 15
    }


def test_a_pd_drives_the_device_whose_register_it_was_given(zygote, kernel) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = zygote.run_with_devices(
            kernel,
            "import select\n"
            "def main(env):\n"
            "    register = env.register('uart0')\n"
            "    select.select([register], [], [])\n"
            "    register.write(register.receive(100)[0].upper())\n",
            {"uart0": theirs.fileno()},
        )
        ours.sendall(b"hello")
        assert ours.recv(100) == b"HELLO"
        assert child.status() == 0
        child.text()


def test_plain_shared_memory_of_a_pd_leaves_the_segment_to_the_kernel(zygote, kernel) -> None:
    name = f"cl.{os.urandom(4).hex()}.1"
    path = zygote.shm_of(1) / name
    path.write_bytes(b"kernel's" + bytes(4088))
    path.chmod(0o666)
    try:
        child = zygote.run(
            kernel,
            "from multiprocessing.shared_memory import SharedMemory\n"
            "def main(env, name):\n"
            "    shared = SharedMemory(name=name)\n"
            "    print(bytes(shared.buf[:8]).decode())\n"
            "    shared.buf[:3] = b'PD!'\n"
            "    shared.close()\n",
            args={"name": name},
        )
        if zygote.level == "basic":  # it is handed segments, and opens none by its name
            assert child.status() != 0
            assert "PermissionError" in child.text()
            return
        assert child.status() == 0
        assert child.text() == "kernel's\n"
        assert path.read_bytes()[:8] == b"PD!nel's"
    finally:
        path.unlink()


def test_standard_input_is_empty_and_the_starters_folder_is_no_code_root(
    zygote, kernel, tmp_path
) -> None:
    child = zygote.run(
        kernel,
        "import sys\n"
        "def main(env):\n"
        "    print(repr(sys.stdin.read()), [p for p in sys.path if p in ('', '.')])\n"
        "    print(sys.path[-1])\n",
        path=["/nowhere"],
    )
    assert child.text() == "'' []\n/nowhere\n"
    assert child.status() == 0


def test_a_spawn_pipe_that_ends_early_is_an_exit_and_not_a_hang(zygote) -> None:
    reading, writing = os.pipe()
    out, output = os.pipe()
    confined = {"level": zygote.level, "read": [], "threads": 1}
    zygote.send({"op": "spawn", "pd": 1, "name": "pd", **confined}, [reading, output])
    for fd in (reading, writing, output):
        os.close(fd)
    zygote.expect("started")
    message, _ = zygote.expect("exited")
    assert os.waitstatus_to_exitcode(message["status"]) == 70
    os.close(out)


SEALED = """
import socket
from pathlib import Path

def refused(attempt):
    try:
        attempt()
    except OSError:
        return True
    return False

AT_IMPORT = refused(lambda: socket.socket(socket.AF_UNIX))

def main(env, file, peer):
    import os
    print(
        AT_IMPORT,
        refused(lambda: socket.socket(socket.AF_UNIX)),
        refused(lambda: Path(file).read_text()),
        refused(lambda: os.kill(peer, 0)),
        refused(lambda: (Path(__file__).parent / "mine").write_text("")),
    )
    env.yield_()
"""


def test_user_code_is_confined_from_its_first_line_and_only_where_it_should_be(
    zygote: ZygoteHost, kernel: RouterKernel, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("else") / "secret"
    file.write_text("secret")
    child = zygote.run(kernel, SEALED, args={"file": str(file), "peer": os.getpid()}, threads=3)
    assert child.status() == 0
    said = {"none": [False] * 5}.get(zygote.level, [True] * 5)
    assert child.text().split() == [str(each) for each in said]
    assert len({call.who for call in kernel.calls}) == 3
