"""`caplab expect`: wait in a script until a UART has printed something."""

import re
import sys
from typing import Annotated

import typer

from caplab.kernel.boot.running import Running
from caplab.kernel.host.errors import HostError, NotRunning, RequestRefused
from caplab.kernel.host.watcher import ConsoleEnded, ExpectTimeout, Watcher
from caplab.scripts.cli import show
from caplab.scripts.cli.attach import the_only, watcher_of
from caplab.scripts.cli.numbers import seconds
from caplab.scripts.cli.options import SystemName
from caplab.scripts.cli.plain import PlainText
from caplab.scripts.cli.send_keys import as_keys

LAST_LINES = 5
"""How many lines an expectation that was not met quotes."""


def expect(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[UART] REGEX",
            help="What to wait for; ^ and $ match at lines. The UART may be left out if there is "
            "but one.",
        ),
    ],
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            metavar="S",
            parser=seconds("--timeout", for_ever=True),
            help="How many seconds to wait; inf: for ever.",
        ),
    ] = 10.0,
    new: Annotated[
        bool, typer.Option("--new", help="Only what is printed from now on; no scrollback.")
    ] = False,
    send: Annotated[
        str | None,
        typer.Option(
            "--send", metavar="TEXT", help="Type this first (as `send-keys`), and expect an answer."
        ),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Match colours and carriage returns too.")
    ] = False,
    system: SystemName = None,
) -> int:
    """Wait until a UART has printed what matches REGEX, and print the match.

    The scrollback counts, so what was printed a moment ago is found; with --new or --send only
    what comes from now on does. Exits 0 when it matched, 1 when the time ran out, 2 when the
    request was wrong, 3 when the system does not run or went down meanwhile.
    """
    running = Running.attach(system)
    uart, patterns = the_only(running, words, "REGEX")
    if len(patterns) != 1:
        raise RequestRefused("bad-request", "expect takes one REGEX.", "Quote it for your shell.")
    wanted = compiled(patterns[0])
    keys = None if send is None else as_keys(send)
    clean = bytes if raw else PlainText().feed
    with watcher_of(
        running, uart, scrollback=not new and keys is None, typing=keys is not None, clean=clean
    ) as watcher:
        if keys is not None:
            watcher.send(keys)
        found = awaited(watcher, wanted, patterns[0], timeout)
    sys.stdout.buffer.write(found[0] + b"\n")
    return 0


def compiled(pattern: str) -> re.Pattern[bytes]:
    """Raises RequestRefused, with the place of the mistake."""
    try:
        return re.compile(pattern.encode("utf-8", "surrogateescape"), re.MULTILINE)
    except re.error as error:
        pointer = "" if error.pos is None else f"{pattern}\n{' ' * error.pos}^"
        raise RequestRefused("bad-request", f"No regular expression: {error}.", pointer) from error


def awaited(
    watcher: Watcher, wanted: re.Pattern[bytes], pattern: str, timeout: float
) -> re.Match[bytes]:
    """The match. Raises HostError (1, or 3 when the system ends), quoting the last lines."""
    try:
        return watcher.expect(wanted, timeout)
    except ExpectTimeout as late:
        missing = f"{watcher.uart} did not print {pattern!r} within {timeout:g} s."
        raise HostError("not-printed", missing, last_lines(late.came)) from None
    except ConsoleEnded as ended:
        missing = f"The system went down before {watcher.uart} printed {pattern!r}."
        raise NotRunning(missing, last_lines(ended.came)) from None


def last_lines(came: bytes) -> str:
    lines = [show.harmless(line) for line in came.decode(errors="replace").splitlines()]
    return "It printed last:\n" + "\n".join(lines[-LAST_LINES:]) if lines else "It printed nothing."
