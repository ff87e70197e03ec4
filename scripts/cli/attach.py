"""`caplab console`: attach to a UART, or say where its PTY is."""

import difflib
from typing import Annotated

import typer

from caplab.kernel.boot.running import Running
from caplab.kernel.host.errors import NotRunning, RequestRefused
from caplab.scripts.cli import show
from caplab.scripts.cli.console import ConsoleError, attach
from caplab.scripts.cli.options import SystemName


def console(
    uart: Annotated[
        str | None,
        typer.Argument(metavar="[UART]", help="The first one if left out.", show_default=False),
    ] = None,
    path: Annotated[bool, typer.Option("--path", help="Only print the path of its PTY.")] = False,
    escape: Annotated[
        str, typer.Option("--escape", metavar="KEY", help="The key that, then q, leaves.")
    ] = "ctrl-]",
    system: SystemName = None,
) -> int:
    """Attach to a console: what it has shown so far first, then both ways."""
    running = Running.attach(system)
    chosen = choose(running, uart)
    if path:
        print(running.uart_path(chosen))
        return 0
    try:
        attach(str(running.run_dir / chosen / "socket"), escape=escape, plain=show.plain(1))
    except ValueError as error:  # no such escape key
        raise RequestRefused("bad-request", f"{error}.") from error
    except ConsoleError as error:
        raise RequestRefused("refused", f"{error}.") from error
    except OSError as error:
        raise NotRunning(f"The console {chosen} is not there, or not yet: {error}.") from error
    return 0


def choose(running: Running, uart: str | None) -> str:
    """The UART that is meant."""
    uarts = running.uarts()
    if uart is None and uarts:
        return uarts[0]
    if uart in uarts:
        return str(uart)
    close = difflib.get_close_matches(str(uart), uarts, n=1)
    listed = f"The UARTs of {running.name} are {', '.join(uarts)}." if uarts else "It has none."
    fix = f"Did you mean {close[0]}? {listed}" if close else listed
    raise RequestRefused("no-such-uart", f"There is no UART {uart or 'at all'}.", fix)
