"""A system's console in the user's terminal: what `caplab console` and `up --console` do."""

import os
from collections.abc import Callable, Sequence

from caplab.kernel.host.watcher import ConsoleEnded, ConsoleError, ExpectTimeout, Watcher
from caplab.scripts.cli.escape import EscapeKey
from caplab.scripts.cli.margin import Margin
from caplab.scripts.cli.plain import PlainText, strip_terminal
from caplab.scripts.cli.raw_terminal import RawTerminal
from caplab.scripts.cli.window import Ending, News, Switch, Window, say

__all__ = [
    "ConsoleEnded",
    "ConsoleError",
    "Ending",
    "ExpectTimeout",
    "PlainText",
    "Switch",
    "Watcher",
    "attach",
    "strip_terminal",
    "tour",
]


def attach(
    socket_path: str,
    *,
    stdin_fd: int = 0,
    stdout_fd: int = 1,
    escape: str = "ctrl-]",
    mode: str = "",
    scrollback: bool = True,
    plain: bool = False,
    gone: str = "the system has gone down",
    take: bool = False,
    switch: Switch | None = None,
    more: bool = False,
    news: News | None = None,
    margin: Margin | None = None,
) -> Ending:
    """Join a console: scrollback first, then both directions until one side leaves.

    At a terminal every key goes to the system, ^C included, while we have the keyboard; the escape
    key leaves and does more (printed on attach, on standard error, as is all that we say). Standard
    input that is no terminal is sent byte for byte; when it ends we leave as soon as the answer is
    over, 0.3 s without output.

    Args:
        mode: as `Watcher`'s; if not given, ``console`` at a terminal and ``script`` elsewhere.
            ``watch`` sends nothing and reads no input but the escape key of a terminal.
        plain: without colours and carriage returns, as for NO_COLOR or a file.
        gone: what is said when the line ends, if anything.
        take: have the keyboard, whoever has it now.
        switch: gives the input to a client by name; with None it only asks whose it is.
        more: whether there is another UART to go to.
        news: what else is told here, each in a line.
        margin: where the cursor stands, if others write to this terminal too.

    Raises:
        ValueError: `escape` names no key.
        ConsoleError, OSError: as `Watcher`.
    """
    key = EscapeKey(escape)
    terminal = RawTerminal(stdin_fd)
    margin = margin or Margin(stdout_fd)
    ending = Ending.LEFT  # by a signal whose handler lets us live
    mode = mode or ("console" if os.isatty(stdin_fd) else "script")
    size = terminal.size() if mode == "console" else None
    with Watcher(
        socket_path, mode=mode, scrollback=scrollback, take=take, who=_name(stdin_fd), size=size
    ) as watcher:
        window = Window(
            watcher,
            stdin_fd,
            stdout_fd,
            key,
            plain=plain,
            switch=switch,
            more=more,
            margin=margin,
            news=news,
        )
        with terminal, window:
            ending = window.run(terminal)
    if ending is Ending.SYSTEM_ENDED and gone:
        say(gone, margin)
    return ending


def tour(uarts: Sequence[str], first: str, join: Callable[[str], Ending | None]) -> Ending | None:
    """Join one UART's console, then the next as often as the user wishes; how that ended."""
    at = list(uarts).index(first)
    while (ending := join(uarts[at])) is Ending.NEXT:
        at = (at + 1) % len(uarts)
    return ending


def _name(terminal: int) -> str:
    """What others are told while we have the keyboard."""
    try:
        return f"process {os.getpid()} on {os.ttyname(terminal).removeprefix('/dev/')}"
    except OSError:
        return f"process {os.getpid()}"
