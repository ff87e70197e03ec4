"""What a manifest comes to once it has been checked: every default filled in, every program found.

`build.py` makes the boot specification of it; nothing here can be wrong any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caplab.kernel.boot.problems import ManifestError, Problem, render
from caplab.pd.modules import Program


@dataclass(frozen=True)
class CheckedPd:
    name: str
    program: Program
    args: Mapping[str, Any]
    uses: Mapping[str, str]
    """Name in the code: the PD that serves it."""
    serves: str | Mapping[str, str] | None
    """`endpoint`, or the type of the space it manages: {"space": TYPE}."""
    rdes: tuple[str, ...]
    manages: tuple[str, ...]
    faults: str | None
    """The PD that handles its faults."""
    devices: tuple[str, ...]
    threads: int
    untyped: int | None
    """Bytes, whole pages; None: as much as the root task gives."""
    priority: int
    role: str
    """server or client: a system is over when its clients are."""
    restart: Mapping[str, Any] | None
    """policy, backoff and max; None: never."""
    cleanup: Mapping[str, Any] | None
    """pd_depth and space_depth, as far as they are said."""
    console: Mapping[str, Any] | None
    """escapes, prefix, buffering and focus; None: as if none were said."""
    path: tuple[str, ...]
    """Code roots, absolute: the manifest's folder first."""
    confinement: str
    """`auto` is the system's level."""
    debug: bool
    """It has a terminal of its own, where breakpoint() opens."""


@dataclass(frozen=True)
class CheckedSystem:
    name: str
    file: Path
    semantics: str
    scheduler: str
    uarts: tuple[str, ...]
    timers: tuple[str, ...]
    irqs: tuple[int, ...]
    ranges: tuple[tuple[int, int], ...]
    """First address and bytes of each."""
    cpus: tuple[int, ...] | None
    exit_code_from: str | None
    confinement: str
    cleanup: Mapping[str, Any] | None
    pds: tuple[CheckedPd, ...]


@dataclass(frozen=True)
class Checked:
    """The outcome of `check`: a system without problems, or problems and no system."""

    file: str
    system: CheckedSystem | None
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        return self.system is not None

    def require(self) -> CheckedSystem:
        """The system. Raises ManifestError with every problem of the file."""
        if self.system is None:
            raise ManifestError(self.problems)
        return self.system

    def render(self) -> str:
        """The problems as the terminal shows them; empty when there are none."""
        return render(self.problems)
