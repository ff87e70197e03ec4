"""The PD's spare TCBs: Python threads that wait in Park until they are given an entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import ObjectType
from caplab.pd import stubs
from caplab.pd.errors import NoSpareTcb, Stop
from caplab.pd.ipc import words
from caplab.pd.objects import Tcb
from caplab.pd.spawn import introduce
from caplab.pd.utcb import Utcb

if TYPE_CHECKING:
    from caplab.pd.env import Env
    from caplab.pd.transport import Transport

Entry = Callable[["Env", int], Any]
"""What a spare TCB runs: `func(env, arg)`."""
Ended = Callable[[BaseException], None]
"""What to do about an exception that left an entry."""


class Threads:
    """The spare TCBs of one PD. They are connected from the start; sockets cannot be added."""

    def __init__(self, env: Env, transports: Sequence[Transport]) -> None:
        self._env = env
        self._utcbs = [Utcb(env, transport) for transport in transports]
        self._busy = [False] * len(transports)
        self._lent: set[int] = set()
        """Those that the service `cpu` has given out: whoever has the capability starts them."""
        self._entries: list[Entry] = []
        self._lock = Lock()
        self._threads: list[Thread] = []

    def register(self, func: Entry) -> int:
        """The entry number of `func`, which TCB_WriteRegisters takes; numbers start at 1."""
        with self._lock:
            if func not in self._entries:
                self._entries.append(func)
            return self._entries.index(func) + 1

    def park_all(self, ended: Ended) -> None:
        """Start the threads; `ended` hears of exceptions that leave an entry, on its thread."""
        for index, utcb in enumerate(self._utcbs):
            thread = Thread(
                target=self._run,
                args=(index, utcb, ended),
                name=f"{self._env.name}.{index + 1}",
                daemon=True,
            )
            self._threads.append(thread)
            thread.start()

    def start(self, func: Entry, arg: int) -> Tcb:
        """Have a spare TCB run `func(env, arg)`. Raises NoSpareTcb."""
        index = self._take()
        try:
            found = self._env.pd.lookup(f"tcb.{index + 1}")
            tcb = Tcb(self._env, found.slot, name=f"tcb.{index + 1}")
            tcb.write_registers(self.register(func), arg, resume=True)
        except BaseException:
            self._busy[index] = False
            raise
        return tcb

    def join(self, timeout: float) -> None:
        """Give the threads this long to end; they do when the PD is stopped."""
        share = timeout / max(1, len(self._threads))
        for thread in self._threads:
            thread.join(share)

    def lend(self) -> int:
        """Keep a spare TCB from being started here: the number of its thread. The last goes first.

        Raises NoSpareTcb.
        """
        with self._lock:
            for index in reversed(range(len(self._busy))):
                if not self._busy[index] and index not in self._lent:
                    self._lent.add(index)
                    return index + 1
        raise self._none_spare()

    def take_back(self, thread: int) -> None:
        """It is spare again, as soon as it does not run."""
        with self._lock:
            self._lent.discard(thread - 1)

    def _take(self) -> int:
        with self._lock:
            for index, busy in enumerate(self._busy):
                if not busy and index not in self._lent:
                    self._busy[index] = True
                    return index
        raise self._none_spare()

    def _none_spare(self) -> NoSpareTcb:
        count = len(self._busy) + 1
        return NoSpareTcb(
            f"all {count} {ObjectType.TCB.name}s of {self._env.name} are in use;"
            f" under `{self._env.name}:` in the manifest write: threads: {count + 1}"
        )

    def _run(self, index: int, utcb: Utcb, ended: Ended) -> None:
        utcb.enter()
        introduce(self._env.info, index + 1)
        try:
            while True:
                answer = stubs.park(utcb.transport)
                self._busy[index] = True  # it may have been resumed by hand
                self._entry(answer.label)(self._env, *words(answer.data)[:1])
                self._busy[index] = False
        except Stop:
            return
        except BaseException as exc:  # noqa: BLE001  # whatever leaves an entry ends the PD
            ended(exc)

    def _entry(self, number: int) -> Entry:
        with self._lock:
            if not 1 <= number <= len(self._entries):
                raise LookupError(
                    f"a TCB of {self._env.name} was resumed at entry {number};"
                    f" {len(self._entries)} entries are registered (env.entry)"
                )
            return self._entries[number - 1]
