"""What PDs print: always read, so that none ever blocks on it; kept within bounds.

A PD's standard output and error are one pipe. Everything that comes out of it is read at once;
what exceeds the rate is dropped and counted, and the log file says so where it happened.
"""

import fcntl
import os
import re
import termios
import time
from array import array
from pathlib import Path
from typing import NamedTuple

CHUNK = 64 * 1024
LOG_MAX = 256 * 1024
"""Bytes of a log file before it becomes `.1`, in place of the `.1` before."""
RATE = 1024 * 1024
"""Bytes per second that are kept of one PD's output."""
BURST = 2 * RATE


class Printed(NamedTuple):
    """One read: what to keep (and show), and whether the pipe has ended."""

    data: bytes
    ended: bool


class Drain:
    """The reading end of one PD's output and the file it is kept in."""

    def __init__(self, name: str, pipe: int, folder: Path) -> None:
        os.set_blocking(pipe, False)
        self.name = name
        self.pipe = pipe
        self.path = log_path(folder, name)
        self._allowance = float(BURST)
        self._refilled = time.monotonic()
        self._dropped = 0

    def read(self) -> Printed:
        """Take what the pipe holds, at most one chunk, and log what the rate allows of it."""
        try:
            data = os.read(self.pipe, CHUNK)
        except BlockingIOError:
            return Printed(b"", ended=False)
        kept = self._within_rate(data)
        if self._dropped and (kept or not data):
            note = f"[caplab: {self._dropped} bytes of output dropped here]\n".encode()
            self._dropped = 0
            kept = note + kept
        if kept:
            _append(self.path, kept)
        return Printed(kept, ended=not data)

    @property
    def chunks(self) -> int:
        """How many reads take what the pipe holds now."""
        held = array("i", [0])
        fcntl.ioctl(self.pipe, termios.FIONREAD, held)
        return -(-held[0] // CHUNK)

    def close(self) -> None:
        os.close(self.pipe)

    def _within_rate(self, data: bytes) -> bytes:
        now = time.monotonic()
        self._allowance = min(BURST, self._allowance + RATE * (now - self._refilled))
        self._refilled = now
        if len(data) > self._allowance:
            self._dropped += len(data)
            return b""
        self._allowance -= len(data)
        return data


def log_path(folder: Path, name: str) -> Path:
    """Where the output of the PD of this name is kept."""
    return folder / (re.sub(r"[^A-Za-z0-9_-]", "_", name)[:100] + ".log")


def _append(path: Path, data: bytes) -> None:
    """Add to the log, opened anew each time: a rotated or deleted file is no special case."""
    try:
        log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:  # a full or vanished disk takes nothing from the PD
        return
    try:
        if os.fstat(log).st_size + len(data) > LOG_MAX:
            os.replace(path, path.with_suffix(".log.1"))
            os.close(log)
            log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.write(log, data)
    except OSError:
        pass
    finally:
        os.close(log)
