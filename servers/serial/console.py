"""One UART, and all that is known of it: its screen, whose its input is, and if it is there."""

from __future__ import annotations

from caplab.pd.env import Env
from caplab.pd.objects.device import READ_SIZE
from caplab.pd.register import Break
from caplab.servers.serial.device import Uart
from caplab.servers.serial.errors import LineDown
from caplab.servers.serial.protocol import End
from caplab.servers.serial.reading import Reading
from caplab.servers.serial.screen import Screen

DRAINED = 512 * 1024
"""Bytes that are read for who had the input before it goes to another: what the cable holds."""
ASKS_AGAIN = 0.02
"""Seconds within which who was given input asks for more; meanwhile the line keeps it."""


class Console:
    """A UART that the server drives."""

    def __init__(self, env: Env, uart: Uart, colour: bool) -> None:
        self._env = env
        self.uart = uart
        self.screen = Screen(colour)
        self.reading = Reading(env, self.screen, self.send)
        self.up = True
        """Its other end is open."""
        self._masked = False
        """Input waits in the device until there is room for it."""
        self._taken = False
        """Input was taken, and the interrupt is still to be acknowledged."""
        self._acknowledge_by = 0.0

    @property
    def name(self) -> str:
        return self.uart.device.name

    def interrupt(self) -> None:
        """Something was typed, or the line is closed; after a word that may be another's, nothing
        may have happened."""
        self._masked = True
        self._take_input()

    def focus(self, badge: int) -> None:
        """Give the input to a client of this console; what was typed before was for another."""
        if badge != self.reading.input.focused:
            for _ in range(DRAINED // READ_SIZE):
                if not self.up or not self._receive(READ_SIZE):
                    break
        self.reading.input.focus(badge)

    def pump(self) -> None:
        """Edit, answer readers, and send what is to be shown."""
        if self._masked:
            self._take_input()
        given = self.reading.pump()
        if self._masked and self.up and self.reading.input.room(self._env.now()):
            self._take_input()
            given = self.reading.pump() or given
        self.send()
        self._acknowledge(given)

    def send(self) -> None:
        """Let the line have what the screen shows."""
        data = self.screen.take()
        if not data or not self.up:
            return
        try:
            self.uart.device.write(data)
        except OSError:
            self.hang_up()

    def next_timeout(self) -> float | None:
        """Seconds until something is to be looked at without anybody's asking."""
        limits = [self.reading.input.next_deadline()]
        if self._masked and self.up:
            limits.append(self.reading.input.waits_until())
        if self._taken and self.up:
            limits.append(self._acknowledge_by)
        known = [limit for limit in limits if limit is not None]
        return max(0.0, min(known) - self._env.now()) if known else None

    def hang_up(self) -> None:
        """The line's end is closed: no interrupt is acknowledged any more, no reader waits."""
        self.up = False
        self.reading.leave_all(LineDown())

    def _acknowledge(self, given: bool) -> None:
        """Let the next input interrupt: at once, or, if somebody was just given input, when he asks
        for more or some time has passed. It is a call, and what he has to say would wait for it."""
        if not self._taken or not self.up:
            return
        now = self._env.now()
        if given:
            self._acknowledge_by = now + ASKS_AGAIN
        if now >= self._acknowledge_by or self.reading.input.waited_for:
            self._taken, self._acknowledge_by = False, 0.0
            self.uart.irq.ack()

    def _take_input(self) -> None:
        room = self.reading.input.room(self._env.now())
        if self.up and room:
            self._receive(room)
            self._masked, self._taken = False, True

    def _receive(self, limit: int) -> bool:
        """Take at most so much of what has come; whether anything had."""
        try:
            parts = self.uart.device.receive(limit)
        except (EOFError, OSError):
            self.hang_up()
            return False
        for part in parts:
            if isinstance(part, bytes):
                self.reading.input.typed(part)
            else:
                self.reading.input.happened(End.BREAK if isinstance(part, Break) else End.RESIZED)
        return bool(parts)
