"""The helper thread: it waits for everything that is not a system call.

One epoll over the zygote's channel, the launcher's, the lines and the operators. What it finds
out it leaves in the loop's inbox, as something for the core thread to call, and rings. So the
state of the host has one owner, the core thread, and the descriptors registered here another;
only the methods that say so may be called from both.
"""

import heapq
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import count

Handler = Callable[[int], None]
"""Called in the helper thread with the epoll events of its descriptor."""
Action = Callable[[], None]

READABLE = select.EPOLLIN
ONCE = select.EPOLLIN | select.EPOLLONESHOT


class Doorbell:
    """The helper thread. An exception in it is re-raised in the core thread: a bug of ours."""

    def __init__(self, inbox: deque[Action], ring: Action) -> None:
        self._inbox = inbox
        self._ring = ring
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._tasks: deque[Action] = deque()
        self._timers: list[tuple[float, int, Action]] = []
        self._numbers = count()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._running = True
        self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
        self.watch(self._wake, self._on_wake)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it; what is watched stays with its owners."""
        if self._thread.is_alive():
            self.call(self._end)
            self._thread.join()

    def close(self) -> None:
        self._epoll.close()
        os.close(self._wake)

    # -- from the core thread --------------------------------------------------------------------

    def call(self, task: Action) -> None:
        """Have something done in the helper thread, in the order of the calls."""
        self._tasks.append(task)
        os.eventfd_write(self._wake, 1)

    def await_once(self, fd: int, handler: Handler) -> None:
        """Call `handler` when the descriptor is next readable, once. From any thread: epoll may
        be changed while somebody waits on it, so that an Unmask wakes nobody in vain."""
        if fd in self._handlers:
            self._epoll.modify(fd, ONCE)
        else:
            self._handlers[fd] = handler
            self._epoll.register(fd, ONCE)

    # -- from the helper thread, and before it starts ----------------------------------------------

    def post(self, action: Action) -> None:
        """Have something done in the core thread."""
        self._inbox.append(action)
        self._ring()

    def watch(self, fd: int, handler: Handler, events: int = READABLE) -> None:
        """Call `handler` whenever the descriptor is ready; anew with other events."""
        if fd in self._handlers:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """Before the descriptor is closed."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def later(self, seconds: float, action: Action) -> None:
        """Call `action` in the helper thread after a while."""
        entry = (time.monotonic() + seconds, next(self._numbers), action)
        heapq.heappush(self._timers, entry)

    def turn(self, timeout: float | None) -> None:
        """Wait once, at most so many seconds, and see to whatever is ready: the thread's loop."""
        for fd, events in self._epoll.poll(timeout):
            handler = self._handlers.get(fd)
            if handler is not None:  # else an earlier one in this round has forgotten it
                handler(events)
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def _run(self) -> None:
        try:
            while self._running:
                self.turn(self._until_next_timer())
        except BaseException as error:  # noqa: BLE001  # whatever it is, the core thread must know
            self.post(_Raise(error))

    def _until_next_timer(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - time.monotonic())

    def _on_wake(self, _events: int) -> None:
        os.eventfd_read(self._wake)
        while self._tasks:
            self._tasks.popleft()()

    def _end(self) -> None:
        self._running = False


class _Raise:
    """Raises in the core thread what the helper thread died of."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __call__(self) -> None:
        raise self._error
