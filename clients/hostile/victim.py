"""The victims: they do what they always do, and tell the judge when anything was wrong with it."""

from __future__ import annotations

from caplab import Env, PeerDied
from caplab.clients.hostile.judging import Say, tell
from caplab.servers.echo import Echo
from caplab.servers.serial import Serial

CALLS = 20
"""Between two reports."""
PATTERN = bytes(range(256)) * 16


def caller(env: Env) -> None:
    """Call an echo server and look after a page of memory, as long as there is a judge."""
    echo = Echo(env.endpoint("echo"))
    with env.memory().map() as page:
        page.write(0, PATTERN)
        wrong, longest = 0, 0.0
        while _judged(env, CALLS, wrong, longest):
            wrong, longest = 0, 0.0
            for number in range(CALLS):
                before = env.now()
                wrong += echo.echo([number, 7]).words != (number, 7)
                longest = max(longest, env.now() - before)
            if page.read() != PATTERN:
                wrong += 1
                page.write(0, PATTERN)


def teller(env: Env) -> None:
    """Print on the console, as long as there is a judge."""
    with Serial.connect(env.endpoint("console")) as console:
        wrong, longest = 0, 0.0
        while _judged(env, 1, wrong, longest):
            before = env.now()
            wrong = int(console.write(b".") != 1)
            longest = env.now() - before
        console.write(b"\n")


def _judged(env: Env, calls: int, wrong: int, longest: float) -> bool:
    """Report; false when there is no judge any more."""
    report = {"calls": calls, "wrong": wrong, "longest": int(longest * 1e6)}
    try:
        tell(env, Say.BEAT, name=env.name, **report)
    except PeerDied:
        return False
    return True
