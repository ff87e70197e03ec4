"""The last lines of a foreground `up`: how long, what is left, what next; and its exit status."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
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
        screen.say(f"try next: {suggestion(spec['manifest'], spec['uarts'])}")
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


def suggestion(manifest: str, uarts: Sequence[str]) -> str:
    """What a newcomer may want to see after a system of this manifest, which has these UARTs."""
    word = up_again(Path(manifest))
    if word == "hello" and "shell" in shipped():
        return "`caplab up shell --console`, a shell from which PDs can be killed"
    look = "console" if uarts else "graph"
    return f"`caplab up {word} -d`, then `caplab ps`, `caplab kill PD` and `caplab {look}`"


def up_again(manifest: Path) -> str:
    """What to call a manifest, from here."""
    known = shipped().get(manifest.stem)
    if known is not None and known.resolve() == manifest.resolve():
        return manifest.stem
    here = os.path.relpath(manifest)
    return str(manifest.resolve()) if here.startswith("..") else here
