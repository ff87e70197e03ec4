"""The line: a UART's cable and the terminal at its end, one small process of its own.

The driver PD holds one end of a socketpair, its data register; the line holds the other and
gives what comes out of it, in this order, to ``console.log``, the scrollback, the PTY and every
console client. What is typed at the PTY or by a client goes back in. Nothing here ever waits for
a reader: each has a bounded queue, and what overflows is dropped, counted and told. So the
driver never blocks on its console, and the kernel copies no console bytes.

The zygote forks it (`run`); it ends when the driver's and the kernel's end of the cable are
closed, or with SIGTERM, and takes its socket and its PTY's link with it. ``console.log`` stays
for whoever removes the run directory.
"""

import json
import os
import signal
import socket
from pathlib import Path

import msgpack

from caplab.kernel.host.line_loop import Line
from caplab.kernel.host.pty_cable import Master


def run(spawn_fd: int) -> int:
    """Be a line until the system goes down. The zygote calls this in a fresh child.

    Args:
        spawn_fd: a pipe with one msgpack map, then its end: ``line`` its number, ``uart`` its
            UART's name, ``dir`` its folder, ``cable_fd`` its end of the socketpair (with
            ``pty`` the master of a debug PD's PTY),
            ``status_fd`` a pipe on which it answers with one JSON line,
            ``{"ready": true, "tty": …, "socket": …}`` once clients can connect, or
            ``{"ready": false, "error": …}``, and which it then closes.

    Returns:
        The process's exit status: 0 after a normal end, 1 if it could not start.
    """
    signals = _told_of_signals()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # a reader's death is an error to handle
    with open(spawn_fd, "rb") as pipe:
        spawn = msgpack.unpackb(pipe.read())
    descriptor = spawn["cable_fd"]
    cable = Master(descriptor) if spawn.get("pty") else socket.socket(fileno=descriptor)
    try:
        line = Line(spawn["uart"], Path(spawn["dir"]), cable)
    except OSError as error:
        _report(spawn["status_fd"], {"ready": False, "error": str(error)})
        return 1
    try:
        _report(spawn["status_fd"], {"ready": True, "tty": line.tty, "socket": line.address})
        line.serve(signals)
    finally:
        line.close()
    return 0


def _told_of_signals() -> int:
    """A descriptor that gives the numbers of signals, of earlier ones too: SIGTERM ends the line,
    with SIGWINCH the kernel says that a driver has started, who is to be told the window's size."""
    numbers, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGWINCH):
        signal.signal(number, lambda _signal, _frame: None)
    return numbers


def _report(status_fd: int, message: dict[str, object]) -> None:
    try:
        with open(status_fd, "w") as pipe:
            pipe.write(json.dumps(message) + "\n")
    except BrokenPipeError:
        pass  # nobody waits any more; the cable's end will say so too
