"""A kernel process with the test as its launcher."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import msgpack

from caplab.kernel.boot.control import Control, readable
from caplab.kernel.host import rundir
from caplab.kernel.host.errors import NotRunning

PATIENCE = 20.0
START = "import sys\nfrom caplab.kernel.host.__main__ import main\n{}\nsys.exit(main(sys.argv[1:]))"


class KernelProcess:
    """`python -m caplab.kernel.host` on a boot specification, its output kept.

    `patch` is Python that runs in it before; `options` are its own.
    """

    def __init__(self, spec: dict[str, Any], patch: str = "", options: Sequence[str] = ()) -> None:
        self.prefix = rundir.new_prefix()
        self.spec = {"semantics": "lab", "uarts": [], "shm_prefix": self.prefix, **spec}
        claim = rundir.create(self.spec["name"], self.spec["uarts"])
        self.run_dir = claim.path
        self._lock = claim.lock
        (self.run_dir / "boot.json").write_text(json.dumps(self.spec))
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(PATIENCE)
        command = [sys.executable, "-P", "-c", START.format(patch), *options]
        self.process = subprocess.Popen(
            [*command, str(self.run_dir), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stderr=subprocess.PIPE,
        )
        theirs.close()
        self.control = Control(self.spec["name"], self.run_dir / "control.sock")
        self.printed = b""
        self._logs: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.wait()
        self.channel.close()
        for log in self._logs:
            os.close(log)
        os.close(self._lock)
        rundir.reap(self.run_dir)

    def ask(self, op: str, **words: Any) -> dict[str, Any]:
        """A request and its answer, as soon as it listens."""
        pidfd = os.pidfd_open(self.process.pid)
        try:
            while True:
                try:
                    return self.control.ask(op, timeout=PATIENCE, **words)
                except NotRunning:
                    if readable(pidfd, 0.005):
                        self.wait()
                        raise AssertionError(self.printed.decode()) from None
        finally:
            os.close(pidfd)

    def log(self) -> tuple[str, int]:
        """The next PD that was made, and the reading end of what it prints."""
        data, descriptors, _, _ = socket.recv_fds(self.channel, 65536, 4)
        self._logs += descriptors
        return msgpack.unpackb(data)["log"], descriptors[0]

    def wait(self) -> int:
        """Its exit status; `printed` is then what it said on standard error."""
        if self.process.stderr is not None and not self.process.stderr.closed:
            self.printed = self.process.communicate(timeout=PATIENCE)[1]
        return self.process.returncode

    def segments(self) -> list[Path]:
        return rundir.segments(self.prefix)


def program(folder: Path, source: str, name: str = "program") -> dict[str, Any]:
    """What `run` and `path` are for a PD whose program is `source`."""
    file = folder / f"{name}.py"
    file.write_text(source)
    run = {"module": name, "function": "main", "file": str(file)}
    return {"run": run, "path": [str(folder)]}


def pd(name: str, **more: Any) -> dict[str, Any]:
    """A PD of a boot specification."""
    return {"name": name, "args": {}, "uses": {}, "devices": [], "threads": 1, **more}
