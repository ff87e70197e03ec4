"""The zygote's channel: what it starts, reports, refuses and survives."""

import os
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest

from caplab.kernel.abi import Sys
from zygote_host import PATIENCE, RouterKernel, ZygoteHost

QUICK = "def main(env): pass"
FOREVER = "import signal\ndef main(env):\n    env.yield_()\n    signal.pause()"


@pytest.fixture
def kernel(runtime_dir: Path) -> Iterator[RouterKernel]:
    fake = RouterKernel(runtime_dir)
    yield fake
    fake.close()


@pytest.fixture
def zygote(tmp_path: Path, kernel: RouterKernel, baseline: None) -> Iterator[ZygoteHost]:
    with ZygoteHost(tmp_path) as host:
        yield host
    assert host.process.returncode == 0


def test_a_pd_is_started_and_its_end_reported(zygote: ZygoteHost, kernel: RouterKernel) -> None:
    child = zygote.run(kernel, "def main(env):\n    print('hello')\n    return 3")
    child.wait_ended()
    message, fds = zygote.expect("exited")
    assert (message["pd"], os.waitstatus_to_exitcode(message["status"]), fds) == (1, 3, [])
    assert child.text() == "hello\n"


def test_a_killed_pd_is_reported_with_its_signal(zygote: ZygoteHost, kernel: RouterKernel) -> None:
    child = zygote.run(kernel, FOREVER)
    kernel.wait_for(Sys.YIELD)
    signal.pidfd_send_signal(child.pidfd, signal.SIGTERM)
    assert os.WTERMSIG(child.status()) == signal.SIGTERM
    child.text()


def test_a_line_finds_its_descriptors_and_is_reported_by_its_number(
    zygote: ZygoteHost, tmp_path: Path
) -> None:
    cable, far = socket.socketpair()
    reading, writing = os.pipe()
    status, answer = os.pipe()
    zygote.send({"op": "line", "line": 0, "uart": "uart0"}, [reading, answer, far.fileno()])
    for fd in (reading, answer):
        os.close(fd)
    far.close()
    info = {"line": 0, "uart": "uart0", "dir": str(tmp_path / "uart0")}
    (tmp_path / "uart0").mkdir()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(msgpack.packb(info | {"status_fd": 4, "cable_fd": 5}))
    assert zygote.expect("started")[0]["line"] == 0
    with os.fdopen(status, "rb") as pipe:
        assert b'"ready": true' in pipe.read()
    cable.close()
    message, _ = zygote.expect("exited")
    assert (message["line"], message["status"]) == (0, 0)


SPAWN = {"op": "spawn", "pd": 3, "name": "x", "level": "none", "read": [], "threads": 1}


@pytest.mark.parametrize(
    ("data", "fds", "reason"),
    [
        (b"\xc1 nonsense", 0, "no msgpack"),
        (b"", 0, "no msgpack"),
        (msgpack.packb([1, 2]), 0, "no map"),
        (msgpack.packb({"op": "dance", "pd": 3}), 0, "none of spawn, line"),
        (msgpack.packb({"op": ["spawn"]}), 0, "none of spawn, line"),
        (msgpack.packb({"op": "spawn", "pd": "three", "name": "x"}), 2, "needs a number"),
        (msgpack.packb({"op": "spawn", "pd": 3}), 2, "needs a number"),
        (msgpack.packb({"op": "spawn", "pd": 3, "name": "x"}), 2, "needs 'level', a str"),
        (msgpack.packb({**SPAWN, "level": "loose"}), 2, "'loose' is not a valid Level"),
        (msgpack.packb({**SPAWN, "threads": "two"}), 2, "needs 'threads', an int"),
        (msgpack.packb(SPAWN), 1, "spawn channel and an output"),
        (msgpack.packb({"op": "line", "line": 3, "uart": "x"}), 1, "3 descriptors"),
        (msgpack.packb({"op": "spawn", "pd": 3, "name": "x" * 70000}), 2, "too long"),
    ],
)
def test_a_bad_message_is_refused_and_the_next_one_served(
    zygote: ZygoteHost, kernel: RouterKernel, data: bytes, fds: int, reason: str
) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    zygote.send(data, [null] * fds)
    os.close(null)
    message, _ = zygote.expect("refused")
    assert reason in message["reason"]
    if b"pd\x03" in data and len(data) < 100:
        assert message["pd"] == 3
    child = zygote.run(kernel, QUICK)
    assert child.status() == 0
    child.text()


def test_descriptors_of_refused_messages_are_closed(zygote: ZygoteHost) -> None:
    reading, writing = os.pipe()
    zygote.send({"op": "dance"}, [writing] * 3)
    os.close(writing)
    zygote.expect("refused")
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b""


def test_when_the_kernel_is_gone_every_child_is_ended_first(
    kernel: RouterKernel, tmp_path: Path, baseline: None
) -> None:
    host = ZygoteHost(tmp_path)
    child = host.run(kernel, FOREVER)
    kernel.wait_for(Sys.YIELD)
    host.channel.close()
    assert host.process.wait(PATIENCE) == 0
    assert select.select([child.pidfd], [], [], 0)[0], "the zygote ended before its child"
    child.text()
    os.close(child.pidfd)
    child.channel.close()


def test_pds_die_with_a_zygote_that_is_killed(
    kernel: RouterKernel, tmp_path: Path, baseline: None
) -> None:
    host = ZygoteHost(tmp_path)
    child = host.run(kernel, FOREVER)
    kernel.wait_for(Sys.YIELD)
    host.process.kill()
    child.wait_ended()
    child.text()
    with host:
        pass


def test_a_stopped_pd_is_ended_too(kernel, tmp_path: Path, baseline: None) -> None:
    host = ZygoteHost(tmp_path)
    child = host.run(kernel, FOREVER)
    kernel.wait_for(Sys.YIELD)
    signal.pidfd_send_signal(child.pidfd, signal.SIGSTOP)
    with host:
        pass
    assert host.process.returncode == 0
    child.text()


def test_a_later_pd_runs_the_edited_file(zygote: ZygoteHost, kernel: RouterKernel) -> None:
    for expected in ("one", "two"):
        child = zygote.run(kernel, f"def main(env): print('{expected}')")
        assert child.text() == f"{expected}\n"
        child.status()


def test_a_child_finds_the_libraries_loaded_no_user_code_and_a_working_collector(
    zygote: ZygoteHost, kernel: RouterKernel
) -> None:
    child = zygote.run(
        kernel,
        "import gc, sys\n"
        "loaded = [m for m in sys.modules if m.startswith(('caplab.servers', 'caplab.clients'))]\n"
        "def main(env):\n"
        "    print(loaded, 'google.protobuf.message' in sys.modules, 'msgpack' in sys.modules)\n"
        "    print(gc.isenabled(), gc.get_freeze_count() > 10000)\n",
    )
    assert child.text() == "[] True True\nTrue True\n"
    child.status()
