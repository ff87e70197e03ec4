"""Timers of the machine: devices that raise an interrupt after a while."""

from __future__ import annotations

from typing import ClassVar

from caplab.kernel.abi import (
    TIMER_CONTROL,
    TIMER_COUNT,
    TIMER_RELOAD,
    TIMER_TICKS,
    ObjectType,
    TimerMode,
)
from caplab.pd import invocations
from caplab.pd.objects.capability import Capability
from caplab.pd.objects.ioport import IoPort
from caplab.pd.objects.irq import Irq
from caplab.pd.stubs import fields

_MICROSECONDS = 1_000_000
LONGEST = ((1 << 32) - 1) / _MICROSECONDS
"""Seconds: the reload register holds no more."""


class Timer(Capability):
    """A timer that the manifest gave this PD (`timers: [timer0]`, and `devices: [timer0]`).

    `claim` gives the interrupt, `ports` the registers, which `start` and the others program.
    """

    type: ClassVar[ObjectType] = ObjectType.DEVICE
    __slots__ = ()

    def claim(self) -> Irq:
        """Become the driver: a capability to the interrupt, until it is deleted.

        Errors: RevokeFirst (`.holder` drives the timer already)
        """

        def put(slot: int) -> None:
            answer = invocations.device_claim(self.transport, self.slot, slot=slot)
            self.checked(answer, "Device_Claim")

        return Irq(self.env, self.env.slots.place(put), name=self.name)

    def ports(self) -> TimerPorts:
        """Its registers, until the capability is deleted; then it stops.

        Errors: RevokeFirst (somebody has them), IllegalOperation (a UART)
        """
        first: list[int] = []

        def put(slot: int) -> None:
            answer = invocations.device_ports(self.transport, self.slot, slot=slot)
            first.append(int(fields(self.checked(answer, "Device_Ports").data)["first"]))

        slot = self.env.slots.place(put)
        return TimerPorts(IoPort(self.env, slot, name=self.name), first[-1])


class TimerPorts:
    """A timer's registers, through a capability to its ports."""

    def __init__(self, ports: IoPort, first: int) -> None:
        self.ports = ports
        self.first = first

    def start(self, seconds: float, *, periodic: bool = False) -> None:
        """Raise the interrupt after so many seconds, or after each that many; at least 0.001.

        Errors: ValueError (negative, or longer than LONGEST)
        """
        if not 0 <= seconds <= LONGEST:
            raise ValueError(f"a timer takes 0 to {LONGEST:g} seconds, not {seconds}")
        self.ports.out32(self.first + TIMER_RELOAD, int(seconds * _MICROSECONDS))
        mode = TimerMode.PERIODIC if periodic else TimerMode.ONE_SHOT
        self.ports.out8(self.first + TIMER_CONTROL, mode)

    def stop(self) -> None:
        """Raise no more."""
        self.ports.out8(self.first + TIMER_CONTROL, TimerMode.STOP)

    def left(self) -> float:
        """Seconds until it raises the interrupt; 0 when it does not run."""
        return self.ports.in32(self.first + TIMER_COUNT) / _MICROSECONDS

    def ticks(self) -> int:
        """How often it has raised the interrupt, periods that nobody saw included."""
        return self.ports.in32(self.first + TIMER_TICKS)

    def delete(self) -> None:
        """Give the registers back; the timer stops."""
        self.ports.delete()
