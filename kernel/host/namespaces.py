"""The machine: a set of namespaces of its own, with the kernel as its pid 1.

Everything a system is made of lives in it. When its pid 1 ends, for whatever reason, Linux ends
every process that is left, and with the last of them go the mounts and what is in `/dev/shm`: no
process and no segment of a system can outlive its kernel. It is also what lets an ordinary user's
kernel make the namespaces that its PDs are confined in.

Nothing of the host changes, and nothing of it is hidden from the kernel, which keeps the host's
files and its `/proc`: that is how it knows the pids by which others know its processes.
"""

import os
import signal
import socket
import struct

from caplab.kernel.confine.libc import (
    CLONE_NEWIPC,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_NODEV,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    MS_REMOUNT,
    Libc,
)

MACHINE = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS
HEEDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What ends a kernel in order. Linux drops a signal for a pid 1 that does not handle it yet; one
that is blocked is kept, so that a kernel still loading hears of it when it is ready to."""
SHM = "/dev/shm"

_PID = struct.Struct("i")


class NoMachine(OSError):
    """The namespaces could not be had; the message says which step failed."""


def first_process(start: socket.socket, libc: Libc) -> None:
    """Fork the pid 1 of a new machine; return in it, once its parent is the launcher.

    Called in a child of the launcher's, which ends here: it only stands between the launcher and
    pid 1, because a process that unshares a pid namespace is not in it itself, but its next child.
    `start` is its end of a socketpair: `begin` holds the other. Raises NoMachine, in the child.
    """
    try:
        libc.unshare(MACHINE)
    except OSError as error:
        raise NoMachine(f"no namespaces: {error.strerror}") from None
    start.send(b"maps")
    if start.recv(1) != b"m":
        raise NoMachine("the user namespace was not given its users")
    try:
        # Private, or the host would see what is mounted here; and it may not see our segments.
        libc.mount("", "/", flags=MS_REC | MS_PRIVATE)
        libc.mount("caplab", os.path.realpath(SHM), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    except OSError as error:
        raise NoMachine(f"no private {SHM}: {error.strerror}") from None
    pid = os.fork()
    if pid:
        start.send(_PID.pack(pid))
        os._exit(0)
    start.recv(1)  # its end: the launcher has seen the one between us go, and is our parent
    start.close()
    signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)


def resize_shm(libc: Libc, size: int) -> None:
    """Let the machine's `/dev/shm` hold this many bytes. Raises OSError: there is more in it."""
    flags = MS_REMOUNT | MS_NOSUID | MS_NODEV
    libc.mount("caplab", os.path.realpath(SHM), "tmpfs", flags, f"size={size}")


def begin(start: socket.socket, child: int) -> int:
    """See the child through `first_process`, from the launcher; the pid of the machine's pid 1.

    Where there is no machine, it is the child's own pid: its end says what went wrong.
    """
    if start.recv(4) != b"maps":
        return child
    try:
        write_maps(child)
    except OSError as error:
        print(f"launcher: {error}", flush=True)
        return child  # it is told by the end of `start`
    start.send(b"m")
    told = start.recv(_PID.size)
    if not told:
        return child
    os.waitpid(child, 0)
    return int(_PID.unpack(told)[0])


def write_maps(pid: int) -> None:
    """Say who the users of a process's new user namespace are.

    To root, everybody as they are: PDs get users of their own, and no file that root may read is
    closed to a kernel that root has started. To anybody else, oneself, as its root.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        try:
            for kind in ("gid_map", "uid_map"):
                _write(pid, kind, _everybody(kind))
            return
        except PermissionError:
            pass  # a root without the capability; it may still map itself
    _write(pid, "setgroups", "deny")
    _write(pid, "gid_map", f"0 {gid} 1\n")
    _write(pid, "uid_map", f"0 {uid} 1\n")


def _everybody(kind: str) -> str:
    """Our own map, as one that changes nobody's number."""
    with open(f"/proc/self/{kind}") as file:
        rows = [line.split() for line in file]
    return "".join(f"{first} {first} {count}\n" for first, _, count in rows)


def _write(pid: int, name: str, text: str) -> None:
    with open(f"/proc/{pid}/{name}", "w") as file:
        file.write(text)
