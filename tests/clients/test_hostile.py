"""The attackers' and the judge's own rules, and that the system shipped has every attack in it."""

import errno
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from caplab import CapError
from caplab.clients.hostile.attack import (
    Attack,
    Contained,
    GotThrough,
    Order,
    attempt,
    each,
)
from caplab.clients.hostile.report import Verdict, summary, written
from caplab.clients.hostile.table import ATTACKS, BY_NAME
from caplab.kernel.abi import Status
from caplab.kernel.boot.manifest import shipped

ENV: Any = SimpleNamespace(name="attacker")


def raising(error: BaseException) -> Any:
    def act(*_: Any) -> None:
        raise error

    return act


def outcome(act: Any) -> tuple[bool, str]:
    attack = Attack(0, "sample", "wire", "nothing", act)
    return tuple(attempt(attack, ENV, Order("sample")))  # type: ignore[return-value]


def test_who_gets_to_the_end_has_got_through() -> None:
    assert outcome(lambda env, order: None) == (True, "nothing stopped it")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(errno.EPERM, "no"), (False, "EPERM")),
        (OSError(errno.EINVAL, "badly asked"), (True, "EINVAL")),
        (CapError(Status.REVOKED, "Call"), (False, "REVOKED")),
        (MemoryError(), (False, "MemoryError")),
        (Contained("it stayed there"), (False, "it stayed there")),
        (GotThrough("a secret"), (True, "a secret")),
    ],
)
def test_what_leaves_an_attack_is_what_stopped_it(error: Exception, told: Any) -> None:
    assert outcome(raising(error)) == told


def test_a_bug_of_an_attack_is_no_refusal() -> None:
    with pytest.raises(TypeError):
        outcome(raising(TypeError("a bug")))


def test_of_several_ways_one_that_works_is_enough() -> None:
    no, bad = OSError(errno.EPERM, "no"), OSError(errno.EFAULT, "reached")
    with pytest.raises(Contained, match=r"^EPERM: a, b; EACCES: c$"):
        each({"a": raising(no), "b": raising(no), "c": raising(OSError(errno.EACCES, "no"))})
    with pytest.raises(GotThrough, match=r"^b$"):
        each({"a": raising(no), "b": lambda: None})
    with pytest.raises(GotThrough, match=r"^b \(EFAULT\)$"):
        each({"a": raising(no), "b": raising(bad)})


def test_the_table_has_the_forty_and_no_number_or_name_twice() -> None:
    numbers = [attack.number for attack in ATTACKS]
    assert set(range(1, 41)) <= set(numbers)
    assert len(numbers) == len(set(numbers)) == len(BY_NAME)
    assert {attack.needs for attack in ATTACKS} == {"", "basic", "strict"}


def test_the_system_has_every_attack_once_and_the_judge_manages_all_who_make_them() -> None:
    pds = yaml.safe_load(shipped()["hostile"].read_text())["pds"]
    attackers = {name: pd for name, pd in pds.items() if pd["run"] == "clients.hostile"}
    made = [attack for pd in attackers.values() for attack in pd["args"]["attacks"]]
    assert sorted(made) == sorted(BY_NAME)
    victims = pds["gallery"]["args"]["victims"]
    assert set(pds["gallery"]["manages"]) == {*attackers, *victims}


def test_who_dies_of_its_attack_makes_no_other() -> None:
    pds = yaml.safe_load(shipped()["hostile"].read_text())["pds"]
    for pd in pds.values():
        attacks = pd.get("args", {}).get("attacks", [])
        if any(BY_NAME[attack].ends for attack in attacks):
            assert len(attacks) == 1


def test_the_report_names_what_got_through_and_what_was_never_made() -> None:
    stopped = Verdict(BY_NAME["memfd"], False, "EPERM", 1200)
    through = Verdict(BY_NAME["threads"], True, "200 threads", 900)
    lines = list(written([stopped, through]))
    assert " 24  memfd                1.2 ms  EPERM" in lines
    (row,) = [line for line in lines if " threads " in line]
    assert "GOT THROUGH: 200 threads (should be stopped by: RLIMIT_NPROC, from" in row
    assert len([line for line in lines if "NEVER MADE" in line]) == len(ATTACKS) - 2
    assert lines[-1].startswith(f"2 attacks, 1 got through, {len(ATTACKS) - 2} were never made.")
    whole = [Verdict(attack, False, "no", 0) for attack in ATTACKS]
    assert summary(whole) == f"{len(ATTACKS)} attacks, nothing got through."
