"""The programs of `bench serial`: who prints a megabyte, who never pauses, who echoes a key."""

from caplab.pd.env import Env
from caplab.scripts.bench.programs import typed
from caplab.servers.serial import Serial

PIECE = 4096
"""Bytes written at once: a page, what the serial server's window holds."""


def text(size: int) -> bytes:
    """Lines of a console, so many bytes of them."""
    line = b"%-62s\r\n" % b"what a program has to say, in one line of a console"
    return (line * (size // len(line) + 1))[:size]


def bare(env: Env, uart: str) -> None:
    """Writes to its line itself, as many bytes as are typed there, a piece at a time."""
    line = env.device(uart)
    for wanted in typed(env, uart):
        printed = text(int(wanted))
        for start in range(0, len(printed), PIECE):
            line.write(printed[start : start + PIECE])


def printer(env: Env, control: str, buffering: str) -> None:
    """Prints through the serial server, as many bytes as are typed at its control UART."""
    out = Serial.connect(env.endpoint("console"), buffering=buffering)
    for wanted in typed(env, control):
        printed = text(int(wanted))
        for start in range(0, len(printed), PIECE):
            out.write(printed[start : start + PIECE])
        out.flush()


def babbler(env: Env, number: int, buffering: str) -> None:
    """Prints lines that name it and never pauses."""
    out = Serial.connect(env.endpoint("console"), buffering=buffering)
    line = b"%02d %-60s\r\n" % (number, b"has something to say")
    while True:
        out.write(line)


def echoer(env: Env) -> None:
    """Prints each key that is typed, as a shell does that edits its line itself."""
    console = Serial.connect(env.endpoint("console"))
    console.write(b"ready\n")
    while True:
        console.write(console.read())
