"""`caplab console`: attach to a UART, or say where its PTY is."""

import difflib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

import typer

from caplab.kernel.boot.running import Running
from caplab.kernel.host.errors import NotRunning, RequestRefused
from caplab.kernel.host.watcher import Clean, Watcher
from caplab.scripts.cli import show
from caplab.scripts.cli.console import ConsoleError, Ending, attach, tour
from caplab.scripts.cli.driver_news import DriverNews
from caplab.scripts.cli.escape import EscapeKey
from caplab.scripts.cli.options import EscapeOption, SystemName


def console(
    uart: Annotated[
        str | None,
        typer.Argument(metavar="[UART]", help="The first one if left out.", show_default=False),
    ] = None,
    path: Annotated[bool, typer.Option("--path", help="Only print the path of its PTY.")] = False,
    take: Annotated[
        bool, typer.Option("--take", help="Have the keyboard, whoever has it now.")
    ] = False,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="PD", help="Give the input to this client first."),
    ] = None,
    escape: EscapeOption = "ctrl-]",
    system: SystemName = None,
) -> int:
    """Attach to a console: what it has shown so far first, then both ways.

    One console types, the others watch.
    """
    running = Running.attach(system)
    chosen = choose(running, uart)
    if path:
        print(running.uart_path(chosen))
        return 0
    checked(escape)
    if to is not None:
        answer = running.focus(chosen, to)
        show.say(f"the input of {chosen} goes to {show.harmless(str(answer['focus']))}")
    uarts = {name: str(running.run_dir / name / "socket") for name in running.uarts()}
    try:
        tour(list(uarts), chosen, partial(_join, running, uarts, take=take, escape=escape))
    except ConsoleError as error:
        raise RequestRefused("refused", f"{error}.") from error
    except OSError as error:
        raise NotRunning(f"The console {chosen} is not there, or not yet: {error}.") from error
    return 0


def _join(
    running: Running, uarts: Mapping[str, str], uart: str, *, take: bool, escape: str
) -> Ending:
    with DriverNews(running, uart) as news:
        return attach(
            uarts[uart],
            escape=escape,
            plain=show.plain(1),
            take=take,
            switch=partial(running.focus, uart),
            more=len(uarts) > 1,
            news=news,
        )


def checked(escape: str) -> str:
    """A key that can be one. Raises RequestRefused."""
    try:
        EscapeKey(escape)
    except ValueError as error:
        raise RequestRefused("bad-request", f"{error}.") from error
    return escape


def choose(running: Running, uart: str | None) -> str:
    """The UART that is meant."""
    uarts = running.uarts()
    if uart is None and uarts:
        return uarts[0]
    if uart in uarts:
        return str(uart)
    if not uarts:
        fix = "What its PDs print is in `caplab logs`; `uarts: [uart0]` in the manifest makes one."
        raise RequestRefused("no-such-uart", f"{running.name} has no UART.", fix)
    close = difflib.get_close_matches(str(uart), uarts, n=1)
    listed = f"The UARTs of {running.name} are {', '.join(uarts)}."
    fix = f"Did you mean {close[0]}? {listed}" if close else listed
    raise RequestRefused("no-such-uart", f"There is no UART {uart}.", fix)


def the_only(running: Running, words: Sequence[str], what: str) -> tuple[str, Sequence[str]]:
    """The UART that a script names first, or the only one there is; and the other words."""
    if len(words) > 1:
        return choose(running, words[0]), words[1:]
    uarts = running.uarts()
    if len(uarts) > 1:
        listed = ", ".join(uarts)
        message = f"{running.name} has several UARTs: {listed}."
        raise RequestRefused("bad-request", message, f"Name one: {uarts[0]} {what}")
    return choose(running, None), words


def watcher_of(
    running: Running,
    uart: str,
    *,
    scrollback: bool = False,
    typing: bool = True,
    clean: Clean = bytes,
) -> Watcher:
    """A script at a UART's console. Raises HostError."""
    path = running.run_dir / uart / "socket"
    mode = "script" if typing else "watch"
    try:
        return Watcher(str(path), mode=mode, scrollback=scrollback, clean=clean)
    except ConsoleError as error:
        raise RequestRefused("refused", f"{error}.") from error
    except OSError as error:
        raise NotRunning(f"The console {uart} is not there, or not yet: {error}.") from error
