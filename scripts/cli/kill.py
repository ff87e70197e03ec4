"""`caplab kill` and `caplab crash`: end a PD, and show what was done about it in order."""

from typing import Annotated, Any

import typer

from caplab.kernel.boot.running import CRASHES, Running
from caplab.kernel.host.errors import RequestRefused
from caplab.scripts.cli import show
from caplab.scripts.cli.options import After, Format, OutputFormat, SystemName

Target = Annotated[str, typer.Argument(metavar="PD", help="The PD, by name.")]
Signal = Annotated[str, typer.Option("-s", "--signal", metavar="SIGNAL", help="Name or number.")]
PdDepth = Annotated[
    str | None,
    typer.Option(
        "--pd-depth",
        metavar="N",
        help="Dependency edges within which PDs die too, or `all`.",
        show_default=False,
    ),
]
SpaceDepth = Annotated[
    str | None,
    typer.Option(
        "--space-depth",
        metavar="N",
        help="Map edges within which resource spaces go too, or `all`.",
        show_default=False,
    ),
]
How = Annotated[str, typer.Option("--how", metavar="HOW", help=", ".join(CRASHES) + ".")]


def kill(
    pd: Target,
    signal: Signal = "SIGKILL",
    after: After = None,
    pd_depth: PdDepth = None,
    space_depth: SpaceDepth = None,
    system: SystemName = None,
    output: OutputFormat = Format.TEXT,
) -> int:
    """Send a signal to a PD, and return when it is reaped and cleaned up after.

    Without depths the cleanup policies of the manifest and of the spaces decide.
    """
    depths = {"pd_depth": depth(pd_depth), "space_depth": depth(space_depth)}
    running = Running.attach(system)
    return tell(running.kill(pd, signal=signal, after=after, **depths), output)


def crash(
    pd: Target,
    how: How = "segv",
    after: After = None,
    system: SystemName = None,
    output: OutputFormat = Format.TEXT,
) -> int:
    """Answer a PD's current, next or N-th system call with a crash."""
    running = Running.attach(system)
    report = running.crash(pd, how, after=after)
    if how == "hang" and output is Format.TEXT:
        call = f"system call {after}" if after else "the call it is in, or else its next one"
        show.say(f"{pd} does not come back from {call}; `caplab kill {pd}` ends it")
        return 0
    return tell(report, output)


def depth(word: str | None) -> int | str | None:
    """A number of edges, `all`, or nothing. Raises RequestRefused."""
    if word is None or word == "all":
        return word
    if not (word.isascii() and word.isdecimal() and len(word) <= 9):
        message = f"A depth is a number of edges from 0 up, or `all`, not {word}."
        raise RequestRefused("bad-depth", message, "--pd-depth 1 --space-depth all, for example.")
    return int(word)


def tell(report: dict[str, Any], output: Format) -> int:
    """Show the account of a death."""
    if output is Format.JSON:
        show.as_json(report)
        return 0
    who = f"{report['pd']}/gen{report['generation']}"
    what = " ".join(str(report.get(key) or "") for key in ("state", "reason")).strip()
    print(f"{who} {show.harmless(what) or 'lives on'} ({show.duration(report['seconds'])})")
    for number, action in enumerate(report["actions"], 1):
        print(f"  {number}. {sentence(action)}")
    if report.get("more_actions"):
        print(f"  … and {report['more_actions']} more")
    freed = show.count(report["freed_callers"], "caller")
    print(f"  freed {freed}; pending: {pending(report) or 'nothing'}")
    return 0


def sentence(action: dict[str, Any]) -> str:
    """One action: its name, what it was done to, and what else is known of it."""
    rest = {key: value for key, value in action.items() if key not in ("action", "target")}
    words = f"{str(action['action']).replace('_', ' '):<16} {action['target']}"
    details = ", ".join(_detail(key, value) for key, value in rest.items())
    return show.harmless(f"{words} ({details})" if details else words)


def _detail(key: str, value: object) -> str:
    if key in ("badge", "distance", "generation", "seconds"):
        return f"{key} {value}"
    if key in ("object", "space"):
        return f"{key} {value:x}"  # as the names of spaces have it
    return str(value) if isinstance(value, str) else f"{value} {key}"


def pending(report: dict[str, Any]) -> str:
    return show.harmless(", ".join(str(item) for item in report["pending"]))
