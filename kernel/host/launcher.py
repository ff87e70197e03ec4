"""The launcher: `python -m caplab.kernel.host.launcher RUN_DIR CLI_FD LOCK_FD KIND [options]`.

The one process between a terminal and a system. It has its own session and no terminal, so that
^C reaches no PD; it is the parent of the kernel, and as *subreaper* the last parent of everything
the kernel starts, so that when it says "nothing is left" it has waited for each process. With the
KIND `machine` the kernel gets namespaces of its own, with `plain` it is a process like others.

The kernel is started with as little loaded as can be, and loads while the launcher loads the rest
(`launcher_loop.py`): what is imported here is a part of the time that every system takes to boot.
"""

import os
import socket
import sys
from collections.abc import Sequence

from caplab.kernel.confine.libc import Libc
from caplab.kernel.host.namespaces import NoMachine, begin, first_process
from caplab.kernel.host.parent import hung_up

PR_SET_CHILD_SUBREAPER = 36
FAILED = 1
WRONG = 2
"""Exit status of a kernel that could not be started as it was asked for."""


def start_kernel(
    command: Sequence[str], *, machine: bool = False
) -> tuple[int, socket.socket, int]:
    """Run a command line with the descriptor of its channel as one more argument.

    Returns its pid, our end of the channel (SOCK_SEQPACKET), and the reading end of what it prints.
    It dies with us. With `machine` it is pid 1 of namespaces of its own, and everybody in them ends
    with it (`namespaces.py`); without, what it leaves becomes our child.
    """
    libc = Libc()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    seen_by_us, seen_by_it = socket.socketpair()
    reading, writing = os.pipe()
    theirs.set_inheritable(True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            seen_by_us.close()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            libc.die_with_parent()
            if machine:
                enter(seen_by_it, libc)
                libc.die_with_parent()  # the one that forked it for the machine was another
            if not hung_up(theirs):  # else the launcher died before it could be noticed
                os.execv(command[0], [*command, str(theirs.fileno())])
        finally:
            os._exit(FAILED)
    theirs.close()
    seen_by_it.close()
    os.close(writing)
    if machine:
        pid = begin(seen_by_us, pid)
    seen_by_us.close()
    return pid, ours, reading


def enter(start: socket.socket, libc: Libc) -> None:
    """Become the first process of a new machine; or say why not, and end."""
    try:
        first_process(start, libc)
    except NoMachine as error:
        os.write(2, f"kernel: {error}\n".encode())
        os._exit(WRONG)


def main(argv: Sequence[str]) -> int:
    run_dir, cli, lock, machine, *options = argv
    for descriptor in (cli, lock):  # ours alone; the lock is held for our life
        os.set_inheritable(int(descriptor), False)
    command = [sys.executable, "-P", "-m", "caplab.kernel.host", *options, run_dir]
    kernel = start_kernel(command, machine=machine == "machine")
    # Only now, while the kernel loads on another processor.
    from pathlib import Path

    from caplab.kernel.host.launcher_loop import Launcher

    return Launcher(Path(run_dir), socket.socket(fileno=int(cli)), kernel).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
