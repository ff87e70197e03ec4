"""The host: everything around one kernel, put together.

It knows which process, socket, descriptor or file stands behind a number of the core's, performs
the effects, and turns what happens outside into events. `run` returns the exit status.
"""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from caplab.kernel.abi import FaultLabel
from caplab.kernel.confine.libc import Libc
from caplab.kernel.core import effects
from caplab.kernel.core.events import Boot, Event, Exited, Faulted, Interrupt, Operator, Started
from caplab.kernel.core.kernel import Kernel
from caplab.kernel.host import outside, teardown
from caplab.kernel.host.channel import Channel
from caplab.kernel.host.control import Control
from caplab.kernel.host.doorbell import Doorbell
from caplab.kernel.host.guards import Look, guards
from caplab.kernel.host.lines import LineFailed, Lines
from caplab.kernel.host.loop import Loop
from caplab.kernel.host.memfds import MemFds
from caplab.kernel.host.namespaces import HEEDED, resize_shm
from caplab.kernel.host.paging import Paging
from caplab.kernel.host.processes import NEVER_RAN, Fault, Processes
from caplab.kernel.host.record import Recorder
from caplab.kernel.host.segments import Segments
from caplab.kernel.host.seldom import Seldom
from caplab.kernel.host.trace import Tracer

HANGUP_GRACE = 0.25
"""Seconds between the end of a connection and the question whether its process lives on."""
OWN_REQUEST = 0
"""The number of requests that no operator made: SIGTERM's `down`."""


class PartGone(Exception):
    """A process that the system cannot do without has ended."""


class Host:
    """One system on this machine.

    Args:
        run_dir: its run directory, locked.
        spec: the boot specification.
        launcher, zygote: the kernel's ends of their channels; `zygote_pid` is our child.
        kernel, step: the core, and what is called for each event (see `Loop`).
    """

    def __init__(
        self,
        run_dir: Path,
        spec: dict[str, Any],
        launcher: socket.socket,
        zygote: socket.socket,
        zygote_pid: int,
        kernel: Kernel,
        step: Callable[[Event], list[effects.Effect]],
        recorder: Recorder | None = None,
    ) -> None:
        self.run_dir = run_dir
        self.spec = spec
        self.zygote_pid = zygote_pid
        self.recorder = recorder
        self._pids = outside.system_pids(zygote_pid)
        self._since = time.time()
        self._booted = False
        self._short = Seldom()
        self.ending = False
        """Set by the teardown: from then on it is no news that something ends."""
        address = f"ipc://{run_dir}/kernel.sock"
        self.loop = Loop(address, kernel, step, self._effects(), recorder)
        self.doorbell = Doorbell(self.loop.inbox, self.loop.bell.ring)
        self.zygote = Channel(zygote, self.doorbell, self._from_zygote, self._gone("the zygote"))
        self.launcher = Channel(
            launcher, self.doorbell, self._from_launcher, self._gone("the launcher")
        )
        handed = spec.get("confinement") == "basic"
        constants = {
            "address": address,
            "semantics": spec.get("semantics", "lab"),
            "handed": handed,
        }
        self.processes = Processes(
            self._sender(self.zygote),
            self._sender(self.launcher),
            constants,
            {root for pd in spec["pds"] for root in pd.get("path") or ()},
            spec.get("confinement", "none"),
        )
        self.segments: Segments | MemFds = (
            MemFds(self.processes.hand)
            if handed
            else Segments(
                folders=strict(spec), resize=partial(resize_shm, Libc()) if strict(spec) else None
            )
        )
        self.paging = Paging(self.processes, self.segments, self._sender(self.zygote))
        self.lines = Lines(
            self.doorbell, self._sender(self.zygote), self._interrupt, self._lines_changed
        )
        self.control = Control(
            self.doorbell,
            run_dir / "control.sock",
            self._info,
            self._from_operator,
            self._switch_trace,
        )
        self._guards = guards(kernel, self.loop, self.processes, self.doorbell)
        self._untraced = step
        self.tracer = Tracer(kernel, step, lambda: self.doorbell.call(self._give_trace))

    def run(self) -> int:
        """Boot the system and serve until it is down."""
        self._listen_for_signals()
        self.doorbell.watch(self.loop.hangups.fileno(), self._hangups)
        self.control.listen()
        self._write_run_file()
        for look in self._guards:
            self._watch(look)
        self.doorbell.start()
        if strict(self.spec):
            self._confine_pds()
        self.lines.start(self.spec.get("uarts") or (), self.run_dir)
        try:
            self._lines_changed()
            self.loop.run()
        except LineFailed as error:
            print(f"kernel: {error}", file=sys.stderr)
            teardown.in_order(self)
            return 1
        except BaseException as error:  # noqa: BLE001  # a bug of ours, or a part of us is gone
            teardown.at_once(self, error)
            return teardown.BROKEN
        teardown.in_order(self)
        return 0

    # -- effects ------------------------------------------------------------------------------

    def _effects(self) -> dict[type, Callable[[Any], None]]:
        """What performs which effect. Resume is the loop's own."""
        return {
            effects.Spawn: self._spawn,
            effects.Kill: lambda effect: self.processes.kill(effect),
            effects.Stop: lambda effect: self.processes.stop(effect),
            effects.Continue: lambda effect: self.processes.resume(effect),
            effects.CreateSegment: self._create_segment,
            effects.GrantSegment: lambda effect: self.segments.grant(effect),
            effects.WithdrawSegment: lambda effect: self.paging.withdraw(effect),
            effects.MapPages: lambda effect: self.paging.map(effect),
            effects.ContinueFault: lambda effect: self.paging.go_on(effect),
            effects.DestroySegment: lambda effect: self.segments.destroy(effect),
            effects.Unmask: lambda effect: self.lines.unmask(effect),
            effects.Answer: self._answer,
            effects.Announce: self._announce,
        }

    def _spawn(self, effect: effects.Spawn) -> None:
        self.segments.admit(effect.pd)
        ids = self.loop.register(effect.pd, effect.spec["tcbs"])
        spec = effect.spec
        registers = {name: self.lines.register(name) for name in spec["devices"]}
        try:
            debug = spec.get("debug")
            terminal = self.lines.plug(effect.pd, spec["name"], self.run_dir) if debug else None
            self.processes.spawn(effect, ids, registers, terminal)
        except OSError as error:
            self._never_ran(effect.pd, str(error))

    def _confine_pds(self) -> None:
        """Tell the zygote what PDs are to see, now that the socket is there."""
        socket_path = self.run_dir / "kernel.sock"
        # PDs have users of their own; nobody else gets into the folder that it lies in.
        socket_path.chmod(0o666)
        read = {path for pd in self.spec["pds"] for path in code_of(pd)}
        request = {"op": "confine", "read": sorted(read), "socket": str(socket_path)}
        self.doorbell.call(lambda: self.zygote.send(request))

    def _never_ran(self, pd: int, reason: str) -> None:
        print(f"kernel: {reason}", file=sys.stderr)
        self.loop.inbox.append(lambda: self._exited(pd, NEVER_RAN))

    def _answer(self, effect: effects.Answer) -> None:
        self.doorbell.call(lambda: self.control.answer(effect.request, effect.body))

    def _announce(self, effect: effects.Announce) -> None:
        self.doorbell.call(lambda: self.control.announce(effect.body))

    # -- what happens outside; called in the core thread ------------------------------------

    def _feed(self, make: Callable[[int], Event]) -> None:
        self.loop.feed(make(time.monotonic_ns()))

    def _lines_changed(self) -> None:
        """Boot once every line is up."""
        if not self._booted and not self.ending and self.lines.up:
            self._booted = True
            self._feed(lambda now: Boot(now, self.spec))
            self.doorbell.call(self.control.open)

    def _started(self, pd: int, pid: int, pidfd: int) -> None:
        # To others it is known by another number, to our sockets by this one.
        known_as = outside.pid_of(pidfd)
        self.processes.started(pd, known_as, pidfd)
        self._feed(lambda now: Started(now, pd, known_as))
        self.loop.started(pd, pid)

    def _exited(self, pd: int, status: int) -> None:
        status, fault = self.processes.last_fault(pd, status)
        self._faulted(fault)
        self._feed(lambda now: Exited(now, pd, status))
        self.processes.exited(pd)
        self.paging.forget(pd)
        self.loop.forget(pd)
        self.segments.dismiss(pd)
        self.lines.unplug(pd)

    def _faulted(self, fault: Fault | None) -> None:
        if fault is not None:
            self._feed(lambda now: Faulted(now, fault.tcb, FaultLabel.VM_FAULT, *fault[1:]))

    def _interrupt(self, irq: int) -> None:
        self._feed(lambda now: Interrupt(now, irq))

    def _operator(self, request: int, command: dict[str, Any]) -> None:
        self._feed(lambda now: Operator(now, request, command))

    def _trace(self, on: bool) -> None:
        if on:
            self.tracer.begin()
        self.loop.use(self.tracer.step if on else self._untraced)

    def _remembered(self, request: int, command: dict[str, Any]) -> None:
        calls = self.tracer.remembered(self.loop.last, command.get("pds") or ())
        self.doorbell.call(lambda: self.control.answer(request, {"calls": calls}))

    def _create_segment(self, effect: effects.CreateSegment) -> None:
        try:
            self.segments.create(effect)
        except OSError as error:
            self._short.say(f"no memory object {effect.name}: {error}")

    def _line_exited(self, number: int, status: int) -> None:
        self.lines.exited(number)
        if not self.ending and not self.lines.expected_to_end(number):
            how = os.waitstatus_to_exitcode(status)
            print(f"kernel: line {number} has ended ({how}), and its console", file=sys.stderr)

    def _hung_up(self, fd: int) -> None:
        """A connection has ended a while ago; if its process has not, that is a fault."""
        for pd in self.loop.hung_up(fd):
            if not self.processes.ending(pd):
                self.loop.blame(pd, "it broke its connection, or sent a frame that is too long")

    # -- what happens outside; called in the helper thread ----------------------------------

    def _from_zygote(self, message: dict[str, Any], descriptors: list[int]) -> None:
        op, post = message["op"], self.doorbell.post
        if "line" in message:
            number = message["line"]
            if op == "started":
                post(lambda: self.lines.started(number, descriptors[0]))
            elif op == "exited":
                post(lambda: self._line_exited(number, message["status"]))
            else:
                post(lambda: self._line_exited(number, NEVER_RAN))
            return
        pd = message["pd"]
        if op == "started":
            post(lambda: self._started(pd, message["pid"], descriptors[0]))
        elif op == "exited":
            post(lambda: self._exited(pd, message["status"]))
        elif op == "faulted":
            post(lambda: self._faulted(self.paging.faulted(message)))
        else:
            post(lambda: self._never_ran(pd, f"the zygote refused PD {pd}: {message['reason']}"))

    def _from_launcher(self, message: dict[str, Any], _descriptors: list[int]) -> None:
        self.control.answer(message["drained"], {})

    def _from_operator(self, request: int, command: dict[str, Any]) -> None:
        if command["op"] == "logs":
            self.launcher.send({"drain": request})
            return
        act = self._remembered if command["op"] == "trace" else self._operator
        self.doorbell.post(lambda: act(request, command))

    def _switch_trace(self, on: bool) -> None:
        self.doorbell.post(lambda: self._trace(on))

    def _give_trace(self) -> None:
        self.control.trace(*self.tracer.take())

    def _hangups(self, _events: int) -> None:
        for fd in self.loop.hangups.read():
            self.doorbell.later(HANGUP_GRACE, self._poster(partial(self._hung_up, fd)))

    def _watch(self, look: Look) -> None:
        self.doorbell.later(look(time.monotonic()), partial(self._watch, look))

    def _poster(self, action: Callable[[], None]) -> Callable[[], None]:
        return lambda: self.doorbell.post(action)

    def _gone(self, part: str) -> Callable[[], None]:
        """For the end of a channel."""

        def stop() -> None:
            if not self.ending:
                raise PartGone(f"{part} has ended, and everything with it")

        return self._poster(stop)

    def _sender(self, channel: Channel) -> Callable[[dict[str, Any], Sequence[int]], None]:
        """Send over a channel from the core thread."""
        return lambda message, descriptors: self.doorbell.call(
            lambda: channel.send(message, descriptors)
        )

    def _listen_for_signals(self) -> None:
        """SIGTERM, SIGINT and SIGHUP are an operator's `down`."""
        readable, writable = socket.socketpair()
        readable.setblocking(False)
        writable.setblocking(False)
        for number in HEEDED:
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEEDED)
        signal.set_wakeup_fd(writable.detach(), warn_on_full_buffer=False)

        def arrived(_events: int) -> None:
            readable.recv(4096)
            self._from_operator(OWN_REQUEST, {"op": "down"})

        self.doorbell.watch(readable.fileno(), arrived)

    # -- what is told about the system -------------------------------------------------------------

    def _info(self) -> dict[str, Any]:
        return {
            "system": self.spec["name"],
            **self._pids,
            "run_dir": str(self.run_dir),
            "semantics": self.spec.get("semantics", "lab"),
            "confinement": self._confinement(),
            "started": self._since,
            "uarts": self.lines.describe(),
        }

    def _confinement(self) -> dict[str, Any]:
        """The level that is in force, what was asked for, and what keeps the host from more."""
        return {"level": self.spec.get("confinement", "none"), **self.spec.get("confined", {})}

    def _write_run_file(self) -> None:
        """For whoever looks for running systems, and for who clears up after a killed one."""
        about = {
            "system": self.spec["name"],
            **self._pids,
            "launcher_pid": outside.parent_pid(),
            "shm_prefix": self.spec["shm_prefix"],
            "manifest": self.spec.get("manifest"),
            "confinement": self._confinement(),
            "started": self._since,
        }
        fresh = self.run_dir / ".run.json"
        fresh.write_text(json.dumps(about))
        fresh.replace(self.run_dir / "run.json")


def strict(spec: dict[str, Any]) -> bool:
    """Whether PDs are to have namespaces of their own."""
    return spec.get("confinement") == "strict"


def code_of(pd: dict[str, Any]) -> list[str]:
    """Where a PD's program lies: its code roots, and its file."""
    file = pd["run"].get("file") if isinstance(pd["run"], dict) else None
    return [*pd["path"], *([file] if file else [])]
