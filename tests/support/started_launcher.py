"""A launcher with a stand-in kernel, as the CLI sees it."""

import os
import socket
import subprocess
import sys
from typing import Any

import msgpack

import stand_in_kernel
from caplab.kernel.host import rundir

START = """
import socket, sys
from pathlib import Path
from caplab.kernel.host import launcher, launcher_loop
launcher_loop.ORPHAN_PATIENCE, launcher_loop.DOWN_PATIENCE = 0.2, 0.3
run_dir, cli, kind, *kernel = sys.argv[1:]
cli = socket.socket(fileno=int(cli))
cli.set_inheritable(False)
kernel = launcher.start_kernel([sys.executable, *kernel, run_dir], machine=kind == "machine")
sys.exit(launcher_loop.Launcher(Path(run_dir), cli, kernel).run())
"""


class Started:
    """A launcher with a stand-in kernel, as the CLI sees it."""

    def __init__(self, mode: str, kind: str = "plain") -> None:
        claim = rundir.create("test")
        self.run_dir = claim.path
        self.cli, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.cli.settimeout(20)
        command = [sys.executable, "-c", START, str(claim.path), str(theirs.fileno()), kind]
        self.process = subprocess.Popen(
            [*command, stand_in_kernel.__file__, mode],
            pass_fds=[theirs.fileno(), claim.lock],
            start_new_session=True,
        )
        theirs.close()
        os.close(claim.lock)
        self.kernel: int = self.message("kernel")["kernel"]

    def message(self, kind: str) -> dict[str, Any]:
        """The next message of this kind."""
        while packet := self.cli.recv(1 << 20):
            message: dict[str, Any] = msgpack.unpackb(packet)
            if kind in message:
                return message
        raise EOFError(kind)

    def ready(self) -> None:
        """Once its PD has printed, the stand-in heeds its signals."""
        self.message("log")

    def say(self, request: str) -> None:
        self.cli.send(msgpack.packb({"do": request}))

    def close(self) -> None:
        self.cli.close()
        self.process.wait(20)
