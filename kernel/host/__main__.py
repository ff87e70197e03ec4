"""The kernel process: `python -m caplab.kernel.host RUN_DIR LAUNCHER_FD`, run by the launcher.

The order matters for how fast a system boots: the zygote is started first, with as little loaded
as that takes, and loads all it will share with the PDs while this process loads its own half. There
is no ZeroMQ context before that, because a process with one must not be forked.
"""

import json
import os
import socket
import sys
from collections.abc import Sequence

TYPE_CHECKING = False  # as typing has it, which takes as long to load as all of the above
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from caplab.kernel.core.effects import Effect
    from caplab.kernel.core.events import Event
    from caplab.kernel.core.kernel import Kernel

WRONG = 2
"""Exit status for a request that cannot be met."""


class Refused(Exception):
    """The kernel does not start; the message says why."""


def main(argv: Sequence[str]) -> int:
    if len(argv) < 2:
        options(argv)  # says what is missing
    try:
        run_dir, fd = argv[-2:]
        launcher = socket.socket(fileno=int(fd))
        launcher.set_inheritable(False)
        with open(os.path.join(run_dir, "boot.json"), "rb") as file:
            spec: dict[str, Any] = json.load(file)
        if spec.get("cpus"):
            run_on(spec["cpus"])
        zygote, zygote_pid = start_zygote()
        die_with(launcher)
        return serve(options(argv), spec, launcher, zygote, zygote_pid)
    except (Refused, OSError, ValueError) as error:
        print(f"kernel: {error}", file=sys.stderr)
        return WRONG


def options(argv: Sequence[str]) -> "argparse.Namespace":
    """The command line, of which only the end was needed until now."""
    import argparse
    from pathlib import Path

    parser = argparse.ArgumentParser(prog="python -m caplab.kernel.host")
    parser.add_argument("--record", type=Path, metavar="LOG", help="keep every event in a file")
    parser.add_argument("--paranoid", action="store_true", help="check every invariant always")
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    parser.add_argument("launcher", type=int, metavar="LAUNCHER_FD")
    return parser.parse_args(argv)


def serve(
    chosen: "argparse.Namespace",
    spec: "dict[str, Any]",
    launcher: socket.socket,
    zygote: socket.socket,
    zygote_pid: int,
) -> int:
    """Load the rest, now that the zygote is loading too, and run the system."""
    import gc
    import resource

    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.host import rundir
    from caplab.kernel.host.errors import HostError
    from caplab.kernel.host.host import Host
    from caplab.kernel.host.record import Recorder
    from caplab.kernel.root.task import RootTask

    try:
        lock = rundir.hold(chosen.run_dir)
    except HostError as error:
        raise Refused(str(error)) from error
    # Each PD costs descriptors here, and each segment one.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kernel = Kernel(RootTask())
    recorder = Recorder(chosen.record, kernel, spec) if chosen.record else None
    step: Callable[[Event], list[Effect]] = recorder.step if recorder else kernel.step
    if chosen.paranoid:
        step = checked(kernel, step)
    # One collection takes 13 ms at 100,000 capabilities; the core unlinks its records itself.
    gc.disable()
    gc.freeze()
    status = Host(chosen.run_dir, spec, launcher, zygote, zygote_pid, kernel, step, recorder).run()
    os.close(lock)
    return status


def checked(
    kernel: "Kernel", step: "Callable[[Event], list[Effect]]"
) -> "Callable[[Event], list[Effect]]":
    """`step`, with every invariant checked after it."""
    from caplab.kernel.core.invariants import violations
    from caplab.kernel.core.outcome import KernelBug

    def checked_step(event: "Event") -> "list[Effect]":
        effects = step(event)
        broken = violations(kernel)
        if broken:
            raise KernelBug("; ".join(broken))
        return effects

    return checked_step


def die_with(launcher: socket.socket) -> None:
    """End when the launcher does, and now if it already has."""
    from caplab.kernel.confine.libc import Libc
    from caplab.kernel.host.parent import hung_up

    Libc().die_with_parent()
    if hung_up(launcher):
        raise Refused("the launcher has ended already")


def run_on(cpus: Sequence[int]) -> None:
    """Only these processors, for this process and all that come from it."""
    try:
        os.sched_setaffinity(0, cpus)
    except (OSError, OverflowError) as error:
        here = sorted(os.sched_getaffinity(0))
        raise Refused(f"cpus: {list(cpus)}: of the processors {here} none is named") from error


def start_zygote() -> tuple[socket.socket, int]:
    """Our end of its channel, and its pid."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.set_inheritable(True)
    # -P: what lies in the current directory must not stand in for a library, here or in a PD.
    command = [sys.executable, "-P", "-m", "caplab.kernel.host.zygote", str(theirs.fileno())]
    pid = os.posix_spawn(sys.executable, command, os.environ)
    theirs.close()
    return ours, pid


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
