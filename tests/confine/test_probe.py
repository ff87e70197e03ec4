"""The probe really tries, sees what this host refuses, and leaves nothing."""

import errno
import os
import signal
from pathlib import Path

import psutil
import pytest

from caplab.kernel.confine import probe as probing
from caplab.kernel.confine.landlock import READ, Landlock
from caplab.kernel.confine.level import KILLED, Finding, Level, Part, choose
from caplab.kernel.confine.libc import Libc
from caplab.kernel.confine.probe import Failed, attempt, probe
from caplab.kernel.confine.seccomp import (
    ALLOW,
    ERROR,
    JUMP_EQUAL,
    KILL_PROCESS,
    LOAD,
    NUMBER_AT,
    RETURN,
    Filter,
    Instruction,
    Seccomp,
    pack,
)
from children import in_child

needs_filters = pytest.mark.skipif(
    not Seccomp(Libc()).available(), reason="this host has no seccomp filters"
)


def test_every_part_is_tried_and_nothing_is_left() -> None:
    mounts, descriptors = Path("/proc/self/mountinfo").read_text(), os.listdir("/proc/self/fd")
    children = psutil.Process().children()  # Python's own helper may be one
    found = probe()
    assert [each.part for each in found] == list(Part)
    assert all(each.works or each.step for each in found)
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert os.listdir("/proc/self/fd") == descriptors
    assert psutil.Process().children(recursive=True) == children


def test_a_trial_reports_the_call_that_failed() -> None:
    def trial(libc: Libc) -> None:
        libc.setns(-1)

    assert attempt(Part.NAMESPACES, trial, Libc())[1:] == (False, "setns", errno.EBADF)


def test_a_trial_without_effect_is_a_failure() -> None:
    def trial(_: Libc) -> None:
        raise Failed("landlock_restrict_self")

    assert attempt(Part.LANDLOCK, trial, Libc())[1:] == (False, "landlock_restrict_self", 0)


def test_a_trial_that_is_killed_is_a_failure() -> None:
    def trial(_: Libc) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    assert attempt(Part.SECCOMP, trial, Libc())[1:] == (False, KILLED, 0)


def test_a_trial_with_a_fault_of_its_own_is_a_failure() -> None:
    def trial(_: Libc) -> None:
        raise ValueError

    assert not attempt(Part.SECCOMP, trial, Libc()).works


NUMBERS = {
    "x86_64": {"unshare": 272, "mount": 165, "seccomp": 317, "landlock_restrict_self": 446},
    "aarch64": {"unshare": 97, "mount": 40, "seccomp": 277, "landlock_restrict_self": 446},
}


def on_a_host_without(name: str, verdict: int) -> list[Finding]:
    """The findings where one call is answered by somebody else's filter, as a container's is."""
    libc = Libc()

    def body() -> list[Finding]:
        lines = [
            Instruction(LOAD, 0, 0, NUMBER_AT),
            Instruction(JUMP_EQUAL, 0, 1, NUMBERS[libc.machine][name]),
            Instruction(RETURN, 0, 0, verdict),
            Instruction(RETURN, 0, 0, ALLOW),
        ]
        Seccomp(libc).load(Filter(pack(lines)), all_threads=False)
        return probe(libc)

    outcome = in_child(body)
    assert outcome.value is not None, outcome.trace
    return list(outcome.value)


@needs_filters
@pytest.mark.parametrize(
    ("call", "verdict", "part", "step", "error"),
    [
        ("unshare", ERROR | errno.EPERM, Part.NAMESPACES, "unshare", errno.EPERM),
        ("mount", ERROR | errno.EACCES, Part.NAMESPACES, "mount", errno.EACCES),
        ("mount", KILL_PROCESS, Part.NAMESPACES, KILLED, 0),
        ("seccomp", ERROR | errno.EINVAL, Part.SECCOMP, "seccomp", errno.EINVAL),
        (
            *("landlock_restrict_self", ERROR | errno.ENOSYS, Part.LANDLOCK),
            *("landlock_restrict_self", errno.ENOSYS),
        ),
        ("landlock_restrict_self", ERROR | 0, Part.LANDLOCK, "landlock_restrict_self", 0),
    ],
)
def test_a_host_that_refuses_one_call_lacks_one_part(
    call: str, verdict: int, part: Part, step: str, error: int
) -> None:
    before = {each.part: each for each in probe()}
    if not before[part].works:
        pytest.skip(f"this host has no {part} in the first place")
    found = {each.part: each for each in on_a_host_without(call, verdict)}
    assert found.pop(part) == Finding(part, False, step, error)
    before.pop(part)
    assert found == before


def test_an_unknown_processor_has_neither_filters_nor_landlock() -> None:
    found = probe(Libc(machine="vax"))
    assert not any(each.works for each in found)
    choice = choose("auto", found, {})
    assert choice.level is Level.NONE
    assert "this processor" in choice.why


def test_landlock_is_seen_to_be_missing_where_its_calls_are() -> None:
    assert Landlock(Libc(machine="vax")).version == 0
    with pytest.raises(OSError, match="unknown on vax"):
        Landlock(Libc(machine="vax")).restrict([("/usr", READ)])


def test_signs_are_read_from_the_host() -> None:
    found = probing.signs()
    name = "user.max_user_namespaces"
    path = Path("/proc/sys/user/max_user_namespaces")
    if path.exists():
        assert found[name] == path.read_text().strip()
    assert set(found) <= {*probing.SIGNS, "container"}
