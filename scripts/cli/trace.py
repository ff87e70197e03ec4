"""`caplab trace`: a line for each system call, when it is answered."""

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from caplab.kernel.boot.control import Answer
from caplab.kernel.boot.running import Running
from caplab.scripts.cli import show
from caplab.scripts.cli.numbers import whole
from caplab.scripts.cli.options import Format, OutputFormat, SystemName


def trace(
    pds: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PD]…", help="All if left out.", show_default=False),
    ] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="From now on, until ^C or the system's end.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            parser=whole("--limit", "lines", least=1),
            help="At most N lines.",
            show_default=False,
        ),
    ] = None,
    system: SystemName = None,
    output: OutputFormat = Format.TEXT,
) -> int:
    """Show system calls: with -f as they are answered, else the last the kernel remembers.

    Only with -f is it known how a call was answered: the kernel keeps calls, not answers.
    """
    running = Running.attach(system)
    names = list(dict.fromkeys(pds or ()))
    for name in names:
        running.pd(name)  # says what there is when there is none of this name
    if follow:
        lines = running.trace(names)
    else:
        calls = running.last_calls(names)
        lines = iter(calls if limit is None else calls[-limit:])
    for number, line in enumerate(_noting_losses(lines), 1):
        print(_as_json(line) if output is Format.JSON else as_text(line))
        sys.stdout.flush()
        if number == limit:
            break
    return 0


def _noting_losses(lines: Iterator[Answer]) -> Iterator[Answer]:
    for line in lines:
        if "lost" in line:
            show.say(f"{show.count(line['lost'], 'call')} not shown: they came too fast")
        else:
            yield line


def _as_json(line: Answer) -> str:
    """One document a line, so that a program can follow too."""
    return json.dumps({"schema": show.SCHEMA, **line}, ensure_ascii=False)


def as_text(line: dict[str, Any]) -> str:
    """Time, PD, call, what on, message; after the arrow the answer."""
    words = [f"{clock(line['time']):<15}", f"{line['tcb']:<12}", f"{line['call']:<9}"]
    if line["target"] is not None:
        words.append(line["target"])
    elif line["cptr"] is not None:
        words.append(f"slot {line['cptr']}")
    if line["invocation"] is not None:
        words.append(line["invocation"])
    elif line["label"]:
        words.append(f"label {line['label']}")
    if line["bytes"]:
        words.append(f"{line['bytes']} B")
    if line["caps"]:
        words.append(show.count(line["caps"], "cap"))
    return show.harmless(" ".join([*words, "->", answered(line)]))


def clock(seconds: float | None) -> str:
    """The time of day; nothing for a call that was made before the trace began."""
    if seconds is None:
        return ""
    return f"{datetime.fromtimestamp(seconds).astimezone():%H:%M:%S.%f}"


def answered(line: dict[str, Any]) -> str:
    """How a call was answered, as far as that is known."""
    if line["status"] is None:
        if line["waits"]:
            return "waits"
        return "answered" if line["by"] is None else f"by {line['by']}: its PD has ended"
    status = f"{line['status']}, nothing" if line["nothing"] else line["status"]
    after = "" if line["seconds"] is None else f" after {duration(line['seconds'])}"
    return f"{status}{after} by {line['by']}"


def duration(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if seconds < 0.001 else show.duration(seconds)
