"""`caplab up`: boot a system, in the foreground, in the background, or with a console attached."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from caplab.kernel.boot.launch import KNOCK, Launched, specification
from caplab.kernel.boot.manifest import check
from caplab.kernel.boot.running import Running
from caplab.kernel.boot.system import System
from caplab.kernel.host import rundir
from caplab.kernel.host.errors import RequestRefused
from caplab.scripts.cli import confinement, show
from caplab.scripts.cli.attach import checked
from caplab.scripts.cli.bulletin import Bulletin
from caplab.scripts.cli.check import default
from caplab.scripts.cli.console import Ending, attach, tour
from caplab.scripts.cli.farewell import farewell
from caplab.scripts.cli.foreground import LEAVE, Foreground
from caplab.scripts.cli.ls import tell_cleared
from caplab.scripts.cli.numbers import seconds
from caplab.scripts.cli.options import EscapeOption
from caplab.scripts.cli.screen import Screen

DEMONSTRATION = "hello"

Manifest = Annotated[
    str | None,
    typer.Argument(
        metavar="[MANIFEST|FOLDER|NAME]",
        help="A file, a folder with a caplab.yaml or only one manifest, or the name of a system "
        "that comes with caplab.",
        show_default=False,
    ),
]
Detach = Annotated[bool, typer.Option("-d", "--detach", help="Return once all servers are ready.")]
Console = Annotated[bool, typer.Option("-c", "--console", help="Type into the first UART.")]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="S",
        parser=seconds("--timeout"),
        help="Give up after S seconds, exit 1.",
    ),
]
ExitCodeFrom = Annotated[
    str | None, typer.Option("--exit-code-from", metavar="PD", help="Exit with this PD's status.")
]
Record = Annotated[
    Path | None, typer.Option("--record", metavar="LOG", help="Write the log of all events there.")
]
Debug = Annotated[
    list[str] | None,
    typer.Option("--debug", metavar="PD", help="Give it a terminal where breakpoint() opens."),
]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Run it as NAME.")]


def up(
    manifest: Manifest = None,
    detach: Detach = False,
    console: Console = False,
    timeout: Timeout = None,
    exit_code_from: ExitCodeFrom = None,
    record: Record = None,
    name: Name = None,
    debug: Debug = None,
    escape: EscapeOption = "ctrl-]",
) -> int:
    """Boot a system. In the foreground ^C stops it in reverse order, a second ^C kills."""
    if detach and (console or exit_code_from):
        other = "--console" if console else "--exit-code-from"
        raise RequestRefused("bad-request", f"--detach and {other} exclude each other.")
    if record is not None:
        refuse_unless_writable(record)
    if manifest is None:
        manifest = default()
        what = "caplab.yaml" if manifest != DEMONSTRATION else "no caplab.yaml here: demonstration"
        show.say(f"{what}, `caplab up {manifest}`")
    tell_cleared(rundir.reap_stale())
    if detach:
        return background(System(manifest, name=name, record=record, debug=debug or ()), timeout)
    system = check(manifest).require()
    if console and not system.uarts:
        raise RequestRefused("no-such-uart", f"{system.name} has no UART to type into.")
    spec = specification(system, name=name, exit_code_from=exit_code_from, debug=debug or ())
    key = checked(escape) if console else None
    return foreground(spec, Launched(spec, record), timeout, key)


def refuse_unless_writable(log: Path) -> None:
    """Refuse a log that could not be written, before anything is started."""
    folder = log.absolute().parent
    if not folder.is_dir():
        raise RequestRefused("bad-request", f"There is no folder {folder} to write the log in.")
    if log.is_dir() or not os.access(log if log.exists() else folder, os.W_OK):
        raise RequestRefused("bad-request", f"{log} cannot be written.")


def background(system: System, timeout: float | None) -> int:
    """Start a system and leave it running."""
    system.start(**({} if timeout is None else {"timeout": timeout}))
    show.say(opening(system.name, system.ps(), system.info()["confinement"]))
    option = option_for(system.name)
    words = ("ps", "console" if system.uarts() else "graph", "down")
    show.say(f"it is ready: {', '.join(f'`caplab {word}{option}`' for word in words)}")
    system.detach()
    return 0


def foreground(
    spec: dict[str, Any], launched: Launched, timeout: float | None, escape: str | None
) -> int:
    """Show a system until it ends; with an escape key the user types into its consoles."""
    screen = Screen(spec["uarts"])
    session = Foreground(launched, spec, screen, timeout)
    try:
        if escape is not None:
            welcome(spec, screen)
            attended(session, launched, spec["uarts"], escape, screen)
        else:
            session.show_consoles(spec["uarts"])
            with signals_to(session.orders):
                welcome(spec, screen)
                session.run()
    finally:
        session.close()
        launched.close()
        launched.wait()
        rundir.reap_stale()
    return farewell(session, spec, screen)


def welcome(spec: dict[str, Any], screen: Screen) -> None:
    """The first lines: what is booted, how it is confined, how to reach it."""
    level = {"level": spec["confinement"], **spec["confined"]}
    screen.say(opening(spec["name"], spec["pds"], level))
    option = option_for(spec["name"])
    victim = next((pd["name"] for pd in reversed(spec["pds"])), "PD")
    look = "console" if spec["uarts"] else "ps"  # a system without a UART has no console
    screen.say(f"from another terminal: `caplab {look}{option}`, `caplab kill {victim}{option}`")


def attended(
    session: Foreground, launched: Launched, uarts: Sequence[str], escape: str, screen: Screen
) -> None:
    """The user types into a console while a thread serves the session."""
    failures: list[Exception] = []

    def serve() -> None:
        try:
            session.run()
        except Exception as error:  # noqa: BLE001 - shown by the main thread, as all errors are
            failures.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        running = Running(launched.name, launched.run_dir)
        ending = joined(thread, session.bulletin, running, uarts, escape, screen)
        if ending not in (None, Ending.SYSTEM_ENDED):
            session.order(LEAVE)
    except KeyboardInterrupt:  # only where standard input is no terminal
        session.order(signal.SIGINT)
    except OSError as error:
        show.say(f"the console cannot be shown: {error}")
    with signals_to(session.orders):
        thread.join()
    for failure in failures:
        raise failure


def joined(
    session: threading.Thread,
    bulletin: Bulletin,
    running: Running,
    uarts: Sequence[str],
    escape: str,
    screen: Screen,
) -> Ending | None:
    """Attach to the first, and to others as wished; None when the system ends before."""
    sockets = {uart: str(running.run_dir / uart / "socket") for uart in uarts}

    def join(uart: str) -> Ending | None:
        left: list[str] = []
        while session.is_alive():
            try:
                with bulletin.looked_at(left):
                    return attach(
                        sockets[uart],
                        escape=escape,
                        plain=show.plain(1),
                        switch=partial(running.focus, uart),
                        more=len(uarts) > 1,
                        news=bulletin,
                        margin=screen.margin,
                    )
            except (FileNotFoundError, ConnectionRefusedError):
                session.join(KNOCK)
            finally:
                for text in left:
                    screen.say(text)
                left.clear()
        return None

    return tour(uarts, uarts[0], join)


@contextmanager
def signals_to(descriptor: int) -> Iterator[None]:
    """Each ^C, SIGTERM and SIGHUP is a byte on this descriptor, and nothing else."""
    before = signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = [signal.signal(number, lambda *_: None) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
        signal.set_wakeup_fd(before)


def opening(name: str, pds: Sequence[Any], level: Mapping[str, str]) -> str:
    return f"{name}: {show.count(len(pds), 'PD')}, {confinement.in_force(level)}"


def option_for(name: str) -> str:
    """` -n NAME` where another system makes it necessary."""
    return "" if [run.name for run in rundir.list_running()] == [name] else f" -n {name}"
