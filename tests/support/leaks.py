"""What a system may leave behind, and how a test sees that it did not.

A `Snapshot` holds the names of processes, segments, run-directory entries and
descriptors. `settled` waits until none is there that was not there before;
it waits on the processes themselves, never on a clock alone.
"""

import ctypes
import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from caplab.kernel.host import rundir

PR_SET_CHILD_SUBREAPER = 36
SHM = Path("/dev/shm")


def adopt_orphans() -> None:
    """Every descendant whose parent dies becomes a child of this process.

    So a launcher with its own session, or a PD whose kernel was killed, is
    still found among our children, and nobody has to guess by name.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def segments(runtime_dir: Path) -> set[str]:
    """Those of the systems whose run directories lie, or lay, under this runtime directory.

    Other systems of this machine, and tests that run beside this one, have marks of their own.
    """
    mark = rundir.mark_of(runtime_dir / "caplab")
    return {path.name for path in SHM.glob(f"{mark}*") if _mine(path)}


def _mine(path: Path) -> bool:
    try:
        return path.stat().st_uid == os.getuid()
    except OSError:
        return False


def descriptors() -> dict[int, str]:
    """This process's own: number and what it points to."""
    found = {}
    for entry in os.listdir("/proc/self/fd"):
        try:
            found[int(entry)] = os.readlink(f"/proc/self/fd/{entry}")
        except OSError:
            continue  # the one that listed the folder
    return found


@dataclass(frozen=True)
class Snapshot:
    """What there is at one moment; `less` gives what came since."""

    processes: frozenset[psutil.Process]
    segments: frozenset[str]
    files: frozenset[str]
    descriptors: frozenset[tuple[int, str]]

    @classmethod
    def take(cls, runtime_dir: Path) -> "Snapshot":
        processes = frozenset(psutil.Process().children(recursive=True))
        return cls(
            processes=processes,
            segments=frozenset(segments(runtime_dir)),
            files=frozenset(
                str(path.relative_to(runtime_dir))
                for path in runtime_dir.rglob("*")
                if path != runtime_dir / "caplab"  # the folder of all runs may stay
            ),
            descriptors=frozenset(descriptors().items()),
        )

    def less(self, before: "Snapshot") -> dict[str, list[str]]:
        """What is here and was not before, kind by kind; empty kinds left out."""
        more = {
            "processes": sorted(map(_described, self.processes - before.processes)),
            "segments": sorted(self.segments - before.segments),
            "files": sorted(self.files - before.files),
            "descriptors": sorted(
                f"{n} -> {to}" for n, to in self.descriptors - before.descriptors
            ),
        }
        return {kind: names for kind, names in more.items() if names}


def _described(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {process.status()} {' '.join(process.cmdline())}"
    except psutil.Error:
        return f"{process.pid} (gone since)"


def settled(before: Snapshot, runtime_dir: Path, patience: float = 5.0) -> dict[str, list[str]]:
    """What is left once every process started since has ended, or patience has.

    An orphan may be handed to us between two looks, hence the loop; each
    `wait_procs` reaps what it waited for.
    """
    end = time.monotonic() + patience
    while True:
        now = Snapshot.take(runtime_dir)
        started = now.processes - before.processes
        if not started or time.monotonic() > end:
            return now.less(before)
        psutil.wait_procs(started, timeout=max(0.0, end - time.monotonic()))


def end_leftovers(before: Snapshot, runtime_dir: Path) -> None:
    """So that one test's leak is not the next one's failure."""
    left = Snapshot.take(runtime_dir)
    for process in left.processes - before.processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left.processes - before.processes, timeout=5)
    for name in left.segments - before.segments:
        (SHM / name).unlink(missing_ok=True)
