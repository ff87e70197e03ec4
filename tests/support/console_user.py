"""Somebody at a terminal who is attached to a line, with pexpect for fingers and eyes."""

import os
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
def at_a_terminal(command: list[str], *, job_control: bool = False) -> Iterator[pexpect.spawn]:
    """A command in somebody's terminal, whose settings must be the same in the end.

    With `job_control` it goes on in the foreground once it has been stopped. Its exit status is
    the attribute `code`.
    """
    # The terminal outlives the program: the shell is what a real user would be left with.
    status = 'code=$?; stty -a; echo "code $code"'
    shell = f'ulimit -c 0; stty -a; echo started; "$@"; {status}'
    if job_control:
        said = 'echo "stopped, and the terminal says"; stty -a; echo "going on"; fg'
        shell = f'set -m; stty -a; echo started; "$@"; {said}; {status}'
    arguments = ["-c", shell, "sh", *command]
    env = {**os.environ, "TERM": "xterm"}
    with pexpect.spawn(
        "/bin/bash", arguments, timeout=PATIENCE, encoding="utf-8", env=env
    ) as terminal:
        terminal.expect("started")
        before = terminal.settings = settings(terminal.before)
        yield terminal
        terminal.expect(r"code (\d+)")
        terminal.code = int(terminal.match[1])
        assert settings(terminal.before) == before
        terminal.expect(pexpect.EOF)


@contextmanager
def user(
    line: LineProcess, prelude: str = "", *, job_control: bool = False, **options: object
) -> Iterator[pexpect.spawn]:
    """Somebody at a terminal who attached to a line."""
    with at_a_terminal(program(line, options, prelude), job_control=job_control) as terminal:
        terminal.expect(r"pid (\d+)")
        terminal.attached = int(terminal.match[1])
        yield terminal


def settings(stty: str) -> list[str]:
    """What `stty -a` printed, from its first words on."""
    return stty[stty.rindex("speed ") :].split()


def leave(terminal: pexpect.spawn) -> None:
    terminal.send(ESC + "q")
    terminal.expect("ending: left")
