"""A machine of its own, on real processes: what the launcher makes for a strict system."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import other_user
import strict_host
from caplab.kernel.confine.libc import CLONE_NEWUSER
from caplab.kernel.host import launcher, namespaces

pytestmark = [pytest.mark.usefixtures("baseline"), strict_host.needed]


class Machine:
    """A machine whose pid 1 runs a program; ours is the end of its channel."""

    def __init__(self, program: str) -> None:
        command = [sys.executable, "-c", program]
        self.pid, self.channel, self._output = launcher.start_kernel(command, machine=True)
        self.channel.settimeout(20)
        self.pidfd = os.pidfd_open(self.pid)
        self.reaped = False

    def says(self) -> str:
        """The next thing that its pid 1 sends over the channel."""
        return self.channel.recv(4096).decode()

    def wait(self) -> int:
        """The wait status of its pid 1."""
        self.reaped = True
        return os.waitpid(self.pid, 0)[1]

    def printed(self) -> str:
        """All that was printed in it, once everybody there has ended."""
        with os.fdopen(os.dup(self._output)) as output:
            return output.read()

    def close(self) -> None:
        if not self.reaped:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            self.wait()
        self.channel.close()
        os.close(self.pidfd)
        os.close(self._output)


TELL = """
import os, signal, socket, sys, time
channel = socket.socket(fileno=int(sys.argv[-1]))
def tell(*words): channel.send(" ".join(map(str, words)).encode())
"""


@pytest.fixture
def machines() -> Iterator[list[Machine]]:
    made: list[Machine] = []
    yield made
    for machine in made:
        machine.close()


def run(machines: list[Machine], program: str) -> Machine:
    machines.append(Machine(TELL + program))
    return machines[-1]


def test_the_kernel_is_process_one_and_others_know_it_by_another_number(
    machines: list[Machine],
) -> None:
    machine = run(
        machines,
        "from caplab.kernel.host import outside\n"
        "tell(os.getpid(), outside.own_pid(), outside.parent_pid())",
    )
    assert machine.says() == f"1 {machine.pid} {os.getpid()}"


def test_a_pidfd_tells_the_number_by_which_others_know_a_process(machines: list[Machine]) -> None:
    machine = run(
        machines,
        "from caplab.kernel.host import outside\n"
        "child = os.posix_spawn('/bin/sh', ['/bin/sh', '-c', 'sleep 100'], {})\n"
        "tell(child, outside.pid_of(os.pidfd_open(child)))\n"
        "channel.recv(1)",
    )
    inside, outside = machine.says().split()
    assert inside == "2"
    assert f"PPid:\t{machine.pid}" in Path(f"/proc/{outside}/status").read_text()


def test_segments_are_on_a_file_system_that_only_the_machine_has(machines: list[Machine]) -> None:
    machine = run(
        machines, "tell(os.listdir('/dev/shm'))\nopen('/dev/shm/cl.here', 'w')\ntell('made')"
    )
    assert machine.says() == "[]"
    assert machine.says() == "made"
    assert not os.path.exists("/dev/shm/cl.here")


def test_everybody_in_it_ends_with_process_one(machines: list[Machine]) -> None:
    # Twice removed, with a session of its own and all signals blocked.
    machine = run(
        machines,
        "if os.fork() == 0:\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
        "        tell('here')\n"
        "        time.sleep(1000)\n"
        "    os._exit(0)\n"
        "signal.pause()",
    )
    assert machine.says() == "here"
    os.kill(machine.pid, signal.SIGKILL)
    assert machine.wait() == signal.SIGKILL
    assert machine.says() == ""  # nobody is left who has the other end


def test_it_ends_with_its_launcher() -> None:
    script = (
        "import sys\n"
        "from caplab.kernel.host import launcher\n"
        f"program = {TELL + 'tell(1)' + chr(10) + 'time.sleep(1000)'!r}\n"
        "pid, channel, _ = launcher.start_kernel([sys.executable, '-c', program], machine=True)\n"
        "channel.recv(10)\n"
        "print(pid, flush=True)\n"
        "sys.stdin.read()"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with started:
        assert started.stdout is not None
        pidfd = os.pidfd_open(int(started.stdout.readline()))
        started.kill()
    assert select.select([pidfd], [], [], 20)[0]
    os.close(pidfd)


def test_a_signal_that_comes_before_the_kernel_is_ready_for_it_is_not_lost(
    machines: list[Machine],
) -> None:
    machine = run(
        machines,
        "tell('loading')\n"
        "channel.recv(1)\n"
        "signal.signal(signal.SIGTERM, lambda *_: tell('down'))\n"
        "signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})",
    )
    assert machine.says() == "loading"
    os.kill(machine.pid, signal.SIGTERM)
    machine.channel.send(b"x")
    assert machine.says() == "down"


def test_where_there_are_no_namespaces_the_kernel_is_refused_with_the_reason(
    machines: list[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces, "MACHINE", CLONE_NEWUSER | 1)  # as no Linux has it
    machine = run(machines, "tell('here')")
    assert os.waitstatus_to_exitcode(machine.wait()) == launcher.WRONG
    assert machine.printed() == "kernel: no namespaces: unshare: Invalid argument\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has many users to give")
def test_root_gives_a_machine_every_user_as_they_are(machines: list[Machine]) -> None:
    machine = run(machines, "tell(open('/proc/self/uid_map').read())")
    ours = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    theirs = [line.split() for line in machine.says().splitlines()]
    assert theirs == [[first, first, count] for first, _, count in ours]


@pytest.mark.skipif(not other_user.IS_ROOT, reason="needs root to become somebody else")
def test_an_ordinary_user_is_root_of_a_machine_and_nobody_else_is_there(runtime_dir: Path) -> None:
    program = (
        "import sys\n"
        "from caplab.kernel.host import launcher\n"
        f"program = {SAY_MAP!r}\n"
        "_, channel, _ = launcher.start_kernel([sys.executable, '-c', program], machine=True)\n"
        "print(channel.recv(4096).decode())"
    )
    ran = other_user.run(program, runtime_dir=runtime_dir)
    assert ran.stdout == f"0 {other_user.UID} 1\n", ran.stderr


SAY_MAP = TELL + "tell(*open('/proc/self/uid_map').read().split())"
