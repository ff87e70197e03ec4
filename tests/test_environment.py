"""The set-up from a bare clone: scripts/caplab and what it says when something is missing.

Nothing is fetched: the checkout under test is a copy that needs no packages.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from caplab.scripts import environment
from sources import ROOT

MAIN = """
def main():
    import os, sys
    print(sys.argv[1:], os.getcwd(), os.environ.get("MARK"))
"""
PROJECT = '[project]\nname = "caplab"\ndependencies = [{}]\n'

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def checkout(folder: Path) -> Path:
    """A small checkout: the real scripts, a command that prints what it was given."""
    (folder / "scripts" / "cli").mkdir(parents=True)
    (folder / "src" / "caplab").mkdir(parents=True)
    for name in ("caplab", "environment.sh", "environment.py"):
        shutil.copy(ROOT / "scripts" / name, folder / "scripts" / name)
    for name in ("scripts/__init__.py", "scripts/cli/__init__.py"):
        (folder / name).touch()
    (folder / "scripts" / "cli" / "main.py").write_text(MAIN)
    (folder / "src" / "caplab" / "scripts").symlink_to("../../scripts")
    for name in ("__init__.py", "__main__.py"):
        shutil.copy(ROOT / "src" / "caplab" / name, folder / "src" / "caplab" / name)
    (folder / "pyproject.toml").write_text(PROJECT.format("'pip'"))
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the one `python3` that the scripts will find, and a place for caches."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "bin").mkdir()
    (folder / "bin" / "python3").symlink_to(os.path.realpath(sys.executable))
    return folder


@pytest.fixture(scope="module")
def run(home: Path) -> Run:
    def run(command: Path | str, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
        clean = {"PATH": f"{home / 'bin'}:/usr/bin:/bin", "HOME": str(home)} | env
        return subprocess.run(
            [command, *words], capture_output=True, text=True, env=clean, cwd=home
        )

    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """A checkout that was set up by two first uses at once."""
    folder = checkout(tmp_path_factory.mktemp("made") / "with a space")
    command = [folder / "scripts" / "caplab", "hello"]
    env = {"PATH": f"{home / 'bin'}:/usr/bin:/bin", "HOME": str(home)}
    both = [
        subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert all(out.startswith("['hello']") for out, _ in said), said
    assert sum("on first use: a download of about" in err for _, err in said) == 1, said
    return folder


def test_a_second_use_says_nothing_and_keeps_folder_and_arguments(
    made: Path, home: Path, run: Run
) -> None:
    done = run(made / "scripts" / "caplab", "a", "b c", MARK="kept")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"['a', 'b c'] {home} kept\n"


def test_it_works_through_a_link_and_from_the_environment(made: Path, home: Path, run: Run) -> None:
    link = home / "bin" / "linked"
    link.symlink_to(made / "scripts" / "caplab")
    assert run(link, "x").stdout.startswith("['x']")
    assert run(made / ".venv" / "bin" / "caplab", "y").stdout.startswith("['y']")


def test_a_folder_called_like_a_module_hides_nothing(made: Path, home: Path, run: Run) -> None:
    (home / "caplab").mkdir()
    (home / "typing.py").write_text("raise SystemExit('the wrong typing')")
    try:
        assert run(made / "scripts" / "caplab").returncode == 0
    finally:
        shutil.rmtree(home / "caplab")
        (home / "typing.py").unlink()


def test_a_changed_pyproject_is_installed_once(made: Path, run: Run) -> None:
    with (made / "pyproject.toml").open("a") as project:
        project.write("# changed\n")
    first, second = (run(made / "scripts" / "caplab") for _ in range(2))
    assert "up to date with pyproject.toml" in first.stderr
    assert (first.returncode, second.returncode, second.stderr) == (0, 0, "")


def test_an_environment_cut_short_is_made_again(made: Path, run: Run) -> None:
    (made / ".venv" / ".caplab-base").unlink()
    (made / ".venv" / "bin" / "python").unlink()
    done = run(made / "scripts" / "caplab")
    assert done.returncode == 0
    assert "on first use" in done.stderr


def test_packages_that_cannot_be_fetched_are_said_so_and_tried_again(made: Path, run: Run) -> None:
    was = (made / "pyproject.toml").read_text()
    (made / "pyproject.toml").write_text(PROJECT.format("'caplab-needs-this'"))
    try:
        for _ in range(2):
            done = run(made / "scripts" / "caplab", PIP_NO_INDEX="1")
            assert (done.returncode, done.stdout) == (1, "")
            assert "could not be installed: no network, or no way to" in done.stderr
            assert "caplab-needs-this" in done.stderr
            assert "Traceback" not in done.stderr
    finally:
        (made / "pyproject.toml").write_text(was)


def test_a_python_asked_for_by_name_has_its_own_environment(made: Path, run: Run) -> None:
    base = os.path.realpath(sys.executable)
    done = run(made / "scripts" / "caplab", PYTHON=base)
    assert done.returncode == 0, done.stderr
    own = made / f".venv-{Path(base).name}"
    assert f"making {own}" in done.stderr
    assert run(made / "scripts" / "caplab", PYTHON=base).stderr == ""


def test_no_python_is_named_as_what_is_missing(made: Path, run: Run) -> None:
    done = run(made / "scripts" / "caplab", PYTHON="python-of-nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert "python-of-nowhere is not installed; caplab needs Python 3.11 or newer" in done.stderr
    assert "apt install python3 python3-venv" in done.stderr


def test_an_old_python_is_named_with_its_version(made: Path, home: Path, run: Run) -> None:
    old = home / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    old.chmod(0o755)
    done = run(made / "scripts" / "caplab", PYTHON=str(old))
    assert done.returncode == 1
    assert f"{old} is Python 3.9.2, and caplab needs Python 3.11 or newer" in done.stderr


def test_without_the_venv_module_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        environment.create(tmp_path / ".venv")
    assert not (tmp_path / ".venv").exists()


def test_a_folder_that_is_no_environment_is_not_cleared(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "thesis.txt").touch()
    with pytest.raises(SystemExit, match="is not a Python environment"):
        environment.create(tmp_path / ".venv")
    assert (tmp_path / ".venv" / "thesis.txt").exists()


def task(venv: Path, spare: Path) -> environment.Task:
    return environment.Task(ROOT, "base", venv, spare, "")


def test_a_checkout_that_cannot_be_written_to_is_served_from_the_cache(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spare = tmp_path / "cache" / "caplab" / ".venv-1"
    assert environment.place(task(Path("/proc/1/.venv"), spare)) == spare
    assert spare.parent.is_dir()
    assert f"cannot be written to; using {spare}" in capsys.readouterr().err


def test_nowhere_to_write_is_said_with_the_way_out() -> None:
    with pytest.raises(SystemExit, match="XDG_CACHE_HOME=/path/to/folder"):
        environment.place(task(Path("/proc/1/.venv"), Path("/proc/1/cache/.venv-1")))
