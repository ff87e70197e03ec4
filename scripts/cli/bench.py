"""`caplab bench`: figures, each beside its yardstick."""

import json
from pathlib import Path
from typing import Annotated

import typer

from caplab.kernel.host.errors import HostError
from caplab.scripts.bench import suite
from caplab.scripts.bench.machine import described
from caplab.scripts.bench.report import HEADINGS, cells, footnotes
from caplab.scripts.cli import show


def bench(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="; ".join(f"{name}: {of}" for name, of in suite.BENCHES.items())
        ),
    ],
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the figures there too, as JSON."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Take as long as it needs; a sample ends within 40 s.")
    ] = False,
    fail: Annotated[
        bool, typer.Option("--fail/--no-fail", help="Exit 1 when a target is not met.")
    ] = True,
) -> int:
    """Measure caplab beside its yardsticks, and judge its targets."""
    if json_file is not None:
        _try(json_file)
    report = suite.bench(name, full=full, say=show.say)
    print(described(report.machine))
    show.table(HEADINGS, [cells(row) for row in report.rows])
    for note in footnotes(report.rows):
        print(note)
    if report.sample:
        print("A sample: the targets are judged with --full.")
    if json_file is not None:
        document = {"schema": show.SCHEMA, **report.document()}
        json_file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return 1 if fail and not report.ok else 0


def _try(path: Path) -> None:
    """Find out whether the file can be written now, not after a minute of measuring."""
    try:
        path.open("a").close()
    except OSError as error:
        why = error.strerror or "it cannot be written"
        raise HostError("bad-request", f"{path}: {why}.", status=2) from error
