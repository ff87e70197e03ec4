"""Somebody at a terminal who is attached to a line, with pexpect for fingers and eyes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pexpect

from line_process import PATIENCE, LineProcess

ATTACH = """
import os
from caplab.scripts.cli import console
print("pid", os.getpid(), flush=True)
{prelude}
print("ending:", console.attach({socket!r}, **{options!r}).value)
"""
ESC = "\x1d"
BANNER = r"\[caplab\] uart0 on /dev/pts/\d+\. Ctrl-\] then: q leaves"


def program(line: LineProcess, options: dict[str, object], prelude: str = "") -> list[str]:
    text = ATTACH.format(socket=line.socket, options=options, prelude=prelude)
    return [sys.executable, "-c", text]


@contextmanager
def user(
    line: LineProcess, prelude: str = "", *, job_control: bool = False, **options: object
) -> Iterator[pexpect.spawn]:
    """Somebody at a terminal who attached; its settings must be the same in the end.

    With `job_control` the program goes on in the foreground once it has been stopped.
    """
    # The terminal outlives the program: the shell is what a real user would be left with.
    shell = 'ulimit -c 0; stty -a; "$@"; code=$?; stty -a; echo "code $code"'
    if job_control:
        said = 'echo "stopped, and the terminal says"; stty -a; echo "going on"; fg'
        shell = f'set -m; stty -a; "$@"; {said}; code=$?; stty -a; echo "code $code"'
    arguments = ["-c", shell, "sh", *program(line, options, prelude)]
    with pexpect.spawn("/bin/bash", arguments, timeout=PATIENCE, encoding="utf-8") as terminal:
        terminal.expect(r"pid (\d+)")
        before = terminal.settings = settings(terminal.before)
        terminal.attached = int(terminal.match[1])
        yield terminal
        terminal.expect(r"code (\d+)")
        terminal.code = int(terminal.match[1])
        assert settings(terminal.before) == before
        terminal.expect(pexpect.EOF)


def settings(stty: str) -> list[str]:
    """What `stty -a` printed, from its first words on."""
    return stty[stty.rindex("speed ") :].split()


def leave(terminal: pexpect.spawn) -> None:
    terminal.send(ESC + "q")
    terminal.expect("ending: left")
