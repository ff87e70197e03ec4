"""`caplab send-keys`: type into a UART from a script."""

from typing import Annotated

import typer

from caplab.kernel.boot.running import Running
from caplab.kernel.host.errors import HostError, RequestRefused
from caplab.scripts.cli import show
from caplab.scripts.cli.attach import the_only, watcher_of
from caplab.scripts.cli.keys import typed
from caplab.scripts.cli.options import SystemName


def send_keys(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[UART] TEXT…",
            help=r"What to type: \r \n \t \e \xNN ^C and text. The UART may be left out if there "
            "is but one.",
        ),
    ],
    literal: Annotated[
        bool, typer.Option("-l", "--literal", help="TEXT as it is: no escapes.")
    ] = False,
    send_break: Annotated[bool, typer.Option("--break", help="Send a break behind it.")] = False,
    system: SystemName = None,
) -> int:
    """Type into a UART, whoever has its keyboard. Exits 1 if the system did not take all of it."""
    running = Running.attach(system)
    uart, texts = the_only(running, words, "TEXT")
    data = b"".join(
        text.encode("utf-8", "surrogateescape") if literal else as_keys(text) for text in texts
    )
    with watcher_of(running, uart) as watcher:
        watcher.send(data)
        if send_break:
            watcher.send_break()
        watcher.status()  # by now it knows what was dropped
        if watcher.input_lost:
            raise HostError(
                "input-dropped",
                f"{watcher.input_lost} of {show.count(len(data), 'byte')} were dropped: "
                f"nobody reads {uart}.",
                "`caplab ps` shows what its server is doing.",
            )
    return 0


def as_keys(text: str) -> bytes:
    """What is to be typed. Raises RequestRefused."""
    try:
        return typed(text)
    except ValueError as error:
        raise RequestRefused("bad-request", f"{error}.") from error
