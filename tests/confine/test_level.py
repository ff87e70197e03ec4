"""Which level a host's findings lead to, and what its user is told: with findings made up."""

import errno

import pytest

from caplab.kernel.confine.level import (
    KILLED,
    Choice,
    Finding,
    Impossible,
    Level,
    Part,
    choose,
)

GOOD = [Finding(part, True) for part in Part]


def host(*bad: Finding) -> list[Finding]:
    """A host where everything works but this."""
    failing = {each.part for each in bad}
    return [each for each in GOOD if each.part not in failing] + list(bad)


NO_USERNS = Finding(Part.NAMESPACES, False, "unshare", errno.EPERM)
NO_LANDLOCK = Finding(Part.LANDLOCK, False, "landlock_create_ruleset", errno.ENOSYS)
LANDLOCK_OFF = Finding(Part.LANDLOCK, False, "landlock_create_ruleset", errno.EOPNOTSUPP)
NO_SECCOMP = Finding(Part.SECCOMP, False, "seccomp", errno.EINVAL)


def test_auto_is_strict_where_everything_works_and_nothing_is_said() -> None:
    assert choose("auto", GOOD, {}) == Choice(Level.STRICT, "auto")
    assert choose("auto", GOOD, {}).why == ""


@pytest.mark.parametrize("asked", list(Level))
def test_what_is_asked_for_is_had_where_everything_works(asked: Level) -> None:
    assert choose(asked, GOOD, {}) == Choice(asked, asked)


@pytest.mark.parametrize(
    ("finding", "signs", "level", "why", "cure"),
    [
        (
            NO_USERNS,
            {"kernel.unprivileged_userns_clone": "0"},
            Level.BASIC,
            "gives ordinary users no namespaces",
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            Finding(Part.NAMESPACES, False, "mount", errno.EACCES),
            {"kernel.apparmor_restrict_unprivileged_userns": "1"},
            Level.BASIC,
            "AppArmor refuses namespaces",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (
            Finding(Part.NAMESPACES, False, "unshare", errno.ENOSPC),
            {"user.max_user_namespaces": "0"},
            Level.BASIC,
            "allows no more user namespaces",
            "sudo sysctl -w user.max_user_namespaces=15000",
        ),
        (
            NO_USERNS,
            {"container": "Docker"},
            Level.BASIC,
            "the Docker container forbids namespaces (unshare: EPERM)",
            "--security-opt seccomp=unconfined",
        ),
        (
            Finding(Part.NAMESPACES, False, "uid_map", errno.ENOENT),
            {},
            Level.BASIC,
            "need /proc",
            "mount -t proc",
        ),
        (NO_USERNS, {}, Level.BASIC, "no namespaces (unshare: EPERM)", "virtual machine"),
        (
            Finding(Part.NAMESPACES, False, KILLED),
            {},
            Level.BASIC,
            "the attempt was killed",
            "virtual machine",
        ),
        (
            Finding(Part.NAMESPACES, False, "pivot_root"),
            {},
            Level.BASIC,
            "pivot_root has no effect",
            "virtual machine",
        ),
        (NO_LANDLOCK, {}, Level.BASIC, "has no Landlock: PDs can read your files", "Linux 5.13"),
        (LANDLOCK_OFF, {}, Level.BASIC, "Landlock is switched off", "lsm="),
        (
            Finding(Part.LANDLOCK, False, "landlock_create_ruleset", errno.EPERM),
            {"container": "Docker"},
            Level.BASIC,
            "no Landlock (landlock_create_ruleset: EPERM)",
            "seccomp=unconfined",
        ),
        (NO_SECCOMP, {}, Level.NONE, "no seccomp filters (seccomp: EINVAL)", "virtual machine"),
        (
            Finding(Part.SECCOMP, False, "table", errno.ENOSYS),
            {},
            Level.NONE,
            "no table of system calls for this processor",
            "x86-64 or aarch64",
        ),
    ],
)
def test_auto_says_what_is_missing_and_what_helps(
    finding: Finding, signs: dict[str, str], level: Level, why: str, cure: str
) -> None:
    choice = choose("auto", host(finding), signs)
    assert choice.level is level
    assert why in choice.why
    assert cure in choice.cure
    with pytest.raises(Impossible, match="confinement strict is not possible here") as caught:
        choose("strict", host(finding), signs)
    assert why in str(caught.value)
    assert cure in caught.value.cure


def test_all_that_is_missing_is_said_and_each_cure_once() -> None:
    choice = choose("auto", host(NO_USERNS, NO_LANDLOCK, NO_SECCOMP), {"container": "Podman"})
    assert [lack.part for lack in choice.lacks] == list(Part)
    assert choice.why.count(";") == 2
    assert choice.cure.count("virtual machine") <= 1


def test_basic_needs_seccomp_and_is_had_without_landlock() -> None:
    assert choose("basic", host(NO_USERNS), {}) == Choice(Level.BASIC, "basic")
    assert "read your files" in choose("basic", host(NO_LANDLOCK), {}).why
    with pytest.raises(Impossible, match="no seccomp"):
        choose("basic", host(NO_SECCOMP), {})


def test_none_is_always_possible() -> None:
    assert choose("none", [], {}) == Choice(Level.NONE, "none")


def test_what_was_not_tried_is_not_there() -> None:
    assert choose("auto", [], {}).level is Level.NONE
    assert "could not be tried" in choose("auto", [], {}).why
