"""What is said of a PD that dies: a traceback, a sentence, or what its confinement hides."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from caplab.pd.errors import MissingCap
from caplab.pd.faults import describe
from caplab.pd.spawn import SpawnInfo
from caplab.servers.serial import BindFailed

HERE = os.path.dirname(__file__)


def told(raising: Callable[[], object], confinement: str = "none") -> str:
    """What is said when this is what a PD does, whose code is in this folder."""
    try:
        raising()
    except Exception as exc:  # noqa: BLE001  # as the runtime does
        return describe(exc, SpawnInfo(1, "pd", path=(HERE,), confinement=confinement))
    raise AssertionError("nothing was raised")


def program(name: str, error: Exception) -> Callable[[], object]:
    """A function of a module of this name, which raises the error."""
    namespace = {"__name__": name, "error": error}
    exec("def main(): raise error", namespace)  # a module that never was a file
    return namespace["main"]  # type: ignore[return-value]


def refusing(error: Exception, module: str) -> str:
    """What is said of an error that came out of a function of this module."""
    try:
        program(module, error)()
    except Exception as exc:  # noqa: BLE001
        within = exc.__traceback__.tb_next  # type: ignore[union-attr]  # without this frame
        return describe(exc.with_traceback(within), SpawnInfo(1, "pd"))
    raise AssertionError


@pytest.mark.parametrize("error", [BindFailed.taken("uart0", "one"), MissingCap("add it")])
def test_a_refusal_of_a_program_of_caplabs_own_is_one_line(error: Exception) -> None:
    assert refusing(error, "caplab.servers.serial.server") == f"{type(error).__name__}: {error}\n"


def test_a_refusal_in_a_program_of_the_users_shows_where_it_came_from() -> None:
    shown = refusing(BindFailed.taken("uart0", "one"), "mine")
    assert shown.startswith("Traceback")
    assert shown.endswith("is held by one: give this server another one, or kill that PD.\n")


def test_a_bug_of_a_program_of_caplabs_own_shows_where_it_is() -> None:
    assert refusing(ValueError("x"), "caplab.servers.serial.server").startswith("Traceback")


def denied(number: int, path: str) -> Callable[[], object]:
    def act() -> None:
        raise OSError(number, os.strerror(number), path)

    return act


@pytest.mark.parametrize(
    ("level", "number", "path"),
    [
        ("strict", errno.ENOENT, "/etc/passwd"),
        ("strict", errno.ENOENT, "/home/me/data.txt"),
        ("strict", errno.EACCES, "/etc/shadow"),
        ("strict", errno.EROFS, f"{HERE}/new"),
        ("basic", errno.EACCES, "/etc/passwd"),
        ("basic", errno.EACCES, f"{HERE}/new"),
    ],
)
def test_a_file_of_the_hosts_that_confinement_hides_is_told_so(
    level: str, number: int, path: str
) -> None:
    *_, last = told(denied(number, path), level).splitlines()
    assert last.startswith(f"{type(OSError(number, '')).__name__}: [Errno {number}] ")
    assert last.endswith(
        f"{path!r} (confinement {level}: of the host's files a PD can open its code alone,"
        " read-only; `confinement: none` lets it)"
    )


@pytest.mark.parametrize(
    ("level", "number", "path"),
    [
        ("none", errno.ENOENT, "/etc/nothing"),
        ("none", errno.EACCES, "/etc/shadow"),
        ("basic", errno.ENOENT, "/etc/nothing"),
        ("strict", errno.ENOENT, f"{HERE}/absent.txt"),
        ("strict", errno.EISDIR, "/etc"),
    ],
)
def test_what_is_not_the_doing_of_confinement_is_not_blamed_on_it(
    level: str, number: int, path: str
) -> None:
    assert "confinement" not in told(denied(number, path), level)


def test_an_error_without_a_path_is_not_blamed_on_confinement() -> None:
    def act() -> None:
        raise ConnectionRefusedError(errno.EACCES, "no")

    assert "confinement" not in told(act, "strict")


def test_a_segment_that_is_not_there_is_no_file_of_the_hosts() -> None:
    def attach() -> None:
        from multiprocessing.shared_memory import SharedMemory

        SharedMemory(name="cl.never.was")

    shown = told(attach, "strict")
    assert "FileNotFoundError" in shown
    assert "confinement" not in shown


def test_a_relative_path_is_looked_for_in_the_current_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(HERE)
    assert "confinement" not in told(denied(errno.ENOENT, "absent.txt"), "strict")
    monkeypatch.chdir(tmp_path)
    assert "confinement strict" in told(denied(errno.ENOENT, "data.txt"), "strict")
