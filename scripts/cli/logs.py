"""`caplab logs`: what PDs have printed, kept by the launcher."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from caplab.kernel.boot.control import readable
from caplab.kernel.boot.running import Running
from caplab.kernel.host.drain import log_path
from caplab.scripts.cli import show
from caplab.scripts.cli.numbers import whole
from caplab.scripts.cli.options import SystemName

LOOK_AGAIN = 0.2
"""Seconds between two looks at the logs that are followed."""


def logs(
    pds: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PD]…", help="All if left out.", show_default=False),
    ] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the system ends.")
    ] = False,
    tail: Annotated[
        int | None,
        typer.Option(
            "--tail",
            metavar="N",
            parser=whole("--tail", "lines"),
            help="Only the last N lines.",
            show_default=False,
        ),
    ] = None,
    system: SystemName = None,
) -> int:
    """Show what PDs have printed on standard output and error."""
    running = Running.attach(system)
    names = list(dict.fromkeys(pds or [row.pd for row in running.ps()]))
    for name in pds or ():
        running.pd(name)  # says what there is when there is none of this name
    width = max(map(len, names), default=0) if len(names) > 1 else 0
    kept = [Kept(running.run_dir / "logs", name, width) for name in names]
    with running.control.watch() as changes:  # before the first look, so that no end is missed
        running.take_down_logs()
        for one in kept:
            one.show_past(tail)
        while follow:
            if readable(changes, LOOK_AGAIN):
                changes.receive()
            for one in kept:
                one.show_new(last=changes.ended)
            if changes.ended:
                break
    for one in kept:
        one.close()
    return 0


class Kept:
    """The log of one PD, followed through its rotations."""

    def __init__(self, folder: Path, name: str, width: int) -> None:
        self._path = log_path(folder, name)
        self._prefix = f"{name:<{width}} | " if width else ""
        self._file: BinaryIO | None = None
        self._unfinished = b""
        """The beginning of a line whose end is still to come."""

    def show_past(self, tail: int | None) -> None:
        """Print what is kept, or its last `tail` lines."""
        older = self._path.with_suffix(".log.1")
        past = older.read_bytes() if older.exists() else b""
        lines = (past + self._take()).splitlines()
        self._print(lines if tail is None else lines[max(0, len(lines) - tail) :])

    def show_new(self, *, last: bool) -> None:
        """Print the lines that have come since; half a line waits for its end, or for the last."""
        *lines, self._unfinished = (self._unfinished + self._take()).split(b"\n")
        if last and self._unfinished:
            lines.append(self._unfinished)
        self._print(lines)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _take(self) -> bytes:
        """What was added to the file, and to the one that took its place."""
        data = self._file.read() if self._file is not None else b""
        try:
            now = self._path.open("rb")
        except FileNotFoundError:
            return data
        if self._file is not None and os.path.sameopenfile(now.fileno(), self._file.fileno()):
            now.close()
            return data
        self.close()
        self._file = now
        return data + now.read()

    def _print(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            print(self._prefix + show.harmless(line.decode(errors="replace").rstrip("\r")))
        sys.stdout.flush()
