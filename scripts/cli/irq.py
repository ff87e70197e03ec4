"""`caplab irq`: the interrupt lines of a system, and raising one by hand."""

from typing import Annotated

import typer

from caplab.kernel.boot.running import Running
from caplab.scripts.cli import numbers, show
from caplab.scripts.cli.options import Format, OutputFormat, SystemName

Line = Annotated[
    int | None,
    typer.Argument(
        metavar="[N]",
        parser=numbers.line,
        help="The line to raise; without it, all are listed.",
        show_default=False,
    ),
]
HEAD = ("IRQ", "DEVICE", "STATE", "PD", "ROUTE")


def irq(line: Line = None, system: SystemName = None, output: OutputFormat = Format.TEXT) -> int:
    """Raise an interrupt line, as its device would; without a number, list the lines.

    A line is masked from one interrupt to the acknowledgement of its driver. What is raised
    meanwhile is pending.
    """
    running = Running.attach(system)
    if line is None:
        return _listed(running, output)
    told = running.irq(line)
    if output is Format.JSON:
        show.as_json(told)
    elif told["delivered"]:
        show.say(f"interrupt {line} has signalled {told['pd']}")
    else:
        show.say(f"interrupt {line} is pending: {told['pd']} has not acknowledged the last one")
    return 0


def _listed(running: Running, output: Format) -> int:
    rows = running.irqs()
    if output is Format.JSON:
        show.as_json({"system": running.name, "irqs": rows})
        return 0
    if not rows:
        show.say(f"{running.name} has no interrupt lines")
        return 0
    keys = ("irq", "device", "state", "pd", "route")
    show.table(HEAD, [(row["irq"], *(row[key] or None for key in keys[1:])) for row in rows])
    return 0
