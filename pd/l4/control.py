"""Threads of one PD that run beside each other, and the mutex between them.

A thread is made of a spare TCB (`threads: N` in the manifest), with an endpoint of its own unless
it shares its maker's: threads that share one answer under one id, so that one which is stuck
leaves the others to serve.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn, Self

from caplab.pd.errors import CapError, IpcTimeout, NoSpareTcb, NotEnoughMemory, SlotsExhausted
from caplab.pd.l4 import wire
from caplab.pd.l4.mailbox import Incoming, Mailbox
from caplab.pd.l4.numbers import EINTR, EINVAL, ENOCAP, ENOMEM, ESRCH, ETIMEDOUT, thread_id
from caplab.pd.l4.receiving import Receiver

if TYPE_CHECKING:
    from caplab.pd.env import Env
    from caplab.pd.l4.task import Task
    from caplab.pd.objects import Endpoint, Notification, Tcb

EXIT_CODES = 1 << 16
Body = Callable[[Any, int], int | None]
"""What a thread runs: `func(l4, arg)`; what it returns is its exit code."""


class Exited(BaseException):
    """Leaves a thread from anywhere, so that no `except Exception` keeps it."""

    def __init__(self, code: int) -> None:
        self.code = code


class Child:
    """A thread that another one made."""

    def __init__(self, func: Body, arg: int, strict: bool, ended: Notification) -> None:
        self.func, self.arg, self.strict, self.ended = func, arg, strict, ended
        self.tcb: Tcb | None = None
        self.exited = False
        self.awaited = False
        """Somebody waits for its exit, and nobody else can."""
        self.code = 0
        """Its exit code; `ended` is signalled when that is known."""


class Control(Receiver):
    """The verbs for threads."""

    def thread_create(self, func: Body, arg: int = 0, *, share: bool = False) -> int:
        """Run `func(l4, arg)` as another L4 thread of this PD; its id. l4_thread_control.

        With `share` it receives what is sent to this thread. A PD that serves no endpoint makes one
        for this thread, so that those it makes can send to it. -ENOMEM: no spare TCB, no memory or
        no slot for it; -ENOCAP: the capability to the TCB is gone.
        """
        task = self.task
        number = task.next_thread()
        tid = thread_id(task.number, number)
        endpoint: Endpoint | None = None
        ended: Notification | None = None
        try:
            if self.box is None:
                self._open(task.open(self.tid, self.env.endpoint()))
            ended = self.env.notification()
            if share:
                task.mailboxes[tid] = self._mailbox()
                task.mailboxes[tid].shared = True
            else:
                endpoint = self.env.endpoint()
                task.open(tid, endpoint)
            child = task.children[number] = Child(func, arg, self.strict, ended)
            child.tcb = self.env.thread(task.entry(type(self)._run), number)
        except (NoSpareTcb, NotEnoughMemory, SlotsExhausted, CapError) as lack:
            task.children.pop(number, None)
            task.close(tid, self.strict)
            if ended is not None:
                ended.delete()
            few = isinstance(lack, NoSpareTcb | NotEnoughMemory | SlotsExhausted)
            return -ENOMEM if few else -ENOCAP
        return tid

    def thread_exit(self, code: int = 0) -> NoReturn:
        """End the calling thread, if another one made it. l4_exit."""
        raise Exited(code)

    def thread_wait(self, tid: int, *, timeout: float | None = None) -> int:
        """Wait until a thread that this PD made has exited; its exit code. l4_thread_control
        (THREAD_WAIT). -ESRCH, -ETIMEDOUT.

        Only then a thread made with `strict` is gone: until then what is sent to it waits.
        """
        deadline = self._deadline(timeout)
        child = self.task.children.get(tid & 0xFFFFFF)
        if child is None or child.awaited:
            return -ESRCH
        child.awaited = True
        try:
            child.ended.wait(timeout=self._left(deadline))
        except IpcTimeout:
            child.awaited = False
            return -ETIMEDOUT
        del self.task.children[tid & 0xFFFFFF]
        self.task.close(tid, self.strict)
        child.ended.delete()
        return child.code

    def thread_suspend(self, tid: int) -> int:
        """Let a thread's current or next call wait until `thread_run`. 0 or -ESRCH."""
        return self._control(tid, lambda tcb: tcb.suspend())

    def thread_run(self, tid: int) -> int:
        """Let a suspended thread go on. 0 or -ESRCH."""
        return self._control(tid, lambda tcb: tcb.resume())

    def thread_destroy(self, tid: int) -> int:
        """Suspend a thread for good; whoever waits to send to it gets -ESRCH (`strict`: -EINTR).

        Its TCB is not used again, and whoever it had just received from waits on. 0 or -ESRCH.
        """
        suspended = self.thread_suspend(tid)
        if not suspended:
            child = self.task.children.pop(tid & 0xFFFFFF)
            self.task.close(tid, self.strict)
            child.ended.delete()
        return suspended

    def thread_recycle(self, tid: int) -> int:
        """Send everybody away who waits to send to a thread, with -EINTR. How many, or -ESRCH.

        Differs: Codezero, and `strict`, tells them 0, though nothing was delivered
        """
        box = self.task.mailboxes.get(tid)
        if box is None:
            return -ESRCH
        label = wire.label(wire.ACCEPTED) if self.strict else wire.label(wire.ERROR, EINTR)
        count = 0
        while (message := box.take_aside(None) or self._queued(box)) is not None:
            box.answer(message, label)
            count += 1
        return count

    def _queued(self, box: Mailbox) -> Incoming | None:
        message = box.endpoint.nb_recv()
        if message is None or message.notification:
            return None
        return Incoming(0, message.badge, wire.ANY, message.data)

    def _control(self, tid: int, do: Callable[[Tcb], None]) -> int:
        child = self.task.children.get(tid & 0xFFFFFF)
        if child is None or child.tcb is None or child.exited:
            return -ESRCH
        do(child.tcb)
        return 0

    @abstractmethod
    def _open(self, box: Mailbox) -> None:
        """From here on the thread can be sent to."""

    @classmethod
    @abstractmethod
    def _member(cls, task: Task, box: Mailbox, number: int, strict: bool) -> Self:
        """A further thread of a PD, on the TCB that calls."""

    @classmethod
    def _run(cls, task: Task, number: int) -> None:
        """The life of a thread."""
        tid = thread_id(task.number, number)
        child = task.children[number]
        l4 = cls._member(task, task.mailboxes[tid], number, child.strict)
        try:
            code = child.func(l4, child.arg) or 0
        except Exited as exited:
            code = exited.code
        l4._put_away(task.mailboxes[tid])
        if not 0 <= code < EXIT_CODES:
            raise ValueError(f"an exit code is a number from 0 to {EXIT_CODES - 1}, not {code}")
        if not child.strict:
            task.close(tid)
        child.code, child.exited = code, True
        child.ended.signal()


class Mutex:
    """A lock between the threads of a PD. l4_mutex.

    Nobody waits but in the kernel, where suspend, stop and crash reach a thread; an uncontended
    one costs no system call.
    """

    def __init__(self, env: Env) -> None:
        self._bell = env.notification()
        self._guard = Lock()
        self._held = False
        self._waiting = 0

    def lock(self, *, timeout: float | None = None) -> int:
        """Wait until nobody else holds it, and hold it. 0 or -ETIMEDOUT. l4_mutex_lock."""
        with self._guard:
            if not self._held:
                self._held = True
                return 0
            self._waiting += 1
        try:
            self._bell.wait(timeout=timeout)
        except IpcTimeout:
            with self._guard:
                if self._waiting:
                    self._waiting -= 1
                    return -ETIMEDOUT
            self._bell.wait()  # it was handed over in the last moment
        return 0

    def unlock(self) -> int:
        """Let the next one have it. 0, or -EINVAL when nobody holds it. l4_mutex_unlock."""
        with self._guard:
            if not self._held:
                return -EINVAL
            if not self._waiting:
                self._held = False
                return 0
            self._waiting -= 1
        self._bell.signal()
        return 0

    def __enter__(self) -> Self:
        self.lock()
        return self

    def __exit__(self, *exc: object) -> None:
        self.unlock()
