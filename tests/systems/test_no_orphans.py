"""SIGKILL of any part of a strictly confined system, and what is left of it: nothing."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

import orphans
import other_user
import strict_host

HOLDER = """
def main(env):
    window = env.memory(1).map()
    window.write(0, b"here")
    env.device("uart0").write(b"held\\n")
    env.work.wait()
"""
IDLE = """
def main(env):
    env.work.wait()
"""
MANIFEST = """
name: orphans
confinement: strict
uarts: [uart0]
pds:
  holder: {run: ./holder.py, devices: [uart0]}
  idle: {run: ./idle.py}
"""
NOTHING = {
    "processes": 6,  # launcher, kernel, zygote, line, two PDs
    "still there": [],
    "segments in the machine, before": 1,
    "segments on the host, before and after": [],
    "mounts are as they were": True,
    "files": [],
}


pytestmark = strict_host.needed


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    (tmp_path / "holder.py").write_text(HOLDER)
    (tmp_path / "idle.py").write_text(IDLE)
    path = tmp_path / "orphans.yaml"
    path.write_text(MANIFEST)
    return path


@pytest.mark.parametrize("part", orphans.PARTS)
def test_sigkill_of_any_part_leaves_no_process_segment_or_mount(manifest: Path, part: str) -> None:
    assert orphans.fate(manifest, part) == NOTHING


@pytest.mark.skipif(not other_user.IS_ROOT, reason="needs root to become somebody else")
@pytest.mark.parametrize("part", orphans.PARTS)
def test_nor_does_it_of_an_ordinary_user_s_system(
    manifest: Path, part: str, runtime_dir: Path
) -> None:
    assert fate_of_another(manifest, part, runtime_dir) == NOTHING


def fate_of_another(manifest: Path, part: str, runtime_dir: Path) -> Any:
    for path in (manifest.parent, *manifest.parent.iterdir()):
        os.chown(path, other_user.UID, other_user.UID)
    program = Path(orphans.__file__).read_text()
    ran = other_user.run(
        program, str(manifest), part, runtime_dir=runtime_dir, seen=[str(manifest.parent)]
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
