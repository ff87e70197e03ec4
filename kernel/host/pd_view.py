"""What a confined PD sees of the file system: a root of its own, read-only, prepared once.

The zygote builds it, moves into it, and its PDs inherit it. It holds the interpreter and its
libraries, the environment, caplab, the code roots and four device nodes, each where the host has
it, and the kernel's socket at `SOCKET`; nothing else of the host, and no `/proc`. Segments are at
`MASTER` and `MASTER_READ_ONLY` until a PD has taken its own folders of them and given the rest up
(`pd_namespaces.py`).
"""

import os
import stat
import sys
from collections.abc import Iterable, Sequence

from caplab.kernel.confine.libc import (
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
    MS_BIND,
    MS_NOSUID,
    MS_REC,
    Libc,
)
from caplab.kernel.host.segments import GRANTED_READ_ONLY

SHM, READ_ONLY = "/dev/shm", "/dev/shr"
MASTER, MASTER_READ_ONLY = "/.shm", "/.shr"
SOCKET = "/.kernel.sock"
"""Where PDs find the kernel's socket: not where the host has it, because a code root may lie above
its folder, which is nobody's to enter."""
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
LIBRARIES = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/usr/share/zoneinfo",
)
"""What the C library looks for by name, where it is there."""
SYSTEM_PREFIXES = ("/usr", "/usr/local", "/")
"""Prefixes that hold much besides Python."""
READABLE = stat.S_IROTH
SEARCHABLE = stat.S_IROTH | stat.S_IXOTH


def shown_paths(code_roots: Iterable[str]) -> list[str]:
    """Every path that PDs are to see: what this process uses, and where their programs lie."""
    import caplab

    package = next(iter(caplab.__path__))
    prefixes = {sys.prefix, sys.base_prefix} - set(SYSTEM_PREFIXES)
    wanted = [
        *LIBRARIES,
        *sorted(prefixes),
        *(path for path in sys.path if path),  # the standard library, and what PYTHONPATH adds
        package,
        *(entry.path for entry in os.scandir(package) if entry.is_symlink()),
        *mapped_files(),
        *code_roots,
    ]
    return [path for path in dict.fromkeys(map(os.path.abspath, wanted)) if os.path.exists(path)]


def outermost(paths: Iterable[str]) -> list[str]:
    """The same without what lies beneath another of them."""
    real = {os.path.realpath(path): path for path in paths}
    return [
        path
        for place, path in real.items()
        if not any(place.startswith(f"{other}/") for other in real)
    ]


def mapped_files() -> list[str]:
    """The libraries that this process has loaded, wherever they are."""
    with open("/proc/self/maps") as maps:
        found = {line.split(None, 5)[5].rstrip("\n") for line in maps if ".so" in line}
    return sorted(os.path.dirname(path) for path in found if path.startswith("/"))


def open_to_others(paths: Iterable[str]) -> bool:
    """Whether a user of no name may read what is at these paths, the paths themselves aside."""
    return all(_open_to_others(os.stat(path).st_mode) for path in paths)


def _open_to_others(mode: int) -> bool:
    needed = SEARCHABLE if stat.S_ISDIR(mode) else READABLE
    return mode & needed == needed


def move_in(libc: Libc, shown: Sequence[str], socket: str) -> None:
    """Build the root on a tmpfs and make it this process's own. Its mounts must be private to it.

    `socket` is the kernel's, which must be there already. Raises OSError.
    """
    shm = os.path.realpath(SHM)
    new = os.path.join(shm, ".root")
    os.mkdir(new, 0o755)
    libc.mount("caplab", new, "tmpfs", MS_NOSUID, "mode=755")
    view = View(libc, new)
    for path in sorted(shown, key=os.path.realpath):
        view.show(path)
    view.show_at(socket, SOCKET)
    for device in DEVICES:
        view.show(device, device=True)
    for folder in (SHM, READ_ONLY, MASTER, MASTER_READ_ONLY):
        os.makedirs(new + folder, 0o755, exist_ok=True)
    libc.mount_setattr(new, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, recursive=False)
    libc.mount(shm, new + MASTER, flags=MS_BIND)
    granted = f"{shm}/{GRANTED_READ_ONLY}"
    os.makedirs(granted, 0o755, exist_ok=True)  # no PD has been admitted yet
    libc.mount(granted, new + MASTER_READ_ONLY, flags=MS_BIND)
    libc.mount_setattr(
        new + MASTER_READ_ONLY,
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
    )
    os.chdir(new)
    libc.pivot_root(".", ".")  # the old root is now mounted over the new one, and goes
    libc.umount(".")
    os.chdir("/")


class View:
    """A root in the making, in the folder `new`."""

    def __init__(self, libc: Libc, new: str) -> None:
        self._libc = libc
        self._new = new
        self._bound: set[str] = set()

    def show(self, path: str, *, device: bool = False) -> None:
        """Let `path` lead there to what it leads to here, and no further; read-only."""
        real = self._lead_to(path)
        if any(real == bound or real.startswith(bound + "/") for bound in self._bound):
            return
        self._bound.add(real)
        self._bind(real, real, device=device)

    def show_at(self, path: str, place: str) -> None:
        """Let a file that is not shown otherwise be found at another place."""
        os.close(os.open(self._new + place, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        self._bind(path, place)

    def _bind(self, real: str, place: str, *, device: bool = False) -> None:
        target = self._new + place
        # With what is mounted below: a mount that this user was given in one piece stays in one.
        self._libc.mount(real, target, flags=MS_BIND | MS_REC)
        attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | (0 if device else MOUNT_ATTR_NODEV)
        self._libc.mount_setattr(target, attributes)

    def _lead_to(self, path: str) -> str:
        """Make the folders and links on the way, and what is to be mounted on; the real path."""
        at, ahead = "", path.strip("/").split("/")
        while ahead:
            name = ahead.pop(0)
            if name in ("", "."):
                continue
            if name == "..":
                at = os.path.dirname(at)
                continue
            here = f"{at}/{name}"
            there = self._new + here
            covered = any(here.startswith(bound + "/") for bound in self._bound)
            if os.path.islink(here):
                target = os.readlink(here)
                if not covered and not os.path.lexists(there):
                    os.symlink(target, there)
                at = "" if target.startswith("/") else at
                ahead = [*target.strip("/").split("/"), *ahead]
                continue
            at = here
            if not covered and not os.path.lexists(there):
                if os.path.isdir(here):
                    os.mkdir(there, 0o755)
                else:
                    os.close(os.open(there, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        return at
