"""Binding the server to its UART, and how that fails.

The seed reports every failure as one number, 12; here each also says which of three it was.
"""

from __future__ import annotations

from typing import NamedTuple

from caplab.kernel.abi import INTERRUPT_BIT, ObjectType, notification_badge
from caplab.pd.env import Env
from caplab.pd.errors import IllegalOperation, RevokeFirst
from caplab.pd.objects import Device, Irq, Notification, Tcb
from caplab.servers.serial.errors import BindFailed


class Uart(NamedTuple):
    """A claimed UART, its interrupt bound to the thread that serves it."""

    device: Device
    irq: Irq
    signal: Notification
    """The PD's notification with the interrupt's bit, which the line signals."""
    tcb: Tcb
    bit: int
    """Of the PD's notification."""

    def give_back(self) -> None:
        """Let another claim it."""
        for capability in (self.irq, self.signal):
            capability.delete()


def bind_all(env: Env, name: str, tcb: Tcb) -> list[Uart]:
    """Claim the device called `name`, or all the PD has, for the thread `tcb`.

    Each interrupt has a bit of its own; they and the PD's work arrive at the same notification,
    which ends the thread's Recv.

    Raises BindFailed: no such device, taken by another, not a device, or a thread that cannot be
    interrupted. Then nothing is claimed.
    """
    claimed: list[Uart] = []
    try:
        for place, device in enumerate(_find(env, name)):
            claimed.append(_claim(env, device, INTERRUPT_BIT << place, tcb))
        try:
            tcb.bind_notification(env.work)
        except IllegalOperation:
            raise BindFailed.no_interrupt() from None
    except BindFailed:
        for uart in claimed:
            uart.give_back()
        raise
    return claimed


def _claim(env: Env, device: Device, bit: int, tcb: Tcb) -> Uart:
    try:
        irq = device.claim()
    except RevokeFirst as taken:
        raise BindFailed.taken(device.name, taken.holder) from None
    signal = env.work.mint(notification_badge(bit))
    irq.set_notification(signal)
    return Uart(device, irq, signal, tcb, bit)


def _find(env: Env, name: str) -> list[Device]:
    there = env.pd.names()
    if name:
        names = [name]
    else:
        names = [n for n, found in there.items() if found.type == ObjectType.DEVICE] or ["uart0"]
    for one in names:
        if one in there and there[one].type != ObjectType.DEVICE:
            raise BindFailed.not_a_device(one)
    try:
        return [env.device(one) for one in names]
    except LookupError:  # no such capability, or none with a register
        raise BindFailed.missing(names[0]) from None
