"""A real line process and the driver's end of its cable."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgpack
import serial

from caplab.kernel.host.watcher import Watcher
from caplab.pd.register import Input, Unmarked, WindowSize

RUN = "import sys; from caplab.kernel.host.line import run; sys.exit(run(int(sys.argv[1])))"
PATIENCE = 20.0


class LineProcess:
    """`cable` is what a driver PD holds; `hang_up` is what the system's end does to the line."""

    def __init__(self, folder: Path, uart: str = "uart0") -> None:
        self.folder = folder
        self.cable, far = socket.socketpair()
        self.cable.settimeout(PATIENCE)
        self._unmarked = Unmarked()
        spawn_read, spawn_write = os.pipe()
        status_read, status_write = os.pipe()
        inherited = (spawn_read, status_write, far.fileno())
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(spawn_read)],
            pass_fds=inherited,
            stdin=subprocess.DEVNULL,
        )
        spawn = {
            "line": 0,
            "uart": uart,
            "dir": str(folder),
            "status_fd": status_write,
            "cable_fd": far.detach(),
        }
        with open(spawn_write, "wb") as pipe:
            pipe.write(msgpack.packb(spawn))
        for descriptor in inherited:
            os.close(descriptor)
        with open(status_read) as pipe:
            self.status: dict[str, Any] = json.loads(pipe.read())

    @property
    def tty(self) -> str:
        return str(self.status["tty"])

    @property
    def socket(self) -> str:
        return str(self.status["socket"])

    @property
    def log(self) -> bytes:
        old = sorted(self.folder.glob("console.log.*"), reverse=True)
        return b"".join(path.read_bytes() for path in [*old, self.folder / "console.log"])

    def print(self, data: bytes) -> None:
        """As the driver does; returns when the line has taken it or will."""
        self.cable.sendall(data)

    def typed(self, size: int) -> bytes:
        """What the driver reads: exactly `size` bytes, sizes of windows left out."""
        data = b""
        while len(data) < size:
            parts = [p for p in self.input(size - len(data)) if not isinstance(p, WindowSize)]
            data += b"".join(part for part in parts if isinstance(part, bytes))
            assert all(isinstance(part, bytes) for part in parts)
        return data

    def input(self, limit: int = 4096) -> list[Input]:
        """What has come up the line, at least a byte of it or of a mark."""
        data = self.cable.recv(limit)
        assert data, "the line closed the cable"
        return self._unmarked.feed(data)

    def dropped(self) -> int:
        """Bytes that no reader of the PTY got. Ask once a watcher has seen what was printed."""
        with Watcher(self.socket, mode="watch", scrollback=False) as watcher:
            count = watcher.welcome["dropped"]
            assert isinstance(count, int)
            return count

    def port(self) -> serial.Serial:
        """The PTY, opened as a program with pyserial does."""
        return serial.Serial(str(self.folder / "tty"), timeout=PATIENCE, write_timeout=PATIENCE)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """What happens within reaches the line all at once, when it goes on."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def hang_up(self) -> int:
        """Close the driver's end and wait. Returns the line's exit status."""
        self.cable.close()
        return self.process.wait(PATIENCE)

    def left(self) -> list[str]:
        """What the line left in its folder, which is then removed, as the run directory is."""
        names = sorted(path.name for path in self.folder.iterdir())
        shutil.rmtree(self.folder)
        return names

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cable.close()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()


@contextmanager
def running_line(folder: Path) -> Iterator[LineProcess]:
    """A line that must end well, leaving its log and nothing else."""
    with LineProcess(folder, folder.name) as line:
        yield line
    assert line.process.returncode == 0
    assert all(name.startswith("console.log") for name in line.left())
