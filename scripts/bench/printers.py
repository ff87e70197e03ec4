"""The programs of `bench serial`: who prints a megabyte, who never pauses, who echoes a key."""

import time
from functools import partial

from caplab.pd.env import Env
from caplab.scripts.bench.programs import UART, typed
from caplab.scripts.bench.sampling import BODY, Trip, p50, sampled
from caplab.servers.serial import Serial

MEGABYTE = 1 << 20
PIECE = 4096
"""Bytes written at once: a page, as the C library's stdio does, and all a window holds."""
LINE = 64
"""Bytes of a line."""
BETWEEN_KEYS = 0.002
"""Seconds: whoever types gives the shell the time to ask for the next key."""
BABBLED = 63
"""Bytes of a line of who never pauses, its end not counted."""


def text(end: bytes = b"\n") -> bytes:
    """A megabyte of a console's lines, each with this end."""
    line = b"%-63s" % b"what a program has to say, in one line of a console"
    return (line + end) * (MEGABYTE // LINE)


def bare(env: Env, uart: str) -> None:
    """Writes to its line itself, a megabyte whenever something is typed there."""
    line = env.device(uart)
    printed = text(b"\r\n")
    for _ in typed(env, uart):
        for start in range(0, len(printed), PIECE):
            line.write(printed[start : start + PIECE])


def printer(env: Env, control: str, buffering: str) -> None:
    """Prints through the serial server, a megabyte whenever something is typed at its control."""
    out = Serial.connect(env.endpoint("console"), buffering=buffering)
    printed = text()
    for _ in typed(env, control):
        for start in range(0, MEGABYTE, PIECE):
            out.write(printed[start : start + PIECE])
        out.flush()


def babbler(env: Env, number: int, buffering: str) -> None:
    """Prints lines that name it and never pauses."""
    out = Serial.connect(env.endpoint("console"), buffering=buffering)
    line = (b"%02d has something to say" % number).ljust(BABBLED) + b"\r\n"
    while True:
        out.write(line)


def echoer(env: Env) -> None:
    """Prints each key that is typed, as a shell does that edits its line itself."""
    console = Serial.connect(env.endpoint("console"))
    console.write(b"ready\n")
    while True:
        console.write(console.read())


def caller(env: Env) -> None:
    """Answers each number that is typed: the p50 of so many calls, in microseconds, each made when
    the next key would be pressed."""
    trip = partial(env.endpoint("echo").call, 0, BODY)
    uart = env.device(UART)
    uart.write(b"ready\n")
    for wanted in typed(env):
        uart.write(b"p50 %.3f\n" % p50(paced(trip, int(wanted))))


def paced(trip: Trip, count: int) -> list[int]:
    """Nanoseconds of each of so many trips, with a pause before each."""
    samples = []
    for _ in range(count):
        time.sleep(BETWEEN_KEYS)  # the pause between two keys is part of what is measured
        samples += sampled(trip, 1)
    return samples
