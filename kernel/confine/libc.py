"""System calls of Linux that Python has no function for, or has only from 3.12 on.

A `Libc` looks every function up when it is made: a child that was forked from a large process
should load no library any more. Each method is one system call, makes no decision, and raises
OSError with the error number and the name of the call. Nothing here needs caplab.

Numbers are those of Linux' user-space headers, the same on every architecture unless they stand
in `NUMBERS`. On an architecture that is not there the calls that need a number raise ENOSYS, which
is what a Linux without the call would say.
"""

import ctypes
import errno
import os
from functools import cached_property

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19

MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

MOUNT_ATTR_RDONLY = 1
MOUNT_ATTR_NOSUID = 2
MOUNT_ATTR_NODEV = 4
MOUNT_ATTR_NOEXEC = 8

PR_SET_PDEATHSIG = 1
PR_GET_PDEATHSIG = 2
PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_GET_SECCOMP = 21
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_GET_NO_NEW_PRIVS = 39
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
PR_SET_PTRACER = 0x59616D61
PR_SET_PTRACER_ANY = (1 << 64) - 1

NUMBERS = {
    "x86_64": {
        "capset": 126,
        "pivot_root": 155,
        "seccomp": 317,
        "mount_setattr": 442,
        "landlock_create_ruleset": 444,
        "landlock_add_rule": 445,
        "landlock_restrict_self": 446,
    },
    "aarch64": {
        "pivot_root": 41,
        "capset": 91,
        "seccomp": 277,
        "mount_setattr": 442,
        "landlock_create_ruleset": 444,
        "landlock_add_rule": 445,
        "landlock_restrict_self": 446,
    },
}
"""Per machine, as `uname -m` has it: the calls that the C library may have no function for."""

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_CAPABILITY_VERSION = 0x20080522
_NAME_BYTES = 15
"""What the kernel of the machine keeps of a process's name."""


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


class Libc:
    """The calls, looked up. Paths are strings; flags are the constants of this module."""

    def __init__(self, machine: str | None = None) -> None:
        self.machine = machine or os.uname().machine
        """Which table of numbers holds."""
        library = ctypes.CDLL(None, use_errno=True)
        self._unshare = library.unshare
        self._unshare.argtypes = (ctypes.c_int,)
        self._setns = library.setns
        self._setns.argtypes = (ctypes.c_int, ctypes.c_int)
        self._mount = library.mount
        self._mount.argtypes = (*[ctypes.c_char_p] * 3, ctypes.c_ulong, ctypes.c_char_p)
        self._umount2 = library.umount2
        self._umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
        self._prctl = library.prctl
        self._prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
        self._syscall = library.syscall
        self._syscall.argtypes = (ctypes.c_long, *[ctypes.c_ulong] * 5)
        self._syscall.restype = ctypes.c_long
        self._numbers = NUMBERS.get(self.machine, {})
        self._header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
        self._sets = (ctypes.c_uint32 * 6)()

    # -- namespaces and mounts -----------------------------------------------------------------

    def unshare(self, flags: int) -> None:
        """New namespaces (CLONE_NEW…) for the caller, or with NEWPID for its next children."""
        _check("unshare", self._unshare(flags))

    def setns(self, fd: int, kind: int = 0) -> None:
        """Enter the namespace that `fd` names; `kind` (CLONE_NEW…) is what it must be."""
        _check("setns", self._setns(fd, kind))

    def mount(
        self, source: str, target: str, kind: str = "", flags: int = 0, data: str = ""
    ) -> None:
        """mount(2). An empty `source`, `kind` or `data` is a null pointer."""
        texts = [text.encode() or None for text in (source, target, kind, data)]
        result = self._mount(*texts[:3], flags, texts[3])
        _check("mount", result, target)

    def umount(self, target: str, flags: int = MNT_DETACH) -> None:
        """umount2(2)."""
        _check("umount2", self._umount2(target.encode(), flags), target)

    def pivot_root(self, new_root: str, put_old: str) -> None:
        """pivot_root(2): the mount at `new_root` becomes `/`, the old root goes to `put_old`."""
        new, old = ctypes.c_char_p(new_root.encode()), ctypes.c_char_p(put_old.encode())
        self.syscall("pivot_root", _address(new), _address(old))

    def mount_setattr(
        self, path: str, on: int = 0, off: int = 0, propagation: int = 0, *, recursive: bool = True
    ) -> None:
        """Change attributes (MOUNT_ATTR_…) and propagation (MS_PRIVATE …) of a tree of mounts."""
        attributes = _MountAttributes(on, off, propagation, 0)
        name = ctypes.c_char_p(path.encode())
        self.syscall(
            "mount_setattr",
            _AT_FDCWD,
            _address(name),
            _AT_RECURSIVE if recursive else 0,
            ctypes.addressof(attributes),
            ctypes.sizeof(attributes),
        )

    # -- the process itself --------------------------------------------------------------------

    def prctl(self, option: int, *values: int) -> int:
        """prctl(2): what the option returns; up to four values, the others 0."""
        padded = (*values, 0, 0, 0, 0)[:4]
        return _check("prctl", self._prctl(option, *padded))

    def die_with_parent(self, signal: int = 9) -> None:
        """This signal for the caller when the thread that forked it ends.

        A change of credentials clears it, so it is asked for after them.
        """
        self.prctl(PR_SET_PDEATHSIG, signal)

    def set_name(self, name: str) -> None:
        """What `ps` and `top` show of the calling thread, cut to 15 bytes."""
        text = ctypes.c_char_p(name.encode()[:_NAME_BYTES])
        self.prctl(PR_SET_NAME, _address(text))

    def capset(self, effective: int = 0, permitted: int = 0, inheritable: int = 0) -> None:
        """The capability sets of the calling thread, each a word with a bit per capability."""
        sets = (effective, permitted, inheritable)
        self._sets[:] = [word >> shift & 0xFFFFFFFF for shift in (0, 32) for word in sets]
        self.syscall("capset", ctypes.addressof(self._header), ctypes.addressof(self._sets))

    def drop_bounding_set(self) -> None:
        """Take every capability out of the bounding and the ambient set, for good."""
        for capability in range(self.capabilities):
            self.prctl(PR_CAPBSET_DROP, capability)
        self.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)

    @cached_property
    def capabilities(self) -> int:
        """How many capabilities this Linux knows."""
        known = 0
        while self._prctl(PR_CAPBSET_READ, known, 0, 0, 0) >= 0:
            known += 1
        return known

    # -- by number -----------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Whether the number of this call is known on this machine."""
        return name in self._numbers

    def syscall(self, name: str, *values: int) -> int:
        """The call of this name in `NUMBERS`, with up to five values; ENOSYS where unknown."""
        if name not in self._numbers:
            raise OSError(errno.ENOSYS, f"{name}: unknown on {self.machine}")
        padded = (*values, 0, 0, 0, 0, 0)[:5]
        return _check(name, self._syscall(self._numbers[name], *padded))


def _address(text: ctypes.c_char_p) -> int:
    return ctypes.cast(text, ctypes.c_void_p).value or 0


def _check(name: str, result: int, path: str | None = None) -> int:
    """The result of a call, or its error as an exception."""
    # The result says whether it failed: the error number may be an earlier call's.
    if result != -1:
        return result
    code = ctypes.get_errno()
    raise OSError(code, f"{name}: {os.strerror(code)}", path)
