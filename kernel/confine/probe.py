"""Finds out what a host allows by trying it, in children that end at once and leave nothing.

What a host claims (versions, settings) and what it does differ in containers, under AppArmor and
in old kernels; only what was tried counts. Settings are read too, to say why something failed.
"""

import errno
import os
import warnings
from collections.abc import Callable
from pathlib import Path

from caplab.kernel.confine import libc as linux
from caplab.kernel.confine.landlock import READ, Landlock
from caplab.kernel.confine.level import KILLED, Finding, Part
from caplab.kernel.confine.libc import Libc
from caplab.kernel.confine.seccomp import ALLOW, Seccomp
from caplab.kernel.confine.seccomp_rules import Rule

SIGNS = (
    "kernel.apparmor_restrict_unprivileged_userns",
    "kernel.unprivileged_userns_clone",
    "user.max_user_namespaces",
)
_CONTAINERS = {"/.dockerenv": "Docker", "/run/.containerenv": "Podman"}

Trial = Callable[[Libc], None]


class Failed(Exception):
    """A step of a trial had no effect, or the trial cannot begin."""

    def __init__(self, step: str, error: int = 0) -> None:
        super().__init__(step, error)
        self.step, self.error = step, error


def signs() -> dict[str, str]:
    """What the host says of itself, as far as it is readable: settings, and `container`."""
    found = {}
    for name in SIGNS:
        try:
            found[name] = Path("/proc/sys", *name.split(".")).read_text().strip()
        except OSError:
            continue
    for mark, kind in _CONTAINERS.items():
        if os.path.exists(mark):
            found["container"] = kind
    named = os.environ.get("container")  # noqa: SIM112  # systemd's and Podman's spelling
    return found if named is None else {"container": named, **found}


def probe(libc: Libc | None = None) -> list[Finding]:
    """Try each part; about ten milliseconds."""
    calls = libc or Libc()
    trials = {Part.NAMESPACES: namespaces, Part.LANDLOCK: landlock, Part.SECCOMP: seccomp}
    return [attempt(part, trial, calls) for part, trial in trials.items()]


def attempt(part: Part, trial: Trial, libc: Libc) -> Finding:
    """Run a trial in a child, which confines itself and nobody else."""
    readable, writable = os.pipe()
    try:
        with warnings.catch_warnings():
            # The child makes system calls and ends: what other threads hold does not matter.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            _child(trial, libc, writable)
        os.close(writable)
        writable = -1
        said = b""
        while piece := os.read(readable, 256):
            said += piece
        os.waitpid(pid, 0)
    finally:
        os.close(readable)
        if writable >= 0:
            os.close(writable)
    if not said:
        return Finding(part, False, KILLED)
    step, _, number = said.decode().rpartition(":")
    return Finding(part, step == "", step, int(number))


def _child(trial: Trial, libc: Libc, writable: int) -> None:
    said = b"child:%d" % errno.EIO
    try:
        trial(libc)
        said = b":0"
    except Failed as failed:
        said = f"{failed.step}:{failed.error}".encode()
    except OSError as error:
        step = str(error.strerror).partition(":")[0]  # libc puts the call's name there
        said = f"{step}:{error.errno}".encode()
    finally:
        os.write(writable, said)
        os._exit(0)


def namespaces(libc: Libc) -> None:
    """Namespaces as a system and its PDs use them, with mounts that really change what is seen."""
    user, group = os.getuid(), os.getgid()
    libc.unshare(
        linux.CLONE_NEWUSER | linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWIPC
        | linux.CLONE_NEWUTS | linux.CLONE_NEWNET | linux.CLONE_NEWCGROUP
    )  # fmt: skip
    for file, text in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {user} 1"),
        ("gid_map", f"0 {group} 1"),
    ):
        try:
            with open(f"/proc/self/{file}", "w") as map_file:
                map_file.write(text)
        except OSError as error:
            raise Failed("uid_map", error.errno or 0) from None
    libc.mount("", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    libc.mount("tmpfs", "/tmp", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "size=64k")
    for name in ("/tmp/root", "/tmp/root/lib", "/tmp/root/old"):
        os.mkdir(name)
    libc.mount("tmpfs", "/tmp/root", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "size=64k")
    os.mkdir("/tmp/root/lib")
    os.mkdir("/tmp/root/old")
    libc.mount("/usr", "/tmp/root/lib", flags=linux.MS_BIND | linux.MS_REC)
    libc.mount_setattr("/tmp/root/lib", linux.MOUNT_ATTR_RDONLY)
    libc.pivot_root("/tmp/root", "/tmp/root/old")
    os.chdir("/")
    libc.umount("/old")
    if os.path.exists("/old/usr") or not os.path.isdir("/lib"):
        raise Failed("pivot_root")
    _fork_inside()


def _fork_inside() -> None:
    """The first process of a process namespace has number 1."""
    pid = os.fork()
    if pid == 0:
        os._exit(0 if os.getpid() == 1 else 1)
    if os.waitpid(pid, 0)[1]:
        raise Failed("fork")


def landlock(libc: Libc) -> None:
    """Forbid everything but /usr, and see the root folder refused."""
    found = Landlock(libc)
    if not found.version:
        libc.syscall("landlock_create_ruleset", 0, 0, 1)  # raises what it raised before
        raise Failed("landlock_create_ruleset", errno.ENOSYS)
    found.restrict([("/usr", READ)])
    os.listdir("/usr")
    try:
        os.listdir("/")
    except PermissionError:
        return
    raise Failed("landlock_restrict_self")


def seccomp(libc: Libc) -> None:
    """Forbid one call, and see it refused."""
    filters = Seccomp(libc)
    if filters.architecture is None:
        raise Failed("table", errno.ENOSYS)
    filters.install([Rule("uname", error=errno.ENOSPC)], ALLOW, all_threads=True)
    try:
        os.uname()
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return
    raise Failed("seccomp")
