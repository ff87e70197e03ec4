"""A PD that computes in more threads than it has TCBs, on real processes."""

import os
from pathlib import Path

import pytest

import caplab

HOG = """
import hashlib, threading

def main(env):
    data = bytes(1 << 20)
    def computes():
        while True:
            hashlib.sha256(data).digest()
    threading.Thread(target=computes, daemon=True).start()
    env.thread(lambda env, arg: computes(), 0)
    computes()
"""


def policies(pid: int) -> list[int]:
    """How each thread of a process is scheduled, those that give way first."""
    found = [os.sched_getscheduler(int(thread)) for thread in os.listdir(f"/proc/{pid}/task")]
    return sorted(found, reverse=True)


@pytest.mark.parametrize("level", ["auto", "basic"])
def test_threads_that_are_no_tcbs_give_way_and_tcbs_do_not(tmp_path: Path, level: str) -> None:
    (tmp_path / "hog.py").write_text(HOG)
    manifest = tmp_path / "hogs.yaml"
    manifest.write_text(f"confinement: {level}\npds: {{hog: {{run: ./hog.py, threads: 2}}}}\n")
    with caplab.System(manifest, paranoid=True) as system:
        while (pid := system.pd("hog").pid) is None:
            os.sched_yield()
        while policies(pid)[0] != os.SCHED_IDLE:
            os.sched_yield()
        others = len(os.listdir(f"/proc/{pid}/task")) - 1
        assert policies(pid) == [os.SCHED_IDLE, *[os.SCHED_OTHER] * others]
