"""What is left of a dead PD, as seen from outside: the kernel's rows and the processes' maps."""

import os
from collections.abc import Iterable
from pathlib import Path

from caplab.kernel.boot.running import Row
from caplab.kernel.host import rundir

_DELETED = " (deleted)"


def remains_of(dead: Row, rows: Iterable[Row], run_dir: Path) -> list[str]:
    """A phrase for each thing that is there and should not be; empty when all is clean."""
    found = []
    if dead.alive:
        found.append(f"itself ({dead.state}, pid {dead.pid})")
    if not dead.alive and dead.caps:
        found.append(f"{dead.caps} capabilities")
    generation = f"{dead.pd}/gen{dead.generation}"
    prefix = rundir.prefix_of(run_dir)
    for row in rows:
        if not row.alive or row.pd == dead.pd:
            continue
        if any(str(tcb.get("reason", "")).endswith(f" {generation}") for tcb in row.tcbs):
            found.append(f"{row.pd} waits for {generation}")
        if row.pid is not None:
            found += [f"{row.pd} still maps {name}" for name in stale_mappings(row.pid, prefix)]
    return found


def stale_mappings(pid: int, prefix: str) -> list[str]:
    """Segments with this prefix that a process has mapped although they are destroyed."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return []  # it has ended, and its mappings with it
    paths = {line.partition("/")[2] for line in lines if line.endswith(_DELETED)}
    names = {os.path.basename(path.removesuffix(_DELETED)) for path in paths}
    return sorted(name for name in names if prefix and name.startswith(prefix))
