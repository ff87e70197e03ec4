"""Options that several commands take."""

from enum import StrEnum
from typing import Annotated

import typer

from caplab.scripts.cli.numbers import whole

SystemName = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--system",
        metavar="NAME",
        help="The system, when several run (else the environment's CAPLAB_SYSTEM).",
        show_default=False,
    ),
]


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


EscapeOption = Annotated[
    str,
    typer.Option(
        "--escape",
        metavar="KEY",
        envvar="CAPLAB_ESCAPE",
        help="The key that, then q, leaves.",
    ),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="For people, or for programs.")]
After = Annotated[
    int | None,
    typer.Option(
        "--after",
        metavar="N",
        parser=whole("--after", "system calls", least=1),
        help="Wait until the PD makes its N-th system call.",
        show_default=False,
    ),
]
