"""The end of a system: in order, when the kernel says it is down; at once, when something broke."""

import os
import select
import signal
import stat
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from caplab.kernel.host import rundir

if TYPE_CHECKING:
    from caplab.kernel.host.host import Host

BROKEN = 70
"""Exit status when the kernel, or a part of it, failed (EX_SOFTWARE)."""
DRAIN = 2.0
"""Seconds the lines get to give out what they have."""
KILLED = 2.0
"""Seconds in which a process must end that was told to."""
CLIENTS = 1.0
"""Seconds operators get, all together, to read what they are told last."""
EVENT_SHOWN = 240
KEPT = ("boot.json", "lock", "link", "console.log")
"""Files of a run directory that its owner, the launcher, removes with it; and whatever is a log."""


def in_order(host: "Host") -> None:
    """After the last PD: let the lines drain, end the zygote, count what is left, say so."""
    host.ending = True
    host.doorbell.call(host.lines.hang_up)
    _wait_for_lines(host, DRAIN)
    stubborn = len(host.processes.names()) + host.lines.kill_all()
    if stubborn:
        host.processes.kill_all()
        _wait_for_lines(host, KILLED)
    if host.recorder is not None:
        host.recorder.close()
    host.doorbell.stop()
    host.zygote.close()
    stubborn += not _reap(host.zygote_pid)
    segments = host.segments.destroy_all() + _sweep(host.spec["shm_prefix"])
    host.loop.close()
    host.launcher.close()
    for name in ("kernel.sock", "run.json"):
        (host.run_dir / name).unlink(missing_ok=True)
    sockets, files = _left_in(host.run_dir)
    left = {"processes": stubborn, "segments": segments, "sockets": sockets, "files": files}
    host.control.close({"left": left}, CLIENTS)
    host.doorbell.close()


def at_once(host: "Host", error: BaseException) -> None:
    """Something of ours broke: say what, and leave nothing that could still run."""
    host.ending = True
    _tell(host, error)
    host.doorbell.stop()
    host.zygote.close()  # it kills its children and ends; should it be killed, they are too
    _reap(host.zygote_pid)
    host.segments.destroy_all()
    _sweep(host.spec["shm_prefix"])
    if host.recorder is not None:
        host.recorder.abandon()
    host.loop.close()
    host.control.close({}, CLIENTS)
    host.launcher.close()


def _tell(host: "Host", error: BaseException) -> None:
    """On standard error, which the launcher keeps and shows."""
    from caplab.kernel.host.host import PartGone

    if isinstance(error, PartGone):
        print(f"kernel: {error}", file=sys.stderr)
        return
    print("kernel: a fault in the kernel itself; the last events, oldest first:", file=sys.stderr)
    for event in host.loop.last:
        text = repr(event)
        more = f"… ({len(text)} characters)" if len(text) > EVENT_SHOWN else ""
        print(f"  {text[:EVENT_SHOWN]}{more}", file=sys.stderr)
    traceback.print_exception(error)
    sys.stderr.flush()


def _wait_for_lines(host: "Host", seconds: float) -> None:
    end = time.monotonic_ns() + int(seconds * 1e9)
    host.loop.run(lambda: host.lines.all_ended and not host.processes.names(), end)


def _reap(pid: int) -> bool:
    """Wait for the zygote, whose channel is closed; whether it ended by itself."""
    pidfd = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    ended = bool(poll.poll(KILLED * 1000))
    if not ended:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(pidfd)
    return ended


def _sweep(prefix: str) -> int:
    """Remove segments under our names that are not the kernel's; how many there were."""
    found = rundir.segments(prefix)
    for segment in found:
        segment.unlink(missing_ok=True)
    return len(found)


def _left_in(run_dir: Path) -> tuple[int, int]:
    """Sockets and other files in a run directory that should not be there any more."""
    sockets = files = 0
    for path in run_dir.rglob("*"):
        mode = path.lstat().st_mode
        if path.name == "control.sock" or path.name in KEPT or ".log" in path.suffixes:
            continue
        sockets += stat.S_ISSOCK(mode)
        files += not stat.S_ISSOCK(mode) and not stat.S_ISDIR(mode)
    return sockets, files
