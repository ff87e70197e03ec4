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
NICE = 16
"""The field of `/proc/PID/stat` behind the name."""


def priorities(pid: int) -> list[int]:
    """`nice` of each thread of a process, the highest first."""
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat") as stat:
            found.append(int(stat.read().rpartition(")")[2].split()[NICE]))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("level", ["auto", "basic"])
def test_threads_that_are_no_tcbs_give_way_and_tcbs_do_not(tmp_path: Path, level: str) -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    (tmp_path / "hog.py").write_text(HOG)
    manifest = tmp_path / "hogs.yaml"
    manifest.write_text(f"confinement: {level}\npds: {{hog: {{run: ./hog.py, threads: 2}}}}\n")
    with caplab.System(manifest, paranoid=True) as system:
        while (pid := system.pd("hog").pid) is None:
            os.sched_yield()
        while priorities(pid)[0] == ours:
            os.sched_yield()
        assert priorities(pid) == [19, *[ours] * (len(os.listdir(f"/proc/{pid}/task")) - 1)]
