"""What is left of a system, one of whose parts is killed: `python orphans.py MANIFEST PART`."""

import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any

import psutil

import caplab
from caplab.kernel.host import rundir

PATIENCE = 20.0
PARTS = ("launcher", "kernel", "zygote", "line")


class Family:
    """All processes of a running system, so that their end can be awaited."""

    def __init__(self, system: caplab.System) -> None:
        told = rundir.read_info(system.run_dir)
        members = psutil.Process(told["kernel_pid"]).children(recursive=True)
        (line,) = [each.pid for each in members if each.name().startswith("line")]
        self.parts = {part: int(told[f"{part}_pid"]) for part in PARTS[:3]} | {"line": line}
        self.pids = [told["launcher_pid"], told["kernel_pid"], *(each.pid for each in members)]
        self._pidfds = [os.pidfd_open(pid) for pid in self.pids]

    def still_there(self) -> list[int]:
        """Those that do not end."""
        stay = []
        for pid, fd in zip(self.pids, self._pidfds, strict=True):
            if not select.select([fd], [], [], PATIENCE)[0]:
                stay.append(pid)
            os.close(fd)
        return stay


def machine_shm(kernel_pid: int) -> Path:
    """Where the segments of a strictly confined system are, seen from outside."""
    return Path(f"/proc/{kernel_pid}/root/dev/shm")


def mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()


def fate(manifest: Path, part: str) -> dict[str, Any]:
    """Start the system, kill the part, wait: what there was, and what there still is."""
    mounted = mounts()
    system = caplab.System(manifest).start()
    try:
        system.console.expect("held")
        while not all(row.pid for row in system.ps()):
            os.sched_yield()  # the start waits for servers alone
        family = Family(system)
        prefix = rundir.prefix_of(system.run_dir)
        segments = [path.name for path in rundir.segments(prefix)]
        kept = list(machine_shm(family.parts["kernel"]).glob(f"{prefix}*"))
        os.kill(family.parts[part], signal.SIGKILL)
        if part == "line":
            system.down()  # without its console it runs on
        stay = family.still_there()
        segments += [path.name for path in rundir.segments(prefix)]
        rundir.reap_stale()  # as the next `up`, `ls` and `down` do
        return {
            "processes": len(family.pids),
            "still there": stay,
            "segments in the machine, before": len(kept),
            "segments on the host, before and after": segments,
            "mounts are as they were": mounts() == mounted,
            "files": [str(path) for path in rundir.base().iterdir()],
        }
    finally:
        system.close()


if __name__ == "__main__":
    print(json.dumps(fate(Path(sys.argv[1]), sys.argv[2])))
