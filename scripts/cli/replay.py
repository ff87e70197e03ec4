"""`caplab replay`: the state a recorded run led to, rebuilt with no process."""

from pathlib import Path
from typing import Annotated

import typer

from caplab.kernel.boot.replay import Rebuilt, rebuild
from caplab.scripts.cli import show
from caplab.scripts.cli.numbers import whole
from caplab.scripts.cli.options import Format, OutputFormat
from caplab.scripts.cli.ps import shortened

DONE, DIFFERS = 0, 1
NEVER = "none"
"""In place of a recorded hash when the log has none up to there."""


def replay(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="What `up --record LOG` has written.")],
    until: Annotated[
        int | None,
        typer.Option(
            "--until",
            metavar="N",
            parser=whole("--until", "events"),
            help="The state after N events.",
            show_default=False,
        ),
    ] = None,
    output: OutputFormat = Format.TEXT,
) -> int:
    """Rebuild the state of a recorded run and show it. Exits 1 when it is not the recorded one."""
    state = rebuild(log, until)
    notes(state, log, until)
    if output is Format.JSON:
        as_json(state)
    else:
        as_text(state)
    return DONE if state.first_difference is None else DIFFERS


def notes(state: Rebuilt, log: Path, until: int | None) -> None:
    """What is to be said of the log itself."""
    if until is not None and state.event < until:
        show.say(f"{log} has {show.count(state.event, 'event')}; there is no event {until}")
    if not state.whole and (until is None or state.event < until):
        show.say(f"{log} is cut off; its last whole record is reached after event {state.event}")
    different = state.first_difference
    if different is not None:
        show.say(f"the replay is not the recorded run: they differ at event {different.event}")


def last_check(state: Rebuilt) -> tuple[str, str, int]:
    """Replayed hash, recorded hash and event of the last checkpoint passed, if one was."""
    if not state.checks:
        return state.hash, NEVER, state.event
    check = state.checks[-1]
    return check.replayed, check.recorded, check.event


def as_text(state: Rebuilt) -> None:
    print(
        f"{show.harmless(state.system)} (semantics: {state.semantics}) after "
        f"{show.count(state.event, 'event')}, {show.duration(state.seconds)} from its boot"
    )
    heads = ("PD", "GEN", "PID", "ROLE", "STATE", "WHY", "CALLS", "CAPS", "HOLDS")
    keys = ("pd", "generation", "pid", "role", "state")
    rows = [
        (*(row[key] for key in keys), shortened(row["reason"]), row["calls"], row["caps"], held)
        for row in state.pds
        for held in [", ".join(f"{kind} {count}" for kind, count in row["holds"].items())]
    ]
    show.table(heads, rows)
    tcbs = [(tcb["tcb"], tcb["state"], tcb["reason"]) for row in state.pds for tcb in row["tcbs"]]
    if tcbs:
        show.table(("TCB", "STATE", "WHY"), tcbs)
    if state.jobs:
        print(f"{show.count(state.jobs, 'job')} not finished")
    replayed, recorded, event = last_check(state)
    print(f"replayed {replayed} recorded {recorded} at event {event}")


def as_json(state: Rebuilt) -> None:
    replayed, recorded, event = last_check(state)
    show.as_json(
        {
            "system": state.system,
            "semantics": state.semantics,
            "event": state.event,
            "seconds": state.seconds,
            "jobs": state.jobs,
            "whole": state.whole,
            "pds": state.pds,
            "checks": [
                {"event": one.event, "replayed": one.replayed, "recorded": one.recorded}
                for one in state.checks
            ],
            "replayed": replayed,
            "recorded": recorded if state.checks else None,
            "at_event": event,
            "hash": state.hash,
        }
    )
