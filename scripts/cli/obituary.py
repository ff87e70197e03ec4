"""PDs that have ended and come back, in the words of `up` and of consoles."""

from typing import Any

from caplab.scripts.cli import show

ENDED = ("exited", "killed", "faulted")
"""States of a PD that is no more."""


def obituary(event: dict[str, Any]) -> str:
    """The end of a PD in a line: `hello1 was killed: SIGKILL by operator`."""
    reason = show.harmless(str(event.get("reason") or ""))
    said = {"exited": "exited", "killed": "was killed", "faulted": "faulted"}[event["state"]]
    return f"{full_name(event)} {said}" + (f": {reason}" if reason else "")


def full_name(event: dict[str, Any]) -> str:
    """`hello1`, and `hello1/gen2` once it has been restarted."""
    generation = event.get("generation")
    return f"{event['pd']}/gen{generation}" if generation else str(event["pd"])
