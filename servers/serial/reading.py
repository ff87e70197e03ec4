"""Answering READ: later, and to whoever still waits.

The caller's Reply capability is saved in a slot of its own. Sending on it fails when the caller
has died or given up meanwhile; then the line is the next reader's.
"""

from __future__ import annotations

from collections.abc import Callable

from caplab.pd.env import Env
from caplab.pd.errors import CapError, SlotsExhausted
from caplab.pd.objects import Endpoint
from caplab.servers.serial import protocol
from caplab.servers.serial.errors import NotEnoughMemory, ReadReplaced, SerialError
from caplab.servers.serial.protocol import Function
from caplab.servers.serial.readers import Input, Line, Reader

GRACE = 0.1
"""Seconds by which a place outlives its reader's time limit: the kernel must have told the reader
first, for deleting the Reply of one that still waits would tell it something else."""
_ANSWER = protocol.answer_to(Function.READ)


class Reading:
    """The clients that wait for a line, and their answers. `put` shows bytes on the console."""

    def __init__(self, env: Env, put: Callable[[bytes], None]) -> None:
        self._env = env
        self._put = put
        self._input = Input()

    def begin(self, badge: int, prompt: bytes, limit: int) -> None:
        """Let the caller wait for a line, `limit` - 1 milliseconds or, at 0, for ever.

        Raises NotEnoughMemory when there is no slot for its Reply capability.
        """
        deadline = self._env.now() + (limit - 1) / 1000 + GRACE if limit else None
        try:
            slot = self._env.slots.place(self._env.cnode.save_caller)
        except SlotsExhausted:
            raise NotEnoughMemory from None
        except CapError:
            return  # it was sent, not called: nobody waits for an answer
        replaced = self._input.ask(Reader(badge, slot, prompt, deadline))
        if replaced is not None:
            self._refuse(replaced, ReadReplaced())

    def typed(self, data: bytes) -> None:
        """Keep what was typed until somebody reads it."""
        self._put(self._input.typed(data))

    def pump(self) -> None:
        """Edit what was typed, and hand finished lines to who waits for one."""
        while self._input.readers:
            shown, line = self._input.step()
            self._put(shown)
            if line is None or not self._input.readers:
                return
            if self._deliver(self._input.readers[0], line):
                self._input.taken()
            else:
                self._input.passed_over()

    def next_timeout(self) -> float | None:
        """Seconds until the first of those who wait gives up."""
        deadline = self._input.next_deadline()
        return None if deadline is None else max(0.0, deadline - self._env.now())

    def expire(self) -> None:
        """Free the places of those who have given up; the kernel has told them."""
        for reader in self._input.expired(self._env.now()):
            self._forget(reader)

    def leave(self, badge: int, why: SerialError) -> None:
        """Free a client's place; should it still wait, it is told why."""
        reader = self._input.leave(badge)
        if reader is not None:
            self._refuse(reader, why)

    def leave_all(self, why: SerialError) -> None:
        """Free every place."""
        for reader in self._input.leave_all():
            self._refuse(reader, why)

    def _deliver(self, reader: Reader, line: Line) -> bool:
        words = protocol.encode(_ANSWER, len(line.text), int(line.end_of_file))
        return self._answer(reader, 0, protocol.with_text(words, line.text))

    def _refuse(self, reader: Reader, why: SerialError) -> None:
        self._answer(reader, *why.answer(Function.READ))

    def _answer(self, reader: Reader, label: int, data: bytes) -> bool:
        """False when the reader had died or given up: nobody got the answer."""
        try:
            self._env.cap(Endpoint, reader.reply).send(label, data)
        except CapError:
            return False
        finally:
            self._forget(reader)
        return True

    def _forget(self, reader: Reader) -> None:
        self._env.cnode.delete_slot(reader.reply)
        self._env.slots.free(reader.reply)
