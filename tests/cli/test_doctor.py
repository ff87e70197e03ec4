"""`caplab doctor` on hosts made up here, and on this one."""

import errno
import json

import pytest

from caplab.kernel.confine.level import Finding, Part
from caplab.scripts.cli import confinement
from caplab.scripts.cli.doctor import doctor, report
from caplab.scripts.cli.options import Format

GOOD = [Finding(part, True) for part in Part]
NO_NAMESPACES = [Finding(Part.NAMESPACES, False, "unshare", errno.EPERM), *GOOD[1:]]
NOT_FOR_USERS = {"kernel.unprivileged_userns_clone": "0"}


def test_where_all_works_it_says_so_and_exits_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(GOOD, {}, Format.TEXT) == 0
    shown = capsys.readouterr()
    assert shown.out.count("works") == len(Part)
    assert "  NO  " not in shown.out
    assert "cure" not in shown.err


def test_what_is_missing_is_named_with_its_cause_and_its_cure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert report(NO_NAMESPACES, NOT_FOR_USERS, Format.TEXT) == 1
    shown = capsys.readouterr()
    line = next(line for line in shown.out.splitlines() if line.startswith("namespaces"))
    assert "NO" in line
    assert "gives ordinary users no namespaces" in line
    assert "cure: sudo sysctl -w kernel.unprivileged_userns_clone=1" in shown.err


def test_programs_get_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(NO_NAMESPACES, NOT_FOR_USERS, Format.JSON) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == 1
    assert told["levels"] == {"none": True, "basic": True, "strict": False}
    part = told["parts"][0]
    assert (part["part"], part["works"]) == ("namespaces", False)
    assert "unprivileged_userns_clone" in part["why"] + part["cure"]
    assert told["signs"] == NOT_FOR_USERS


def test_this_host_is_tried(capsys: pytest.CaptureFixture[str]) -> None:
    status = doctor(Format.JSON)
    told = json.loads(capsys.readouterr().out)
    assert status == (0 if all(part["works"] for part in told["parts"]) else 1)


def test_one_line_says_the_level_why_not_more_and_what_helps() -> None:
    level = {"level": "basic", "asked": "auto", "why": "no namespaces", "cure": "more of them"}
    line = "confinement basic: no namespaces; cure: more of them"
    assert confinement.in_force(level) == line
    rows = [{"pd": "a", "confinement": "basic"}, {"pd": "b", "confinement": "none"}]
    assert confinement.in_force(level, rows) == f"{line}; b has none"
    rows[1] = {"pd": "b", "confinement": "basic", "debug": True}
    assert confinement.in_force(level, rows).startswith(f"{line}; b has a debugger's terminal: ")
    asked = {"level": "none", "asked": "none", "why": "", "cure": ""}
    assert confinement.in_force(asked) == "confinement none, as the manifest asks"
    assert confinement.in_force({"level": "strict"}) == "confinement strict"
