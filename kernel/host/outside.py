"""Pids as the operator's tools know them: those of the namespace that `/proc` was mounted in.

In a machine of its own (`namespaces.py`) the kernel is process 1 and its PDs have small numbers,
which mean something else to everybody else. But the `/proc` it sees is the host's, and what is
written there of a process is in the host's numbers: our own link, and the `fdinfo` of a pidfd.
Without a machine the numbers are the same, and so are the answers.
"""

import os

_FLAGS, _PF_EXITING = 6, 4
"""The field of `/proc/PID/stat` behind the name, and its bit (Linux' include/linux/sched.h)."""


def own_pid() -> int:
    """This process."""
    return int(os.readlink("/proc/self"))


def parent_pid() -> int:
    """Its parent, which may be outside of the machine; 0 if it has none that can be named."""
    return _field("/proc/self/status", "PPid:")


def pid_of(pidfd: int) -> int:
    """The process that a pidfd names; -1 once it is reaped."""
    return _field(f"/proc/self/fdinfo/{pidfd}", "Pid:")


def system_pids(zygote: int) -> dict[str, int]:
    """This process, which is the kernel, and its child the zygote."""
    pidfd = os.pidfd_open(zygote)
    try:
        return {"kernel_pid": own_pid(), "zygote_pid": pid_of(pidfd)}
    finally:
        os.close(pidfd)


def exiting(pid: int) -> bool:
    """Whether every thread of a process (its pid as above) has begun to end: a connection that is
    lost then has ended with the process, however long the rest of its end takes. False where that
    cannot be seen."""
    try:
        return all(_exits(pid, thread) for thread in os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return False


def _exits(pid: int, thread: str) -> bool:
    try:
        with open(f"/proc/{pid}/task/{thread}/stat") as file:
            flags = file.read().rpartition(")")[2].split()[_FLAGS]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return bool(int(flags) & _PF_EXITING)


def _field(path: str, name: str) -> int:
    with open(path) as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name))
