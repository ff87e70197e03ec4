"""The kernel's loop on its own thread, around a small kernel that a test writes, and peers for it.

The peers are DEALERs of the test's own process, which is therefore the process of every PD.
"""

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

import zmq

from caplab.kernel.core.effects import Effect, Resume
from caplab.kernel.core.events import Event, Syscall
from caplab.kernel.host.loop import Loop

PATIENCE = 10_000
"""Milliseconds after which a test gives up on a message."""


class FakeKernel:
    """Answers what `on_call` says; keeps every event."""

    def __init__(self, on_call: Callable[[Syscall], list[Effect]]) -> None:
        self.on_call = on_call
        self.events: list[Event] = []
        self.next_deadline: int | None = None
        self.jobs_pending = False
        self.finished = False
        self._changed = threading.Condition()

    @property
    def restless(self) -> bool:
        return self.next_deadline is not None or self.jobs_pending or self.finished

    def step(self, event: Event) -> list[Effect]:
        effects = self.on_event(event)
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()
        return effects

    def on_event(self, event: Event) -> list[Effect]:
        return self.on_call(event) if isinstance(event, Syscall) else []

    def seen(self, kind: type, count: int = 1) -> list[Any]:
        """The events of one kind, once there are so many."""

        def found() -> list[Event]:
            return [event for event in self.events if isinstance(event, kind)]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= count, PATIENCE / 1000), kind
            return found()


def echo(call: Syscall) -> list[Effect]:
    return [Resume(call.tcb, call.frame)]


def rendezvous(call: Syscall) -> list[Effect]:
    """TCBs 1 and 2 get each other's messages."""
    return [Resume(3 - call.tcb, call.frame)]


class Resting:
    """Says after how many events it found the kernel idle, each time that it has not said."""

    patience = 30_000_000

    def __init__(self, kernel: FakeKernel) -> None:
        self.found: queue.Queue[int] = queue.Queue()
        self.asked = 0
        self._kernel = kernel
        self._last = 0

    def rest(self, now: int) -> int | None:
        self.asked += 1
        events = self._kernel.events
        if len(events) == self._last:
            return None
        wait = events[-1].now + self.patience - now
        if wait <= 0:
            self._last = len(events)
            self.found.put(self._last)
            return None
        return wait


class LoopLab:
    """A running loop; `call` does something in its thread."""

    def __init__(self, folder: Path, kernel: FakeKernel, **more: Any) -> None:
        self.address = f"ipc://{folder}/kernel.sock"
        self.kernel = kernel
        self.loop = Loop(self.address, kernel, kernel.step, more.pop("perform", {}), **more)
        self.context = zmq.Context()
        self._peers: list[Any] = []
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.loop.run()
        except BaseException as error:  # noqa: BLE001  # the test looks at it
            self.failure = error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()
        self.loop.close()
        for peer in self._peers:
            peer.close()
        self.context.term()

    def end(self) -> None:
        """Finish the kernel, and wait for the loop's end."""
        if self._thread.is_alive():
            self.post(lambda: setattr(self.kernel, "finished", True))
            self._thread.join()

    def ended(self) -> BaseException | None:
        """Wait for the loop to end by itself; what it died of."""
        self._thread.join(PATIENCE / 1000)
        assert not self._thread.is_alive()
        return self.failure

    def post(self, action: Callable[[], None]) -> None:
        self.loop.inbox.append(action)
        self.loop.bell.ring()

    def call(self, function: Callable[[], Any]) -> Any:
        """What `function` returns in the loop's thread."""
        result: Future[Any] = Future()

        def do() -> None:
            try:
                result.set_result(function())
            except Exception as error:  # noqa: BLE001  # it belongs to the test
                result.set_exception(error)

        self.post(do)
        return result.result(PATIENCE / 1000)

    def pd(self, number: int, *tcbs: int, pid: int | None = None) -> list[bytes]:
        """The routing ids of a PD, started unless `pid` is 0."""
        ids: list[bytes] = self.call(lambda: self.loop.register(number, tcbs))
        if pid != 0:
            self.call(lambda: self.loop.started(number, pid or os.getpid()))
        return ids

    def peer(self, routing_id: bytes, **options: int) -> Any:
        """A connected DEALER."""
        dealer = self.context.socket(zmq.DEALER)
        dealer.setsockopt(zmq.ROUTING_ID, routing_id)
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.setsockopt(zmq.RCVTIMEO, PATIENCE)
        dealer.setsockopt(zmq.SNDTIMEO, PATIENCE)
        for name, value in options.items():
            dealer.setsockopt(getattr(zmq, name), value)
        dealer.connect(self.address)
        self._peers.append(dealer)
        return dealer
