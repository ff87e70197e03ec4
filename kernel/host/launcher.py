"""The launcher: `python -m caplab.kernel.host.launcher RUN_DIR CLI_FD LOCK_FD [options]`.

The one process between a terminal and a system. It has its own session and no terminal, so that
^C reaches no PD; it is the parent of the kernel, and as *subreaper* the last parent of everything
the kernel starts, so that when it says "nothing is left" it has waited for each process.

The kernel is started with as little loaded as can be, and loads while the launcher loads the rest
(`launcher_loop.py`): what is imported here is a part of the time that every system takes to boot.
"""

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
FAILED = 1


def start_kernel(command: Sequence[str]) -> tuple[int, socket.socket, int]:
    """Run a command line with the descriptor of its channel as one more argument.

    Returns its pid, our end of the channel (SOCK_SEQPACKET), and the reading end of what it prints.
    It dies with us, and what it leaves becomes our child.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reading, writing = os.pipe()
    theirs.set_inheritable(True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() == parent:  # else it died before it could be noticed
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(writing, 1)
                os.dup2(writing, 2)
                os.execv(command[0], [*command, str(theirs.fileno())])
        finally:
            os._exit(FAILED)
    theirs.close()
    os.close(writing)
    return pid, ours, reading


def main(argv: Sequence[str]) -> int:
    run_dir, cli, lock, *options = argv
    for descriptor in (cli, lock):  # ours alone; the lock is held for our life
        os.set_inheritable(int(descriptor), False)
    command = [sys.executable, "-P", "-m", "caplab.kernel.host", *options, run_dir]
    kernel = start_kernel(command)
    # Only now, while the kernel loads on another processor.
    from pathlib import Path

    from caplab.kernel.host.launcher_loop import Launcher

    return Launcher(Path(run_dir), socket.socket(fileno=int(cli)), kernel).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
