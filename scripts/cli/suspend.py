"""`caplab suspend` and `caplab resume`."""

from typing import Annotated

import typer

from caplab.kernel.boot.running import Row, Running
from caplab.scripts.cli import show
from caplab.scripts.cli.options import SystemName

Target = Annotated[str, typer.Argument(metavar="PD", help="The PD, by name.")]


def suspend(pd: Target, system: SystemName = None) -> int:
    """Suspend every TCB of a PD: its calls are answered after `resume`."""
    return _tell(Running.attach(system).suspend(pd))


def resume(pd: Target, system: SystemName = None) -> int:
    """Let a suspended PD go on."""
    return _tell(Running.attach(system).resume(pd))


def _tell(row: Row) -> int:
    show.say(f"{row.pd} is {row.state}" + (f": {show.harmless(row.reason)}" if row.reason else ""))
    return 0
