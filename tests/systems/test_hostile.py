"""The gallery of attacks, whole: what is stopped where, and what the victims notice."""

import errno
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import other_user
from caplab.clients.hostile.table import ATTACKS, BY_NAME
from caplab.kernel.boot.manifest import shipped
from caplab.kernel.confine import probe
from caplab.kernel.confine.landlock import Landlock
from caplab.kernel.confine.level import Impossible, Level, choose
from caplab.kernel.confine.libc import NUMBERS, Libc

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


def patient(folder: Path, level: str) -> Path:
    """The shipped manifest, with that level; here victims may wait longer, for other tests."""
    text = shipped()["hostile"].read_text().replace("teller]}", "teller], stall: 5}")
    assert "stall" in text
    manifest = folder / "hostile.yaml"
    manifest.write_text(f"confinement: {level}\n{text}")
    return manifest


def attacked(folder: Path, level: Level, user: bool) -> Run:
    """The shipped system with that much confinement."""
    manifest = patient(folder, level)
    words = ["up", str(manifest), "--timeout", "60"]
    runtime_dir = folder / "run"
    runtime_dir.mkdir(mode=0o700)
    if user:
        folder.chmod(0o755)
        start = "from caplab.scripts.cli.main import main; main()"
        return other_user.run(start, *words, runtime_dir=runtime_dir, seen=[str(folder)])
    own = {**os.environ, "XDG_RUNTIME_DIR": str(runtime_dir)}
    command = [sys.executable, "-m", "caplab", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, env=own)


@pytest.fixture(scope="module", params=[*Level, "strict, as a user"])
def gallery(request: pytest.FixtureRequest) -> Run:
    """One run at each level, for all tests of this file; and one as an ordinary user."""
    word, _, user = request.param.partition(", ")
    if user and not other_user.IS_ROOT:
        pytest.skip("an ordinary user runs all of them")
    if not possible(Level(word)):
        pytest.skip(f"this host does not allow {word}")
    with tempfile.TemporaryDirectory(prefix="cl", dir="/tmp") as folder:
        run = attacked(Path(folder), Level(word), bool(user))
    assert f"confinement {word}" in run.stderr
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


WITHOUT = """
import sys
from caplab.kernel.confine import seccomp
from caplab.kernel.confine.libc import Libc

number = int(sys.argv.pop(1))
lines = [
    seccomp.Instruction(seccomp.LOAD, 0, 0, seccomp.NUMBER_AT),
    seccomp.Instruction(seccomp.JUMP_EQUAL, 0, 1, number),
    seccomp.Instruction(seccomp.RETURN, 0, 0, seccomp.ERROR | int(sys.argv.pop(1))),
    seccomp.Instruction(seccomp.RETURN, 0, 0, seccomp.ALLOW),
]
seccomp.Seccomp(Libc()).load(seccomp.Filter(seccomp.pack(lines)), all_threads=True)
from caplab.scripts.cli.main import main
main()
"""
"""A host whose Linux answers one call as another one's filter, or an older Linux, would."""


def on_a_host_without(runtime_dir: Path, folder: Path, number: int, error: int) -> Run:
    command = [sys.executable, "-c", WITHOUT, str(number), str(error)]
    own = {**os.environ, "XDG_RUNTIME_DIR": str(runtime_dir)}
    words = [*command, "up", str(patient(folder, "auto")), "--timeout", "60"]
    return subprocess.run(words, capture_output=True, text=True, timeout=90, env=own)


needs_basic = pytest.mark.skipif(
    not possible(Level.BASIC) or not Landlock(Libc()).version,
    reason="this host lacks what is to be left over",
)


@needs_basic
def test_a_host_that_forbids_namespaces_still_stops_every_attack(
    runtime_dir: Path, tmp_path: Path
) -> None:
    unshare = {"x86_64": 272, "aarch64": 97}[os.uname().machine]
    run = on_a_host_without(runtime_dir, tmp_path, unshare, errno.EPERM)
    assert "confinement basic" in run.stderr
    assert "unshare: EPERM" in run.stderr
    assert run.returncode == 0, run.stderr


@needs_basic
@pytest.mark.slow
def test_without_landlock_files_can_be_read_which_is_said_and_nothing_else_gets_through(
    runtime_dir: Path, tmp_path: Path
) -> None:
    number = NUMBERS["x86_64"]["landlock_create_ruleset"]  # as everywhere
    run = on_a_host_without(runtime_dir, tmp_path, number, errno.ENOSYS)
    assert "this Linux has no Landlock: PDs can read your files" in run.stderr
    through = {name for name, why in rows(run).items() if THROUGH in why}
    assert through == {"look-into-proc", "read-secrets"}
    assert run.returncode == 1
