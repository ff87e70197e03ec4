"""The operator's end of the control socket: JSON lines, one request a connection.

A request that waits (`wait`, `kill --after`) holds nobody else up, because each has a connection
of its own, and a program that goes away leaves nothing behind.
"""

import json
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from caplab.kernel.host import rundir
from caplab.kernel.host.errors import NotRunning, OutOfTime, RequestRefused

CHUNK = 64 * 1024
REPLY_TIMEOUT = 60.0
"""Seconds for a request that the kernel answers at once, however busy it is."""
STARTING = "{} is still starting: its kernel does not listen yet."

Answer = dict[str, Any]


class Control:
    """Asks a running system; `path` is its `control.sock`."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path

    def ask(self, op: str, *, timeout: float | None = REPLY_TIMEOUT, **words: object) -> Answer:
        """One request and its answer. None waits for ever.

        Raises:
            NotRunning: the system is not there, or ended before it answered.
            RequestRefused: it said no, and why.
            OutOfTime: it did not answer in time.
        """
        with self.begin(op, **words) as question:
            return question.answer(timeout)

    def begin(self, op: str, **words: object) -> "Question":
        """Send a request and leave its answer for later."""
        return Question(self.name, self.path, {"id": 1, "op": op, **words})

    def watch(self) -> "Question":
        """The system's announcements, from now on: see `Question.events`."""
        return self.begin("watch")


class Question:
    """A request that has been sent. Its descriptor is readable when `receive` has something."""

    def __init__(self, name: str, path: Path, request: Answer) -> None:
        self.name = name
        self.op = request["op"]
        self.ended = False
        self._unread = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(str(path))
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            self._socket.close()
            raise NotRunning(_silent(name, path.parent)) from error

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> list[Answer]:
        """What has arrived, read once. `ended` says whether the other side has hung up."""
        try:
            data = self._socket.recv(CHUNK)
        except ConnectionResetError:
            data = b""
        self.ended = not data
        *lines, self._unread = (self._unread + data).split(b"\n")
        return [self._checked(json.loads(line)) for line in lines if line]

    def answer(self, timeout: float | None = None) -> Answer:
        """Wait for the answer. Raises as `Control.ask`."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self.ended:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not readable(self, left):
                raise OutOfTime(f"{self.name} did not answer `{self.op}` within {timeout:g} s.")
            for answer in self.receive():
                return answer
        raise NotRunning(f"{self.name} ended before it answered `{self.op}`.")

    def events(self) -> Iterator[Answer]:
        """The announcements of `watch`, until the system ends."""
        while not self.ended:
            for message in self.receive():
                if "event" in message:
                    yield message["event"]

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @staticmethod
    def _checked(message: Answer) -> Answer:
        error = message.get("error")
        if isinstance(error, dict):
            said = str(error.get("message", "refused"))
            raise RequestRefused(str(error.get("code", "refused")), said, str(error.get("fix", "")))
        message.pop("id", None)
        return message


def _silent(name: str, run_dir: Path) -> str:
    """Why nobody listens: a launcher is there before its kernel does, and after."""
    if rundir.is_running(run_dir):
        return f"{name} is just starting, or just ending: its kernel does not listen."
    return f"{name} is not running, or has just ended."


def readable(source: Any, timeout: float | None) -> bool:
    """Whether there is something to read, waiting for it at most so many seconds."""
    waiting = select.poll()  # not select(), which knows no descriptor above 1023
    waiting.register(source, select.POLLIN)
    return bool(waiting.poll(None if timeout is None else timeout * 1000))
