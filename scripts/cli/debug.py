"""`caplab attach`: the terminal of a debug PD, where its `breakpoint()` opens."""

import time
from typing import Annotated

import typer

from caplab.kernel.boot.launch import KNOCK
from caplab.kernel.boot.running import Running
from caplab.kernel.host import rundir
from caplab.kernel.host.errors import NotRunning, RequestRefused
from caplab.scripts.cli import console, show
from caplab.scripts.cli.attach import checked
from caplab.scripts.cli.console import ConsoleError
from caplab.scripts.cli.options import EscapeOption, SystemName

PATIENCE = 5.0
"""Seconds for the terminal of a PD that is just starting."""


def attach(
    pd: Annotated[str, typer.Argument(metavar="PD", help="A PD that has `debug: true`.")],
    path: Annotated[
        bool, typer.Option("--path", help="Only print a PTY that shows the same.")
    ] = False,
    take: Annotated[
        bool, typer.Option("--take", help="Have the keyboard, whoever has it now.")
    ] = False,
    escape: EscapeOption = "ctrl-]",
    system: SystemName = None,
) -> int:
    """Attach to a PD's debugger: what its terminal has shown so far, then both ways.

    Leaving changes nothing: the PD stays at its breakpoint.
    """
    running = Running.attach(system)
    row = running.pd(pd)
    if not row.debug:
        raise RequestRefused(
            "not-debugged",
            f"{pd} has no terminal to attach to.",
            f"Under `{pd}:` in the manifest write  debug: true\n"
            f"or start the system with `caplab up --debug {pd}`.",
        )
    if not row.alive:
        raise RequestRefused("not-running", f"{pd} has ended: {row.state} {row.reason}".strip())
    folder = rundir.terminal(running.run_dir, pd)
    if path:
        print((folder / "tty").readlink())
        return 0
    checked(escape)
    try:
        _joined(running, pd, str(folder / "socket"), escape, take=take)
    except ConsoleError as error:
        raise RequestRefused("refused", f"{error}.") from error
    except OSError as error:
        raise NotRunning(f"The terminal of {pd} is not there: {error}.") from error
    return 0


def _joined(running: Running, pd: str, socket: str, escape: str, *, take: bool) -> None:
    """Attach as soon as the terminal is there."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            console.attach(
                socket, escape=escape, plain=show.plain(1), gone=f"{pd} has ended", take=take
            )
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > end or not running.pd(pd).alive:
                raise
            time.sleep(KNOCK)  # a socket file that is not there yet tells nobody when it is
        else:
            return
