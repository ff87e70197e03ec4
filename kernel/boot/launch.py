"""Starting a system: the run directory, the launcher in it, and the channel to the launcher."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgpack

from caplab.kernel.boot.build import build
from caplab.kernel.boot.checked import CheckedSystem
from caplab.kernel.boot.confinement import Host, decide, write_down
from caplab.kernel.boot.control import STARTING, Control, Question, readable
from caplab.kernel.host import rundir
from caplab.kernel.host.errors import HostError, NotRunning, OutOfTime, SystemFailed

PACKET = 128 * 1024
KNOCK = 0.005
"""Seconds between two looks for the control socket of a kernel that is starting."""

Spec = dict[str, Any]
Message = dict[str, Any]


def specification(
    system: CheckedSystem,
    *,
    name: str | None = None,
    arms: Sequence[Mapping[str, Any]] = (),
    exit_code_from: str | None = None,
    debug: Sequence[str] = (),
    host: Host | None = None,
) -> Spec:
    """The boot specification, with what the command line says in place of the manifest's word.

    `host` is where it will run: this one, which is tried, if none is given.
    """
    try:
        spec = build(system, shm_prefix=rundir.new_prefix(), name=name, arms=arms)
    except ValueError as error:
        raise HostError("bad-request", f"{error}.", status=2) from error
    write_down(spec, *decide(system, host or Host.tried()))
    if exit_code_from is not None:
        _known(spec, exit_code_from, "take the exit code from")
        spec["exit_code_from"] = exit_code_from
    for name in debug:
        _known(spec, name, "debug")["debug"] = True
    return spec


def _known(spec: Spec, name: str, to: str) -> Spec:
    """The PD of this name. Raises HostError (status 2) that says what it was wanted for."""
    pds: dict[str, Spec] = {pd["name"]: pd for pd in spec["pds"]}
    if name not in pds:
        message = f"There is no PD {name} to {to}."
        raise HostError("no-such-pd", message, f"The PDs are {', '.join(pds)}.", status=2)
    return pds[name]


class Launched:
    """A launcher that is our child, and its channel. Losing this object ends the system."""

    def __init__(self, spec: Spec, record: Path | None = None, paranoid: bool = False) -> None:
        self.name = str(spec["name"])
        debugged = [f"debug.d/{pd['name']}" for pd in spec["pds"] if pd.get("debug")]
        claim = rundir.create(self.name, [*spec["uarts"], *debugged])
        self.run_dir = claim.path
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            (claim.path / "boot.json").write_text(json.dumps(spec))
            strict = spec.get("confinement") == "strict"
            self.process = self._start(claim, theirs, record, paranoid, strict)
        except BaseException:
            self._channel.close()
            rundir.reap(claim.path)
            raise
        finally:
            theirs.close()
            os.close(claim.lock)

    @staticmethod
    def _start(
        claim: rundir.Claim,
        theirs: socket.socket,
        record: Path | None,
        paranoid: bool,
        strict: bool,
    ) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "caplab.kernel.host.launcher"]
        command += [str(claim.path), str(theirs.fileno()), str(claim.lock)]
        command.append("machine" if strict else "plain")
        if record is not None:
            command += ["--record", str(record.absolute())]
        if paranoid:
            command.append("--paranoid")
        with open(claim.path / "launcher.log", "wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno(), claim.lock],
                start_new_session=True,  # no terminal, so that ^C reaches no PD
            )

    def fileno(self) -> int:
        return self._channel.fileno()

    def receive(self) -> Message | None:
        """The launcher's next message; None once it has gone."""
        try:
            packet = self._channel.recv(PACKET)
        except ConnectionResetError:
            return None
        message: Message | None = msgpack.unpackb(packet) if packet else None
        return message

    def last_words(self) -> Message | None:
        """The launcher's last message, read past all others; None when it was killed."""
        while (message := self.receive()) is not None:
            if "ended" in message:
                return message
        return None

    def say(self, request: str) -> None:
        """`detach`, `quiet` or `kill`; nothing happens when the launcher has gone."""
        try:
            self._channel.send(msgpack.packb({"do": request}))
        except OSError:
            pass

    def reached(self, control: Control, op: str, timeout: float) -> Question:
        """Put a question to the kernel as soon as it listens.

        Raises SystemFailed when the system ends before, OutOfTime. Then the kernel, which does not
        hear of an order yet, is killed: there is nothing to stop one after the other.
        """
        try:
            return self._reached(control, op, timeout)
        except BaseException:
            self.say("kill")
            raise

    def _reached(self, control: Control, op: str, timeout: float) -> Question:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            try:
                return control.begin(op)
            except NotRunning:
                if not readable(self, KNOCK):
                    continue
            message = self.receive()
            if message is None or "ended" in message:
                raise self.failure(message)
        late = f"{self.name} is not ready within {timeout:g} s."
        raise OutOfTime(late, STARTING.format(self.name))

    def detach(self) -> None:
        """Leave the system to itself; it runs until `caplab down`."""
        self.say("detach")
        while (message := self.receive()) is not None:
            if "ended" in message:
                raise self.failure(message)
        self.close()
        self.process.returncode = 0  # its parent is init's business now

    def failure(self, ended: Message | None) -> SystemFailed:
        """Why the system is not there any more, as far as its launcher can tell."""
        if ended is None:
            return SystemFailed(f"The launcher of {self.name} has ended, and everything with it.")
        code = os.waitstatus_to_exitcode(ended["ended"])
        if code < 0:
            return SystemFailed(f"The kernel of {self.name} was ended by signal {-code}.")
        if ended["words"] is None:
            said = ended["last"].removeprefix("kernel: ") or f"status {code}, without a word"
            return SystemFailed(f"The kernel of {self.name} has ended: {said}.")
        return SystemFailed(
            f"The kernel of {self.name} has ended: {ended['last']}.",
            f"That is a fault in caplab; what the kernel said is in {ended['words']}.",
            "kernel-failed",
        )

    def close(self) -> None:
        """Let go. Unless it was told to detach, the launcher takes the system down."""
        self._channel.close()

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the launcher's own end, after which nothing of the system is left."""
        self.process.wait(timeout)
