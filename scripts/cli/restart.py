"""`caplab restart`: stop a PD if it lives, and start its next generation."""

from typing import Annotated

import typer

from caplab.kernel.boot.running import Running
from caplab.scripts.cli import kill, show
from caplab.scripts.cli.options import Format, OutputFormat, SystemName


def restart(
    pd: Annotated[str, typer.Argument(metavar="PD", help="The PD, by name.")],
    system: SystemName = None,
    output: OutputFormat = Format.TEXT,
) -> int:
    """Start a PD anew, in the slots where others know it; one that lives is stopped first."""
    running = Running.attach(system)
    lived = running.pd(pd).alive
    report = running.restart(pd)
    if lived or output is Format.JSON:  # of who was dead already, the death has been told
        kill.tell(report, output)
    if output is Format.TEXT:
        show.say(f"{pd} is {pd}/gen{report['restarted']} now")
    return 0
