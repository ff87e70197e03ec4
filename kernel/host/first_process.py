"""Signals for the first process of a pid namespace, which every strictly confined PD is.

Linux drops what such a process does not handle, SIGKILL and SIGSTOP from outside excepted. A signal
that would have ended any other process is therefore sent as SIGKILL, and the death is put down to
the signal that was meant.
"""

import signal

ENDS_NOBODY = frozenset(
    (
        0,
        signal.SIGCHLD,
        signal.SIGCONT,
        signal.SIGSTOP,
        signal.SIGTSTP,
        signal.SIGTTIN,
        signal.SIGTTOU,
        signal.SIGURG,
        signal.SIGWINCH,
    )
)


def needs_sigkill(pid: int, number: int) -> bool:
    """Whether this signal is to end the process and would be dropped instead.

    `pid` is what `/proc` calls it (`outside.py`).
    """
    if number in ENDS_NOBODY or number == signal.SIGKILL:
        return False
    try:
        with open(f"/proc/{pid}/status") as file:
            masks = [line.split()[1] for line in file if line.startswith(("SigIgn:", "SigCgt:"))]
    except OSError:
        return True
    heeded = 0
    for mask in masks:
        heeded |= int(mask, 16)
    return not heeded >> (number - 1) & 1
