"""Timers: devices of the machine that raise an interrupt line after a while, once or again.

A timer is programmed through its I/O ports (`abi.TIMER_RELOAD` and the offsets beside it). Time
comes with the events, and the kernel's own deadlines wake the timer, so a recorded run replays
with every interrupt at its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.abi import (
    TIMER_CONTROL,
    TIMER_COUNT,
    TIMER_MIN,
    TIMER_PORT,
    TIMER_PORTS,
    TIMER_RELOAD,
    TIMER_STATUS,
    TIMER_TICKS,
    TimerMode,
)
from caplab.kernel.core import irq as irqs

if TYPE_CHECKING:
    from caplab.kernel.core.irq import IRQ
    from caplab.kernel.core.kernel import Kernel

_MICROSECOND = 1000
_LONG = (1 << 32) - 1


class Timer:
    """One timer: its registers, and when it fires."""

    __slots__ = (
        *("deadline", "due", "fired", "first", "irq", "last", "mode", "name", "reload"),
        "ticks",
    )

    def __init__(self, place: int, name: str, irq: IRQ) -> None:
        self.name = name
        self.irq = irq
        self.first = TIMER_PORT + place * TIMER_PORTS
        self.last = self.first + TIMER_PORTS - 1
        self.deadline: int | None = None
        self.reset()

    def reset(self) -> None:
        """As it is when the machine starts: stopped, its registers zero."""
        self.mode = TimerMode.STOP
        self.reload = self.ticks = self.due = 0
        self.fired = False
        self.deadline = None

    @property
    def period(self) -> int:
        """Nanoseconds."""
        return max(self.reload, TIMER_MIN) * _MICROSECOND

    def read(self, k: Kernel, offset: int) -> int:
        """A byte of its registers; reading the status clears it."""
        if offset == TIMER_CONTROL:
            return self.mode
        if offset == TIMER_STATUS:
            fired, self.fired = self.fired, False
            return int(fired)
        left = (self.due - k.now) // _MICROSECOND if self.mode else 0
        longs = ((TIMER_RELOAD, self.reload), (TIMER_COUNT, max(0, left)))
        for first, value in (*longs, (TIMER_TICKS, self.ticks)):
            if first <= offset < first + 4:
                return value >> 8 * (offset - first) & 0xFF
        return 0

    def write(self, k: Kernel, offset: int, value: int) -> None:
        """A byte of its registers; writing the control register starts or stops it."""
        if TIMER_RELOAD <= offset < TIMER_RELOAD + 4:
            shift = 8 * (offset - TIMER_RELOAD)
            self.reload = self.reload & ~(0xFF << shift) | value << shift
        elif offset == TIMER_CONTROL:
            known = value in (TimerMode.ONE_SHOT, TimerMode.PERIODIC)
            self.mode = TimerMode(value) if known else TimerMode.STOP
            self.deadline = None
            if known:
                self._await(k, k.now + self.period)

    def expired(self, k: Kernel) -> None:
        """Its time has come. Periods that passed unnoticed are counted, and fire once."""
        self.fired = True
        fires = 1
        if self.mode == TimerMode.PERIODIC:
            fires += (k.now - self.due) // self.period
            self._await(k, self.due + fires * self.period)
        else:
            self.mode = TimerMode.STOP
        self.ticks = self.ticks + fires & _LONG
        irqs.arrive(k, self.irq)

    def _await(self, k: Kernel, when: int) -> None:
        self.due = when
        k.deadlines.set(self, when, len(k.tcbs))

    def describe(self) -> list[int]:
        """Its part of the capability state; that time goes by is not."""
        return [self.mode, self.reload, self.ticks, self.fired]
