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
from caplab.servers.serial.protocol import Function, Mode
from caplab.servers.serial.readers import Got, Input, Reader
from caplab.servers.serial.screen import Screen

GRACE = 0.1
"""Seconds by which a place outlives its reader's time limit: the kernel must have told the reader
first, for deleting the Reply of one that still waits would tell it something else."""
_ANSWER = protocol.answer_to(Function.READ)


class Reading:
    """The clients of one console that wait for input, and their answers.

    `show` sends what the screen has to show: a reader is answered when its echo is out.
    """

    def __init__(self, env: Env, screen: Screen, show: Callable[[], None]) -> None:
        self._env = env
        self._show = show
        self.input = Input(screen)

    def begin(self, badge: int, prompt: bytes, limit: int, mode: Mode, most: int) -> None:
        """Let the caller wait for input, `limit` - 1 milliseconds or, at 0, for ever.

        Raises NotEnoughMemory when there is no slot for its Reply capability.
        """
        deadline = self._env.now() + (limit - 1) / 1000 + GRACE if limit else None
        try:
            slot = self._env.slots.place(self._env.cnode.save_caller)
        except SlotsExhausted:
            raise NotEnoughMemory from None
        except CapError:
            return  # it was sent, not called: nobody waits for an answer
        reader = Reader(badge, slot, prompt, deadline, mode, most)
        replaced = self.input.ask(reader, self._env.now())
        if replaced is not None:
            self._refuse(replaced, ReadReplaced())

    def pump(self) -> bool:
        """Edit what was typed, and hand out what is finished; whether anybody was given any."""
        given = False
        while (found := self.input.step()) is not None:
            reader, got = found
            self._show()
            if self._deliver(reader, got):
                given = True
                self.input.taken(reader.badge, self._env.now())
            else:
                self.input.passed_over(reader.badge)
        return given

    def expire(self) -> None:
        """Free the places of those who have given up; the kernel has told them."""
        for reader in self.input.expired(self._env.now()):
            self._forget(reader)

    def leave(self, badge: int, why: SerialError) -> None:
        """Free a client's place; should it still wait, it is told why."""
        reader = self.input.leave(badge)
        if reader is not None:
            self._refuse(reader, why)

    def leave_all(self, why: SerialError) -> None:
        """Free every place."""
        for reader in self.input.leave_all():
            self._refuse(reader, why)

    def _deliver(self, reader: Reader, got: Got) -> bool:
        words = protocol.encode(_ANSWER, len(got.text), got.end)
        return self._answer(reader, 0, protocol.with_text(words, got.text))

    def _refuse(self, reader: Reader, why: SerialError) -> None:
        self._answer(reader, *why.answer(Function.READ))

    def _answer(self, reader: Reader, label: int, data: bytes) -> bool:
        """False when the reader had died or given up: nobody got the answer."""
        try:
            self._env.cap(Endpoint, reader.reply).send(label, data)
        except CapError:
            self._forget(reader)
            return False
        self._env.slots.free(reader.reply)  # which the answer has emptied
        return True

    def _forget(self, reader: Reader) -> None:
        self._env.cnode.delete_slot(reader.reply)
        self._env.slots.free(reader.reply)
