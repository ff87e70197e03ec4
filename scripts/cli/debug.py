"""`caplab attach`: the terminal of a debug PD, where its `breakpoint()` opens."""

import time
from pathlib import Path
from typing import Annotated

import typer

from caplab.kernel.boot.launch import KNOCK
from caplab.kernel.boot.running import Running
from caplab.kernel.host import rundir
from caplab.kernel.host.errors import NotRunning, RequestRefused
from caplab.scripts.cli import console, show
from caplab.scripts.cli.attach import checked
from caplab.scripts.cli.console import ConsoleError, Ending
from caplab.scripts.cli.escape import EscapeKey
from caplab.scripts.cli.generations import Generations
from caplab.scripts.cli.margin import Margin
from caplab.scripts.cli.obituary import full_name, obituary
from caplab.scripts.cli.options import EscapeOption, SystemName
from caplab.scripts.cli.window import say

PATIENCE = 5.0
"""Seconds for the terminal of a PD that is just starting, and for word of an end."""


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

    Leaving changes nothing: the PD stays at its breakpoint. When it is restarted, the terminal of
    its next generation is shown.
    """
    running = Running.attach(system)
    with running.control.watch() as changes:
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
            Attachment(running, pd, folder, escape, Generations(changes, pd)).follow(take=take)
        except ConsoleError as error:
            raise RequestRefused("refused", f"{error}.") from error
        except OSError as error:
            raise NotRunning(f"The terminal of {pd} is not there: {error}.") from error
    return 0


class Attachment:
    """A user at the terminal of a PD, and of its next generations."""

    def __init__(
        self, running: Running, pd: str, folder: Path, escape: str, generations: Generations
    ) -> None:
        self._running = running
        self._pd = pd
        self._socket = str(folder / "socket")
        self._escape = escape
        self._generations = generations
        self._margin = Margin()

    def follow(self, *, take: bool) -> None:
        """Until the user leaves, or the PD has ended and no other follows.

        Raises OSError: the terminal is not there, though the PD is.
        """
        while self._joined(take=take) is Ending.SYSTEM_ENDED:
            end = self._generations.end(PATIENCE)
            if end is None and not self._generations.ended:
                raise ConnectionResetError("its line has ended")
            if end is None or end["down"]:
                say(f"{self._pd} has ended, and the system with it", self._margin)
                return
            if not end["restart"]:
                say(f"{self._pd} has ended and is not restarted: {obituary(end)}", self._margin)
                return
            key = EscapeKey(self._escape)
            how = f"{obituary(end)}. {key.name} then: q leaves"
            say(f"{self._pd} has ended and is restarted: {how}", self._margin)
            start = self._generations.start(key)
            if start is None:
                if self._generations.ended:
                    say("the system has gone down", self._margin)
                return
            say(f"{full_name(start)} has started", self._margin)

    def _joined(self, *, take: bool) -> Ending:
        """Attach as soon as the terminal is there; how that ended."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return console.attach(
                    self._socket,
                    escape=self._escape,
                    plain=show.plain(1),
                    gone="",
                    take=take,
                    news=self._generations,
                    margin=self._margin,
                )
            except (FileNotFoundError, ConnectionRefusedError, ConsoleError) as error:
                if isinstance(error, ConsoleError) and error.code != "gone":
                    raise
                if not self._running.pd(self._pd).alive:
                    return Ending.SYSTEM_ENDED
                if time.monotonic() > end:
                    raise
                time.sleep(KNOCK)  # a socket file that is not there yet tells nobody when it is
