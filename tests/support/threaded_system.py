"""A whole system in one process: the real kernel and the real PD library, PDs as threads.

No process, no ZeroMQ and no clock: a call goes straight into `Kernel.step`, time passes when a
test says so, and a killed PD is a thread whose calls never come back to it. A PD without a `main`
is driven by the test itself: its Env is used from the test's own thread.
"""

import contextlib
import os
import queue
import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from caplab.kernel.core import effects, events
from caplab.kernel.core.invariants import violations
from caplab.kernel.core.kernel import NANOSECONDS, Kernel
from caplab.kernel.root.task import RootTask
from caplab.pd.env import Env
from caplab.pd.errors import Stop
from caplab.pd.loader import load
from caplab.pd.spawn import SpawnInfo
from caplab.pd.window import SHM_DIR

PATIENCE = 10.0
"""Seconds after which something that should have happened counts as failed."""


class Killed(BaseException):
    """What a killed PD's thread unwinds with."""


class Channel:
    """The transport of one TCB."""

    def __init__(self, system: "ThreadedSystem", tcb: int) -> None:
        self.system, self.tcb = system, tcb
        self.answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.dead = False

    def call(self, frame: bytes, /) -> bytes:
        if self.dead:
            raise Killed
        self.system.happen(lambda now: events.Syscall(now, self.tcb, frame))
        own = threading.current_thread() is threading.main_thread()
        answer = self.answers.get(timeout=PATIENCE if own else None)
        if answer is None:
            raise Killed
        return answer


class Uart:
    """The test's end of a UART: what is printed, and what is typed."""

    def __init__(self, system: "ThreadedSystem", number: int) -> None:
        self.system, self.number = system, number
        self.register, self.end = socket.socketpair()
        self.masked = True
        self.printed = b""

    def expect(self, text: bytes) -> bytes:
        """Wait until `text` is printed; everything up to its end, which is taken."""
        self.end.settimeout(PATIENCE)
        while text not in self.printed:
            self.printed += self.end.recv(65536)
        head, _, self.printed = self.printed.partition(text)
        return head + text

    def read_all(self) -> bytes:
        """What is printed by now."""
        self.end.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while more := self.end.recv(65536):
                self.printed += more
        printed, self.printed = self.printed, b""
        return printed

    def type(self, data: bytes) -> None:
        """Type at the console."""
        self.end.sendall(data)
        self.interrupt()

    def interrupt(self) -> None:
        """Raise the interrupt if the line is readable and not masked."""
        with self.system.lock:
            if not self.masked and select.select([self.register], [], [], 0)[0]:
                self.masked = True
                self.system.happen(lambda now: events.Interrupt(now, self.number))


class ThreadedSystem:
    """A booted system. `pds` are entries of a boot specification, with `main` for the program."""

    def __init__(
        self,
        *pds: dict[str, Any],
        uarts: tuple[str, ...] = ("uart0",),
        semantics: str = "lab",
        **spec: Any,
    ) -> None:
        self.lock = threading.RLock()
        self.root = RootTask()
        self.kernel = Kernel(self.root)
        self.time = 0
        self.semantics = semantics
        self._events: deque[Callable[[int], events.Event]] = deque()
        self._happening = False
        self.envs: dict[str, Env] = {}
        self.faults: dict[str, BaseException] = {}
        self.at_end: list[Callable[[], object]] = []
        self._all: list[Env] = []
        self.uarts = {name: Uart(self, n) for n, name in enumerate(uarts)}
        self._mains = {pd["name"]: pd.pop("main", None) for pd in pds}
        self._channels: dict[int, Channel] = {}
        self._of_pd: dict[int, list[Channel]] = {}
        self._threads: list[threading.Thread] = []
        self.segments: dict[int, str] = {}
        """Memory objects that live, by number."""
        self._answers: dict[int, dict[str, Any]] = {}
        self._requests = 0
        self._changed = threading.Condition(self.lock)
        # Not `cl.`, by which the baseline check of another run would take them for a leak.
        prefix = f"threads.{os.urandom(4).hex()}."
        entries = [{"run": {}, "path": [], **pd} for pd in pds]
        spec |= {"name": "threads", "semantics": semantics, "shm_prefix": prefix}
        spec |= {"uarts": list(uarts), "pds": entries}
        self.happen(lambda now: events.Boot(now, spec))

    def __enter__(self) -> "ThreadedSystem":
        return self

    def __exit__(self, *exc: object) -> None:
        with self.lock:
            for pd in list(self.root.pds.values()):
                if pd.alive:
                    self._kill(pd.number, 9)
        for end in self.at_end:
            end()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._close_descriptors()
        leaked = list(self.segments.values())
        for name in leaked:
            os.unlink(f"{SHM_DIR}/{name}")
        assert not leaked, f"segments nobody destroyed: {leaked}"
        alive = [thread.name for thread in self._threads if thread.is_alive()]
        assert not alive, f"threads that did not end: {alive}"

    def _close_descriptors(self) -> None:
        for env in self._all:
            for name, fd in env.info.devices.items():
                if name in env._registers:
                    env._registers[name].close()
                else:
                    os.close(fd)
        for uart in self.uarts.values():
            uart.end.close()
            uart.register.close()

    # What a test does.

    def env(self, name: str) -> Env:
        """The Env of a PD, which the test drives if the PD has no `main`."""
        return self.envs[name]

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self.lock:
            self.time += int(seconds * NANOSECONDS)
            if self._due():
                self.happen(events.Deadline)

    def operate(self, **command: Any) -> dict[str, Any]:
        """A command of the control socket, and its answer."""
        with self.lock:
            self._requests += 1
            request = self._requests
            self.happen(lambda now: events.Operator(now, request, command))
            assert self._changed.wait_for(lambda: request in self._answers, PATIENCE), command
            return self._answers[request]

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for a state of affairs; it is looked at after each event and each `wake`."""
        with self.lock:
            assert self._changed.wait_for(condition, PATIENCE), "it never came to pass"

    def wake(self, *_: object) -> None:
        """Have whoever waits look again."""
        with self.lock:
            self._changed.notify_all()

    def state(self, name: str) -> str:
        """The `ps` state of a PD."""
        rows: list[dict[str, Any]] = self.operate(op="ps")["pds"]
        return next(str(row["state"]) for row in rows if row["pd"] == name)

    def blocked(self, name: str, index: int = 0) -> bool:
        """Whether a PD's TCB waits in the kernel."""
        return self.root.latest[name].tcbs[index].state != 0

    def programs(self, **mains: Callable[..., Any]) -> None:
        """What PDs of these names run that are made while the system runs."""
        self._mains.update(mains)

    def start(self, name: str, main: Callable[..., Any]) -> None:
        """Have a PD run `main` from here on: one the test has driven, or a new one."""
        env = self.envs[name]
        thread = threading.Thread(target=self._run, args=(env, main), name=name)
        self._threads.append(thread)
        thread.start()

    # The host.

    def happen(self, make: Callable[[int], events.Event]) -> None:
        """Let an event happen, after those that are happening."""
        with self.lock:
            self._events.append(make)
            if self._happening:
                return
            self._happening = True
            try:
                while event := self._next_event():
                    self._perform(self.kernel.step(event(self.time)))
                    broken = violations(self.kernel)
                    assert not broken, broken
            finally:
                self._happening = False
            self._changed.notify_all()

    def _due(self) -> bool:
        return self.kernel.next_deadline is not None and self.kernel.next_deadline <= self.time

    def _next_event(self) -> Callable[[int], events.Event] | None:
        if self._events:
            return self._events.popleft()
        if self.kernel.jobs_pending:
            return events.Work
        return events.Deadline if self._due() else None

    def _perform(self, todo: list[Any]) -> None:
        for effect in todo:
            match effect:
                case effects.Resume(tcb, frame):
                    self._channels[tcb].answers.put(frame)
                case effects.Spawn(pd, spec):
                    self._spawn(pd, spec)
                case effects.Kill(pd, signal):
                    self._kill(pd, signal)
                case effects.CreateSegment(mo, name, size):
                    self.segments[mo] = name
                    with open(f"{SHM_DIR}/{name}", "xb") as segment:
                        segment.truncate(size)
                case effects.DestroySegment(mo):
                    name = self.segments.pop(mo)
                    os.truncate(f"{SHM_DIR}/{name}", 0)
                    os.unlink(f"{SHM_DIR}/{name}")
                case effects.Unmask(irq):
                    uart = list(self.uarts.values())[irq]
                    uart.masked = False
                    uart.interrupt()
                case effects.Answer(request, body):
                    self._answers[request] = body

    def _spawn(self, pd: int, spec: dict[str, Any]) -> None:
        channels = [Channel(self, tcb) for tcb in spec["tcbs"]]
        self._of_pd[pd] = channels
        self._channels.update((channel.tcb, channel) for channel in channels)
        devices = {name: os.dup(self.uarts[name].register.fileno()) for name in spec["devices"]}
        info = SpawnInfo(
            pd=pd,
            name=spec["name"],
            generation=spec["generation"],
            run=spec["run"],
            args=spec["args"],
            console=spec["console"],
            devices=devices,
            semantics=self.semantics,
        )
        env = Env(info, channels, clock=lambda: self.time / NANOSECONDS)
        self.envs[env.name] = env
        self._all.append(env)
        self.happen(lambda now: events.Started(now, pd, 1))
        env.threads.park_all(lambda exc: self._ended(env, exc))
        main = self._mains.get(env.name) or (load(info.run, ()) if info.run else None)
        if main is not None:
            self.start(env.name, main)

    def _run(self, env: Env, main: Callable[..., Any]) -> None:
        env.first.enter()
        try:
            main(env, **env.args)
        except BaseException as exc:  # noqa: BLE001  # a test looks at it
            self._ended(env, exc)
        else:
            self._exited(env, 0)

    def _ended(self, env: Env, exc: BaseException) -> None:
        if isinstance(exc, Killed):
            return
        if isinstance(exc, Stop | SystemExit):
            self._exited(env, getattr(exc, "code", 0) or 0)
            return
        self.faults[env.name] = exc
        self._exited(env, 1)

    def _exited(self, env: Env, code: int) -> None:
        with self.lock:
            self._close(env.info.pd)
            self.happen(lambda now: events.Exited(now, env.info.pd, code << 8))

    def _kill(self, pd: int, signal: int) -> None:
        if self._close(pd):
            self.happen(lambda now: events.Exited(now, pd, signal))

    def _close(self, pd: int) -> bool:
        """Cut a PD off; False when it was already."""
        channels = self._of_pd.pop(pd, [])
        for channel in channels:
            channel.dead = True
            channel.answers.put(None)
        return bool(channels)


class Hand:
    """Runs what the test wants on a PD's own thread, one thing after another."""

    def __init__(self, system: ThreadedSystem, name: str) -> None:
        self.system, self.name = system, name
        self._tasks: queue.SimpleQueue[tuple[Future[Any], Callable[[Env], Any]] | None]
        self._tasks = queue.SimpleQueue()
        system.at_end.append(lambda: self._tasks.put(None))
        system.start(name, self._main)

    def _main(self, env: Env) -> None:
        while task := self._tasks.get():
            future, do = task
            try:
                future.set_result(do(env))
            except BaseException as exc:  # the future brings it to the test
                future.set_exception(exc)
                if isinstance(exc, Killed):
                    raise

    def begin(self, do: Callable[[Env], Any]) -> "Future[Any]":
        """Have the PD do something that may block; its result comes later."""
        future: Future[Any] = Future()
        future.add_done_callback(self.system.wake)
        self._tasks.put((future, do))
        return future

    def do(self, do: Callable[[Env], Any]) -> Any:
        """Have the PD do something, and wait for its result."""
        return self.begin(do).result(PATIENCE)


def serial_pd(**args: Any) -> dict[str, Any]:
    """The manifest entry of a serial server."""
    from caplab.servers.serial.server import main

    return {
        "name": "serial",
        "main": main,
        "args": args,
        "serves": "endpoint",
        "role": "server",
        "devices": ["uart0"],
    }


def client_pd(name: str = "client", **more: Any) -> dict[str, Any]:
    """The manifest entry of a client that a test drives."""
    return {"name": name, "uses": {"console": "serial"}, **more}


@contextlib.contextmanager
def serial_system(*clients: str, threads: int = 1, **args: Any) -> Iterator[ThreadedSystem]:
    """A serial server that is ready, and clients that the test drives."""
    driven = [client_pd(name, threads=threads) for name in clients]
    with ThreadedSystem(serial_pd(**args), *driven) as system:
        system.until(lambda: system.root.latest["serial"].received)
        yield system
