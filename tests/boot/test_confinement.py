"""From the manifest's word and what a host (made up here) allows to the level of each PD."""

import errno
from pathlib import Path

import pytest

from caplab.kernel.boot.confinement import Host, decide, write_down
from caplab.kernel.boot.launch import specification
from caplab.kernel.boot.manifest import check
from caplab.kernel.confine.level import Finding, Level, Part
from caplab.kernel.host.errors import HostError

GOOD = [Finding(part, True) for part in Part]
WEAK = [
    Finding(Part.NAMESPACES, False, "unshare", errno.EPERM),
    Finding(Part.LANDLOCK, True),
    Finding(Part.SECCOMP, True),
]
BARE = [
    *WEAK[:1],
    Finding(Part.LANDLOCK, False, "landlock_create_ruleset", errno.ENOSYS),
    Finding(Part.SECCOMP, False, "seccomp", errno.EINVAL),
]


def levels(folder: Path, system: str, pd: str, findings: list[Finding]) -> tuple[Level, Level]:
    """Of the system, and of its PD."""
    (folder / "mine.yaml").write_text(
        f"confinement: {system}\npds: {{hello: {{run: ./hello.py, confinement: {pd}}}}}\n"
    )
    choice, found = decide(check(folder / "mine.yaml").require(), Host(findings, {}))
    return choice.level, found["hello"]


@pytest.mark.parametrize(
    ("system", "pd", "findings", "expected"),
    [
        ("auto", "auto", GOOD, (Level.STRICT, Level.STRICT)),
        ("auto", "auto", WEAK, (Level.BASIC, Level.BASIC)),
        ("auto", "auto", BARE, (Level.NONE, Level.NONE)),
        ("auto", "none", GOOD, (Level.STRICT, Level.NONE)),
        ("auto", "basic", WEAK, (Level.BASIC, Level.BASIC)),
        ("basic", "auto", GOOD, (Level.BASIC, Level.BASIC)),
        ("basic", "none", WEAK, (Level.BASIC, Level.NONE)),
        ("none", "auto", GOOD, (Level.NONE, Level.NONE)),
    ],
)
def test_a_pd_has_the_systems_level_or_the_weaker_one_it_asks_for(
    folder: Path,
    system: str,
    pd: str,
    findings: list[Finding],
    expected: tuple[Level, Level],
) -> None:
    assert levels(folder, system, pd, findings) == expected


def test_a_demand_that_the_host_does_not_meet_is_refused_with_the_cure(folder: Path) -> None:
    with pytest.raises(HostError, match="confinement basic is not possible here") as caught:
        levels(folder, "basic", "auto", BARE)
    assert (caught.value.code, caught.value.status) == ("not-confined", 2)
    assert "virtual machine" in caught.value.fix
    assert "`confinement: auto`" in caught.value.fix


def test_strict_on_a_host_without_namespaces_is_refused(folder: Path) -> None:
    with pytest.raises(HostError, match="confinement strict is not possible here") as caught:
        levels(folder, "strict", "auto", WEAK)
    assert caught.value.status == 2
    assert "unshare: EPERM" in str(caught.value)


def test_a_pd_that_demands_more_than_the_host_gives_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(HostError, match="hello asks for confinement basic, and the system"):
        levels(folder, "auto", "basic", BARE)


def test_the_levels_and_the_reasons_stand_in_the_specification(folder: Path) -> None:
    (folder / "mine.yaml").write_text(
        "pds: {one: {run: ./hello.py}, two: {run: ./hello.py, confinement: none}}\n"
    )
    spec = specification(check(folder / "mine.yaml").require(), host=Host(WEAK, {}))
    assert spec["confinement"] == "basic"
    assert [pd["confinement"] for pd in spec["pds"]] == ["basic", "none"]
    assert spec["confined"]["asked"] == "auto"
    assert "unshare: EPERM" in spec["confined"]["why"]
    assert "virtual machine" in spec["confined"]["cure"]


def test_without_a_host_this_one_is_tried(folder: Path) -> None:
    (folder / "mine.yaml").write_text("confinement: none\npds: {one: {run: ./hello.py}}\n")
    system = check(folder / "mine.yaml").require()
    spec = specification(system)
    assert spec["confinement"] == "none"
    assert spec["confined"] == {"asked": "none", "why": "", "cure": ""}
    write_down(spec, *decide(system, Host(GOOD, {})))
    assert spec["pds"][0]["confinement"] == "none"
