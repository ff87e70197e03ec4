"""The gallery of attacks, whole: what is stopped where, and what the victims notice."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from caplab.clients.hostile.table import ATTACKS, BY_NAME
from caplab.kernel.boot.manifest import shipped
from caplab.kernel.confine import probe
from caplab.kernel.confine.level import Impossible, Level, choose

ROW = re.compile(r"gallery \| +(\d+)  (\S+) +([\d.]+) ms  (.*)")
THROUGH = "GOT THROUGH"
NOTHING = "nothing is left behind: no process, segment, socket or file"


Run = subprocess.CompletedProcess[str]


def possible(level: Level) -> bool:
    """Whether this host allows it."""
    try:
        choose(level, probe.probe(), probe.signs())
    except Impossible:
        return False
    return True


@pytest.fixture(scope="module", params=list(Level))
def gallery(request: pytest.FixtureRequest) -> Run:
    """One run at each level, for all tests of this file."""
    level: Level = request.param
    if not possible(level):
        pytest.skip(f"this host does not allow {level}")
    with tempfile.TemporaryDirectory(prefix="cl", dir="/tmp") as folder:
        manifest = Path(folder) / "hostile.yaml"
        manifest.write_text(f"confinement: {level}\n" + shipped()["hostile"].read_text())
        command = [sys.executable, "-m", "caplab", "up", str(manifest), "--timeout", "60"]
        own = {**os.environ, "XDG_RUNTIME_DIR": folder}
        run = subprocess.run(command, capture_output=True, text=True, timeout=90, env=own)
    assert f"confinement {level}" in run.stderr
    return run


def rows(gallery: Run) -> dict[str, str]:
    return {name: why for _, name, _, why in ROW.findall(gallery.stderr)}


def in_force(gallery: Run) -> Level:
    return Level(re.search(r"confinement (\w+)", gallery.stderr)[1])  # type: ignore[index]


def test_every_attack_of_the_table_is_made_and_judged(
    gallery: Run,
) -> None:
    found = rows(gallery)
    assert found.keys() == BY_NAME.keys(), gallery.stderr
    assert NOTHING in gallery.stderr


def test_what_this_level_should_stop_is_stopped(gallery: Run) -> None:
    level, found = in_force(gallery), rows(gallery)
    here = [one for one in ATTACKS if Level(one.needs or Level.NONE).strength <= level.strength]
    assert len(here) > 20
    through = {one.name: found[one.name] for one in here if THROUGH in found[one.name]}
    assert not through


def test_the_exit_status_says_whether_anything_got_through(gallery: Run) -> None:
    through = {name: why for name, why in rows(gallery).items() if THROUGH in why}
    assert gallery.returncode == (1 if through else 0)
    assert bool(through) == (in_force(gallery) is Level.NONE), through


def test_no_sequence_that_an_attacker_prints_reaches_the_terminal(
    gallery: Run,
) -> None:
    assert "printed by attacker" in gallery.stderr
    assert "\x1b" not in gallery.stderr + gallery.stdout
    assert "\x07" not in gallery.stderr + gallery.stdout
