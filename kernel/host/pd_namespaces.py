"""The namespaces of a PD: what the zygote does around the fork, and the child before all else.

Each PD is process 1 of its own pid namespace and sees no other; it has no System V objects, its
own `/dev/shm` with hard links to the segments it was granted, and mounts that it has no rights
over, because its user namespace is made last. The network it is in has no interface that is up and
is that of all PDs of the system: nothing is in it, and no PD can put anything there.
"""

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from caplab.kernel.confine.libc import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_BIND,
    MS_PRIVATE,
    MS_REC,
    Libc,
)
from caplab.kernel.host import pd_view
from caplab.kernel.host.segments import GRANTED

OWN = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP
FIRST_USER = 200_000
USERS = 65_536
"""The users PDs may have, where there are so many: one each, and no two that live at once share."""


class Namespaces:
    """What the zygote of a machine needs to give every PD namespaces of its own.

    Making one moves the zygote into the PDs' root, which it shares with nobody.

    Args:
        read: code roots and program files.
        socket: the kernel's, which must be there.
    """

    def __init__(self, libc: Libc, read: Sequence[str], socket: str) -> None:
        self._libc = libc
        self._machine_mounts = _namespace("mnt")
        self._pids = _namespace("pid")
        self._network = empty_network(libc)
        self._folder = _working_folder()
        shown = pd_view.shown_paths(read)
        self._own_users = _many_users() and pd_view.open_to_others(shown)
        """Whether each PD has a user of its own. A kernel that root did not start has no users to
        give; and a program in a folder that only its owner may read must be run by its owner."""
        libc.unshare(CLONE_NEWNS)
        libc.mount("", "/", flags=MS_REC | MS_PRIVATE)
        umask = os.umask(0o022)
        pd_view.move_in(libc, shown, socket)
        os.umask(umask)

    @contextmanager
    def new_pids(self) -> Iterator[None]:
        """Who is forked meanwhile is process 1 of a new pid namespace."""
        self._libc.unshare(CLONE_NEWPID)
        try:
            yield
        finally:
            # The child never comes here: it does not return from its fork.
            self._libc.setns(self._pids, CLONE_NEWPID)

    def enter(self, pd: int) -> None:
        """Give this process, a PD just forked, its own of everything else."""
        libc = self._libc
        libc.unshare(OWN)
        libc.setns(self._network, CLONE_NEWNET)
        libc.mount(f"{pd_view.MASTER}/{GRANTED}/{pd}", pd_view.SHM, flags=MS_BIND)
        # Read-only as the mount is that it is a part of.
        libc.mount(f"{pd_view.MASTER_READ_ONLY}/{pd}", pd_view.READ_ONLY, flags=MS_BIND)
        libc.umount(pd_view.MASTER_READ_ONLY)
        libc.umount(pd_view.MASTER)
        if self._own_users:
            user = FIRST_USER + pd % USERS
            os.setgroups(())
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        # Last: over what was made before it, it gives no rights.
        libc.unshare(CLONE_NEWUSER)

    def leave_for_the_machine(self) -> None:
        """See what the kernel sees: for a line, which is no PD."""
        self._libc.setns(self._machine_mounts, CLONE_NEWNS)
        os.chdir(self._folder)


def empty_network(libc: Libc) -> int:
    """A descriptor of a network namespace that nobody is in. Raises OSError."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            libc.unshare(CLONE_NEWNET)
            socket.send_fds(theirs, [b"network"], [_namespace("net")])
        finally:
            os._exit(0)
    theirs.close()
    with ours:
        found = socket.recv_fds(ours, len(b"network"), 1, socket.MSG_CMSG_CLOEXEC)[1]
    os.waitpid(pid, 0)
    if not found:
        raise OSError(errno.EPERM, "no network namespace")
    return found[0]


def _working_folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # somebody has removed it since
        return "/"


def _namespace(kind: str) -> int:
    return os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


def _many_users() -> bool:
    """Whether the users that PDs are to have are mapped into this namespace, groups included."""
    return all(_mapped(f"/proc/self/{kind}") for kind in ("uid_map", "gid_map"))


def _mapped(path: str) -> bool:
    with open(path) as file:
        rows = [[int(word) for word in line.split()] for line in file]
    return any(
        first <= FIRST_USER and first + count >= FIRST_USER + USERS for first, _, count in rows
    )
