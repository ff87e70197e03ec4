"""Levels of confinement: what each needs, which one a host allows, and why not a stronger one.

Pure: it judges findings that `probe.py` made, or a test made up.
"""

import errno
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How strictly PDs are kept from the host, the weakest first."""

    NONE = "none"
    """Limits of resources, and nothing else: a PD may do what its user may."""
    BASIC = "basic"
    """Landlock and seccomp: no files but its code, no network, no processes."""
    STRICT = "strict"
    """And namespaces: it sees no process, file or segment that is not its own."""

    @property
    def strength(self) -> int:
        return list(Level).index(self)


KILLED = "killed"
"""The step of a finding whose attempt was ended before it could say anything."""


class Part(StrEnum):
    """What a host can offer."""

    NAMESPACES = "namespaces"
    LANDLOCK = "Landlock"
    SECCOMP = "seccomp"


NEEDED = {
    Level.NONE: (),
    Level.BASIC: (Part.SECCOMP,),
    Level.STRICT: (Part.NAMESPACES, Part.LANDLOCK, Part.SECCOMP),
}
"""Without one of these there is no such level. `basic` is had without Landlock too, and says so."""


class Finding(NamedTuple):
    """What became of trying one part."""

    part: Part
    works: bool
    step: str = ""
    """Where it failed: the name of the call, or `file`."""
    error: int = 0
    """With which error number; 0 when the call succeeded and had no effect."""


class Lack(NamedTuple):
    """A part that a host does not offer: a clause that says so, and what would help."""

    part: Part
    why: str
    cure: str


class Choice(NamedTuple):
    """The level that is used, and what keeps the host from a stronger one."""

    level: Level
    asked: str
    lacks: tuple[Lack, ...] = ()

    @property
    def why(self) -> str:
        """The reasons in one line; empty when nothing is missing, or nothing was wanted."""
        return "; ".join(lack.why for lack in self.lacks)

    @property
    def cure(self) -> str:
        """What to do about it, in one line."""
        return "; ".join(dict.fromkeys(lack.cure for lack in self.lacks))


class Impossible(Exception):
    """A level was demanded that this host does not allow. The message says why; `cure` helps."""

    def __init__(self, level: Level, lacks: tuple[Lack, ...]) -> None:
        self.lacks = lacks
        self.cure = Choice(level, level, lacks).cure
        super().__init__(
            f"confinement {level} is not possible here: {Choice(level, level, lacks).why}"
        )


def choose(
    asked: str,
    findings: Iterable[Finding],
    signs: Mapping[str, str],
) -> Choice:
    """The level for a manifest's word: `auto`, or the name of one. Raises Impossible.

    `signs` are settings of the host that tell why something failed (`probe.SIGNS`).
    """
    found = {each.part: each for each in findings}
    lacks = {part: _lack(found.get(part), part, signs) for part in Part}
    possible = {level: not any(lacks[part] for part in NEEDED[level]) for level in Level}
    if asked == "auto":
        level = max(
            (each for each in Level if possible[each]),
            key=lambda each: each.strength,
        )
    else:
        level = Level(asked)
    missing = _missing(Level.STRICT if asked == "auto" else level, lacks)
    if not possible[level]:
        raise Impossible(level, missing)
    return Choice(level, asked, missing)


def _missing(wanted: Level, lacks: Mapping[Part, Lack | None]) -> tuple[Lack, ...]:
    """Which parts are not there of those that a level would use."""
    used = {
        Level.NONE: (),
        Level.BASIC: (Part.LANDLOCK, Part.SECCOMP),
        Level.STRICT: tuple(Part),
    }
    return tuple(lack for part in used[wanted] if (lack := lacks[part]) is not None)


UNLOCKED = "start the container with --security-opt seccomp=unconfined"
OWN_KERNEL = "run caplab on a Linux of your own (a virtual machine, or WSL2)"

_SETTINGS = {
    "kernel.apparmor_restrict_unprivileged_userns": (
        "1",
        "AppArmor refuses namespaces to programs without a profile",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    "kernel.unprivileged_userns_clone": (
        "0",
        "this host gives ordinary users no namespaces (kernel.unprivileged_userns_clone=0)",
        "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    ),
}
"""Setting: the value that forbids namespaces, what to say, and what changes it."""


def _lack(finding: Finding | None, part: Part, signs: Mapping[str, str]) -> Lack | None:
    if finding is not None and finding.works:
        return None
    if finding is None:
        return Lack(part, f"{part} could not be tried", OWN_KERNEL)
    judge = {
        Part.NAMESPACES: _no_namespaces,
        Part.LANDLOCK: _no_landlock,
        Part.SECCOMP: _no_seccomp,
    }[part]
    return Lack(part, *judge(finding, signs))


def _no_namespaces(finding: Finding, signs: Mapping[str, str]) -> tuple[str, str]:
    if finding.error == errno.ENOSPC:
        return (
            "this host allows no more user namespaces (user.max_user_namespaces)",
            "sudo sysctl -w user.max_user_namespaces=15000",
        )
    if finding.step == "uid_map" and finding.error == errno.ENOENT:
        return "namespaces need /proc, which is not mounted here", "mount -t proc proc /proc"
    if container := signs.get("container"):
        return (
            f"the {container} container forbids namespaces ({_at(finding)})",
            f"{UNLOCKED} --security-opt apparmor=unconfined",
        )
    for setting, (value, why, cure) in _SETTINGS.items():
        if signs.get(setting) == value:
            return why, cure
    return f"no namespaces ({_at(finding)})", OWN_KERNEL


def _no_landlock(finding: Finding, signs: Mapping[str, str]) -> tuple[str, str]:
    if finding.error == errno.EOPNOTSUPP:
        return (
            "Landlock is switched off: PDs can read your files",
            "add landlock to the kernel's lsm= boot parameter",
        )
    if finding.error == errno.ENOSYS:
        return (
            "this Linux has no Landlock: PDs can read your files",
            "use Linux 5.13 or newer, with Landlock",
        )
    return f"no Landlock ({_at(finding)}): PDs can read your files", _elsewhere(signs)


def _no_seccomp(finding: Finding, signs: Mapping[str, str]) -> tuple[str, str]:
    if finding.step == "table":
        return "caplab has no table of system calls for this processor", "use x86-64 or aarch64"
    return f"no seccomp filters ({_at(finding)})", _elsewhere(signs)


def _elsewhere(signs: Mapping[str, str]) -> str:
    if signs.get("container"):
        return UNLOCKED
    return OWN_KERNEL


def _at(finding: Finding) -> str:
    """The failed call with its error: `mount: EPERM`."""
    if finding.step == KILLED:
        return "the attempt was killed"
    if not finding.error:
        return f"{finding.step} has no effect"
    return f"{finding.step}: {errno.errorcode.get(finding.error, finding.error)}"
