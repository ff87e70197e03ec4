"""The last lines of a foreground `up`: how long, what is left, what next; and its exit status."""

import time
from typing import Any

from caplab.kernel.boot.manifest import shipped
from caplab.scripts.cli import show
from caplab.scripts.cli.foreground import Foreground
from caplab.scripts.cli.screen import Screen

INTERRUPTED = 130


def farewell(session: Foreground, spec: dict[str, Any], screen: Screen) -> int:
    """Say how it went, and return how `up` exits."""
    name = spec["name"]
    ended = session.ended or {}
    failure = session.failure()
    if failure is not None:
        screen.error(str(failure), failure.fix, failure.code)
    cleared = show.left_behind(ended.get("cleared", {}))
    if cleared:
        screen.say(f"cleared what it could not clear itself: {cleared}")
    left = show.left_behind(ended.get("left", {}))
    took = show.duration(time.monotonic() - session.began)
    if left:
        screen.say(f"{name} ended after {took}. LEFT BEHIND: {left}")
    else:
        nothing = "nothing is left behind: no process, segment, socket or file"
        screen.say(f"{name} ended after {took}; {nothing}")
    status = exit_status(session, spec, failed=bool(failure or left))
    if status == 0:
        screen.say(f"try next: {suggestion(name)}")
    return status


def exit_status(session: Foreground, spec: dict[str, Any], *, failed: bool) -> int:
    """0, 1 if anything failed, 130 after ^C, or the status of the PD that was named."""
    if session.interrupted:
        return INTERRUPTED
    if failed or session.out_of_time:
        return 1
    if spec["exit_code_from"]:
        return session.exit_codes.get(spec["exit_code_from"], 1)
    return 1 if session.failed else 0


def suggestion(name: str) -> str:
    """What a newcomer may want to see after this."""
    if name == "hello" and "shell" in shipped():
        return "`caplab up shell --console`, a shell from which PDs can be killed"
    return f"`caplab up {name} -d`, then `caplab ps`, `caplab kill PD` and `caplab console`"
