"""Servers of a user's own: made by `caplab new`, and by copying the sample as the seed does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sources import FOLDERS, ROOT


def run(*words: str, folder: Path, package: Path = ROOT / "src") -> str:
    """Run a command of Python's; what it printed."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_new_server_outside_the_repository_passes_its_test_as_generated(tmp_path: Path) -> None:
    run("caplab", "new", "server", "parking", folder=tmp_path)
    told = run(
        *("pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "parking"), folder=tmp_path
    )
    assert "3 passed" in told


def test_a_new_component_passes_its_test_and_its_example_says_what_it_does(tmp_path: Path) -> None:
    run("caplab", "new", "server", "parking_lot", "--style", "idl", folder=tmp_path)
    told = run(
        *("pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "parking_lot"), folder=tmp_path
    )
    assert "2 passed" in told
    told = run("caplab", "up", "parking_lot/example.yaml", folder=tmp_path)
    assert "42 + 24 = 66" in told
    assert "error 100: there are 1 texts" in told


def test_the_example_of_a_new_server_runs_until_it_is_taken_down(tmp_path: Path) -> None:
    run("caplab", "new", "server", "parking", folder=tmp_path)
    run("caplab", "up", "-d", "parking/example.yaml", folder=tmp_path)
    try:
        graph = run("caplab", "graph", "--format", "csv", folder=tmp_path)
        assert "PARKING_SPACE_10" in graph
    finally:
        assert "nothing is left behind" in run("caplab", "down", folder=tmp_path)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checkout, to add to."""
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in (*FOLDERS, "systems", "src"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=unwanted)
    return tmp_path


MANIFEST = """
pds:
  parking:
    run: servers.parking
  driver:
    run: ./driver.py
    uses: {lot: parking}
"""
DRIVER = """
from caplab.servers.parking import Parking


def main(env):
    with Parking.alloc(env.endpoint("lot")) as place:
        print("PARKED", place.invoke(42, 24))
"""


def test_the_seeds_own_way_works_copy_replace_the_word_and_run(checkout: Path) -> None:
    shutil.copytree(checkout / "servers" / "sample", checkout / "servers" / "parking")
    words = {"sample": "parking", "Sample": "Parking", "SAMPLE": "PARKING"}
    for file in sorted((checkout / "servers" / "parking").iterdir()):
        text = file.read_text()
        name = file.name
        for word, new in words.items():
            text, name = text.replace(word, new), name.replace(word, new)
        file.unlink()
        file.with_name(name).write_text(text)
    (checkout / "system.yaml").write_text(MANIFEST)
    (checkout / "driver.py").write_text(DRIVER)
    package = checkout / "src"
    stale = subprocess.run(
        [sys.executable, "-P", "-m", "caplab", "check", "system.yaml"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
    )
    assert "caplab gen" in stale.stdout
    run("caplab", "gen", "servers/parking", folder=checkout, package=package)
    told = run("caplab", "up", "system.yaml", folder=checkout, package=package)
    assert "PARKED 0x42" in told
