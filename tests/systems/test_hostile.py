"""The gallery of attacks, whole: what is stopped where, and what the victims notice."""

import os
import re
import subprocess
import sys
import tempfile
from functools import cache

import pytest

from caplab.clients.hostile.table import ATTACKS, BY_NAME
from caplab.kernel.confine.level import Level

ROW = re.compile(r"gallery \| +(\d+)  (\S+) +([\d.]+) ms  (.*)")
THROUGH = "GOT THROUGH"
NOTHING = "nothing is left behind: no process, segment, socket or file"


@pytest.fixture(scope="module")
def gallery() -> subprocess.CompletedProcess[str]:
    """One run for all tests of this file."""
    command = [sys.executable, "-m", "caplab", "up", "hostile", "--timeout", "60"]
    with tempfile.TemporaryDirectory(prefix="cl", dir="/tmp") as folder:
        own = {**os.environ, "XDG_RUNTIME_DIR": folder}
        return subprocess.run(command, capture_output=True, text=True, timeout=90, env=own)


def rows(gallery: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {name: why for _, name, _, why in ROW.findall(gallery.stderr)}


@cache
def strength(level: str) -> int:
    return Level(level or "none").strength


def in_force(gallery: subprocess.CompletedProcess[str]) -> str:
    return re.search(r"confinement (\w+)", gallery.stderr)[1]  # type: ignore[index]


def test_every_attack_of_the_table_is_made_and_judged(
    gallery: subprocess.CompletedProcess[str],
) -> None:
    found = rows(gallery)
    assert found.keys() == BY_NAME.keys(), gallery.stderr
    assert NOTHING in gallery.stderr


def test_what_this_level_should_stop_is_stopped(
    gallery: subprocess.CompletedProcess[str],
) -> None:
    level = in_force(gallery)
    here = [one for one in ATTACKS if strength(one.needs) <= strength(level)]
    assert len(here) > 20
    found = rows(gallery)
    through = {one.name: found[one.name] for one in here if THROUGH in found[one.name]}
    assert not through


def test_the_exit_status_says_whether_anything_got_through(
    gallery: subprocess.CompletedProcess[str],
) -> None:
    through = [name for name, why in rows(gallery).items() if THROUGH in why]
    assert gallery.returncode == (1 if through else 0)
    if in_force(gallery) == Level.STRICT:
        assert not through


def test_no_sequence_that_an_attacker_prints_reaches_the_terminal(
    gallery: subprocess.CompletedProcess[str],
) -> None:
    assert "printed by attacker" in gallery.stderr
    assert "\x1b" not in gallery.stderr + gallery.stdout
    assert "\x07" not in gallery.stderr + gallery.stdout
