"""What is said of confinement: the level that is in force, why not a stronger one, what helps."""

from collections.abc import Mapping, Sequence
from typing import Any

RELAXED = "it is dumpable and may set that terminal, and its faults are not traced"
"""In what a debug PD differs from what its level says."""


def in_force(level: Mapping[str, str], pds: Sequence[Mapping[str, Any]] = ()) -> str:
    """One line: `confinement basic: no namespaces (unshare: EPERM); cure: …`.

    `pds` are rows of `ps`, of which those are named that are confined less than the system.
    """
    said = f"confinement {level['level']}"
    if level.get("asked", "auto") != "auto":
        said += ", as the manifest asks"
    if level.get("why"):
        said += f": {level['why']}; cure: {level['cure']}"
    weaker = [
        f"{row['pd']} has {row['confinement']}"
        for row in pds
        if row["confinement"] != level["level"]
    ]
    debugged = [
        f"{row['pd']} has a debugger's terminal: {RELAXED}" for row in pds if row.get("debug")
    ]
    return "; ".join([said, *weaker, *debugged])
