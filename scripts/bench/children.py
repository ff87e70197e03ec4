"""Processes beside the measured system: started, asked a line at a time, ended by their pids."""

import os
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from caplab.kernel.host.errors import HostError

PATIENCE = 30.0
"""Seconds within which a process says what is expected of it, however slow the machine."""


NOT_KEPT = "PYTHONDONTWRITEBYTECODE"


@contextmanager
def compiled() -> Iterator[None]:
    """Whoever is started here keeps what Python compiles, as without further ado everybody does;
    else one would time the compiler, on whichever side has more modules that are not installed."""
    told = os.environ.pop(NOT_KEPT, None)
    try:
        yield
    finally:
        if told is not None:
            os.environ[NOT_KEPT] = told


class Children:
    """The processes of one yardstick; on leaving the context they are gone."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start one more; it is asked through its standard input and answers on its output."""
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.processes.append(process)
        return process

    def end(self) -> None:
        """Kill them all, which holds nothing up: they own nothing but descriptors."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.communicate()
        self.processes.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()


def tell(process: subprocess.Popen[bytes], line: str) -> None:
    """Give the process a line."""
    assert process.stdin is not None
    process.stdin.write(line.encode() + b"\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[bytes], end: float) -> str:
    """The process's next line, by that moment of the monotonic clock."""
    assert process.stdout is not None
    fd = process.stdout.fileno()
    waiting = select.poll()
    waiting.register(fd, select.POLLIN)
    text = b""
    while not text.endswith(b"\n"):
        if not waiting.poll(max(0.0, end - time.monotonic()) * 1000):
            raise HostError("bench-failed", f"{process.args!r} said nothing in time.")
        part = os.read(fd, 4096)
        if not part:
            raise HostError("bench-failed", f"{process.args!r} has ended.")
        text += part
    return text.decode().strip()
