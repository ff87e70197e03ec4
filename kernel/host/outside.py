"""Pids as the operator's tools know them: those of the namespace that `/proc` was mounted in.

In a machine of its own (`namespaces.py`) the kernel is process 1 and its PDs have small numbers,
which mean something else to everybody else. But the `/proc` it sees is the host's, and what is
written there of a process is in the host's numbers: our own link, and the `fdinfo` of a pidfd.
Without a machine the numbers are the same, and so are the answers.
"""

import os


def own_pid() -> int:
    """This process."""
    return int(os.readlink("/proc/self"))


def parent_pid() -> int:
    """Its parent, which may be outside of the machine; 0 if it has none that can be named."""
    return _field("/proc/self/status", "PPid:")


def pid_of(pidfd: int) -> int:
    """The process that a pidfd names; -1 once it is reaped."""
    return _field(f"/proc/self/fdinfo/{pidfd}", "Pid:")


def _field(path: str, name: str) -> int:
    with open(path) as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name))
