"""A stand-in for a running system: its run directory and a control socket with set answers."""

import json
import os
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from caplab.kernel.host import rundir

ROW = {
    "pd": "hello1",
    "generation": 1,
    "pid": None,
    "role": "client",
    "state": "waiting",
    "reason": "reply from serial/gen1",
    "exit_code": None,
    "calls": 7,
    "caps": 5,
    "confinement": "none",
    "tcbs": [{"tcb": "hello1", "state": "waiting", "reason": "reply from serial/gen1"}],
}


class StandIn:
    """Answers each operation from `answers`; a list of them gives one after the other.

    An answer may be a dict, an error as `{"error": …}`, a tuple of dicts (lines, one after the
    other), or None: the system ends before it answers.
    `requests` collects what was asked.
    """

    def __init__(self, name: str = "test", **answers: Any) -> None:
        self.requests: list[dict[str, Any]] = []
        self.answers: dict[str, Any] = {"ps": {"pds": [ROW]}, "logs": {}, **answers}
        self._claim = rundir.create(name)
        self.run_dir: Path = self._claim.path
        (self.run_dir / "boot.json").write_text(json.dumps({"shm_prefix": "cl.0badc0d3."}))
        (self.run_dir / "run.json").write_text(
            json.dumps(
                {
                    "system": name,
                    "kernel_pid": 2**22 - 3,  # no process: what is measured of it is null
                    "zygote_pid": 2**22 - 2,
                    "manifest": "test.yaml",
                }
            )
        )
        (self.run_dir / "logs").mkdir()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.run_dir / "control.sock"))
        self._listener.listen()
        self._watching: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection.makefile("rb") as lines:
                line = lines.readline()
            if not line:
                connection.close()
                return  # `close` knocked
            request = json.loads(line)
            self.requests.append(request)
            if request["op"] == "watch":
                self._watching.append(connection)
                continue
            answer = self.answers.get(request["op"], {"error": {"code": "x", "message": "no"}})
            if isinstance(answer, list):
                answer = answer.pop(0)
            lines = answer if isinstance(answer, tuple) else () if answer is None else (answer,)
            said = [json.dumps({"id": request["id"], **line}) + "\n" for line in lines]
            # In one go: who has read enough hangs up, and who gave up before has done so already.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall("".join(said).encode())
            connection.close()

    def announce(self, **event: Any) -> None:
        """Tell every `watch` that has been asked for."""
        for connection in self._watching:
            connection.sendall(json.dumps({"event": event}).encode() + b"\n")

    def hang_up(self) -> None:
        """End every `watch`, as a system does that ends."""
        for connection in self._watching:
            connection.close()
        self._watching.clear()

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX) as knock:
            knock.connect(str(self.run_dir / "control.sock"))
        self._thread.join()
        self._listener.close()
        self.hang_up()
        os.close(self._claim.lock)
        rundir.reap_stale()
