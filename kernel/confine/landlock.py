"""Landlock: which files a process may open from now on, whatever its user may.

A ruleset names what is *handled*: each right in it is refused everywhere but beneath the paths
that allow it. Rights came one by one with the versions ("ABI") of Landlock; what a host's version
does not know cannot be handled there, and is no worse than before.

What no version handles: looking at a file's attributes (stat), and connecting to a socket by its
path (from version 9 on; we leave it out).
"""

import ctypes
import os
from collections.abc import Iterable

from caplab.kernel.confine.libc import PR_SET_NO_NEW_PRIVS, Libc

EXECUTE = 1 << 0
WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
READ_DIR = 1 << 3
REMOVE_DIR = 1 << 4
REMOVE_FILE = 1 << 5
MAKE = 0x7F << 6
"""Make a character device, folder, file, socket, pipe, block device or symbolic link."""
REFER = 1 << 13
TRUNCATE = 1 << 14
IOCTL_DEVICE = 1 << 15

READ = READ_FILE | READ_DIR
_FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEVICE
"""Those that a rule about a single file may name."""

_HANDLED_SINCE = {
    1: EXECUTE | WRITE_FILE | READ | REMOVE_DIR | REMOVE_FILE | MAKE,
    2: REFER,
    3: TRUNCATE,
    5: IOCTL_DEVICE,
}
_TCP = 0b11
"""Bind and connect; since version 4."""
_SCOPES = 0b11
"""Abstract sockets of, and signals to, processes that are not confined with this one; since 6."""
_TCP_SINCE, _SCOPES_SINCE, TRUNCATE_SINCE = 4, 6, 3

_VERSION = 1
_PATH_BENEATH = 1


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"  # what _pack_ means; Python wants to be told from 3.14 on
    _fields_ = (("rights", ctypes.c_uint64), ("parent", ctypes.c_int32))


def handled(version: int) -> tuple[int, int, int]:
    """What a version can refuse: rights to files, to the network, scopes."""
    files = 0
    for since, rights in _HANDLED_SINCE.items():
        if version >= since:
            files |= rights
    return (
        files,
        _TCP if version >= _TCP_SINCE else 0,
        _SCOPES if version >= _SCOPES_SINCE else 0,
    )


class Landlock:
    """Makes rulesets; made before a fork, used after it."""

    def __init__(self, libc: Libc) -> None:
        self._libc = libc
        self.version = self._find_version()
        """The host's; 0 where it has none (too old, switched off, unknown architecture)."""

    def _find_version(self) -> int:
        try:
            return self._libc.syscall("landlock_create_ruleset", 0, 0, _VERSION)
        except OSError:
            return 0

    def restrict(self, allowed: Iterable[tuple[str, int]]) -> None:
        """Confine this thread, and those it starts later, to these paths with these rights.

        Raises OSError.
        """
        ruleset = self.ruleset(allowed)
        try:
            self.enforce(ruleset)
        finally:
            os.close(ruleset)

    def enforce(self, ruleset: int) -> None:
        """The same, with rules that were made before. Raises OSError."""
        self._libc.prctl(PR_SET_NO_NEW_PRIVS, 1)
        self._libc.syscall("landlock_restrict_self", ruleset, 0)

    def ruleset(self, allowed: Iterable[tuple[str, int]]) -> int:
        """A descriptor of the rules that allow these rights beneath these paths.

        A path stands for what is there now. One that does not exist is passed over. Raises OSError.
        """
        files, network, scopes = handled(self.version)
        attributes = _Ruleset(files, network, scopes)
        ruleset = self._libc.syscall(
            "landlock_create_ruleset", ctypes.addressof(attributes), ctypes.sizeof(attributes), 0
        )
        try:
            for path, rights in allowed:
                self._allow(ruleset, path, rights & files)
        except BaseException:
            os.close(ruleset)
            raise
        return ruleset

    def _allow(self, ruleset: int, path: str, rights: int) -> None:
        try:
            parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            if not os.path.isdir(path):
                rights &= _FILE_RIGHTS
            rule = _PathBeneath(rights, parent)
            self._libc.syscall(
                "landlock_add_rule", ruleset, _PATH_BENEATH, ctypes.addressof(rule), 0
            )
        finally:
            os.close(parent)
